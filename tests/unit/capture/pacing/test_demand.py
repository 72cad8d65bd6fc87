"""Which pictures are wanted: those for viewers, or an occasional key frame."""

import math

import pytest

from server.capture.frames.info import SourceInfo
from server.capture.frames.rendition import FULL, Rendition
from server.capture.motion.settings import MOTION_INTERVAL_S
from server.capture.pacing import demand as demand_module
from server.capture.pacing import schedule as schedule_module
from server.capture.pacing.demand import SEEN_PROBE_S, UNSEEN_PROBE_S, PictureDemand
from server.capture.pacing.measured import Measured
from server.capture.pacing.schedule import Schedule
from tests.support.fakes import FakeClock


@pytest.fixture
def wanted(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> PictureDemand:
    """The demand of a watched camera."""
    for module in (demand_module, schedule_module):
        monkeypatch.setattr(module, "time", clock)
    made = PictureDemand(Schedule(lambda: 10.0, Measured()), lambda: 80, changed=False)
    made.watched = True
    return made


def test_pictures_follow_the_schedule(wanted: PictureDemand, clock: FakeClock) -> None:
    """Pictures are due at the camera's rate, with pixels for the largest smaller rendition."""
    wanted.set_renditions([FULL, Rendition("640", 640), Rendition("320", 320)])
    wanted.advance()

    assert clock.now < wanted.demand.due() <= clock.now + 0.1
    assert wanted.demand.pixels_from() == 640
    assert not wanted.demand.keys_only()


def test_without_picture_viewers_only_key_frames_are_wanted(
    wanted: PictureDemand, clock: FakeClock
) -> None:
    """One is due immediately, to test that it can be decoded, then one every few seconds."""
    wanted.set_renditions([])

    assert not wanted.pictures
    assert wanted.demand.due() < clock.now
    assert wanted.demand.keys_only()
    wanted.advance()
    assert wanted.demand.due() == clock.now + SEEN_PROBE_S
    wanted.set_renditions([FULL])
    assert wanted.pictures
    assert wanted.demand.due() < clock.now
    assert not wanted.demand.keys_only()


def test_unwatched_camera_is_decoded_rarely(wanted: PictureDemand, clock: FakeClock) -> None:
    """Decoding took a seventh of the CPU time of a camera that is only recorded.

    The second picture comes as soon as usual, since a source counts as working only after some
    seconds. For a new viewer one is decoded immediately.
    """
    wanted.set_renditions([])
    wanted.restart()
    wanted.watch(True, seen=False)
    wanted.advance()
    assert wanted.demand.due() == clock.now + SEEN_PROBE_S
    wanted.advance()
    assert wanted.demand.due() == clock.now + UNSEEN_PROBE_S

    wanted.watch(True, seen=True)

    assert wanted.demand.due() < clock.now
    wanted.advance()
    assert wanted.demand.due() == clock.now + SEEN_PROBE_S


def test_motion_detection_requests_pictures_without_viewers(
    wanted: PictureDemand, clock: FakeClock
) -> None:
    """Motion detection gets five a second, whatever the camera's rate; viewers get all."""
    wanted.set_renditions([])
    wanted.set_searching(True)

    assert wanted.pictures
    assert wanted.demand.due() < clock.now
    assert not wanted.demand.keys_only()
    wanted.advance()
    assert wanted.demand.due() == clock.now + MOTION_INTERVAL_S
    wanted.set_renditions([FULL])
    wanted.advance()
    assert wanted.demand.due() <= clock.now + 0.1


def test_motion_detection_follows_the_polling_rate(wanted: PictureDemand, clock: FakeClock) -> None:
    """A polled camera is checked once a second by default, since each picture is a request."""
    source = Measured()
    source.opened(SourceInfo(64, 48, 0.0, "mjpeg", live=False, polled=True))
    polled = PictureDemand(Schedule(lambda: None, source), lambda: 80, changed=False)
    for one in (wanted, polled):
        one.watched = True
        one.set_renditions([])
        one.set_searching(True)
        one.advance()

    assert wanted.demand.due() == clock.now + MOTION_INTERVAL_S
    assert polled.demand.due() == clock.now + 1.0


def test_first_picture_need_not_be_a_key_frame(wanted: PictureDemand) -> None:
    """A camera with a group of 10 s was reported offline for 9 s after it came back. Its video was
    visible meanwhile: the group's key frame had passed before it was requested."""
    wanted.set_renditions([])
    wanted.restart()

    assert not wanted.demand.keys_only()
    wanted.advance()
    assert wanted.demand.keys_only()


def test_unwatched_camera_has_no_demand(wanted: PictureDemand) -> None:
    """Nothing is due without viewers, unless the camera is checked: then any picture will do."""
    wanted.watched = False
    wanted.set_renditions([])
    assert wanted.demand.due() == math.inf

    wanted.checked = True

    assert wanted.demand.due() == 0.0
    assert not wanted.demand.keys_only()


def test_returning_viewer_wants_a_picture_at_once(wanted: PictureDemand, clock: FakeClock) -> None:
    """A paused film resumes only with the next picture that is wanted. A viewer who left its video
    and returned before the next probe waited up to 5 s for it."""
    wanted.set_renditions(())
    wanted.advance()
    assert wanted.demand.due() > clock.now
    wanted.watch(False)

    wanted.watch(True)

    assert wanted.demand.due() <= clock.now
