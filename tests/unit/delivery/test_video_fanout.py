"""Video beside JPEG: viewers with an intact chain are sent units, all others pictures."""

from collections import Counter
from collections.abc import Collection, Iterator

import pytest

from server.capture.camera import Camera
from server.capture.frames.video_track import VideoTrack
from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Fanout, Room
from server.delivery.link import Delivery, Link
from server.delivery.video import Burst, VideoFrame, VideoViewer
from tests.support.fakes import give_video, put_frame, settle, unit, until


class Watcher(VideoViewer):
    """A viewer of video that takes everything unless it is blocked."""

    room: Room

    def __init__(self, *codecs: str, rate_bps: float = 0.0) -> None:
        self.codecs = frozenset(codecs or ("h264",))
        self.link = Link()
        if rate_bps:
            size = int(rate_bps) // 8
            self.link.take(Delivery(size, size, 0.0, 0.0), 1.0, 0.0)
        self.obstacle: str | None = None
        self.got: list[tuple[str, int]] = []
        self.misses: list[str] = []

    def send(self, frame: EncodedFrame, now: float) -> str | None:
        if self.obstacle is None:
            self.got.append(("jpeg", frame.seq))
        return self.obstacle

    def send_video(self, frame: VideoFrame | Burst, now: float) -> str | None:
        if self.obstacle is None:
            frames = frame.frames if isinstance(frame, Burst) else [frame]
            painted = frame.painted if isinstance(frame, Burst) else True
            self.got += [("catch up", one.seq) for one in frames[:-1]]
            self.got.append(("video" if painted else "catch up", frame.seq))
        return self.obstacle

    def miss(self, obstacle: str) -> None:
        self.misses.append(obstacle)


class Told:
    """Records what a camera is told."""

    def __init__(self, camera: Camera) -> None:
        self.renditions: list[list[str]] = []
        self.videos: list[list[str]] = []
        self.keys: list[str] = []
        camera.set_renditions = lambda all: self.renditions.append([one.name for one in all])  # type: ignore[method-assign]
        self.lazy = False
        camera.set_videos = self._set_videos  # type: ignore[method-assign]
        camera.request_key = self.keys.append  # type: ignore[method-assign]

    def _set_videos(self, names: Collection[str], lazy: bool = False) -> None:
        self.videos.append(list(names))
        self.lazy = lazy


@pytest.fixture
def track(camera: Camera) -> VideoTrack:
    """The camera's own video."""
    return give_video(camera)


@pytest.fixture
def told(camera: Camera) -> Told:
    """A record of what the camera is told."""
    return Told(camera)


@pytest.fixture
def fanout(camera: Camera, track: VideoTrack, told: Told) -> Iterator[Fanout]:
    """Its fanout, running."""
    rooms = Fanout(camera)
    rooms.open()
    yield rooms
    rooms.close()


def put(track: VideoTrack, *seqs: int, key: bool = False, size: int = 1000) -> None:
    """Put units in, the first perhaps a key frame, each handled before the next."""
    for number, seq in enumerate(seqs):
        track.put(unit(seq, key and not number, size))
        settle(4)


def test_viewer_with_an_intact_chain_gets_every_unit(fanout: Fanout, track: VideoTrack) -> None:
    """From the key frame on, a viewer gets each unit once, and no JPEG."""
    viewer = Watcher()
    fanout.join("a", viewer, video="full")

    put(track, 1, 2, 3, key=True)
    put(track, 4, 5, key=True)

    assert viewer.got == [("video", seq) for seq in (1, 2, 3, 4, 5)]


def test_late_viewer_gets_the_group_so_far(fanout: Fanout, track: VideoTrack) -> None:
    """All but the newest are only decoded; they come in one write with it."""
    fanout.join("a", Watcher(), video="full")
    put(track, 1, 2, 3, key=True)
    late = Watcher()

    fanout.join("b", late, video="full")
    put(track, 4)

    assert late.got == [("catch up", 1), ("catch up", 2), ("video", 3), ("video", 4)]


