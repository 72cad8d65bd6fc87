"""The processes that run tests side by side."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

DIES = "import os\n\ndef test_dies(): os._exit(3)\n\ndef test_never_run(): pass\n"
PASSES = "def test_passes(): pass\n"


def test_a_process_that_dies_costs_its_own_file_only(tmp_path: Path) -> None:
    """It was not replaced: with one process, all that came after a crash counted as failed."""
    (tmp_path / "test_1.py").write_text(DIES)
    for number in (2, 3):
        (tmp_path / f"test_{number}.py").write_text(PASSES)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.workers", "--workers=1"]

    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--rootdir=.", "--noconftest", "."],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1, done.stdout
    assert "2 failed, 2 passed" in done.stdout
    assert re.findall(r"^FAILED \S+::(\w+)", done.stdout, re.M) == ["test_dies", "test_never_run"]
