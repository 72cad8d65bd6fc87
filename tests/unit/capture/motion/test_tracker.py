"""When motion begins, gets a better picture, and ends."""

import itertools

import numpy as np
import pytest

from server.capture.frames.event_report import EventReport
from server.capture.motion.settings import MOTION_INTERVAL_S, MotionSettings
from server.capture.motion.tracker import END_S, PICTURE_S, MotionTracker

UNIX = 1_700_000_000.0


class Film:
    """A grey picture with a white bar of varying position and height, and the tracker's reports."""

    def __init__(self, **settings: float) -> None:
        self.tracker = MotionTracker(MotionSettings(**settings))  # type: ignore[arg-type]
        self.reports: list[tuple[float, EventReport]] = []
        self.at = 0.0
        self.encoded = 0
        self.left = itertools.cycle(range(0, 120, 12))

    def play(self, seconds: float, height: int = 0, grow: float = 0.0) -> None:
        """Show a bar of this height for this many seconds, growing by this much a second."""
        for number in range(round(seconds / MOTION_INTERVAL_S)):
            picture = np.full((90, 160), 90, np.uint8)
            left = next(self.left)
            picture[: round(height + grow * number * MOTION_INTERVAL_S), left : left + 20] = 230
            reports = self.tracker.see(picture, self.at, UNIX + self.at, self.encode)
            self.reports.extend((self.at, one) for one in reports)
            self.at += MOTION_INTERVAL_S

    def encode(self) -> bytes:
        self.encoded += 1
        return b"jpeg"


def test_motion_begins_and_ends_once() -> None:
    """Motion is reported with its start once it has lasted; it ends when unseen for 2 s."""
    film = Film(min_s=0.6)
    film.play(2)
    film.play(3, height=30)
    film.play(5)

    (reported_at, began), (ended_at, ended) = film.reports[0], film.reports[-1]
    assert (began.label, began.ended, began.jpeg) == ("motion", False, b"jpeg")
    assert began.box is not None
    assert began.at_unix - UNIX == pytest.approx(2.0)
    assert reported_at == pytest.approx(2.6)
    assert (ended.label, ended.ended, ended.jpeg) == ("motion", True, None)
    assert ended.at_unix - UNIX == pytest.approx(4.8)
    assert ended_at == pytest.approx(4.8 + END_S)
    assert [one.ended for _, one in film.reports].count(True) == 1


def test_brief_motion_is_not_reported() -> None:
    """A bird that crosses the picture in less than the minimum time is ignored."""
    film = Film(min_s=1.0)
    film.play(2)
    film.play(0.6, height=30)
    film.play(4)

    assert film.reports == []


def test_short_pause_does_not_end_motion() -> None:
    """Motion continues while someone stands still for a moment, then walks on."""
    film = Film()
    film.play(2)
    for _ in range(3):
        film.play(1, height=30)
        film.play(1)

    assert [one.ended for _, one in film.reports].count(True) == 0


def test_only_better_pictures_are_encoded() -> None:
    """A growing object gets a new picture each second; an unchanged one keeps its first."""
    film, growing = Film(), Film()
    film.play(2)
    film.play(6, height=30)
    growing.play(2)
    growing.play(6, height=10, grow=12)

    assert film.encoded <= 2
    scores = [one.score or 0 for _, one in growing.reports]
    assert 4 <= growing.encoded == len(scores) <= 6
    assert scores == sorted(scores)
    times = [at for at, _ in growing.reports]
    assert all(b - a >= PICTURE_S - 1e-6 for a, b in itertools.pairwise(times))


def test_doubt_lasts_until_motion_is_reported() -> None:
    """The first picture with something new causes doubt, which the next ones resolve."""
    film = Film()
    film.play(2)
    assert not film.tracker.in_doubt
    film.play(MOTION_INTERVAL_S, height=30)
    assert film.tracker.in_doubt
    film.play(1, height=30)
    assert not film.tracker.in_doubt
