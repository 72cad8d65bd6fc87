"""The credit and the window that acknowledgements give a viewer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.delivery.credit import MAX_FLIGHT_S, Credit

FPS = 30.0
START = 1000.0


def spent(*seqs: int) -> Credit:
    """Return a credit with these frames in flight, the last one sent at second 0."""
    credit = Credit(len(seqs), 0.0)
    for seq in seqs:
        credit.spend(seq, 0.0)
    return credit


def test_acknowledgement_is_cumulative() -> None:
    """An acknowledgement clears every frame up to its number."""
    credit = spent(1, 2, 3)

    assert credit.acknowledge(2, 0.1, FPS)

    assert credit.in_flight == 1


def test_skipped_numbers_do_not_use_credit() -> None:
    """A viewer that skipped a thousand frames owes only those it was sent."""
    credit = spent(1, 1001)
    assert not credit.ready

    credit.acknowledge(1, 0.1, FPS)

    assert credit.in_flight == 1
    assert credit.ready


@pytest.mark.parametrize("seq", [0, -1, 4, -(2**70)])
def test_old_acknowledgement_changes_nothing(seq: int) -> None:
    """A number below those in flight clears nothing."""
    credit = spent(5, 6)

    assert not credit.acknowledge(seq, 0.1, FPS)

    assert credit.in_flight == 2
    assert credit.round_trip_s is None


def test_repeated_acknowledgement_changes_nothing() -> None:
    """The second copy neither clears frames nor changes the round trip."""
    credit = spent(5, 6)

    assert credit.acknowledge(5, 0.1, FPS)
    assert not credit.acknowledge(5, 0.2, FPS)

    assert credit.in_flight == 1
    assert credit.round_trip_s == pytest.approx(0.1)


def test_future_acknowledgement_gives_no_extra_credit() -> None:
    """A number from the future gives no credit for frames not yet sent."""
    credit = spent(5, 6)

    assert credit.acknowledge(2**70, 0.1, FPS)
    credit.spend(7, 0.2)
    credit.spend(8, 0.2)

    assert credit.in_flight == 2
    assert not credit.ready


def test_reordered_acknowledgements_are_harmless() -> None:
    """An acknowledgement that arrives after a later one clears nothing."""
    credit = spent(1, 2)

    assert credit.acknowledge(2, 0.1, FPS)
    assert not credit.acknowledge(1, 0.1, FPS)

    assert credit.in_flight == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["capture", "ack", "wait"]), st.integers(-3, 300)), max_size=200
    )
)
def test_any_client_stays_within_its_window(steps: list[tuple[str, int]]) -> None:
    """No sequence of acknowledgements, valid or not, exceeds the window."""
    credit, now, seq = Credit(2, 0.0), 0.0, 0

    for kind, number in steps:
        now += 0.03
        if kind == "ack":
            credit.acknowledge(number, now, FPS)
        elif kind == "wait":
            now += abs(number) / 100
        else:
            seq += 1
            if credit.ready:
                credit.spend(seq, now)
                assert credit.in_flight <= credit.window
            else:
                credit.miss()

        assert 0 <= credit.in_flight <= max(2, MAX_FLIGHT_S * FPS)
        assert 1 <= credit.window <= max(2, MAX_FLIGHT_S * FPS)


def cover(credit: Credit, first: int, frames: int, now: float) -> None:
    """Send this many frames and acknowledge them together."""
    for seq in range(first, first + frames):
        assert credit.ready
        credit.spend(seq, now)
    credit.acknowledge(first + frames - 1, now + 0.01, FPS)


def test_window_follows_the_frames_per_acknowledgement() -> None:
    """A viewer that covers two frames, then four, may be sent six; it never has to wait."""
    credit = Credit(2, START, acks=4)
    assert (credit.window, credit.widest) == (2, 6)

    windows = []
    seq = 1
    for frames in (1, 2, 4, 4):
        cover(credit, seq, frames, START + seq)
        windows.append(credit.window)
        seq += frames

    assert windows == [2, 4, 6, 6]


def test_wide_window_has_two_spare_frames() -> None:
    """The window is two more than the frames covered, even if the viewer could cover more."""
    credit = Credit(2, START, acks=6)
    assert credit.widest == 8

    windows = []
    for number, frames in enumerate((2, 4, 4, 6)):
        cover(credit, 10 * number + 1, frames, START + number)
        windows.append(credit.window)

    assert windows == [4, 6, 6, 7]  # At most 250 ms of frames.


def test_short_acknowledgement_ends_the_wide_window() -> None:
    """If it covers fewer frames than before, one was late, and the window is two again."""
    credit = Credit(2, START, acks=4)
    for number, frames in enumerate((2, 4, 4)):
        cover(credit, 10 * number + 1, frames, START + number)

    cover(credit, 41, 3, START + 4)

    assert credit.window == 2


def test_wide_window_is_bounded_by_time() -> None:
    """At ten frames per second, six would be more than half a second."""
    credit = Credit(2, START, acks=8)
    for number, frames in enumerate((2, 2, 2, 2)):
        for seq in range(10 * number + 1, 10 * number + 1 + frames):
            credit.spend(seq, START + number)
        credit.acknowledge(10 * number + frames, START + number, 10.0)

    assert credit.window == 2


@pytest.mark.parametrize("window", [1, 2])
def test_two_frames_share_an_acknowledgement_at_5_fps(window: int) -> None:
    """The first waits 200 ms for the second; no frame is missed, and none older is in flight.

    With a window of one the viewer would wait in vain, so one that says ``acks`` has two.
    """
    credit = Credit(window, START, acks=4)
    cover_at_five(credit, 1, START)

    for seq in range(2, 20, 2):
        at = START + seq * 0.2
        for later in (0, 1):
            assert credit.ready
            credit.spend(seq + later, at + later * 0.2)
            assert credit.waiting_s(at + later * 0.2) < MAX_FLIGHT_S
        credit.acknowledge(seq + 1, at + 0.21, 5.0)

    assert credit.window == 2


def test_stalled_link_has_at_most_two_frames_in_flight() -> None:
    """While an acknowledgement waits for a second frame, the first counts as in flight."""
    credit = Credit(2, START, acks=4)
    cover_at_five(credit, 1, START)
    credit.spend(2, START + 0.4)  # It arrives, and then the link stalls.
    credit.spend(3, START + 0.6)

    assert not credit.ready
    credit.acknowledge(2, START + 0.66, 5.0)  # The viewer stopped waiting.
    credit.spend(4, START + 0.8)
    assert (credit.in_flight, credit.ready) == (2, False)


def cover_at_five(credit: Credit, seq: int, now: float) -> None:
    """Send and acknowledge one frame of a camera at five a second."""
    credit.spend(seq, now)
    credit.acknowledge(seq, now + 0.01, 5.0)


def test_client_that_declares_no_acks_keeps_the_window() -> None:
    """Old clients sometimes acknowledge two frames together; that does not widen the window."""
    credit = Credit(2, START)
    for number in range(20):
        cover(credit, 10 * number + 1, 2, START + number / 30)

    assert credit.window == credit.widest == 2


def test_video_is_bounded_by_time_in_flight() -> None:
    """No frame is sent while the oldest is later than the link's delay plus 0.25 s."""
    credit = Credit(2, START)
    for number in range(8):
        assert credit.may_flow(START + number * 0.03, 0.1, 9000)
        credit.spend(number + 1, START + number * 0.03, 1000)

    assert credit.may_flow(START + 0.34, 0.1, 9000)
    assert not credit.may_flow(START + 0.36, 0.1, 9000)
    credit.acknowledge(1, START + 0.36, FPS)
    assert credit.may_flow(START + 0.36, 0.1, 9000)
    assert credit.delivery.total == 1000
    assert not credit.may_flow(START + 0.36, 0.1, 6999)


def test_video_pauses_after_a_short_acknowledgement() -> None:
    """A link that just stalled shows it by a short acknowledgement before anything is late."""
    credit = Credit(2, START, acks=4)
    cover(credit, 1, 2, START)
    cover(credit, 3, 4, START + 0.1)
    for seq in (7, 8, 9):
        credit.spend(seq, START + 0.2)
    credit.acknowledge(7, START + 0.25, FPS)

    assert not credit.may_flow(START + 0.25, 0.0, 9000)
    credit.acknowledge(8, START + 0.3, FPS)
    assert credit.may_flow(START + 0.3, 0.0, 9000)
