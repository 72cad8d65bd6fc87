"""Which viewers are sent which video, by tile, link and decoder. Pure logic."""

from typing import Any

import pytest

from server.capture.frames.encoding import encoding_of
from server.capture.frames.rendition import ladder_of
from server.capture.frames.video_track import VideoTrack
from server.delivery.adaptation import Acknowledged, RenditionSelector
from server.delivery.choice import FixedChoice, VideoSelector
from server.delivery.link import Delivery, Link

H264 = frozenset({"h264"})
FPS = 30.0
BARE_S = 0.05
JPEG_BYTES = {"full": 60_000, "960": 38_000, "640": 20_000, "320": 10_000}
OWN_KBPS = 2500.0


class Lens:
    """The parts of a 720p camera that a choice uses."""

    def __init__(self, own: bool = True, prefers_video: bool = False) -> None:
        self.width, self.rate, self.prefers_video = 1280, FPS, prefers_video
        self.ladder = ladder_of((960, 640, 320))
        self.videos = {one.name: VideoTrack(one.name) for one in self.ladder}
        for track in self.videos.values():
            track.codec = "avc1.4d401e"
        self.videos["full"].passed_through = own


class Tile:
    """A viewer on a link with a rate, and a server with a lag: every frame is acknowledged.

    A delay is the rest of each frame's time, which is not part of the link's measured round trip.
    """

    def __init__(
        self, lens: Any, width: int, bits_per_s: float, lag_s: float = 0.0, delay_s: float = 0.0
    ) -> None:
        self.lens, self.bits_per_s, self.now, self.seq = lens, bits_per_s, 1000.0, 0
        self.lag_s, self.delay_s = lag_s, delay_s
        self.link = Link()
        pictures = RenditionSelector(lens, JPEG_BYTES.__getitem__, self.now, lambda _share: lag_s)
        self.choice = VideoSelector(
            *(lens, self.kbps_of, JPEG_BYTES.__getitem__), pictures, H264, self.link
        )
        self.choice.aim(width, 0, self.now)

    def kbps_of(self, name: str) -> float:
        track = self.lens.videos[name]
        width = 1280 if name == "full" else int(name)
        return OWN_KBPS if track.passed_through else encoding_of(width, (16, 9)).kbps

    def watch(self, seconds: float, hold_s: float = 0.0, breaks: bool = False) -> None:
        """Send it frames as fast as it acknowledges, up to the camera's rate."""
        until = self.now + seconds
        while self.now < until:
            video = self.choice.video
            size = (
                JPEG_BYTES[self.choice.rendition]
                if video is None
                else int(self.kbps_of(video) * 1000 / 8 / FPS)
            )
            transit_s = BARE_S + self.lag_s + self.delay_s + size * 8 / self.bits_per_s
            self.link.take(Delivery(size, size, self.now, self.now), transit_s, BARE_S)
            self.now += max(1 / FPS, transit_s - BARE_S)
            if breaks:
                self.choice.miss()
            self.seq += 1
            ack = Acknowledged(self.seq, 1, transit_s + hold_s, hold_s, video is not None)
            self.choice.take(ack, self.seq, BARE_S, self.now)


def test_fast_link_gets_the_cameras_own_video() -> None:
    """The video follows the first, small JPEG, whatever the tile's size."""
    for width in (300, 1280):
        tile = Tile(Lens(), width, 50e6)
        assert (tile.choice.video, tile.choice.rendition) == (None, "320")

        tile.watch(0.1)

        assert (tile.choice.video, tile.choice.reason) == ("full", "tile")


def test_known_fast_link_starts_with_video() -> None:
    """The link may be known from another tile; if it has become narrow since, the choice changes.

    A link known to be narrow starts with JPEG.
    """
    tile, narrow = Tile(Lens(), 1280, 1e6), Tile(Lens(), 1280, 1e6)
    tile.link.take(Delivery(100_000, 100_000, 1.0, 1.0), 0.06, BARE_S)
    narrow.link.take(Delivery(100_000, 100_000, 1.0, 1.0), 1.0, BARE_S)
    for one in (tile, narrow):
        one.choice.begin(one.now)
    assert (tile.choice.video, tile.choice.reason) == ("full", "tile")
    assert narrow.choice.video is None

    tile.bits_per_s = 100e3
    tile.watch(5.0, breaks=True)

    assert tile.choice.video != "full"


