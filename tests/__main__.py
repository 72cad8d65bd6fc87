"""The whole suite, as ``make test`` runs it: file by file, on several processes at once.

Tests in a browser mostly compute, those of faults, clusters and proxies mostly wait: together they
compute a third of the time, so two cores have work for six processes. ``tests/support/order.py``
says which file begins when.
"""

import contextlib
import os
import subprocess
import sys
import tempfile

from tests.support.cameras.films import KEPT
from tests.support.servers.fork_server import ADDRESS, ForkServer

# What measures a rate or an age, and so wants a machine that does little else. Those of clusters
# mostly wait.
QUIET = (
    "tests/browser/video/test_slow_link.py",
    "tests/browser/page/test_wall.py",
    "tests/system/faults/test_flood.py",
    "tests/system/cluster/test_bad_bus.py",
    "tests/system/cluster/test_outage.py",
    "tests/system/cluster/test_video.py",
)

QUIET_AT_ONCE, AT_ONCE = 6, 5

SLOWEST = 10

PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "tests.support.workers")


def main() -> int:
    """Run all tests, and return 0 if nothing has failed."""
    # Keep what is compiled: with pytest's asserts it costs 6 s.
    os.environ["PYTHONDONTWRITEBYTECODE"] = ""
    os.environ[ADDRESS] = ForkServer().share()
    with tempfile.TemporaryDirectory(prefix="films-") as films:
        os.environ[KEPT] = films
        return run()


def run() -> int:
    """Run what must be quiet, then all else; return 0 if nothing has failed."""
    waits, goes = os.pipe()
    # Collects all else meanwhile.
    rest = start(AT_ONCE, f"--after={waits}", *(f"--ignore={path}" for path in QUIET), pipe=waits)
    os.close(waits)
    quiet = start(QUIET_AT_ONCE, *QUIET).wait()
    with contextlib.suppress(BrokenPipeError):  # It may have died.
        os.write(goes, b"!")
    os.close(goes)
    # A signal that ended pytest is a negative number.
    return max(abs(quiet), abs(rest.wait()))


def start(workers: int, *arguments: str, pipe: int | None = None) -> subprocess.Popen[bytes]:
    """Start pytest with so many workers."""
    return subprocess.Popen(
        [*PYTEST, f"--workers={workers}", f"--durations={SLOWEST}", *arguments],
        pass_fds=() if pipe is None else (pipe,),
    )


if __name__ == "__main__":
    sys.exit(main())
