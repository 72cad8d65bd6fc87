"""When events ended that were left open by a killed process."""

import pytest

from server.recording.disk.index import Event, Recorded
from server.recording.disk.orphaned_events import estimate_end

AT = 1_795_000_000.0
EVENT = Event("door_1", "door", "motion", AT)


def recorded(begin: float, end: float) -> Recorded:
    return Recorded(f"door_{begin}", "door", AT + begin, AT + end, 1000, False, "motion")


@pytest.mark.parametrize(
    ("recordings", "alive", "latest", "end"),
    [
        ([], 0, 900, 0),
        ([(-5, 40)], 0, 900, 40),
        ([(300.1, 340), (-5, 300)], 0, 900, 340),
        ([(-5, 40), (200, 400)], 0, 900, 40),
        ([(-5, 40)], 60, 900, 60),
        ([(-5, 400)], 60, 100, 100),
        ([], -3600, -1800, 0),
        ([(-3700, -3600)], -3600, -1800, 0),
    ],
    ids=[
        "nothing is known",
        "its camera was recorded",
        "in two files",
        "and again by another process",
        "the server lived on",
        "another event began, or the server started again",
        "the clock was set back",
        "and its camera was recorded since",
    ],
)
def test_orphaned_event_ends_at_the_last_known_moment(
    recordings: list[tuple[float, float]], alive: float, latest: float, end: float
) -> None:
    """The end is never after the restart, and never before the event began."""
    found = [recorded(*one) for one in recordings]

    assert estimate_end(EVENT, found, AT + alive, AT + latest) == AT + end