@pytest.mark.parametrize(("width", "expected"), [(1280, "640"), (640, "640"), (300, "320")])
def test_link_too_narrow_for_jpeg_gets_encoded_video(width: int, expected: str) -> None:
    """At 500 kbit/s the video has the tile's size, or the largest that fits, and stays."""
    tile = Tile(Lens(), width, 500e3)
    tile.watch(3)

    assert tile.choice.video == expected
    tile.watch(20)
    assert tile.choice.video == expected


def test_fast_link_stays_on_jpeg_without_own_video() -> None:
    """For viewers with fast links, a camera without video of its own is not encoded as video."""
    tile = Tile(Lens(own=False), 1280, 50e6)
    tile.watch(5)

    assert (tile.choice.video, tile.choice.rendition) == (None, "full")


def test_busy_server_does_not_encode_video() -> None:
    """The link looks narrow, but pictures are late because the machine is overloaded."""
    tile = Tile(Lens(own=False), 1280, 50e6, lag_s=0.1)
    for _ in range(10):
        tile.watch(1)
        assert (tile.choice.video, tile.choice.reason) == (None, "server")


def test_camera_can_prefer_video() -> None:
    """Video is then encoded in the tile's size from the start, on any link wide enough."""
    tile = Tile(Lens(own=False, prefers_video=True), 960, 50e6)
    tile.watch(0.1)

    assert tile.choice.video == "960"


def test_widening_link_returns_to_larger_video() -> None:
    """The smallest encoded video is used only as long as it is needed."""
    tile = Tile(Lens(), 1280, 500e3)
    tile.watch(3)
    assert tile.choice.video == "640"

    tile.bits_per_s = 50e6
    tile.watch(10)

    assert tile.choice.video in ("full", "960")


@pytest.mark.parametrize(("bits_per_s", "expected"), [(500e3, "640"), (430e3, "320")])
def test_small_frames_do_not_hide_a_wider_link(bits_per_s: float, expected: str) -> None:
    """A delay of 3 ms per frame that is not the link's makes it seem narrower than it is."""
    tile = Tile(Lens(), 1280, 300e3, delay_s=0.003)
    tile.watch(5)
    assert tile.choice.video == "320"

    tile.bits_per_s = bits_per_s
    tile.watch(30)

    assert tile.choice.video == expected


def test_congested_link_leaves_the_full_video() -> None:
    """Late frames reveal the congestion, and the reason given is the network."""
    tile = Tile(Lens(), 1280, 50e6)
    tile.watch(1)
    assert tile.choice.video == "full"

    tile.bits_per_s = 150e3
    tile.watch(6)

    assert tile.choice.video != "full"
    assert tile.choice.reason == "network"


def test_slow_decoder_gets_smaller_jpeg() -> None:
    """Decoding takes half of the time between two frames, and some could not be sent."""
    tile = Tile(Lens(), 960, 50e6)
    tile.watch(0.5)
    assert tile.choice.video == "full"

    tile.watch(1, hold_s=0.05, breaks=True)

    assert tile.choice.video is None
    assert (tile.choice.rendition, tile.choice.reason) == ("640", "decoding")


def test_viewer_that_keeps_breaking_off_loses_video_for_a_while() -> None:
    """The rate looked high enough, but three times the viewer could not keep up."""
    tile = Tile(Lens(), 1280, 50e6)
    tile.watch(0.5)

    tile.watch(2, breaks=True)
    assert tile.choice.video is None
    tile.watch(6)
    assert tile.choice.video is None
    tile.watch(6)

    assert tile.choice.video == "full"


def test_fixed_rendition_is_video_only_if_available() -> None:
    """The full size uses the camera's own video; smaller ones need a camera that prefers video."""
    lens: Any = Lens()
    assert FixedChoice(lens, "full", H264).video == "full"
    assert FixedChoice(lens, "full", frozenset({"h265"})).video is None
    assert FixedChoice(lens, "640", H264).video is None
    lens.prefers_video = True
    assert FixedChoice(lens, "640", H264).video == "640"


def test_fixed_rendition_follows_the_sources_codec() -> None:
    """The source may open, or become processed, after the choice."""
    lens: Any = Lens()
    lens.videos["full"].codec = None
    choice = FixedChoice(lens, "full", H264)
    ack = Acknowledged(1, 1, 0.1, 0.0)
    assert choice.offered is None

    lens.videos["full"].codec = "avc1.64001f"
    assert choice.take(ack, 1, 0.0, 0.0)
    assert choice.video == "full"
    lens.videos["full"].codec = None
    assert choice.take(ack, 1, 0.0, 0.0)
    assert choice.video is None
