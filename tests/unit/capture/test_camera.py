"""The capture loop and the state that people see."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from server.capture import camera as camera_module
from server.capture import connection as connection_module
from server.capture import retry as retry_module
from server.capture import state as state_module
from server.capture.camera import Camera
from server.capture.pacing import schedule as schedule_module
from server.capture.pacing.schedule import DEFAULT_FPS
from server.capture.sources import reader
from server.errors import LoginRefused, PictureError, SourceEnded, SourceError
from server.loop import hub
from tests.support.fakes import (
    FakeClock,
    FakeOpener,
    FakeSource,
    UndecodableError,
    offline_camera,
    picture,
    settle,
    until,
)

MakeCamera = Callable[..., Camera]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries and the watch on the clock without long waits."""
    monkeypatch.setattr(retry_module, "FIRST_S", 0.01)
    monkeypatch.setattr(retry_module, "PAUSE_S", 0.01)
    monkeypatch.setattr(camera_module, "WATCH_PERIOD_S", 0.005)


def live(camera: Camera, source: FakeSource) -> None:
    """Open a camera: one viewer, one picture."""
    camera.set_viewers(1)
    source.give()
    until(lambda: camera.state == "live")


def test_nothing_is_opened_until_somebody_watches(make_camera: MakeCamera) -> None:
    """A camera that nobody watches is idle and does not open its device."""
    camera = make_camera(FakeSource())
    settle()

    assert camera.state == "idle"
    assert camera.meter.opened == 0


def test_first_viewer_brings_it_up(make_camera: MakeCamera) -> None:
    """With a viewer the source is opened, and with a picture the camera is live."""
    source = FakeSource(fps=25, size=(64, 48))
    camera = make_camera(source)

    camera.set_viewers(1)
    until(lambda: camera.meter.opened)
    assert camera.state == "starting"
    source.give()
    until(lambda: camera.state == "live")

    told = camera.describe()
    assert (told["width"], told["height"], told["source_fps"], told["fps"]) == (64, 48, 25, 25)
    assert told["reason"] == ""
    assert camera.slot.frame is not None
    assert camera.slot.frame.seq == 1


def test_state_is_the_contracts() -> None:
    """STATE has the keys of the wire protocol and no others."""
    assert set(offline_camera().describe()) == {
        *("name", "title", "state", "reason", "since", "fps"),
        *("quality", "width", "height", "source_fps", "passed_through", "viewers"),
        *("renditions", "process", "set", "source", "group", "record", "recording", "motion"),
        *("controls", "presets", "preset", "video", "rewind", "timelapse"),
    }


def test_unwatched_source_is_released(make_camera: MakeCamera) -> None:
    """A while after the last viewer has left, the device is released."""
    source = FakeSource()
    camera = make_camera(source, release_after=0)
    live(camera, source)

    camera.set_viewers(0)

    until(lambda: source.closed)
    assert camera.state == "idle"
    assert camera.slot.frame is None


