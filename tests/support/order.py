"""The order of test files: slow ones must not start last."""

from functools import cache
from pathlib import Path

import pytest

__all__ = ["LONG", "computes", "pytest_collection_modifyitems"]

ROOT = Path(__file__).resolve().parents[2]

# Over 20 s each, the slowest first: those that compute, and those that wait.
LONG = (
    "tests/browser/page/test_wall.py",
    "tests/browser/video/test_slow_link.py",
    "tests/browser/tours/test_tours.py",
    "tests/browser/past/test_scrubber.py",
    "tests/browser/past/test_library.py",
    "tests/browser/page/test_notices.py",
    "tests/browser/page/test_look.py",
    "tests/browser/people/test_manage.py",
    "tests/browser/page/test_access.py",
    "tests/browser/painting/test_painting.py",
    "tests/browser/page/test_dashboard.py",
    "tests/browser/page/test_keys.py",
    "tests/browser/page/test_insight.py",
    "tests/browser/cameras/test_manage.py",
    "tests/browser/page/test_clock.py",
    "tests/browser/page/test_views.py",
    "tests/browser/tours/test_start.py",
    "tests/system/faults/test_link.py",
    "tests/system/faults/test_flood.py",
    "tests/system/cluster/test_bad_bus.py",
    "tests/system/cluster/test_outage.py",
    "tests/system/cluster/test_video.py",
    "tests/system/faults/test_socket.py",
    "tests/system/cluster/test_nodes.py",
    "tests/system/live/test_sources.py",
    "tests/system/faults/test_process.py",
    "tests/system/faults/test_camera.py",
    "tests/system/live/test_delivery.py",
    "tests/system/past/test_looking_back.py",
    "tests/system/past/test_clips.py",
    "tests/system/faults/test_http.py",
    "tests/system/faults/test_ghosts.py",
    "tests/system/past/test_full_disk.py",
    "tests/system/people/test_sockets.py",
    "tests/system/past/test_recording.py",
    "tests/system/past/test_motion.py",
    "tests/system/cluster/test_common.py",
)

# Then the tests that start servers, and last the short ones.
BROWSERS = ("tests/browser", "tests/screens")
SERVERS = (*BROWSERS, "tests/system")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort tests by file."""
    items.sort(key=lambda item: _turn(item.path))


def computes(file: Path) -> bool:
    """Return whether a file's tests mostly compute, in a browser; all others mostly wait."""
    return file.is_relative_to(ROOT) and file.relative_to(ROOT).as_posix().startswith(BROWSERS)


@cache
def _turn(file: Path) -> tuple[int, int]:
    path = file.relative_to(ROOT).as_posix()
    if path in LONG:
        return 0, LONG.index(path)
    return 1 + (not path.startswith(SERVERS)), 0
