"""Run the whole suite for ``make test``, file by file, in several processes.

Browser tests mostly compute, all others mostly wait. Running both kinds side by side keeps two
cores busy with five processes without overloading them. ``tests/support/order.py`` sets the order
of files.
"""

import contextlib
import os
import subprocess
import sys
import tempfile

from tests.support.cameras.films import KEPT
from tests.support.servers.fork_server import ADDRESS, ForkServer

# Tests that measure a rate or an age, and so need a quiet machine. Those of clusters and of the
# link mostly wait. All but one start together; the slow link's follows the wall's.
QUIET = (
    "tests/browser/video/test_slow_link.py",
    "tests/browser/page/test_wall.py",
    "tests/system/faults/test_flood.py",
    "tests/system/cluster/test_bad_bus.py",
    "tests/system/cluster/test_outage.py",
    "tests/system/cluster/test_video.py",
    "tests/system/faults/test_link.py",
)

QUIET_AT_ONCE, AT_ONCE = 6, 5
# How many of these compute.
QUIET_COMPUTING, COMPUTING = 1, 3

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
    """Run the tests that need quiet, then the others; return 0 if nothing has failed."""
    waits, goes = os.pipe()
    # Collects the other tests meanwhile.
    others = [f"--after={waits}", *(f"--ignore={path}" for path in QUIET)]
    rest = start(AT_ONCE, COMPUTING, *others, pipe=waits)
    os.close(waits)
    quiet = start(QUIET_AT_ONCE, QUIET_COMPUTING, *QUIET).wait()
    with contextlib.suppress(BrokenPipeError):  # It may have died.
        os.write(goes, b"!")
    os.close(goes)
    # A negative number: the signal that ended pytest.
    return max(abs(quiet), abs(rest.wait()))


def start(
    workers: int, computing: int, *arguments: str, pipe: int | None = None
) -> subprocess.Popen[bytes]:
    """Start pytest with this many workers, some of which prefer tests that compute."""
    numbers = (f"--workers={workers}", f"--computing={computing}", f"--durations={SLOWEST}")
    return subprocess.Popen(
        [*PYTEST, *numbers, *arguments], pass_fds=() if pipe is None else (pipe,)
    )


if __name__ == "__main__":
    sys.exit(main())
