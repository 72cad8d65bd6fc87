"""The whole suite, as ``make test`` runs it: file by file, on several processes at once.

Tests in a browser mostly compute, those of faults, clusters and proxies mostly wait: together they
compute a third of the time, so two cores have work for six processes. ``tests/support/order.py``
says which file begins when.
"""

import os
import subprocess
import sys

from tests.support.fork_server import ADDRESS, ForkServer

# What measures a rate or an age, and so wants a machine that does little else. Those of clusters
# mostly wait.
QUIET = (
    "tests/browser/test_slow_link.py",
    "tests/browser/test_wall.py",
    "tests/system/faults/test_flood.py",
    "tests/system/cluster/test_bad_bus.py",
    "tests/system/cluster/test_outage.py",
    "tests/system/cluster/test_video.py",
)

QUIET_AT_ONCE, AT_ONCE = 5, 4

SLOWEST = 10

PYTEST = (sys.executable, "-m", "pytest")


def main() -> int:
    """Run what must be quiet, then all else, and return 0 if nothing has failed."""
    # Keep what is compiled: with pytest's asserts it costs 6 s, and each process would do it anew.
    os.environ["PYTHONDONTWRITEBYTECODE"] = ""
    os.environ[ADDRESS] = ForkServer().share()
    # Compiles every test meanwhile.
    with subprocess.Popen([*PYTEST, "--collect-only"], stdout=subprocess.DEVNULL):
        quiet = run(QUIET_AT_ONCE, *QUIET)
    return max(quiet, run(AT_ONCE, *(f"--ignore={path}" for path in QUIET)))


def run(processes: int, *arguments: str) -> int:
    """Run pytest on so many processes, and return its exit code."""
    done = subprocess.run(
        [
            *PYTEST,
            *("-n", str(processes), "--dist", "loadfile", "--no-loadscope-reorder"),
            *(f"--durations={SLOWEST}", *arguments),
        ],
        check=False,
    )
    # A signal that ended pytest is a negative number.
    return abs(done.returncode)


if __name__ == "__main__":
    sys.exit(main())
