"""Whatever happens to a viewer of video, its frames can be decoded and are painted in order."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from server.capture.frames.video_track import VideoTrack
from server.delivery.link import Delivery, Link
from server.delivery.video import Burst, VideoFrame, VideoViewer
from server.delivery.video_fanout import VideoFanout
from tests.support.fakes import give_video, offline_camera, unit

# By unit number: the unit that a decoder needs before it.
Needs = dict[int, int | None]


@dataclass(eq=False)
class Decoder(VideoViewer):
    """A viewer that fails as soon as a real one would show a wrong picture.

    Attributes:
        needs: For each unit, its predecessor; None for a key frame.
        decoded: The last unit decoded.
        painted: The last picture painted, of either kind.
    """

    needs: Needs
    blocked: bool = False
    decoded: int | None = None
    painted: int = 0
    codecs: frozenset[str] = frozenset({"h264"})
    link: Link = field(default_factory=Link)

    def send_video(self, frame: VideoFrame | Burst, now: float) -> str | None:
        if self.blocked:
            return "credit"
        frames = frame.frames if isinstance(frame, Burst) else [frame]
        for one in frames:
            needed = self.needs[one.seq]
            assert needed is None or needed == self.decoded, "a unit without its predecessor"
            self.decoded = one.seq
        if not isinstance(frame, Burst) or frame.painted:
            self._paint(frame.seq)
        return None

    def see_jpeg(self, seq: int) -> None:
        """Receive a picture, as from its room."""
        if not self.flows and not self.blocked and seq > self.last_seq:
            self._paint(seq)
            self.last_seq = seq

    def _paint(self, seq: int) -> None:
        assert seq > self.painted, "a picture twice, or an older one"
        self.painted = seq

    def miss(self, obstacle: str) -> None:
        """Do nothing."""


class Scene:
    """A camera with one video, and its viewers."""

    def __init__(self) -> None:
        camera = offline_camera()
        self.track: VideoTrack = give_video(camera)
        self.fanout = VideoFanout(camera, lambda: 0.0, lambda viewer: None, 32)
        self.needs: Needs = {}
        self.viewers: list[Decoder] = []
        self.seq = 0

    def put(self, key: bool, size: int, jpeg_first: bool, handled: bool) -> None:
        """A frame arrives as a unit and as a picture; the pump may run only for a later one."""
        self.seq += 1
        intact = bool(self.track.units)
        if key or intact:
            self.needs[self.seq] = None if key else self.seq - 1
        if jpeg_first:
            self._see_jpeg()
        self.track.put(unit(self.seq, key, size))
        if handled:
            self.fanout.pump()
            self._see_jpeg()
            self.check()

    def _see_jpeg(self) -> None:
        for viewer in self.viewers:
            viewer.see_jpeg(self.seq)

    def lose(self) -> None:
        """A unit from the camera is lost."""
        self.track.lose()
        self.fanout.pump()
        self.seq += 1

    def join(self, rate_bps: int) -> None:
        """A viewer joins."""
        viewer = Decoder(self.needs)
        viewer.key = len(self.viewers)
        viewer.link.take(Delivery(rate_bps // 8, rate_bps // 8, 0.0, 0.0), 1.0, 0.0)
        self.viewers.append(viewer)
        self.fanout.join(viewer, "full")
        self.fanout.serve(viewer)

    def toggle(self, number: int) -> None:
        """A viewer runs out of credit, or gets some."""
        if self.viewers:
            viewer = self.viewers[number % len(self.viewers)]
            viewer.blocked = not viewer.blocked
            if not viewer.blocked:
                self.fanout.serve(viewer)
                viewer.see_jpeg(self.seq)

    def rejoin(self, number: int) -> None:
        """A viewer is moved away and back."""
        if self.viewers:
            viewer = self.viewers[number % len(self.viewers)]
            self.fanout.leave(viewer)
            viewer.see_jpeg(self.seq)
            self.fanout.join(viewer, "full")
            self.fanout.serve(viewer)

    def check(self) -> None:
        """Check that all viewers that could be sent frames have the newest one."""
        for viewer in self.viewers:
            if not viewer.blocked:
                assert viewer.painted == self.seq, "nothing newer was sent"


PUT = st.tuples(
    st.just("put"),
    st.sampled_from([False] * 7 + [True]),
    st.sampled_from([500, 5_000, 50_000]),
    st.booleans(),
    st.booleans(),
)
STEPS = st.one_of(
    *[PUT] * 8,
    st.tuples(st.just("lose")),
    st.tuples(st.just("join"), st.sampled_from([400_000, 5_000_000, 100_000_000])),
    st.tuples(st.just("toggle"), st.integers(0, 3)),
    st.tuples(st.just("rejoin"), st.integers(0, 3)),
)


@given(st.lists(STEPS, min_size=20, max_size=80))
def test_units_follow_predecessors_and_pictures_get_newer(
    steps: list[tuple[object, ...]],
) -> None:
    """This holds for any order of keys, losses, joins and lack of credit.

    The next frame that the pump handles reaches every viewer with credit, as video or as JPEG.
    """
    scene = Scene()
    scene.join(100_000_000)
    scene.put(key=True, size=500, jpeg_first=False, handled=True)
    for name, *arguments in steps:
        getattr(scene, str(name))(*arguments)
    scene.put(key=False, size=500, jpeg_first=False, handled=True)
    scene.put(key=True, size=500, jpeg_first=False, handled=True)
