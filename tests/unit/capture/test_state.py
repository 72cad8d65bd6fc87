"""A camera's state, and its next try, derived from the facts about it."""

import pytest

from server.capture import retry as retry_module
from server.capture import state as state_module
from server.capture.frames.arrivals import Figures
from server.capture.frames.info import SourceInfo
from server.capture.pacing import measured as measured_module
from server.capture.pacing import schedule as schedule_module
from server.capture.pacing.measured import Measured
from server.capture.pacing.schedule import Schedule
from server.capture.state import CameraState
from server.config.models import ServerSettings
from server.errors import SourceError
from tests.support.fakes import FakeClock

INFO = SourceInfo(64, 48, 25.0, "h264", live=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock for the state."""
    clock = FakeClock()
    for module in (measured_module, retry_module, schedule_module, state_module):
        monkeypatch.setattr(module, "time", clock)
    return clock


class Told:
    """A state, and what it announced."""

    def __init__(self) -> None:
        self.source = Measured()
        self.fps: float | None = None
        self.withheld = ""
        self.shown = True
        self.states: list[str] = []
        self.notices: list[tuple[str, str]] = []
        self.state = CameraState(
            "door",
            "Door",
            ServerSettings(),
            self.source,
            Schedule(lambda: self.fps, self.source),
            lambda: self.withheld,
            lambda: self.shown,
            lambda: self.states.append(self.state.current),
            lambda level, message: self.notices.append((level, message)),
        )


@pytest.fixture
def told(clock: FakeClock) -> Told:
    """A camera that nobody watches yet."""
    return Told()


def test_state_follows_the_source(told: Told, clock: FakeClock) -> None:
    """From idle to live, to stalled and back, each change is announced once."""
    state = told.state
    state.watched_by(1)
    state.refresh()
    state.opening()
    state.opened(INFO)
    state.delivered()
    state.refresh()
    state.refresh()
    clock.advance(2.1)
    state.refresh()
    state.delivered()
    state.delivered()
    state.refresh()
    state.watched_by(0)
    state.refresh()

    assert told.states == ["starting", "live", "stalled", "live", "idle"]


def test_failure_and_recovery_are_announced_once(told: Told) -> None:
    """Repeated failures give one notice; the reason shows the latest while a retry is due."""
    state = told.state
    state.watched_by(1)
    state.fail("gone")
    state.fail("gone for good")
    assert (state.current, state.reason) == ("retrying", "gone for good")

    state.opening()
    state.opened(INFO)
    state.delivered()
    state.refresh()

    assert state.current == "live"
    assert told.notices == [("warning", "Door went offline: gone"), ("info", "Door is back online")]


def test_withheld_or_frozen_picture_is_not_live(told: Told, clock: FakeClock) -> None:
    """Such a camera is stalled; a source that stays frozen for long is reopened."""
    state = told.state
    state.watched_by(1)
    state.opened(INFO)
    state.delivered()
    told.withheld = "its processor hangs"
    state.refresh()
    assert (state.current, state.reason) == ("stalled", "its processor hangs")

    told.withheld = ""
    state.delivered(10.5)
    state.refresh()

    assert (state.current, state.reason[:31]) == ("stalled", "the picture has not changed for")
    state.give_up_if_frozen()
    for still_s in range(11, 42):
        clock.advance(1)
        state.delivered(still_s)
    with pytest.raises(SourceError, match="reopening"):
        state.give_up_if_frozen()


def test_picture_still_frozen_after_reopening_is_stalled(told: Told, clock: FakeClock) -> None:
    """The failure is announced once, and the same time granted again; a new picture is live."""
    state = open_and_watch(told)
    clock.advance(30.5)
    state.delivered(30.5)
    with pytest.raises(SourceError):
        state.give_up_if_frozen()
    state.fail("frozen")

    for _ in range(2):
        state.opening()
        state.opened(INFO)
        state.delivered(31.0)
        state.give_up_if_frozen()
        state.refresh()
        assert state.frozen
        assert state.current == "stalled"
    state.watched_by(0)
    state.refresh()
    assert state.current == "retrying"
    state.watched_by(1)
    assert told.notices == [("warning", "Door went offline: frozen")]

    state.delivered(0.0)
    state.refresh()
    assert not state.frozen
    assert state.current == "live"


def test_source_stays_open_for_returning_viewers(told: Told, clock: FakeClock) -> None:
    """A viewer that returns soon finds it open; a stopped camera is closed immediately."""
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


def open_and_watch(told: Told, info: SourceInfo = INFO) -> CameraState:
    """Open a source for a viewer."""
    told.state.watched_by(1)
    told.state.opening()
    told.state.opened(info)
    told.state.refresh()
    return told.state


def test_camera_waiting_for_a_key_frame_is_starting(told: Told, clock: FakeClock) -> None:
    """Joining a group of 10 s takes up to 10 s; meanwhile the camera is starting, not stalled."""
    state = open_and_watch(told)
    told.source.update(Figures(fps=25.0, group=250, waiting_for="a key frame"), INFO)
    for _ in range(100):
        clock.advance(0.1)
        state.arrived()
        state.refresh()
        assert (state.current, state.reason) == ("starting", "waiting for a key frame")

    for _ in range(100):
        clock.advance(0.1)
        state.arrived()
        state.refresh()

    # The limit is one and a half groups, plus a margin.
    assert (state.current, state.reason) == (
        "stalled",
        "no picture for more than 17 s; waiting for a key frame",
    )


def test_silent_source_is_stalled_while_waiting(told: Told, clock: FakeClock) -> None:
    """A silent source is stalled, whatever it was waiting for."""
    state = open_and_watch(told)
    told.source.update(Figures(waiting_for="a key frame"), INFO)
    state.arrived()

    clock.advance(2.1)
    state.refresh()

    assert (state.current, state.reason) == (
        "stalled",
        "no picture for more than 2 s; waiting for a key frame",
    )


def test_packets_without_pictures_are_not_live(told: Told, clock: FakeClock) -> None:
    """A decoder without references waits for a key frame; without that reason it is stalled."""
    state = open_and_watch(told)
    state.delivered()
    state.refresh()
    assert state.current == "live"

    seen = []
    for waiting_for in ("", "a key frame"):
        told.source.update(Figures(fps=25.0, waiting_for=waiting_for), INFO)
        for _ in range(30):
            clock.advance(0.1)
            state.arrived()
        state.refresh()
        seen.append(state.current)

    assert seen == ["stalled", "starting"]


def test_packets_do_not_end_a_failure(told: Told, clock: FakeClock) -> None:
    """A reopened source has recovered with its first picture, not before."""
    state = open_and_watch(told)
    state.fail("gone")
    state.opening()
    state.opened(INFO)
    state.arrived()
    state.refresh()
    assert state.current == "retrying"
    told.source.update(Figures(waiting_for="a key frame"), INFO)
    state.refresh()
    assert (state.current, state.failure) == ("starting", "gone")

    state.delivered()
    state.refresh()

    assert (state.current, state.failure) == ("live", None)


def test_picture_is_not_live_until_it_is_published(told: Told) -> None:
    """Nobody can see a picture that was captured but not published."""
    state = open_and_watch(told)
    told.shown = False
    state.delivered()
    state.refresh()
    assert state.current == "starting"

    told.shown = True
    state.refresh()

    assert state.current == "live"


@pytest.mark.parametrize("fault", ["silent", "still", "withheld"])
def test_clock_is_checked_when_new_pictures_stop(fault: str, told: Told, clock: FakeClock) -> None:
    """While they arrive, checks are rare: four a second were a twentieth of one viewer's cost."""
    state = open_and_watch(told)
    looks = []
    for _ in range(40):
        clock.advance(0.04)
        state.delivered()
        state.refresh()
        looks.append(state.may_be_late())
    assert 0 < sum(looks) <= 10, "an occasional check: there may be new figures"

    for _ in range(7):
        clock.advance(0.04)
        if fault != "silent":
            state.delivered(still_s=0.04 * (fault == "still"))
        if fault == "withheld":
            told.withheld = "processor x failed"

    assert all(state.may_be_late() for _ in range(8))


@pytest.mark.parametrize(("fps", "limit_s"), [(None, 3.0), (0.1, 30.0), (10.0, 2.0)])
def test_polled_source_stalls_by_its_own_interval(
    told: Told, clock: FakeClock, fps: float | None, limit_s: float
) -> None:
    """A still camera polled every ten seconds is not stalled in between."""
    told.fps = fps
    state = open_and_watch(told, SourceInfo(64, 48, 0.0, "mjpeg", live=False, polled=True))
    state.delivered()
    clock.advance(limit_s - 0.1)
    state.refresh()
    assert state.current == "live"

    clock.advance(0.2)
    state.refresh()

    assert state.current == "stalled"


def test_refused_login_is_reported_and_retried_rarely(told: Told, clock: FakeClock) -> None:
    """The reason says when it is tried again, and how to try it immediately."""
    state = open_and_watch(told)
    state.fail("it refused the user name or password", refused=True)
    state.back_off()
    assert state.reason == (
        "it refused the user name or password; retrying every 5 min; press Start to retry now"
    )
    state.watched_by(0)
    assert state.retry_in_s == pytest.approx(300)

    clock.advance(300)
    assert state.retry_in_s == 0
    state.opening()
    state.fail("no route to it")
    state.back_off()

    assert state.retry_in_s == 0  # Nobody watches.
    state.watched_by(1)
    assert 0 < state.retry_in_s < 2


def test_picture_left_over_from_a_timeout_is_not_live(told: Told, clock: FakeClock) -> None:
    """A suspended RTSP server used to be live for 2.5 s, 5 s after it had sent its last picture.

    FFmpeg returns that picture when the read times out, and the error only afterwards.
    """
    state = open_and_watch(told)
    state.delivered()
    clock.advance(5.0)
    state.refresh()
    state.delivered()
    state.refresh()
    assert state.current == "stalled"

    clock.advance(0.04)
    state.delivered()
    state.refresh()

    assert state.current == "live"


def test_video_is_live_between_key_frames(told: Told, clock: FakeClock) -> None:
    """If all viewers get video, only key frames are decoded: some cameras send one in 10 s.

    Arrivals show sooner that a camera is silent; and a viewer that then asks for pictures must not
    see a stall because the last one was decoded a while ago.
    """
    state = told.state
    state.watched_by(1)
    state.opening()
    state.opened(INFO)
    state.sparse = True
    state.delivered()
    for _ in range(24):
        clock.advance(0.5)
        state.arrived()
        state.refresh()
    assert state.current == "live"

    state.sparse = False
    state.refresh()
    assert state.current == "live"
    clock.advance(2.1)
    state.arrived()
    state.refresh()
    assert state.current == "stalled", "now pictures are expected"

    state.sparse = True
    state.delivered()
    state.delivered()
    state.refresh()
    assert state.current == "live"
    clock.advance(2.1)
    state.refresh()
    assert state.current == "stalled", "nothing arrives"


def test_viewer_of_a_recorded_camera_finds_it_live(told: Told, clock: FakeClock) -> None:
    """Without viewers, pictures are decoded every 20 s, and video comes in batches.

    A new viewer must see the camera live, and be told in time if nothing can be decoded.
    """
    state = told.state
    state.watched_by(0, frozenset({"record"}))
    state.opening()
    state.opened(INFO)
    clock.advance(6)
    told.source.update(Figures(25.0, 1000.0, 50), INFO)
    state.sparse = True
    state.delivered()
    for _ in range(40):
        clock.advance(0.5)
        state.arrived()
        state.refresh()
        assert state.current == "live"

    state.watched_by(1, frozenset({"record"}))
    state.refresh()
    assert state.current == "live"
    for _ in range(25):
        clock.advance(0.5)
        state.arrived(broken="received a damaged picture")
        state.refresh()
    assert state.current == "stalled"


def test_undecodable_video_is_stalled(told: Told, clock: FakeClock) -> None:
    """A camera stalls if units keep arriving but none was decoded for two groups."""
    state = told.state
    state.watched_by(1)
    state.opening()
    state.opened(INFO)
    clock.advance(6)
    told.source.update(Figures(25.0, 1000.0, 50), INFO)
    state.sparse = True
    state.delivered()
    for _ in range(25):
        clock.advance(0.5)
        state.arrived(broken="received a damaged picture")
        state.refresh()

    assert state.current == "stalled"
    assert "damaged" in state.reason
