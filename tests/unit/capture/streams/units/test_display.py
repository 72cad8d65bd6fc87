"""When pictures that were sent out of order were captured."""

from itertools import pairwise

import pytest

from server.capture.streams.units.display import Captured, DisplayClock
from tests.support.fakes import FakeClock

INTERVAL_S = 0.04

# A group as x264 sends it: display positions in decoding order.
PYRAMID = (0, 4, 2, 1, 3, 8, 6, 5, 7, 9)


def captured(groups: int, arrives: str, jump_s: float = 0.0) -> list[tuple[float, float]]:
    """Return each picture's capture time, with the picture that comes out at its place.

    Args:
        groups: How many groups arrive.
        arrives: ``at once`` when it can be encoded, or ``evenly``.
        jump_s: By how much the stream's clock jumps in the middle.
    """
    clock, found = FakeClock(), []
    begin = clock()
    display = DisplayClock()
    for group in range(groups):
        newest = 0
        for place, shown in enumerate(PYRAMID):
            newest = max(newest, shown)
            sent = newest if arrives == "at once" else place + 5
            clock.now = begin + (10 * group + sent) * INTERVAL_S
            stream_s = 10 * group * INTERVAL_S + jump_s * (group >= groups // 2)
            one = display.see(
                *(clock(), stream_s + shown * INTERVAL_S, stream_s + (place - 2) * INTERVAL_S),
                place == 0,
            )
            found.append((one.at - begin, one.at - one.early_s - begin))
    return found


@pytest.mark.parametrize("arrives", ["at once", "evenly"])
def test_pictures_keep_their_capture_intervals(arrives: str) -> None:
    """This holds however they arrive; what comes out of a decoder has the same times in order."""
    found = captured(4, arrives)[10:]

    late = 0.0 if arrives == "at once" else 2 * INTERVAL_S
    own = [(10 * group + one) * INTERVAL_S for group in (1, 2, 3) for one in PYRAMID]
    assert [one for _, one in found] == pytest.approx([one + late for one in own])
    assert [at for at, _ in found] == pytest.approx(sorted(one + late for one in own))


def test_pictures_in_order_are_left_alone() -> None:
    """Whatever the stream's clock says: without reordering, there is no jitter to remove."""
    clock = FakeClock()
    display = DisplayClock()
    for number in range(50):
        clock.advance(0.04 + 0.01 * (number % 3))
        found = display.see(clock(), number * 0.04, number * 0.04, number % 10 == 0)
        assert found == Captured(clock(), 0.0)


def test_late_read_does_not_set_later_times_back() -> None:
    """Times after a late read follow the stream's clock. Times that went back by up to 0.4 s put
    stored pictures out of order: a seek showed the wrong one."""
    clock, times = FakeClock(), []
    display = DisplayClock()
    for number, late_s in enumerate([0.0, 0.0, 0.4, 0.0, 0.0, 0.0] + 20 * [0.0]):
        came_at = clock() + number * INTERVAL_S + late_s
        times.append(display.see(came_at, number * INTERVAL_S, None, number == 0).at - clock())

    assert all(later - at > 0.001 for at, later in pairwise(times))
    assert times[2] == pytest.approx(2 * INTERVAL_S + 0.4)
    assert times[-1] == pytest.approx(25 * INTERVAL_S)


@pytest.mark.parametrize("jump_s", [-3600.0, -3.0, 3600.0])
def test_clock_jump_is_followed(jump_s: float) -> None:
    """Our times continue when the clock jumps, as when a film starts over."""
    times = [at for at, _ in captured(6, "at once", jump_s)]

    assert times == sorted(times)
    assert times[-10:] == pytest.approx([(50 + at) * INTERVAL_S for at in range(10)])


def test_film_times_follow_the_pace_of_decoding() -> None:
    """A film is taken at the pace of decoding; a round's first pictures once shared one time."""
    clock, found = FakeClock(), []
    begin = clock()
    display = DisplayClock(paced=True)
    for number in range(30):
        place, shown = number % 10, PYRAMID[number % 10]
        one = display.see(clock(), shown * INTERVAL_S, (place - 2) * INTERVAL_S, place == 0)
        found.append((one.at - begin, one.at - one.early_s - begin))
        clock.advance(INTERVAL_S)

    own = [10 * (number // 10) + PYRAMID[number % 10] for number in range(30)]
    assert [at for at, _ in found] == pytest.approx([at * INTERVAL_S for at in range(30)])
    assert [at for _, at in found] == pytest.approx([at * INTERVAL_S for at in own])
