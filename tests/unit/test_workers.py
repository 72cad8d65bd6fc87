"""The processes that run tests in parallel."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.workers import fill, take

ROOT = Path(__file__).resolve().parents[2]

DIES = "import os\n\ndef test_dies(): os._exit(3)\n\ndef test_never_run(): pass\n"
PASSES = "def test_passes(): pass\n"
WAITS = """import pathlib, time

def test_waits():
    deadline = time.monotonic() + 30
    while not pathlib.Path("goes").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""
ENDS_THE_WAIT = "import pathlib\n\ndef test_ends_the_wait(): pathlib.Path('goes').touch()\n"


def test_dead_process_fails_only_its_own_file(tmp_path: Path) -> None:
    """A dead process was not replaced: with only one, all tests after a crash counted as failed."""
    (tmp_path / "test_1.py").write_text(DIES)
    for number in (2, 3):
        (tmp_path / f"test_{number}.py").write_text(PASSES)

    done = run(tmp_path, workers=1)

    assert done.returncode == 1, done.stdout
    assert "2 failed, 2 passed" in done.stdout
    assert re.findall(r"^FAILED \S+::(\w+)", done.stdout, re.M) == ["test_dies", "test_never_run"]


def test_no_file_waits_behind_a_slow_one(tmp_path: Path) -> None:
    """A process with one slow test had already taken the next file, which no other could run."""
    (tmp_path / "test_1.py").write_text(WAITS)
    (tmp_path / "test_2.py").write_text(ENDS_THE_WAIT)
    (tmp_path / "test_3.py").write_text(PASSES)

    done = run(tmp_path, workers=2)

    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_preferred_files_are_taken_first() -> None:
    """After them, a process takes those that the others have left."""
    files = [[name] for name in "abcd"]
    waiting, computing = fill([0, 2]), fill([1, 3])

    first = next(take(files, [computing, waiting]))  # type: ignore[arg-type]
    others = [*take(files, [waiting, computing])]  # type: ignore[arg-type]

    assert [first, *others] == [["b"], ["a"], ["c"], ["d"]]
    for queue in (waiting, computing):
        os.close(queue)


def run(folder: Path, workers: int) -> subprocess.CompletedProcess[str]:
    """Run the tests in a folder."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.workers"]
    more = ["-p", "no:cacheprovider", "--rootdir=.", "--noconftest", "."]
    return subprocess.run(
        [*command, f"--workers={workers}", *more],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