def test_large_group_waits_until_the_link_is_measured(
    fanout: Fanout, track: VideoTrack, told: Told
) -> None:
    """A new viewer first gets the key frame alone, which measures its link as well.

    A phone on 50 kB/s used to be sent 700 kB before its first picture, and dropped before the last.
    Later, all viewers waited 0.2 to 0.4 s for a JPEG, which first had to be decoded up to the
    newest picture.
    """
    fanout.join("a", Watcher(), video="full")
    put(track, 1, 2, 3, 4, key=True, size=40_000)
    late = Watcher()
    fanout.join("b", late, video="full")
    put(track, 5, size=40_000)
    before = list(late.got)

    late.link.take(Delivery(60_000, 60_000, 0.0, 0.0), 0.01, 0.0)
    fanout.serve(late)
    put(track, 6)

    assert before == [("video", 1)]
    assert late.got[1:] == [
        *(("catch up", seq) for seq in (2, 3, 4)),
        *(("video", seq) for seq in (5, 6)),
    ]
    assert told.renditions[-1] == [], "no JPEG is requested"


def test_slow_first_acknowledgement_is_tolerated(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """A decoder that has just started acknowledges slowly: up to 0.5 s is accepted."""
    fanout.join("a", Watcher(), video="full")
    put(track, *range(1, 11), key=True, size=50_000)
    viewers = {0.04: Watcher(), 0.06: Watcher()}
    for took_s, viewer in viewers.items():
        fanout.join(took_s, viewer, video="full")
        assert viewer.got == [("video", 1)]
        viewer.link.take(Delivery(50_000, 50_000, 0.0, 0.0), took_s, 0.0)
        fanout.serve(viewer)
    put_frame(camera, 10)
    until(lambda: len(viewers[0.06].got) == 2)

    assert viewers[0.04].got[-1] == ("video", 10)
    assert viewers[0.06].got[-1] == ("jpeg", 10)


def test_large_or_old_key_frame_is_not_sent_first(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """A key frame is sent first only if it is small, new to its viewer, and its group is short."""
    fanout.join("a", Watcher(), video="full")
    late, again, far = Watcher(), Watcher(), Watcher()
    again.last_seq = 3
    put(track, 1, 2, 3, key=True, size=130_000)
    fanout.join("late", late, video="full")
    put(track, *range(4, 8), key=True, size=60_000)
    again.last_seq = 6
    fanout.join("again", again, video="full")
    put(track, *range(8, 33), size=60_000)
    fanout.join("far", far, video="full")
    put_frame(camera, 32)
    until(lambda: late.got and again.got and far.got)

    assert late.got[0] == ("video", 4), "the next one is small enough"
    assert again.got == [("jpeg", 32)]
    assert far.got == [("jpeg", 32)]


def test_narrow_link_gets_jpeg_until_the_next_key_frame(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """A group that would take longer than a quarter of a second is not sent."""
    fanout.join("a", Watcher(), video="full")
    put(track, *range(1, 61), key=True)
    late = Watcher(rate_bps=1_000_000)

    fanout.join("b", late, video="full")
    put_frame(camera, 60)
    until(lambda: late.got)
    put(track, 61)
    put(track, 62, 63, key=True)

    assert late.got == [("jpeg", 60), ("video", 62), ("video", 63)]
    assert camera.meter.drops["chain"] == 1


def test_link_too_narrow_for_video_stays_on_jpeg(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """A key frame would fit, but the units after it would not."""
    fanout.join("a", Watcher(), video="full")
    put(track, *range(1, 91), key=True, size=10_000)
    poor = Watcher(rate_bps=500_000)
    fanout.join("b", poor, video="full")

    put(track, 91, 92, key=True, size=10_000)
    put_frame(camera, 92)

    until(lambda: poor.got)
    assert poor.got == [("jpeg", 92)]


def test_a_broken_chain_falls_back_to_jpeg_and_returns(
    camera: Camera, fanout: Fanout, track: VideoTrack, told: Told
) -> None:
    """A viewer that cannot take units for long joins its JPEG room, and leaves it later."""
    viewer = Watcher(rate_bps=4_000_000)
    fanout.join("a", viewer, video="full")
    put(track, 1, 2, key=True, size=5_000)
    viewer.obstacle = "credit"
    put(track, *range(3, 40), size=5_000)
    assert viewer.misses == ["credit"]

    viewer.obstacle = None
    put_frame(camera, 39)
    until(lambda: len(viewer.got) == 3)
    put(track, 40, 41, key=True, size=5_000)

    assert viewer.got[2:] == [("jpeg", 39), ("video", 40), ("video", 41)]
    assert told.renditions == [["full"], [], ["full"], []]
    assert told.videos == [["full"]]


def test_units_missed_for_lack_of_credit_are_caught_up(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """A few missed units are sent as soon as credit returns, without a change to JPEG."""
    viewer = Watcher()
    fanout.join("a", viewer, video="full")
    put(track, 1, key=True)
    viewer.obstacle = "credit"
    put(track, 2, 3, 4)

    viewer.obstacle = None
    fanout.serve(viewer)
    put(track, 5)

    expected = [("video", 1), ("catch up", 2), ("catch up", 3), ("video", 4), ("video", 5)]
    assert viewer.got == expected
    assert camera.meter.drops["chain"] == camera.meter.drops["credit"] == 0


def test_end_of_a_group_dropped_by_a_key_frame_is_counted(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """On a busy machine both arrive together, and a frame once went missing uncounted."""
    viewer = Watcher()
    fanout.join("a", viewer, video="full")
    put(track, 1, 2, key=True)

    track.extend([unit(3), unit(4), unit(5, key=True)])
    settle(4)
    put(track, 6)

    assert viewer.got == [("video", seq) for seq in (1, 2, 5, 6)]
    assert camera.meter.drops == Counter(replaced=2)


def test_units_left_unsent_when_a_group_ends_are_counted(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """Credit that returns after the next key frame cannot make up for units before it."""
    viewer = Watcher()
    fanout.join("a", viewer, video="full")
    put(track, 1, key=True)
    viewer.obstacle = "credit"
    put(track, 2, 3)
    put(track, 4, 5, key=True)

    viewer.obstacle = None
    fanout.serve(viewer)

    assert viewer.got == [("video", 1), ("catch up", 4), ("video", 5)]
    assert camera.meter.drops == Counter(credit=2)


def test_every_unit_of_a_batch_is_counted_for_a_jpeg_viewer(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """All skipped units count, however many the pump finds when it wakes."""
    viewer = Watcher(rate_bps=1e6)
    put(track, 1, key=True, size=200_000)
    fanout.join("a", viewer, video="full")

    track.extend([unit(2), unit(3)])
    settle(4)
    track.extend([unit(4), unit(5, key=True)])
    settle(4)

    assert viewer.got == [("video", 5)]
    assert camera.meter.drops == Counter(chain=3)


def test_unit_lost_by_the_camera_switches_to_jpeg_at_once(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """Nobody is left with a frozen picture until the camera's next key frame."""
    viewer = Watcher()
    fanout.join("a", viewer, video="full")
    put(track, 1, 2, key=True)

    track.lose()
    settle()
    put_frame(camera, 4)
    until(lambda: len(viewer.got) == 3)
    put(track, 5, 6, key=True)

    assert viewer.got[2:] == [("jpeg", 4), ("video", 5), ("video", 6)]


def test_picture_shown_as_jpeg_is_not_painted_again(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """A unit whose picture was already shown as JPEG is only decoded, for the units after it."""
    viewer = Watcher()
    fanout.join("a", viewer, video="full")
    put_frame(camera, 1)
    until(lambda: viewer.got)

    put(track, 1, 2, key=True)

    assert viewer.got == [("jpeg", 1), ("catch up", 1), ("video", 2)]


def test_an_older_jpeg_is_not_sent_after_a_unit(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """A viewer that falls back gets the first picture newer than its last unit."""
    viewer = Watcher()
    fanout.join("a", viewer, video="full")
    put(track, 1, 2, 3, key=True)
    track.lose()
    settle()

    for seq in (2, 3, 4):
        put_frame(camera, seq)
        settle()

    until(lambda: viewer.got[-1] == ("jpeg", 4))
    assert ("jpeg", 2) not in viewer.got
    assert ("jpeg", 3) not in viewer.got


def test_a_viewer_without_the_codec_gets_jpeg(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """Units that a viewer cannot decode are not sent, even if the camera changed its codec."""
    viewer = Watcher("h265")
    fanout.join("a", viewer, video="full")
    put(track, 1, key=True)
    put_frame(camera, 2)

    until(lambda: viewer.got)
    assert viewer.got == [("jpeg", 2)]


def test_joining_encoded_video_requests_a_key_frame(camera: Camera, told: Told) -> None:
    """A viewer that joins encoded video need not wait for the next regular key frame."""
    track = give_video(camera, "640", passed_through=False)
    fanout = Fanout(camera)
    fanout.open()
    fanout.join("a", Watcher(), "320", video="640")
    put(track, *range(1, 201), key=True)
    assert told.keys == []
    late = Watcher()
    fanout.join("b", late, "320", video="640")

    put(track, 201, 202, key=True)
    fanout.leave("a")
    fanout.leave("b")
    fanout.close()

    assert late.got == [("video", 201), ("video", 202)]
    assert told.keys == ["640"]
    assert told.videos == [["640"], []]


def test_a_viewer_moves_from_video_to_jpeg_and_back(
    camera: Camera, fanout: Fanout, track: VideoTrack, told: Told
) -> None:
    """Moving keeps the position: no frame comes twice or goes back."""
    viewer = Watcher()
    fanout.join("a", viewer, video="full")
    put(track, 1, 2, key=True)

    fanout.move("a", "640", None)
    put_frame(camera, 3)
    until(lambda: len(viewer.got) == 3)
    fanout.move("a", "640", "full")
    put(track, 3, 4)

    assert viewer.got[2:] == [
        *(("jpeg", 3), ("catch up", 1), ("catch up", 2), ("catch up", 3)),
        ("video", 4),
    ]
    assert told.videos == [["full"], [], ["full"]]


def test_viewers_continue_with_a_replaced_camera(
    camera: Camera, fanout: Fanout, track: VideoTrack
) -> None:
    """The new camera starts with JPEG, and its video flows from the first key frame on."""
    viewer = Watcher()
    fanout.join("a", viewer, video="full")
    put(track, 1, 2, key=True)

    del camera.videos["full"]  # type: ignore[attr-defined]
    new = give_video(camera)
    fanout.take_over(camera)
    put(track, 3)
    put(new, 7, 8, key=True)

    assert viewer.got == [("video", 1), ("video", 2), ("video", 7), ("video", 8)]


def test_video_for_a_recorder_alone_is_lazy(fanout: Fanout, told: Told) -> None:
    """A recorder alone gets units in larger, rarer batches, and no pictures; a viewer ends that."""
    fanout.read_video("recorder", "full", lazy=True)
    assert (told.videos, told.lazy) == ([["full"]], True)
    assert told.renditions == [[]]

    fanout.join("viewer", Watcher(), video="full")
    assert not told.lazy
    fanout.leave("viewer")
    assert told.lazy

    fanout.read_video("player", "full")
    assert not told.lazy
    fanout.leave("player")
    assert told.lazy
    fanout.leave("recorder")
    assert (told.videos[-1], told.lazy) == ([], False)
