"""Cameras that are lost, broken or silent, and come back."""

import logging
from dataclasses import replace

import pytest

from server.errors import LoginRefused, PictureError, SourceError
from server.loop import hub
from tests.support.fakes import FakeClock, FakeSource, UndecodableError, picture, until
from tests.unit.capture.opened import MakeCamera, live, quick, use_clock

__all__ = ["quick"]


def test_loss_and_return_are_announced_once(
    make_camera: MakeCamera, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed camera gives one notice, however often it is retried, and another on its return."""
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


def test_retrying_state_gives_the_reason(make_camera: MakeCamera) -> None:
    """While a camera is retried, its reason is the source's error."""
    camera = make_camera(SourceError("no such device"))

    camera.set_viewers(1)
    until(lambda: camera.state == "retrying")

    assert camera.reason == "no such device"


def test_unexpected_error_is_retried_and_logged(
    make_camera: MakeCamera, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected error does not stop the camera for good."""
    source = FakeSource()
    source.give()
    camera = make_camera(ZeroDivisionError("bug"), source)

    camera.set_viewers(1)
    until(lambda: camera.state == "live")

    assert "ZeroDivisionError" in caplog.text


def test_retries_end_when_the_viewer_leaves(make_camera: MakeCamera) -> None:
    """An unwatched camera is not retried, and its state keeps showing the failure."""
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
    """One picture that cannot be decoded is counted, and the source continues."""
    source = FakeSource()
    camera = make_camera(source)
    camera.set_viewers(1)

    source.give(UndecodableError(PictureError("torn")), picture())
    until(lambda: camera.state == "live")

    assert camera.meter.drops["broken"] == 1
    assert camera.meter.opened == 1
    assert camera.meter.lost == 0


def test_broken_still_is_not_fetched_again_at_once(
    make_camera: MakeCamera,
) -> None:
    """A still camera that sends junk is polled at its rate, not continuously."""
    source = FakeSource(live=False)
    source.info = replace(source.info, polled=True)
    camera = make_camera(source)
    camera.set_viewers(1)

    source.give(UndecodableError(PictureError("torn")), picture())
    until(lambda: source.grabs == 2)
    hub.sleep(0.02)

    assert source.decoded == 1


def test_unchanged_picture_of_a_polled_source_is_not_frozen(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """A still camera with one new picture a minute sends the same one in between."""
    use_clock(clock, monkeypatch)
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


def test_frozen_picture_is_detected_across_a_reopening(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """A hanging camera that sends the same picture on each connection is not live."""
    use_clock(clock, monkeypatch)
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


def test_start_retries_a_refused_login(make_camera: MakeCamera) -> None:
    """Viewers and checks do not retry it for minutes; an operator's start does immediately."""
    source = FakeSource()
    source.give()
    camera = make_camera(LoginRefused("it refused the user name or password"), source)
    camera.set_viewers(1)
    until(lambda: camera.state == "retrying")
    assert camera.reason.startswith("it refused the user name or password; retrying every 5 min")
    camera.set_viewers(0)
    camera.check()
    camera.set_viewers(1)
    hub.sleep(0.05)
    assert camera._connection._opener.calls == 1  # type: ignore[attr-defined]

    camera.start()

    until(lambda: camera.state == "live")


def test_silent_source_stalls_and_recovers(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """A source that goes silent is stalled, and live again with its next picture."""
    use_clock(clock, monkeypatch)
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


def test_slow_source_is_not_stalled_between_pictures(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """At one picture in ten seconds, fifteen seconds without one are not a stall."""
    use_clock(clock, monkeypatch)
    source = FakeSource(fps=0.1)
    camera = make_camera(source, stall_after=2.0)
    live(camera, source)

    clock.advance(15)
    hub.sleep(0.02)

    assert camera.state == "live"
