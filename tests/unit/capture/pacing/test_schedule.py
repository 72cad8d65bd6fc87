"""How many pictures of a source are taken at a frame rate that was set."""

import random

import pytest

from server.capture.frames.info import SourceInfo
from server.capture.pacing import schedule as schedule_module
from server.capture.pacing.measured import Measured
from server.capture.pacing.schedule import POLLED_FPS, Schedule
from tests.support.fakes import FakeClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The time, for the schedule."""
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
def test_rate_is_the_lower_one(
    clock: FakeClock, fps: float, source_fps: float, jitter: float
) -> None:
    """Whatever a source says, and however unevenly it delivers, what was set is kept.

    It used to depend on the rate that the source claimed: of 60 a second with a claim of 25, a
    setting of 26 to 30 took all.
    """
    chance = random.Random(1)
    schedule = Schedule(Measured(), fps)
    seconds = 60
    arrivals = sorted(
        (number + chance.uniform(-jitter, jitter)) / source_fps
        for number in range(int(seconds * source_fps))
    )

    rate = len(taken(schedule, clock, arrivals)) / seconds

    assert rate == pytest.approx(min(fps, source_fps), rel=0.03)


def test_gap_is_not_made_up_for_in_a_burst(clock: FakeClock) -> None:
    """After ten silent seconds there are two pictures at once, not a hundred."""
    schedule = Schedule(Measured(), 10.0)
    taken(schedule, clock, [0.0, 0.1, 0.2])

    found = taken(schedule, clock, [10 + number / 100 for number in range(20)])

    assert len(found) <= 4


def test_without_a_setting_every_picture_is_taken(clock: FakeClock) -> None:
    """Even those that come at once."""
    schedule = Schedule(Measured(), None)

    assert len(taken(schedule, clock, [0.0, 0.0, 0.001, 5.0])) == 4


def test_polled_source_is_asked_once_a_second(clock: FakeClock) -> None:
    """Without a setting a still camera is asked now and then, not without pause."""
    source = Measured()
    source.opened(SourceInfo(64, 48, 0.0, "mjpeg", live=False, polled=True))
    schedule = Schedule(source, None)

    found = taken(schedule, clock, [number / 100 for number in range(1000)])

    assert len(found) == pytest.approx(10 * POLLED_FPS, abs=1)
    assert (schedule.limit, schedule.rate, source.fps) == (POLLED_FPS, POLLED_FPS, 0)
