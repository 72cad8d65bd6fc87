"""Estimate from a stream's timestamps when buffered pictures arrived."""

import random
from itertools import pairwise

import pytest

from server.capture.frames.timestamp_clock import TOLERANCE_S, WATCHED_S, TimestampClock

STEP_S = 1 / 30


class Stream:
    """A stream at 30 fps, and a timestamp clock that follows it from the start."""

    def __init__(self, drift: float = 0.0, jitter_s: float = 0.0, measured: bool = False) -> None:
        self.clock = TimestampClock()
        self._measured = measured
        self.sent = 0
        self.at = 1000.0
        self._drift, self._jitter_s = drift, jitter_s
        self._random = random.Random(1)
        self.errors: list[float] = []
        self.times: list[float] = []
        self.read_at: list[float] = []

    def arrives_at(self, number: int) -> float:
        return 1000.0 + number * STEP_S * (1 + self._drift)

    def read(self, pictures: int, late_s: float = 0.0, jumps_s: float = 0.0) -> None:
        """Wait for this many pictures, each this late."""
        for _ in range(pictures):
            took_s = late_s + self._random.random() * self._jitter_s
            self.at = max(self.at + 1e-4, self.arrives_at(self.sent) + took_s)
            self._see(True, jumps_s)

    def rest(self, rest_s: float) -> None:
        """Read nothing for a while, then everything that has arrived."""
        self.at += rest_s
        while self.arrives_at(self.sent) <= self.at:
            self._see(False)

    def _see(self, awaited: bool, jumps_s: float = 0.0) -> None:
        timestamp_s = self.sent * STEP_S + jumps_s
        came_at = self.clock.see(timestamp_s, self.at, awaited, awaited and self._measured)
        self.errors.append(came_at - self.arrives_at(self.sent))
        self.times.append(came_at)
        self.read_at.append(self.at)
        self.sent += 1


def test_buffered_pictures_get_their_arrival_times() -> None:
    """A process that wakes twice a second still knows when each picture arrived."""
    stream = Stream()
    stream.read(120)
    for _ in range(200):
        stream.rest(0.5)
        stream.read(1)

    assert stream.clock.is_steady
    assert max(map(abs, stream.errors)) < 0.002


@pytest.mark.parametrize("drift", [-0.0005, 0.0005])
def test_drifting_clock_is_followed(drift: float) -> None:
    """No two clocks run at the same rate; after an hour they would be seconds apart."""
    stream = Stream(drift, jitter_s=0.01)
    stream.read(120)
    for _ in range(1800):
        for _ in range(8):
            stream.rest(0.25)
        stream.read(1)

    assert stream.clock.is_steady
    assert max(map(abs, stream.errors)) < 0.5 * STEP_S


def test_jitter_is_smoothed_out() -> None:
    """The fastest delivery counts: a delayed picture was captured no later than the others."""
    stream = Stream(jitter_s=0.03)
    stream.read(300)

    later = stream.errors[120:]
    assert max(later) - min(later) < 0.01


def test_late_read_does_not_shift_a_picture() -> None:
    """A reader that wakes late does not change a picture's time. The picture used to get the late
    time and those queued behind it their own: a seek found different ones on each camera."""
    stream = Stream(measured=True)
    stream.read(120)
    for late_s in (0.4, 0.01, 0.2):
        stream.read(1, late_s)
        stream.rest(0.0)
        stream.read(30)

    times = stream.times[120:]
    assert all(later > at for at, later in pairwise(times))
    assert max(map(abs, stream.errors[120:])) <= 0.5 * STEP_S + 1e-6
    # A delay below half a step stays: the one of 10 ms.
    assert 0.009 < min(one for one in stream.errors if one > 0.001) < 0.011


def test_clock_is_unsteady_at_first_and_after_a_jump() -> None:
    """Until it is steady, pictures get the times at which they were read."""
    stream = Stream()
    stream.read(int(WATCHED_S / STEP_S) - 1)
    assert not stream.clock.is_steady
    stream.read(3)
    assert stream.clock.is_steady

    stream.read(1, jumps_s=-500.0)
    assert not stream.clock.is_steady
    assert stream.times[-1] == stream.at


def test_clock_at_a_wrong_rate_is_never_trusted() -> None:
    """Some cameras send timestamps that run far from real time."""
    clock = TimestampClock()
    for number in range(1000):
        at = 50.0 + number * STEP_S
        assert clock.see(number * STEP_S * 1.2, at, True) == at
        assert not clock.is_steady


def test_network_stall_is_not_drift() -> None:
    """A single delay is not drift; meanwhile the reader should not sleep."""
    stream = Stream()
    stream.read(120)
    stream.read(1, late_s=5 * TOLERANCE_S)
    assert stream.clock.measured_at == 0.0
    stream.rest(0.0)
    stream.read(60)

    assert stream.clock.is_steady
    assert stream.clock.measured_at == stream.at
    assert max(map(abs, stream.errors)) < 0.002


def test_small_clock_step_is_detected() -> None:
    """If every picture is late from now on, the clock has changed and not the network."""
    stream = Stream()
    stream.read(120)
    stream.read(29, late_s=3 * TOLERANCE_S)
    assert stream.clock.is_steady
    stream.read(3, late_s=3 * TOLERANCE_S)
    assert not stream.clock.is_steady
    stream.read(100, late_s=3 * TOLERANCE_S)

    assert stream.clock.is_steady
    assert stream.times[-1] == pytest.approx(stream.at)


def test_times_strictly_increase() -> None:
    """Times increase even where an estimated time follows a late, measured one; none is ahead."""
    stream = Stream(jitter_s=0.08)
    stream.read(200)
    for _ in range(50):
        stream.rest(0.25)
        stream.read(5)

    assert stream.times == sorted(set(stream.times))
    assert all(time <= at for time, at in zip(stream.times, stream.read_at, strict=True))


def test_stream_without_timestamps_uses_read_times() -> None:
    """Without timestamps, pictures get the times at which they were read."""
    clock = TimestampClock()

    assert [clock.see(None, at, True) for at in (1.0, 9.0)] == [1.0, 9.0]
    assert not clock.is_steady


def test_next_picture_is_expected_one_interval_later() -> None:
    """The reader may sleep until the next picture is due."""
    stream = Stream()
    stream.read(200)

    assert stream.clock.next_at == pytest.approx(stream.arrives_at(stream.sent), abs=0.002)
