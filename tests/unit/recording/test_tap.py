"""Which of a camera's pictures are kept in memory."""

import pytest

from server.capture.camera import Camera
from server.capture.frames.unit import JPEG
from server.delivery.fanout import Fanout
from server.recording.rewind import Rewind
from server.recording.tap import Tap
from tests.support.fakes import (
    FakeClock,
    RecordingViewer,
    give_video,
    offline_camera,
    put_frame,
    unit,
    until,
)


@pytest.fixture
def clocked(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> FakeClock:
    """The time that passes between pictures."""
    monkeypatch.setattr("server.recording.tap.time", clock)
    return clock


def kept(rewind: Rewind) -> list[tuple[str, int]]:
    """Return codec and number of all units."""
    return [(one.codec, one.seq) for one in rewind.units]


def test_only_the_cameras_own_video_is_kept(camera: Camera, fanout: Fanout) -> None:
    """The tap neither needs nor counts as a viewer; the viewers' JPEG is not kept as well."""
    track, rewind = give_video(camera), Rewind(60)
    fanout.take_over(camera)
    Tap(fanout, rewind)
    viewer = RecordingViewer()
    fanout.join("old", viewer)

    for seq in range(1, 5):
        track.put(unit(seq, key=seq == 1))
        put_frame(camera, seq)
    until(lambda: viewer.seqs)

    assert kept(rewind) == [("avc1.64001f", seq) for seq in range(1, 5)]
    assert len(fanout) == 1


def test_tap_resumes_at_a_key_frame_after_a_loss(camera: Camera, fanout: Fanout) -> None:
    """Units in between cannot be decoded."""
    track, rewind = give_video(camera), Rewind(60)
    fanout.take_over(camera)
    Tap(fanout, rewind)

    track.put(unit(1, key=True))
    track.lose()
    track.put(unit(3))
    track.put(unit(4, key=True))
    track.put(unit(5))

    assert [seq for _, seq in kept(rewind)] == [1, 4, 5]


def test_jpeg_sent_to_viewers_is_kept(camera: Camera, fanout: Fanout) -> None:
    """JPEG made for viewers is kept; nothing is encoded only to be kept."""
    rewind = Rewind(60)
    Tap(fanout, rewind)
    put_frame(camera, 1)
    viewer = RecordingViewer()
    fanout.join("one", viewer)
    for seq in (2, 3):
        until(lambda seq=seq: seq - 1 in viewer.seqs)  # type: ignore[misc]
        put_frame(camera, seq)
    until(lambda: 3 in viewer.seqs)

    assert kept(rewind) == [(JPEG, seq) for seq in viewer.seqs]


def test_video_encoded_for_viewers_is_kept(
    camera: Camera, fanout: Fanout, clocked: FakeClock
) -> None:
    """Its viewers are sent no JPEG. While JPEG of the same width is sent, that is kept instead."""
    track, rewind = give_video(camera, passed_through=False), Rewind(60)
    fanout.take_over(camera)
    Tap(fanout, rewind)
    viewer = RecordingViewer()
    fanout.join("old", viewer)
    put_frame(camera, 1)
    until(lambda: viewer.seqs == [1])

    track.put(unit(2, key=True))
    assert kept(rewind) == [(JPEG, 1)]
    clocked.advance(2.0)
    for seq in (3, 4, 5, 6):
        track.put(unit(seq, key=seq == 4))
    put_frame(camera, 6)
    until(lambda: 6 in viewer.seqs)

    assert kept(rewind) == [(JPEG, 1), *(("avc1.64001f", seq) for seq in (2, 3, 4, 5, 6))]


def test_jpeg_wider_than_the_video_is_kept(camera: Camera, fanout: Fanout) -> None:
    """A phone on a narrow link must not limit what others see of the past."""
    track, rewind = give_video(camera, "320", passed_through=False), Rewind(60)
    fanout.take_over(camera)
    Tap(fanout, rewind)
    small = unit(1, key=True)

    track.put(type(small)(small.data, True, 1, small.at_unix, small.codec, 32, 24))
    viewer = RecordingViewer()
    fanout.join("old", viewer)
    put_frame(camera, 2)
    until(lambda: viewer.seqs == [2])

    assert [seq for _, seq in kept(rewind)][-1] == 2
    assert rewind.units[-1].codec == JPEG


def test_tap_follows_a_replaced_camera(camera: Camera, fanout: Fanout) -> None:
    """The new camera's numbers continue; units from the old one are ignored."""
    rewind = Rewind(60)
    tap = Tap(fanout, rewind)
    other = offline_camera()
    track, before = give_video(other), give_video(camera)

    fanout.take_over(other)
    tap.refresh()
    track.put(unit(1, key=True))
    before.put(unit(2, key=True))

    assert [seq for _, seq in kept(rewind)] == [1]
