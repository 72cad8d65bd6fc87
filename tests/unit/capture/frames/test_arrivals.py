"""Statistics on the pictures that arrive from a source."""

import threading

import pytest

from server.capture.frames.arrivals import Arrivals


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_figures_cover_only_the_last_seconds() -> None:
    """Rates and group length ignore older pictures, such as large ones from the start."""
    clock = Clock()
    arrivals = Arrivals(clock)
    for number in range(200):
        arrivals.add(1_000_000 if number < 50 else 1000, key=number % 10 == 0)
        clock.now_s += 0.04

    fps, kbps, group, waiting_for = arrivals.figures

    assert (fps, kbps) == pytest.approx((25, 200))
    assert (group, waiting_for) == (10, "")


def test_longest_recent_group_is_reported() -> None:
    """Of groups of different lengths the longest counts. A long group after short ones used to
    leave a film stalled until its next key frame."""
    arrivals = Arrivals()

    def add(length: int) -> int:
        for number in range(length):
            arrivals.add(1000, key=number == 0)
        return arrivals.figures.group

    assert [add(30), add(30), add(250)] == [0, 30, 250]
    assert [add(30) for _ in range(9)] == [250] * 8 + [30]


def test_rate_is_unknown_right_after_a_pause() -> None:
    """A pause would count as a low rate, and a burst after it as a high one."""
    clock = Clock()
    arrivals = Arrivals(clock)
    for _ in range(60):
        arrivals.add(1000)
        clock.now_s += 0.05
    assert arrivals.figures.fps == pytest.approx(20)

    arrivals.pause()
    clock.now_s += 60
    assert arrivals.figures.fps == 0
    for _ in range(15):
        arrivals.add(1000)
        clock.now_s += 0.05
    assert arrivals.figures.fps == 0
    for _ in range(15):
        arrivals.add(1000)
        clock.now_s += 0.05

    assert arrivals.figures.fps == pytest.approx(20)
    assert arrivals.figures.group == 1


def test_figures_can_be_read_while_pictures_arrive() -> None:
    """Another thread, such as the beat, may read the figures while pictures are added."""
    arrivals = Arrivals()
    over = threading.Event()

    def add() -> None:
        while not over.is_set():
            arrivals.add(1000)
            arrivals.pause()

    adding = threading.Thread(target=add)
    adding.start()
    try:
        assert all(arrivals.figures.fps == 0 for _ in range(2000))
    finally:
        over.set()
        adding.join()
