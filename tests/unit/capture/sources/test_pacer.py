"""Pacing sources that could run ahead."""

import pytest

from server.capture.sources import pacer
from server.capture.sources.pacer import Pacer
from tests.support.fakes import FakeClock


@pytest.fixture(autouse=True)
def paced(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> FakeClock:
    """The pacer on a clock that its own waits advance."""
    monkeypatch.setattr(pacer, "time", clock)
    monkeypatch.setattr(pacer.native, "sleep", clock.advance)
    return clock


def test_first_picture_is_due_at_once(paced: FakeClock) -> None:
    """The first picture is due immediately."""
    started = paced.now

    assert Pacer().wait()
    assert paced.now == started


def test_pictures_come_at_the_interval(paced: FakeClock) -> None:
    """Work between two pictures does not add to the interval."""
    pacer_ = Pacer()
    times = []

    for _ in range(50):
        assert pacer_.wait()
        times.append(paced.now)
        pacer_.schedule(0.1)
        paced.advance(0.03)  # The work.

    assert times[-1] - times[0] == pytest.approx(4.9)


def test_long_wait_is_split_into_pieces(paced: FakeClock) -> None:
    """A camera at 0.1 fps can be stopped long before its next picture."""
    pacer_ = Pacer()
    pacer_.wait()
    pacer_.schedule(10)
    started = paced.now
    pieces = 1

    while not pacer_.wait():
        pieces += 1
        assert paced.now - started <= pieces * pacer.MAX_WAIT_S

    assert pieces == pytest.approx(10 / pacer.MAX_WAIT_S, abs=1)
    assert paced.now - started == pytest.approx(10)


def test_small_delay_is_caught_up(paced: FakeClock) -> None:
    """A slightly late picture shortens the next wait, to keep the average right."""
    pacer_ = Pacer()
    pacer_.wait()
    pacer_.schedule(0.1)
    paced.advance(0.2)

    pacer_.wait()
    pacer_.schedule(0.1)
    before = paced.now
    pacer_.wait()

    assert paced.now == before


def test_long_delay_is_not_caught_up(paced: FakeClock) -> None:
    """After a pause, pictures continue at their interval, not in a burst."""
    pacer_ = Pacer()
    pacer_.wait()
    pacer_.schedule(0.1)
    paced.advance(60)
    started = paced.now

    for _ in range(10):
        pacer_.wait()
        pacer_.schedule(0.1)
    pacer_.wait()

    assert paced.now - started >= 0.85
