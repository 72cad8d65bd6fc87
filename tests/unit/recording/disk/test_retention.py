"""Which recordings have to go."""

import pytest

from server.recording.disk.index import Event, Recorded
from server.recording.disk.retention import Limits, Policy, overdue, overdue_events

DAY_S = 86400.0
NOW = 100 * DAY_S
MB = 1_000_000


def recording(days_ago: float, camera: str = "door", mb: int = 100, **more: bool) -> Recorded:
    """Return one that ended so long ago."""
    end = NOW - days_ago * DAY_S
    known = {"locked": False, "open": False} | more
    return Recorded(
        f"{camera}-{days_ago:g}", camera, end - 300, end, mb * MB, known["locked"], "always",
        known["open"],
    )  # fmt: skip


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
def test_the_oldest_go_first(policy: Policy, gone: list[str]) -> None:
    """By age, by what a camera takes, and by what all take; never the locked or the open one."""
    assert [one.id for one in overdue(ALL, policy, NOW)] == gone


def test_old_events_go() -> None:
    """Unless they are locked, or go on."""
    events = [
        Event("a", "door", "motion", NOW - 9 * DAY_S, NOW - 8 * DAY_S),
        Event("b", "door", "motion", NOW - 9 * DAY_S, NOW - 8 * DAY_S, locked=True),
        Event("c", "door", "offline", NOW - 9 * DAY_S),
        Event("d", "door", "motion", NOW - 6 * DAY_S, NOW - 6 * DAY_S),
    ]

    assert [one.id for one in overdue_events(events, Policy(others=Limits(7)), NOW)] == ["a"]
    assert overdue_events(events, Policy(), NOW) == []
