"""The capture loop, and the state that users see."""

import time

import pytest

from server.capture import camera as camera_module
from server.capture import connection as connection_module
from server.capture.camera import Camera
from server.errors import SourceEnded, SourceError
from server.loop import hub
from tests.support.fakes import (
    FakeClock,
    FakeOpener,
    FakeSource,
    offline_camera,
    picture,
    settle,
    until,
)
from tests.unit.capture.opened import MakeCamera, live, quick, use_clock

__all__ = ["quick"]


def test_source_is_not_opened_without_viewers(make_camera: MakeCamera) -> None:
    """A camera that nobody watches is idle and does not open its device."""
    camera = make_camera(FakeSource())
    settle()

    assert camera.state == "idle"
    assert camera.meter.opened == 0


def test_first_viewer_opens_the_source(make_camera: MakeCamera) -> None:
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


def test_state_matches_the_protocol() -> None:
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


def test_source_stays_open_for_a_while(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """The device stays open when the last viewer leaves, and is closed ten seconds later."""
    use_clock(clock, monkeypatch)
    source = FakeSource()
    camera = make_camera(source)
    live(camera, source)

    camera.set_viewers(0)
    asked = source.asked
    until(lambda: source.asked > asked + 3)
    assert source.closed == 0
    clock.advance(10.1)

    until(lambda: source.closed)


def test_unwatched_live_source_is_drained_but_not_decoded(make_camera: MakeCamera) -> None:
    """A live source kept open without viewers is read to empty its buffers, but not decoded."""
    source = FakeSource()
    camera = make_camera(source)
    live(camera, source)
    decoded = source.decoded

    camera.set_viewers(0)
    hub.sleep(0.02)  # A read in progress may still have wanted one.
    source.give(*[picture()] * 5)

    until(lambda: source.grabs == 6)
    assert source.decoded == decoded


def test_file_is_paused_without_viewers(make_camera: MakeCamera) -> None:
    """A file is not played while nobody watches: it loses nothing by waiting."""
    source = FakeSource(live=False)
    camera = make_camera(source)
    live(camera, source)
    pauses: list[None] = []
    source.arrivals.pause = lambda: pauses.append(None)  # type: ignore[method-assign]
    camera.set_viewers(0)
    until(lambda: pauses)  # A read in progress may still have wanted one.

    asked = source.asked
    hub.sleep(0.03)

    assert source.asked == asked
    assert pauses == [None]  # Paused once, not in every round.
    assert source.closed == 0


def test_frame_numbers_continue_across_a_reconnect(make_camera: MakeCamera) -> None:
    """Sequence numbers only grow, even when the source fails in between."""
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


def test_ended_file_plays_again_when_started(make_camera: MakeCamera) -> None:
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


def test_stop_releases_the_device(make_camera: MakeCamera) -> None:
    """When stop returns, the source is closed, and stays closed despite a viewer."""
    source = FakeSource()
    camera = make_camera(source)
    live(camera, source)
    started = time.monotonic()

    camera.stop()

    assert time.monotonic() - started < connection_module.RELEASE_DEADLINE_S / 2
    assert source.closed == 1
    assert camera.state == "stopped"
    assert camera.slot.frame is None


def test_stopped_camera_can_be_started(make_camera: MakeCamera) -> None:
    """Start reopens the source if somebody watches."""
    source = FakeSource()
    camera = make_camera(source)
    live(camera, source)
    camera.stop()

    camera.start()
    source.give()

    until(lambda: camera.state == "live")
    assert camera.meter.opened == 2


def test_stop_does_not_wait_forever(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source stuck in a read does not block stop forever."""
    monkeypatch.setattr(connection_module, "RELEASE_DEADLINE_S", 0.03)
    camera = offline_camera()
    camera._connection.held = True  # As a loop stuck in a read leaves it.

    camera.stop()

    assert camera.state == "stopped"


def test_size_change_is_announced(make_camera: MakeCamera) -> None:
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


def test_state_changes_are_announced(make_camera: MakeCamera) -> None:
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


def test_unopened_camera_can_be_closed() -> None:
    """Closing before the start is not an error."""
    camera = offline_camera()

    assert camera.closed
    assert camera.close(0)


def test_state_hides_the_password(make_camera: MakeCamera) -> None:
    """STATE does not contain the password from the source's address."""
    from tests.support.fakes import camera_settings

    settings = camera_settings(source="rtsp://ann:s3cret@cam/live")
    camera = Camera(settings, camera_module.config.ServerSettings(), FakeOpener(FakeSource()))

    assert "s3cret" not in repr(camera.describe())
