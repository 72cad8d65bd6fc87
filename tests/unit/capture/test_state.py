"""What follows from the facts about a camera: its state, and when it is tried again."""

import pytest

from server.capture import state as state_module
from server.capture.schedule import Schedule
from server.capture.state import CameraState
from server.config.models import ServerSettings
from server.errors import SourceError
from tests.support.fakes import FakeClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The time, for the state."""
    clock = FakeClock()
    monkeypatch.setattr(state_module, "time", clock)
    return clock


class Told:
    """A state, and what it has told."""

    def __init__(self) -> None:
        self.withheld = ""
        self.states: list[str] = []
        self.notices: list[tuple[str, str]] = []
        self.state = CameraState(
            "door",
            "Door",
            ServerSettings(),
            Schedule(lambda: None),
            lambda: self.withheld,
            lambda: self.states.append(self.state.current),
            lambda level, message: self.notices.append((level, message)),
        )


@pytest.fixture
def told(clock: FakeClock) -> Told:
    """A camera that nobody watches yet."""
    return Told()


def test_state_follows_the_source(told: Told, clock: FakeClock) -> None:
    """From idle to live, to stalled and back, each told once."""
    state = told.state
    state.watched_by(1)
    state.refresh()
    state.opening()
    state.opened()
    state.grabbed()
    state.delivered(0.0)
    state.refresh()
    state.refresh()
    clock.advance(2.1)
    state.refresh()
    state.grabbed()
    state.refresh()
    state.watched_by(0)
    state.refresh()

    assert told.states == ["starting", "live", "stalled", "live", "idle"]


def test_a_failure_is_said_once_and_so_is_its_end(told: Told) -> None:
    """However often it fails; while it waits to be tried again the reason stays."""
    state = told.state
    state.watched_by(1)
    state.fail("gone")
    state.fail("gone for good")
    assert (state.current, state.reason) == ("retrying", "gone for good")

    state.opening()
    state.opened()
    state.grabbed()
    state.refresh()

    assert state.current == "live"
    assert told.notices == [("warning", "Door went offline: gone"), ("info", "Door is back online")]


def test_retries_grow_apart(told: Told, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    """Each fruitless try waits longer than the one before, up to a bound."""
    waits: list[float] = []
    told.state.watched_by(1)
    told.state.fail("gone")
    monkeypatch.setattr(state_module, "RETRY_FIRST_S", 1.0)
    monkeypatch.setattr(state_module.random, "uniform", lambda low, high: 1.0)

    for _ in range(1, 9):
        told.state.back_off(delivered=False)
        waits.append(told.state.retry_in_s)

    assert waits[0] == pytest.approx(1)
    assert waits[:5] == sorted(set(waits[:5]))
    assert waits[-1] == pytest.approx(state_module.MAX_RETRY_S)
    told.state.back_off(delivered=True)
    assert told.state.retry_in_s == pytest.approx(1)


def test_what_is_held_back_is_no_live_picture(told: Told) -> None:
    """Nor is one that stands still; one that stands still for long is worth a reopening."""
    state = told.state
    state.watched_by(1)
    state.opened()
    state.grabbed()
    told.withheld = "its processor hangs"
    state.refresh()
    assert (state.current, state.reason) == ("stalled", "its processor hangs")

    told.withheld = ""
    state.delivered(10.5)
    state.refresh()

    assert (state.current, state.reason[:31]) == ("stalled", "the picture has not changed for")
    state.give_up_if_frozen()
    state.delivered(30.5)
    with pytest.raises(SourceError, match="opened anew"):
        state.give_up_if_frozen()


def test_an_open_source_lingers(told: Told, clock: FakeClock) -> None:
    """Who looks away for a moment finds it open; a stopped one is closed at once."""
    state = told.state
    state.watched_by(1)
    assert state.wants_source(checked=False)
    state.watched_by(0)
    assert not state.wants_source(checked=False)
    assert state.wants_source(checked=True)

    clock.advance(9.9)
    assert state.keeps_source(checked=False)
    clock.advance(0.2)
    assert not state.keeps_source(checked=False)
    assert state.keeps_source(checked=True)
    state.enabled = False
    assert not state.keeps_source(checked=True)
