"""When motion begins, gets a better picture, and ends."""

import itertools

import numpy as np
import pytest

from server.capture.frames.event_report import EventReport
from server.capture.motion.settings import MOTION_INTERVAL_S, MotionSettings
from server.capture.motion.tracker import END_S, PICTURE_S, MotionTracker

UNIX = 1_700_000_000.0


class Film:
    """A grey picture with a white bar of varying position and height, and the watch's reports."""

    def __init__(self, **settings: float) -> None:
        self.watch = MotionTracker(MotionSettings(**settings))  # type: ignore[arg-type]
        self.told: list[tuple[float, EventReport]] = []
        self.at = 0.0
        self.encoded = 0
        self.left = itertools.cycle(range(0, 120, 12))

    def play(self, seconds: float, height: int = 0, grow: float = 0.0) -> None:
        """Look for this many seconds at a bar of this height, which grows by this much a second."""
        for number in range(round(seconds / MOTION_INTERVAL_S)):
            picture = np.full((90, 160), 90, np.uint8)
            left = next(self.left)
            picture[: round(height + grow * number * MOTION_INTERVAL_S), left : left + 20] = 230
            told = self.watch.see(picture, self.at, UNIX + self.at, self.encode)
            self.told.extend((self.at, one) for one in told)
            self.at += MOTION_INTERVAL_S

    def encode(self) -> bytes:
        self.encoded += 1
        return b"jpeg"


def test_motion_begins_and_ends_once() -> None:
    """Motion is reported once it lasts, with its begin; it has ended when unseen for 2 s."""
    film = Film(min_s=0.6)
    film.play(2)
    film.play(3, height=30)
    film.play(5)

    (told_at, began), (ended_at, ended) = film.told[0], film.told[-1]
    assert (began.label, began.ended, began.jpeg) == ("motion", False, b"jpeg")
    assert began.box is not None
    assert began.at_unix - UNIX == pytest.approx(2.0)
    assert told_at == pytest.approx(2.6)
    assert (ended.label, ended.ended, ended.jpeg) == ("motion", True, None)
    assert ended.at_unix - UNIX == pytest.approx(4.8)
    assert ended_at == pytest.approx(4.8 + END_S)
    assert [one.ended for _, one in film.told].count(True) == 1


def test_what_is_shorter_is_none() -> None:
    """A bird crosses the picture in less than the minimum time."""
    film = Film(min_s=1.0)
    film.play(2)
    film.play(0.6, height=30)
    film.play(4)

    assert film.told == []


def test_a_pause_does_not_end_it() -> None:
    """Someone stands still for a moment, then walks on."""
    film = Film()
    film.play(2)
    for _ in range(3):
        film.play(1, height=30)
        film.play(1)

    assert [one.ended for _, one in film.told].count(True) == 0


def test_only_better_pictures_are_encoded_and_one_a_second() -> None:
    """A growing object gets a new picture each second; an unchanged one keeps its first."""
    film, growing = Film(), Film()
    film.play(2)
    film.play(6, height=30)
    growing.play(2)
    growing.play(6, height=10, grow=12)

    assert film.encoded <= 2
    scores = [one.score or 0 for _, one in growing.told]
    assert 4 <= growing.encoded == len(scores) <= 6
    assert scores == sorted(scores)
    times = [at for at, _ in growing.told]
    assert all(b - a >= PICTURE_S - 1e-6 for a, b in itertools.pairwise(times))


def test_doubt_lasts_until_it_is_told() -> None:
    """The first picture with something new causes a doubt, which the next ones resolve."""
    film = Film()
    film.play(2)
    assert not film.watch.in_doubt
    film.play(MOTION_INTERVAL_S, height=30)
    assert film.watch.in_doubt
    film.play(1, height=30)
    assert not film.watch.in_doubt
