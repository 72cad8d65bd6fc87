"""Which recordings must be deleted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from server.recording.disk import retention as module
from server.recording.disk.age_clock import ClockReading, ClockState
from server.recording.disk.index import Event, Index, Recorded
from server.recording.disk.retention import Limits, Policy, overdue, overdue_events

DAY_S = 86400.0
NOW = 100 * DAY_S
CLOCK = ClockState(ClockReading(NOW, 0.0, "boot"), NOW)
MB = 1_000_000


def recording(days_ago: float, camera: str = "door", mb: int = 100, **more: bool) -> Recorded:
    """Return a recording that ended this long ago."""
    end = NOW - days_ago * DAY_S
    known = {"locked": False, "open": False} | more
    return Recorded(
        f"{camera}-{days_ago:g}", camera, end - 300, end, mb * MB, known["locked"], "always",
        known["open"],
    )  # fmt: skip


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An empty index."""
    index = Index(tmp_path / "media")
    yield index
    index.close()


ALL = [
    recording(9, locked=True),
    recording(8),
    recording(6, "yard"),
    recording(3),
    recording(2, "yard"),
    recording(1),
    recording(0, open=True),
]


@pytest.mark.parametrize(
    ("policy", "gone"),
    [
        (Policy(), []),
        (Policy(others=Limits(7)), ["door-8"]),
        (Policy(others=Limits(7), cameras={"yard": Limits(5)}), ["door-8", "yard-6"]),
        (Policy(cameras={"door": Limits(0), "yard": Limits(1)}), ["yard-6", "yard-2"]),
        # All take 0.7 GB; the locked one and the open one stay, and count.
        (Policy(gb=0.5), ["door-8", "yard-6"]),
        (Policy(gb=0.1), ["door-8", "yard-6", "door-3", "yard-2", "door-1"]),
        (Policy(cameras={"door": Limits(0, 0.4)}), ["door-8"]),
        (Policy(gb=0.5, cameras={"door": Limits(0, 0.4), "yard": Limits(5)}), ["door-8", "yard-6"]),
    ],
)
def test_oldest_recordings_are_deleted_first(
    policy: Policy, gone: list[str], index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By age, by a camera's total, and by the overall total; never the locked or the open one."""
    monkeypatch.setattr(module, "PAGE", 2)
    index.put(*ALL)

    assert overdue(index, policy, CLOCK, lambda one: one) == gone


def test_open_file_counts_with_its_current_size(index: Index) -> None:
    """The index only has its size from when it began."""
    index.put(*ALL)

    def now_of(one: Recorded) -> Recorded:
        return replace(one, bytes=2000 * MB) if one.open else one

    assert overdue(index, Policy(gb=0.7), CLOCK, now_of) == [
        *("door-8", "yard-6", "door-3", "yard-2", "door-1"),
    ]


def test_only_candidates_for_deletion_are_loaded(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six cameras make fifty thousand recordings a month. Loading them took a second of CPU time
    each minute, while other threads and the hub waited."""
    index.put(*(recording(day / 10) for day in range(1000)))
    index.put_event(
        *(Event(f"{day}", "door", "motion", NOW - day * 100, NOW - day * 100) for day in range(900))
    )
    loaded: list[int] = []
    rows = index.rows

    def counted(*query: str) -> list[object]:
        found = rows(*query)
        loaded.append(len(found))
        return found

    monkeypatch.setattr(index, "rows", counted)
    policy = Policy(gb=99.75, others=Limits(days=100))

    assert len(overdue(index, policy, CLOCK, lambda one: one)) == 3
    assert overdue_events(index, policy, CLOCK) == []
    assert sum(loaded) < 2 * module.PAGE


def test_old_events_are_deleted(index: Index) -> None:
    """Locked ones and those that are still going on stay."""
    index.put_event(
        Event("a", "door", "motion", NOW - 9 * DAY_S, NOW - 8 * DAY_S),
        Event("b", "door", "motion", NOW - 9 * DAY_S, NOW - 8 * DAY_S, locked=True),
        Event("c", "door", "offline", NOW - 9 * DAY_S),
        Event("d", "door", "motion", NOW - 6 * DAY_S, NOW - 6 * DAY_S),
    )

    assert overdue_events(index, Policy(others=Limits(7)), CLOCK) == ["a"]
    assert overdue_events(index, Policy(), CLOCK) == []
