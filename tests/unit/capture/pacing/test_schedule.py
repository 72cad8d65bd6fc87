"""How many of a source's pictures are taken at a configured frame rate."""

import random

import pytest

from server.capture.frames.info import SourceInfo
from server.capture.pacing import schedule as schedule_module
from server.capture.pacing.measured import Measured
from server.capture.pacing.schedule import POLLED_FPS, Schedule
from tests.support.fakes import FakeClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock for the schedule."""
    clock = FakeClock()
    monkeypatch.setattr(schedule_module, "time", clock)
    return clock


def taken(schedule: Schedule, clock: FakeClock, arrivals: list[float]) -> list[float]:
    """Return at which of these seconds from now a picture is taken."""
    began = clock.now
    found = []
    for at in arrivals:
        clock.now = began + at
        if clock.now >= schedule.due:
            found.append(at)
            schedule.advance()
    return found


@pytest.mark.parametrize("jitter", [0.0, 0.2, 0.45])
@pytest.mark.parametrize("source_fps", [5, 14.985, 25, 29.97, 30.3, 60, 100])
@pytest.mark.parametrize("fps", [1, 5, 12.5, 15, 24, 25, 26, 28, 29.5, 30, 31, 50, 60])
def test_rate_is_the_lower_of_setting_and_source(
    clock: FakeClock, fps: float, source_fps: float, jitter: float
) -> None:
    """The configured rate holds, whatever the source claims and however unevenly it delivers.

    It used to depend on the claimed rate: from a source that claimed 25 but sent 60, a setting of
    26 to 30 took all.
    """
    chance = random.Random(1)
    schedule = Schedule(lambda: fps, Measured())
    seconds = 60
    arrivals = sorted(
        (number + chance.uniform(-jitter, jitter)) / source_fps
        for number in range(int(seconds * source_fps))
    )

    rate = len(taken(schedule, clock, arrivals)) / seconds

    assert rate == pytest.approx(min(fps, source_fps), rel=0.03)


def test_burst_after_a_gap_is_limited(clock: FakeClock) -> None:
    """After ten silent seconds, a few pictures are taken together, not a hundred."""
    schedule = Schedule(lambda: 10.0, Measured())
    taken(schedule, clock, [0.0, 0.1, 0.2])

    found = taken(schedule, clock, [10 + number / 100 for number in range(20)])

    assert len(found) <= 4


def test_without_a_setting_every_picture_is_taken(clock: FakeClock) -> None:
    """Without a configured rate, even pictures that arrive together are all taken."""
    schedule = Schedule(lambda: None, Measured())

    assert len(taken(schedule, clock, [0.0, 0.0, 0.001, 5.0])) == 4


def test_polled_source_is_fetched_once_a_second(clock: FakeClock) -> None:
    """By default a still camera is polled once a second, not continuously."""
    source = Measured()
    source.opened(SourceInfo(64, 48, 0.0, "mjpeg", live=False, polled=True))
    schedule = Schedule(lambda: None, source)

    found = taken(schedule, clock, [number / 100 for number in range(1000)])

    assert len(found) == pytest.approx(10 * POLLED_FPS, abs=1)
    assert (schedule.limit, schedule.rate, source.fps) == (POLLED_FPS, POLLED_FPS, 0)
