"""The whole suite, as ``make test`` runs it: in groups, four of them side by side.

Tests in a browser mostly compute, those of faults, clusters and proxies mostly wait, so two cores
have work for four groups. A group begins as soon as one before it has ended.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

# About half of what a browser is needed for, so that two share it.
PAGES = (
    "tests/browser/test_access.py",
    "tests/browser/test_browser.py",
    "tests/browser/test_clock.py",
    "tests/browser/test_keys.py",
    "tests/browser/test_page.py",
)

# What measures a rate or an age, and so wants a machine that does little else.
QUIET = (
    "tests/browser/test_slow_link.py",
    "tests/browser/test_wall.py",
    "tests/system/faults/test_flood.py",
)

REST = "everything else"


def ignore(paths: Sequence[str]) -> list[str]:
    """Return pytest's options that leave paths out."""
    return [f"--ignore={path}" for path in paths]


GROUPS = {
    "browser": ("tests/browser", "tests/screens", *ignore(PAGES + QUIET)),
    "pages": PAGES,
    "faults": ("tests/system/faults", *ignore(QUIET)),
    REST: ("tests",),
    "live": ("tests/system/live", *QUIET),
    "cluster": ("tests/system/cluster",),
    "deployment": ("tests/system/deploy",),
}
"""Paths by name, the longest group first. What no other group names is in the rest."""

AT_ONCE = 4

SLOWEST = 10

# Where pytest keeps what failed; each group has its own, or a later one would replace it.
CACHE = Path(".pytest_cache")
LAST_FAILED = Path("v/cache/lastfailed")


def main() -> int:
    """Run all groups, print each when it has ended, and return 0 if nothing has failed."""
    named = [
        path
        for name, paths in GROUPS.items()
        for path in paths
        if name != REST and not path.startswith("-")
    ]
    others = (*GROUPS[REST], *ignore(named))
    groups: dict[str, Sequence[str]] = {**GROUPS, REST: others}
    with (
        tempfile.TemporaryDirectory() as reports,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        codes = list(pool.map(lambda name: run_group(name, groups[name], Path(reports)), groups))
        print_slowest(Path(reports))
    merge_failed(groups)
    return max(codes)


def run_group(name: str, arguments: Sequence[str], reports: Path) -> int:
    """Run a group, print what pytest says, and return its exit code."""
    began = time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *arguments),
            *("-o", f"cache_dir={cache_of(name)}", f"--junit-xml={reports / name}.xml"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    print(f"{done.stdout}\n{name}: exit code {done.returncode}, {seconds:.0f} s\n", flush=True)
    # A signal that ended pytest is a negative number.
    return abs(done.returncode)


def print_slowest(reports: Path) -> None:
    """Print which tests of all groups took longest."""
    tests = [
        (float(test.get("time", 0)), f"{test.get('classname')}::{test.get('name')}")
        for report in reports.glob("*.xml")
        for test in ElementTree.parse(report).iter("testcase")
    ]
    print(f"The {SLOWEST} slowest tests, with what they set up:")
    for seconds, name in sorted(tests, reverse=True)[:SLOWEST]:
        print(f"{seconds:7.1f} s  {name}")
    print(flush=True)


def merge_failed(groups: Iterable[str]) -> None:
    """Have ``--last-failed`` find what failed in any group."""
    failed: dict[str, bool] = {}
    for name in groups:
        try:
            failed |= json.loads((cache_of(name) / LAST_FAILED).read_text())
        except OSError:
            pass  # Nothing has failed there, ever.
    (CACHE / LAST_FAILED).parent.mkdir(parents=True, exist_ok=True)
    (CACHE / LAST_FAILED).write_text(json.dumps(failed, indent=2))


def cache_of(name: str) -> Path:
    return CACHE / name.replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main())
