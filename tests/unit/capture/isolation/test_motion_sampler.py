"""Which pictures the child checks for motion."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from server.capture.frames.info import SourceInfo
from server.capture.isolation import motion_sampler as module
from server.capture.isolation.channel import Kind, Link, Message
from server.capture.isolation.motion_sampler import MAX_BLIND_S, SHARE, MotionSampler
from server.capture.motion.motion_picture import MotionPicture
from server.capture.motion.settings import MOTION_INTERVAL_S, MotionSettings
from tests.support.fakes import FakeClock

FPS = 30


class FakeVideo:
    """A video whose pictures take a while to decode, each after the earlier ones of its group."""

    def __init__(self, clock: "Clock", group: int, cost_s: float, polled: bool = False) -> None:
        self.info = SourceInfo(1280, 720, FPS, "h264", live=True, polled=polled)
        self._clock, self._group, self._cost_s = clock, group, cost_s
        self._number = -1
        self.at_key = self.lazy = self.behind = False
        self.came_at = 0.0
        self.undecoded = 0
        self.bar = False
        self.checked_at: list[float] = []

    def grab(self) -> None:
        self._number += 1
        self.at_key = self._number % self._group == 0
        self.undecoded = 1 if self.at_key else self.undecoded + 1

    def motion_picture(self) -> MotionPicture:
        self._clock.spent += self.undecoded * self._cost_s
        self.undecoded = 0
        self.checked_at.append(self._clock.now)
        grey = np.full((90, 160), 90, np.uint8)
        if self.bar:
            grey[20:70, self._number % 100 : self._number % 100 + 30] = 220
        return MotionPicture(grey, lambda: np.zeros((90, 160, 3), np.uint8))

    def set_on_unit(self, on_picture: object) -> None:
        raise NotImplementedError

    def rest(self) -> float:
        return 0.0


class Clock(FakeClock):
    """A clock that also gives this thread's CPU time."""

    spent = 0.0

    def thread_time(self) -> float:
        return self.spent


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def link() -> Iterator[Link]:
    ours, theirs = Link.pair()
    with theirs:
        yield Link(theirs)
    ours.close()


def watch(source: Any, link: Link, **settings: Any) -> MotionSampler:
    sampler = MotionSampler(source, link)
    wanted = MotionSettings(**settings).describe()
    sampler.configure(Message(Kind.MOTION, json.dumps(wanted).encode(), -1))
    return sampler


def play(source: FakeVideo, sampler: MotionSampler, clock: Clock, seconds: float) -> None:
    for _ in range(round(seconds * FPS)):
        source.grab()
        if sampler.is_due():
            sampler.decode_and_examine()
        clock.advance(1 / FPS)


def test_cheap_video_is_checked_five_times_a_second(clock: Clock, link: Link) -> None:
    """This holds for groups of any length, and for all-intra video."""
    for group in (1, 60, 10_000):
        source = FakeVideo(clock, group, 0.0005)
        play(source, watch(source, link), clock, 20)

        assert len(source.checked_at) == pytest.approx(20 / MOTION_INTERVAL_S, rel=0.1)


def test_costly_video_is_checked_from_each_key_frame(clock: Clock, link: Link) -> None:
    """At 1.6 ms a picture, all of 30 a second would take 5 % of a core. So part of each group is
    skipped, never more than the time between two key frames."""
    source = FakeVideo(clock, 2 * FPS, 0.0016)
    sampler = watch(source, link)
    play(source, sampler, clock, 10)
    before, source.checked_at[:] = clock.spent, []

    play(source, sampler, clock, 40)

    assert (clock.spent - before) / 40 < SHARE * 1.15
    assert len(source.checked_at) >= 40
    assert max(np.diff(source.checked_at)) < 2.0


def test_long_groups_do_not_delay_checks(clock: Clock, link: Link) -> None:
    """With a key frame every 10 s, someone could come and go unseen in between. Decoded pictures
    are checked five times a second: checked less often, cars passed unseen."""
    source = FakeVideo(clock, 10 * FPS, 0.0016)
    play(source, watch(source, link), clock, 30)

    steps = np.diff(source.checked_at)
    assert max(steps) < MAX_BLIND_S + 0.2
    assert (
        max(steps[np.array(source.checked_at[1:]) - source.checked_at[0] > 10])
        < MOTION_INTERVAL_S * 1.3
    )


def test_possible_motion_is_checked_at_once(clock: Clock, link: Link) -> None:
    """When a key frame shows something new, the next pictures are checked at any cost."""
    source = FakeVideo(clock, 2 * FPS, 0.004)
    sampler = watch(source, link, min_s=0.7)
    play(source, sampler, clock, 10)
    source.bar = True
    source.checked_at.clear()

    play(source, sampler, clock, 2.8)

    since = [at - source.checked_at[0] for at in source.checked_at]
    assert len([one for one in since if one < 0.7]) >= 3


def test_polled_camera_is_fetched_each_second(clock: Clock, link: Link) -> None:
    """Motion detection fetches its pictures if nothing else does; without it, none is fetched."""
    source = FakeVideo(clock, 1, 0.001, polled=True)
    assert MotionSampler(source, link).wait_s is None  # type: ignore[arg-type]
    sampler = watch(source, link)
    assert sampler.wait_s == 0.0
    source.grab()
    assert sampler.is_due()
    assert sampler.wait_s is not None
    assert 0.4 < sampler.wait_s <= 1.0