def test_source_stays_for_a_while(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """Looking away for a moment does not close the device; ten seconds later it is closed."""
    for module in (camera_module, schedule_module, state_module):
        monkeypatch.setattr(module, "time", clock)
    source = FakeSource()
    camera = make_camera(source)
    live(camera, source)

    camera.set_viewers(0)
    asked = source.asked
    until(lambda: source.asked > asked + 3)
    assert source.closed == 0
    clock.advance(10.1)

    until(lambda: source.closed)


def test_live_source_is_drained_unseen_and_not_decoded(make_camera: MakeCamera) -> None:
    """A live source kept open without viewers is read, to empty its buffers, but not decoded."""
    source = FakeSource()
    camera = make_camera(source)
    live(camera, source)
    decoded = source.decoded

    camera.set_viewers(0)
    hub.sleep(0.02)  # A read in progress may still have been wanted.
    source.give(*[picture()] * 5)

    until(lambda: source.grabs == 6)
    assert source.decoded == decoded


def test_file_waits_while_nobody_watches(make_camera: MakeCamera) -> None:
    """A file is not played while nobody watches: it loses nothing by waiting."""
    source = FakeSource(live=False)
    camera = make_camera(source)
    live(camera, source)
    pauses: list[None] = []
    source.arrivals.pause = lambda: pauses.append(None)  # type: ignore[method-assign]
    camera.set_viewers(0)
    until(lambda: pauses)  # The read in progress may still have been wanted.

    asked = source.asked
    hub.sleep(0.03)

    assert source.asked == asked
    assert pauses == [None]  # It was told once, and not in every round.
    assert source.closed == 0


def test_frames_are_numbered_across_a_reconnect(make_camera: MakeCamera) -> None:
    """Sequence numbers only grow, even across a failure of the source."""
    first, second = FakeSource(), FakeSource()
    camera = make_camera(first, second)
    seqs: list[int] = []
    camera.slot.listen(lambda: seqs.append(camera.slot.frame.seq))  # type: ignore[union-attr]
    camera.set_viewers(1)

    first.give(picture(), picture(), SourceError("unplugged"))
    second.give(picture())
    until(lambda: len(seqs) == 3)

    assert seqs == [1, 2, 3]
    assert first.closed == 1
    assert camera.meter.opened == 2


def test_loss_and_return_are_told_once(
    make_camera: MakeCamera, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed camera gives one notice, however often it is retried, and its return another."""
    source = FakeSource()
    error = SourceError("no such device")
    camera = make_camera(error, error, error, source)
    notices: list[tuple[str, str]] = []
    camera.on_notice = lambda _, level, message: notices.append((level, message))
    source.give()

    with caplog.at_level(logging.WARNING):
        camera.set_viewers(1)
        until(lambda: camera.state == "live")

    assert notices == [
        ("warning", "Door went offline: no such device"),
        ("info", "Door is back online"),
    ]
    assert camera.meter.lost == 3
    assert len(caplog.records) == 1


def test_retrying_says_why(make_camera: MakeCamera) -> None:
    """While a camera is retried, its reason is the source's error."""
    camera = make_camera(SourceError("no such device"))

    camera.set_viewers(1)
    until(lambda: camera.state == "retrying")

    assert camera.reason == "no such device"


def test_unexpected_error_is_retried_and_logged(
    make_camera: MakeCamera, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected error does not stop the camera for ever."""
    source = FakeSource()
    source.give()
    camera = make_camera(ZeroDivisionError("bug"), source)

    camera.set_viewers(1)
    until(lambda: camera.state == "live")

    assert "ZeroDivisionError" in caplog.text


def test_viewer_leaving_ends_the_retries(make_camera: MakeCamera) -> None:
    """While nobody watches nothing is retried, and the state keeps showing the failure."""
    camera = make_camera(SourceError("gone"))
    camera.set_viewers(1)
    until(lambda: camera.state == "retrying")

    camera.set_viewers(0)
    hub.sleep(0.01)  # An attempt in progress.
    opened = camera._connection._opener.calls  # type: ignore[attr-defined]
    hub.sleep(0.05)

    assert camera._connection._opener.calls == opened  # type: ignore[attr-defined]
    assert (camera.state, camera.reason) == ("retrying", "gone")


def test_broken_picture_is_dropped(make_camera: MakeCamera) -> None:
    """One picture that cannot be decoded is counted, and the source goes on."""
    source = FakeSource()
    camera = make_camera(source)
    camera.set_viewers(1)

    source.give(UndecodableError(PictureError("torn")), picture())
    until(lambda: camera.state == "live")

    assert camera.meter.drops["broken"] == 1
    assert camera.meter.opened == 1
    assert camera.meter.lost == 0


def test_broken_picture_of_a_polled_source_is_not_asked_for_again_at_once(
    make_camera: MakeCamera,
) -> None:
    """A still camera that answers junk is asked at its rate, not without pause."""
    source = FakeSource(live=False)
    source.info = replace(source.info, polled=True)
    camera = make_camera(source)
    camera.set_viewers(1)

    source.give(UndecodableError(PictureError("torn")), picture())
    until(lambda: source.grabs == 2)
    hub.sleep(0.02)

    assert source.decoded == 1


def test_still_picture_of_a_polled_source_is_not_frozen(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """A camera that makes a new picture every minute answers with the same one meanwhile."""
    for module in (camera_module, schedule_module, state_module, reader):
        monkeypatch.setattr(module, "time", clock)
    source = FakeSource(live=False)
    source.info = replace(source.info, polled=True)
    camera = make_camera(source, frozen_after=2.0)
    same = picture()
    camera.set_viewers(1)

    for number in range(1, 8):
        source.give(same)
        until(lambda number=number: camera.meter.captured == number)  # type: ignore[misc]
        clock.advance(1.0)

    assert camera.state == "live"


def test_frozen_picture_is_compared_over_a_reopening(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """A camera that hangs sends the same picture to whoever connects: that is not live."""
    for module in (camera_module, schedule_module, state_module, reader):
        monkeypatch.setattr(module, "time", clock)
    first, second = FakeSource(), FakeSource()
    camera = make_camera(first, second, frozen_after=1.0)
    same = picture()
    camera.set_viewers(1)
    for number in range(1, 6):
        first.give(same)
        until(lambda number=number: camera.meter.captured == number)  # type: ignore[misc]
        clock.advance(1.0)
    until(lambda: camera.meter.opened == 2)

    second.give(same)
    until(lambda: camera.state != "retrying")
    assert camera.state == "stalled"
    second.give(picture(shade=91))
    until(lambda: camera.state == "live")


def test_refused_login_is_tried_when_it_is_started(make_camera: MakeCamera) -> None:
    """Viewers and checks leave it alone for minutes; who has mended it need not wait."""
    source = FakeSource()
    source.give()
    camera = make_camera(LoginRefused("it refused the user name or password"), source)
    camera.set_viewers(1)
    until(lambda: camera.state == "retrying")
    assert camera.reason.startswith("it refused the user name or password; tried again every 5 min")
    camera.set_viewers(0)
    camera.check()
    camera.set_viewers(1)
    hub.sleep(0.05)
    assert camera._connection._opener.calls == 1  # type: ignore[attr-defined]

    camera.start()

    until(lambda: camera.state == "live")


def test_stall_is_noticed_and_ends(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """A source that goes silent is stalled, and live again with its next picture."""
    for module in (camera_module, schedule_module, state_module):
        monkeypatch.setattr(module, "time", clock)
    source = FakeSource()
    camera = make_camera(source, stall_after=2.0)
    live(camera, source)

    clock.advance(1.9)
    hub.sleep(0.02)
    assert camera.state == "live"
    clock.advance(0.2)
    until(lambda: camera.state == "stalled")
    source.give()

    until(lambda: camera.state == "live")


def test_slow_source_is_not_stalled_between_two_pictures(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """At one picture in ten seconds, ten seconds without one are no stall."""
    for module in (camera_module, schedule_module, state_module):
        monkeypatch.setattr(module, "time", clock)
    source = FakeSource(fps=0.1)
    camera = make_camera(source, stall_after=2.0)
    live(camera, source)

    clock.advance(15)
    hub.sleep(0.02)

    assert camera.state == "live"


def test_played_file_has_ended_until_it_is_started(make_camera: MakeCamera) -> None:
    """The end of a file is not a failure; starting the camera plays it again."""
    first, second = FakeSource(live=False), FakeSource(live=False)
    camera = make_camera(first, second)
    camera.set_viewers(1)
    first.give(picture(), SourceEnded("over"))
    until(lambda: camera.state == "ended")
    assert camera.meter.lost == 0

    camera.start()
    second.give()

    until(lambda: camera.state == "live")


def test_stop_frees_the_device(make_camera: MakeCamera) -> None:
    """When stop returns the source is closed, and stays closed although somebody watches."""
    source = FakeSource()
    camera = make_camera(source)
    live(camera, source)
    started = time.monotonic()

    camera.stop()

    assert time.monotonic() - started < connection_module.RELEASE_DEADLINE_S / 2
    assert source.closed == 1
    assert camera.state == "stopped"
    assert camera.slot.frame is None


def test_stopped_camera_is_started(make_camera: MakeCamera) -> None:
    """Start reopens the source if somebody watches."""
    source = FakeSource()
    camera = make_camera(source)
    live(camera, source)
    camera.stop()

    camera.start()
    source.give()

    until(lambda: camera.state == "live")
    assert camera.meter.opened == 2


def test_stop_does_not_wait_for_ever(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source stuck in a read does not block stop for ever."""
    monkeypatch.setattr(connection_module, "RELEASE_DEADLINE_S", 0.03)
    camera = offline_camera()
    camera._connection.held = True  # As a loop stuck in a read leaves it.

    camera.stop()

    assert camera.state == "stopped"


@pytest.mark.parametrize(
    ("claimed", "fps", "taken"),
    [(30, 10, 30), (30, 60, 90), (0, 10, 30), (25, 28, 84)],
    ids=["a third", "more than there is", "of an unknown rate", "more than is claimed"],
)
def test_fps_is_kept_on_average(
    make_camera: MakeCamera,
    monkeypatch: pytest.MonkeyPatch,
    clock: FakeClock,
    claimed: float,
    fps: float,
    taken: int,
) -> None:
    """Of a source that delivers 30 a second as many are taken as were set, and no more decoded.

    A camera that claimed 25 but sent 60 used to be limited by settings up to 25 only.
    """
    for module in (camera_module, schedule_module, state_module, reader):
        monkeypatch.setattr(module, "time", clock)
    source = FakeSource(fps=claimed)
    camera = make_camera(source, fps=fps)
    camera.set_viewers(1)

    for number in range(1, 91):
        source.give()
        until(lambda number=number: source.grabs == number)  # type: ignore[misc]
        hub.sleep(0)
        clock.advance(1 / 30)
    until(lambda: camera.meter.captured >= taken - 2)

    assert taken - 2 <= camera.meter.captured <= taken + 2
    assert source.decoded == camera.meter.captured


def test_rate_is_the_lower_one_of_source_and_setting(make_camera: MakeCamera) -> None:
    """It is asked with each picture, so it is worked out when either of them is announced."""
    source = FakeSource(fps=25)
    camera = make_camera(source)
    before = camera.rate
    live(camera, source)
    rates = [camera.rate]
    for fps in (5.0, 60.0, None):
        camera.set_fps(fps)
        rates.append(camera.rate)

    assert before == DEFAULT_FPS
    assert rates == [25, 5, 25, 25]


def test_change_of_fps_holds_for_the_next_picture(make_camera: MakeCamera) -> None:
    """A camera at 0.1 fps that is set to 100 does not wait out its ten seconds."""
    source = FakeSource()
    camera = make_camera(source, fps=0.1)
    live(camera, source)
    source.give()
    until(lambda: source.grabs == 2)
    assert camera.meter.captured == 1

    camera.set_fps(100)
    source.give()

    until(lambda: camera.meter.captured == 2)


def test_new_viewer_does_not_wait_for_a_slow_camera(make_camera: MakeCamera) -> None:
    """A new viewer gets the source's very next picture."""
    source = FakeSource()
    camera = make_camera(source, fps=0.1)
    live(camera, source)

    camera.set_viewers(2)
    source.give()

    until(lambda: camera.meter.captured == 2)


def test_replaced_frame_is_counted(make_camera: MakeCamera) -> None:
    """A frame that nobody took in time counts as a drop, with its reason."""
    source = FakeSource()
    camera = make_camera(source)
    camera.set_viewers(1)

    source.give(picture(), picture(), picture())
    until(lambda: camera.meter.captured == 3)

    assert camera.meter.drops["replaced"] == 2


def test_change_of_size_is_reported(make_camera: MakeCamera) -> None:
    """If the source changes its size while streaming, STATE changes too."""
    source = FakeSource(size=(64, 48))
    camera = make_camera(source)
    live(camera, source)
    told: list[tuple[int, int]] = []
    camera.on_change = lambda camera: told.append(
        (camera.describe()["width"], camera.describe()["height"])
    )

    source.give(picture(32, 24))
    until(lambda: camera.meter.captured == 2)

    assert told == [(32, 24)]


def test_changes_are_reported(make_camera: MakeCamera) -> None:
    """Every change of STATE is announced."""
    camera = make_camera(FakeSource())
    told: list[dict[str, object]] = []
    camera.on_change = lambda camera: told.append(camera.describe())

    camera.set_fps(5)
    camera.set_quality(40)
    camera.stop()

    assert told[0]["fps"] == 5
    assert told[1]["quality"] == 40
    assert told[-1]["state"] == "stopped"


def test_steady_camera_announces_nothing(make_camera: MakeCamera) -> None:
    """Frames alone do not change STATE."""
    source = FakeSource()
    camera = make_camera(source)
    live(camera, source)
    told: list[Camera] = []
    camera.on_change = told.append

    source.give(*[picture()] * 5)
    until(lambda: camera.meter.captured == 6)
    hub.sleep(0.02)

    assert told == []


def test_close_releases_the_source(make_camera: MakeCamera) -> None:
    """A closed camera has released its device, and its loop has ended."""
    source = FakeSource()
    camera = make_camera(source)
    live(camera, source)

    assert camera.close(2)

    assert source.closed == 1
    assert camera.closed


def test_camera_that_was_never_opened_closes() -> None:
    """Closing before the start is not an error."""
    camera = offline_camera()

    assert camera.closed
    assert camera.close(0)


def test_password_is_in_nothing_people_see(make_camera: MakeCamera) -> None:
    """STATE and address show the source without its password."""
    from tests.support.fakes import camera_settings

    settings = camera_settings(source="rtsp://ann:s3cret@cam/live")
    camera = Camera(settings, camera_module.config.ServerSettings(), FakeOpener(FakeSource()))

    assert "s3cret" not in repr(camera.describe())
