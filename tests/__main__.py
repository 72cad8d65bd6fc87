"""The whole suite, as ``make test`` runs it: in two halves side by side.

What needs real faults, nodes and proxies mostly waits for them, while all else mostly computes.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

WAITING = ("tests/system/faults", "tests/system/cluster", "tests/system/deploy")

# Where pytest remembers what failed; each half has its own, or the later would hide the other's.
CACHE = Path(".pytest_cache")
WAITING_CACHE = CACHE / "waiting"
LAST_FAILED = Path("v/cache/lastfailed")


def main() -> int:
    """Run both halves, print one after the other, and return 0 if nothing in them has failed."""
    computing = ["tests", *(f"--ignore={folder}" for folder in WAITING)]
    waiting = [*WAITING, "-o", f"cache_dir={WAITING_CACHE}"]
    with tempfile.TemporaryFile("w+") as heard, _pytest(waiting, heard) as beside:
        with _pytest(computing) as first:
            code = first.wait()
        beside.wait()
        heard.seek(0)
        print(heard.read(), end="", flush=True)
    _remember_together()
    return code or beside.returncode


def _pytest(arguments: Sequence[str], output: TextIO | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.Popen(command, stdout=output, stderr=output)


def _remember_together() -> None:
    """Have ``--last-failed`` find what failed in either half."""
    failed: dict[str, bool] = {}
    for folder in (CACHE, WAITING_CACHE):
        try:
            failed |= json.loads((folder / LAST_FAILED).read_text())
        except OSError:
            pass  # Nothing has failed there, ever.
    if failed:
        (CACHE / LAST_FAILED).parent.mkdir(parents=True, exist_ok=True)
        (CACHE / LAST_FAILED).write_text(json.dumps(failed))


if __name__ == "__main__":
    sys.exit(main())
