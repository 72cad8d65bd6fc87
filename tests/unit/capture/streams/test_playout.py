"""When packets are due by their timestamps, whatever these do."""

import pytest

from server.capture.streams.playout import KEPT_SPARE_S, WATCHED_S, Playout

STEP_S = 0.04


def play(playout: Playout, stamps: list[float | None], at: float = 100.0) -> list[float]:
    """Return when packets that all arrive together are due, counted from then."""
    return [playout.due(stamp, at) - at for stamp in stamps]


def test_burst_is_spread_by_its_timestamps() -> None:
    """A playlist's segment arrives in one burst and is played at the pace of its timestamps."""
    due = play(Playout(STEP_S, 2.0), [10.0, 10.1, 10.3, 10.4])

    assert due == pytest.approx([0, 0.1, 0.3, 0.4])


def test_late_packet_delays_all_later_ones() -> None:
    """After a segment that came half a second late, the next may be as late without a gap."""
    playout = Playout(STEP_S, 2.0)
    play(playout, [10.0])

    late = playout.due(10.04, 100.54)
    following = [playout.due(10.08, 100.55), playout.due(10.12, 100.60)]

    assert late == 100.54
    assert following == pytest.approx([100.58, 100.62])


@pytest.mark.parametrize(
    "stamp",
    [
        pytest.param(4000.0, id="the camera's clock was set forward"),
        pytest.param(-50.0, id="or back"),
        pytest.param(10.04 - 2**33 / 90000, id="33 bits have wrapped"),
        pytest.param(None, id="it is missing"),
    ],
)
def test_timestamp_jump_neither_stalls_nor_races(stamp: float | None) -> None:
    """An impossible timestamp counts as one usual step; the next counts from there."""
    after = 10.08 if stamp is None else stamp + STEP_S

    due = play(Playout(STEP_S, 2.0), [10.0, stamp, after])

    assert due == pytest.approx([0, STEP_S, 2 * STEP_S], abs=0.001)


def test_usual_step_is_learnt() -> None:
    """A stream that promised 25 fps but sends 10 is not sped up where timestamps are missing."""
    playout = Playout(STEP_S, 2.0)
    due = play(playout, [number / 10 for number in range(60)])

    missing = play(playout, [None, None], 100.0)

    assert missing[1] - missing[0] == pytest.approx(0.1, abs=0.01)
    assert due[-1] == pytest.approx(5.9)


def test_slow_film_is_played_slowly() -> None:
    """In a file, a picture every ten seconds is not a jump."""
    assert play(Playout(STEP_S, 30.0), [0.0, 10.0, 20.0]) == pytest.approx([0, 10, 20])


def arrive(playout: Playout, first: int, count: int, began_at: float) -> list[float]:
    """Return how long after their arrival packets of a live stream are due."""
    delays = []
    for number in range(first, first + count):
        at = began_at + number * STEP_S
        delays.append(playout.due(number * STEP_S, at) - at)
        playout.catch_up()
    return delays


def test_live_stream_with_a_backlog_catches_up() -> None:
    """A server that first sends its last five seconds would leave us five seconds late for good."""
    playout = Playout(STEP_S, 2.0)
    past = 125
    play(playout, [number * STEP_S for number in range(past)])

    delays = arrive(playout, past, 200, 100.0 - past * STEP_S)

    assert delays[0] == pytest.approx(5.0, abs=0.1)
    assert delays[-1] == pytest.approx(KEPT_SPARE_S, abs=0.1)
    assert next(n for n, one in enumerate(delays) if one < 1) * STEP_S < WATCHED_S + 0.2


def test_punctual_stream_is_not_sped_up() -> None:
    """Packets that come at their pace are due as they come; there is nothing to gain."""
    playout = Playout(STEP_S, 2.0)

    delays = arrive(playout, 0, 200, 100.0)

    assert max(delays) < 0.01
    assert playout.catch_up() == 0.0


def test_film_read_early_is_not_sped_up() -> None:
    """A film is always read early, since it waits for us; there is no live edge to reach."""
    playout = Playout(STEP_S, 2.0)
    play(playout, [number * STEP_S for number in range(250)])
    gained_s = []

    for number in range(250, 500):
        at = 100.0 + (number - 250) * STEP_S
        playout.held_back(at)
        playout.due(number * STEP_S, at)
        gained_s.append(playout.catch_up())

    assert max(gained_s) == 0.0
