"""The order in which files of tests begin: what takes long does not begin last."""

from collections.abc import Sequence
from pathlib import Path

import pytest

__all__ = ["LONG", "pytest_collection_modifyitems"]

ROOT = Path(__file__).resolve().parents[2]

# Over 20 s each, the longest first, but what computes (in a browser) and what waits in turn.
LONG = (
    "tests/system/faults/test_flood.py",
    "tests/system/cluster/test_bad_bus.py",
    # Who has a file of one or two tests is given the next one at once.
    "tests/browser/page/test_wall.py",
    "tests/system/cluster/test_outage.py",
    "tests/system/cluster/test_video.py",
    "tests/browser/video/test_slow_link.py",
    "tests/system/faults/test_ghosts.py",
    "tests/browser/tours/test_tours.py",
    "tests/browser/page/test_dashboard.py",
    "tests/browser/past/test_scrubber.py",
    "tests/system/faults/test_camera.py",
    "tests/browser/past/test_library.py",
    "tests/browser/page/test_page.py",
    "tests/system/cluster/test_nodes.py",
    "tests/browser/people/test_people.py",
    "tests/system/faults/test_socket.py",
    "tests/browser/page/test_look.py",
    "tests/system/faults/test_process.py",
    "tests/browser/page/test_notices.py",
    "tests/browser/page/test_access.py",
    "tests/system/faults/test_link.py",
    "tests/browser/page/test_keys.py",
    "tests/system/faults/test_http.py",
    "tests/browser/people/test_manage.py",
    "tests/system/cluster/test_common.py",
    "tests/browser/page/test_insight.py",
    "tests/system/live/test_delivery.py",
    "tests/browser/cameras/test_manage.py",
    "tests/system/live/test_sources.py",
    "tests/browser/page/test_clock.py",
    "tests/browser/page/test_views.py",
    "tests/browser/tours/test_start.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort tests by file."""
    turns = find_turns(list(dict.fromkeys(item.path for item in items)))
    items.sort(key=lambda item: turns[item.path])


def find_turns(files: Sequence[Path]) -> dict[Path, tuple[int, float]]:
    """Return when each file begins: the long ones first.

    Of the others those of each folder are spread over the run: unit tests and browsers compute,
    while others wait.
    """
    turns: dict[Path, tuple[int, float]] = {}
    short: dict[str, list[Path]] = {}
    for file in files:
        path = file.relative_to(ROOT)
        if path.as_posix() in LONG:
            turns[file] = 0, LONG.index(path.as_posix())
        else:
            short.setdefault(path.parts[1], []).append(file)
    for group in short.values():
        turns |= {file: (1, place / len(group)) for place, file in enumerate(group)}
    return turns
