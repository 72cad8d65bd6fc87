"""One video of a camera: its current group of pictures as bytes ready to send to viewers."""

from collections import deque

from server.capture.frames.unit import Unit
from server.capture.frames.video_track import VideoTrack
from server.delivery.link import Link
from server.delivery.packet import Packet
from server.protocol import unit_head

__all__ = ["Burst", "Video", "VideoFrame", "VideoViewer", "decodes"]

# The bit rate is measured over this much video, so that key frames average out.
RATE_WINDOW_S = 5.0
RATE_STEP_S = 0.25
MIN_RATE_S = 2.0
# B-frames arrive out of capture order; a larger step back means that the clock was set.
STEP_BACK_S = 1.0

# The names that clients use, by the prefix of the RFC 6381 codec string.
FAMILIES = {"avc1": "h264", "avc3": "h264", "hvc1": "h265", "hev1": "h265"}


def decodes(codecs: frozenset[str], codec: str) -> bool:
    """Return whether a client that decodes ``codecs``, such as ``h264``, can decode ``codec``."""
    return FAMILIES.get(codec[:4]) in codecs


class VideoFrame:
    """One unit of a video, shared by all its viewers.

    Args:
        camera: The camera's name.
        rendition: The rendition's name.
        unit: The unit.
        number: The number of units before it.
        begin: The number of bytes before it.

    Attributes:
        seq: The unit's number.
        at_unix: When it was captured, in Unix seconds.
        size: Its size in bytes.
        painted: Always true: it is painted, unlike frames sent as ``catch_up``.
    """

    painted = True
    __slots__ = (
        *("_catch_up_head", "_packet", "_same"),
        *("at_unix", "begin", "number", "seq", "size", "unit"),
    )

    def __init__(self, camera: str, rendition: str, unit: Unit, number: int, begin: int) -> None:
        self.unit = unit
        self.seq = unit.seq
        self.at_unix = unit.at_unix
        self.size = len(unit.data)
        self.number = number
        self.begin = begin
        self._same = camera, rendition, unit.codec, unit.width, unit.height
        self._packet: Packet | None = None
        self._catch_up_head = b""

    @property
    def packet(self) -> Packet:
        """The ``frame`` event as WebSocket bytes, ready to send; built once."""
        if self._packet is None:
            unit = self.unit
            head = unit_head(self._same, unit.seq, unit.at_unix, unit.key, self.size)
            self._packet = Packet(head + unit.data)
        return self._packet

    @property
    def catch_up_head(self) -> bytes:
        """The bytes that precede the unit's when it is only decoded; built once."""
        if not self._catch_up_head:
            unit = self.unit
            self._catch_up_head = unit_head(
                self._same, unit.seq, unit.at_unix, unit.key, self.size, catch_up=True
            )
        return self._catch_up_head

    def forget_packet(self) -> None:
        """Free the bytes sent to up-to-date viewers."""
        self._packet = None


class Burst:
    """Units sent in one write, of which at most the last is painted.

    Args:
        frames: In order; the first is a key frame or follows the viewer's last frame.
        painted: Whether the last one is painted, because the viewer has not seen its picture.

    Attributes:
        frames: In order.
        painted: Whether the last one is painted.
        seq: The last one's number.
        at_unix: When the last one was captured, in Unix seconds.
        size: The size of the video in bytes.
    """

    __slots__ = ("_packet", "at_unix", "frames", "painted", "seq", "size")

    def __init__(self, frames: list[VideoFrame], painted: bool = True) -> None:
        self.frames = frames
        self.painted = painted
        self.seq = frames[-1].seq
        self.at_unix = frames[-1].at_unix
        self.size = sum(frame.size for frame in frames)
        self._packet: Packet | None = None

    @property
    def packet(self) -> Packet:
        """All frames as WebSocket bytes, ready to send; built once."""
        if self._packet is None:
            parts: list[bytes] = []
            for frame in self.frames:
                parts += (frame.catch_up_head, frame.unit.data)
            if self.painted:
                parts[-2:] = (self.frames[-1].packet.data,)
            self._packet = Packet(b"".join(parts))
        return self._packet


class VideoViewer:
    """Base class of viewers that can be sent video. The fanout writes the first six attributes.

    Attributes:
        key: Identifies it to its fanout.
        last_seq: The newest frame it was sent, JPEG or video.
        video: The video that it should get; None for JPEG only.
        chain: The last frame of that video that it was sent; 0 for none.
        accounted: The number of frames of that video that were sent to it, were counted as dropped,
            or came before it joined.
        flows: Whether the chain holds, so that it needs no JPEG.
        codecs: What it decodes, such as ``h264``.
        link: Its link, as measured.
    """

    key: object = None
    last_seq: int = 0
    video: "Video | None" = None
    chain = 0
    accounted = 0
    flows = False
    codecs: frozenset[str] = frozenset()
    link: Link

    def send_video(self, frame: VideoFrame | Burst, now: float) -> str | None:
        """Send frames without blocking; return the obstacle if there is one."""
        raise NotImplementedError

    def miss(self, obstacle: str) -> None:
        """Record that a frame was skipped because of ``obstacle``."""
        raise NotImplementedError


class Video:
    """The current group of pictures of one video.

    Args:
        camera: The camera's name.
        track: Delivers its units.

    Attributes:
        name: The rendition's name.
        track: Delivers its units.
        viewers: The viewers that should get it, by key.
        newest: The newest frame; None until the next key frame.
        previous_seq: The frame before the newest, which a viewer must have had to decode it.
        updated_seq: The newest frame before the last update; 0 for none.
        frames: The number of frames so far, including those replaced between two updates.
        sent_bytes: Bytes of video sent, counted once per viewer.
    """

    def __init__(self, camera: str, track: VideoTrack) -> None:
        self.track = track
        self.name = track.rendition
        self.viewers: dict[object, VideoViewer] = {}
        self.newest: VideoFrame | None = None
        self.previous_seq = 0
        self.updated_seq = 0
        self.frames = track.taken - len(track.units)
        self.sent_bytes = 0
        self._camera = camera
        self._group: dict[int, VideoFrame] = {}  # By the unit's number, in order.
        self._end = 0
        self._marks: deque[tuple[float, int]] = deque()  # Times and byte counts, for the bit rate.
        self._began_unix = 0.0
        self._group_s = 0.0
        self._last_burst: Burst | None = None

    @property
    def kbps(self) -> float:
        """Its measured bit rate in kilobits per second; 0 while unknown."""
        if self.newest is None or not self._marks:
            return 0.0
        (begun, before), now = self._marks[0], self.newest.at_unix
        if now - begun < MIN_RATE_S:
            return 0.0
        return (self._end - before) * 8 / 1000 / (now - begun)

    @property
    def key_in_s(self) -> float:
        """Seconds until the next expected key frame; infinite while unknown."""
        if self.newest is None or not self._group_s:
            return float("inf")
        return max(0.0, self._group_s - (self.newest.at_unix - self._began_unix))

    def update(self) -> bool:
        """Take new units from the track; return whether anything changed, such as a loss."""
        units = self.track.units
        self.updated_seq = self.newest.seq if self.newest else 0
        if not units:
            if self.newest is None:
                return False
            self._forget()
            return True
        if self.newest is not None and units[-1].seq == self.newest.seq:
            return False
        group = self._group
        fresh: list[Unit] = []
        for unit in reversed(units):
            if unit.seq in group:
                break
            fresh.append(unit)
        else:
            self._begin_group(units[0])
        self.frames = self.track.taken - len(fresh)
        for unit in reversed(fresh):
            self._add(unit)
        while len(group) > len(units):
            del group[next(iter(group))]  # The track drops the beginning of a long group.
        return True

    @property
    def key(self) -> VideoFrame | None:
        """The group's key frame; None if it is no longer available."""
        first = next(iter(self._group.values()), None)
        return first if first is not None and first.unit.key else None

    def missing(self, seq: int) -> tuple[int, int] | None:
        """Return how many frames and bytes a viewer lacks; None if they are unavailable.

        Args:
            seq: The last frame of this video that it was sent.
        """
        if self.newest is None:
            return None
        first = self._group.get(seq)
        if first is not None:
            count = self.newest.number - first.number
            return count, self._end - first.begin - first.size
        key = self.key
        return None if key is None else (len(self._group), self._end - key.begin)

    def burst(self, seq: int, painted: bool = True) -> Burst:
        """Return the frames that :meth:`missing` counts; there must be some."""
        group = list(self._group.values())
        had = self._group.get(seq)
        lacks = len(group) if had is None else group[-1].number - had.number
        frames = group[len(group) - lacks :]
        last = self._last_burst
        # Many viewers need the same burst when a page is reloaded or a key frame was lost.
        if (
            last is None
            or last.frames[-1] is not frames[-1]
            or last.frames[0] is not frames[0]
            or last.painted != painted
        ):
            last = self._last_burst = Burst(frames, painted)
        return last

    def _begin_group(self, unit: Unit) -> None:
        """Start a group with a key frame; forget everything if its beginning was dropped."""
        if not unit.key:
            self._forget()
            return
        if self._began_unix:
            self._group_s = unit.at_unix - self._began_unix
        self._began_unix = unit.at_unix
        self._group.clear()

    def _add(self, unit: Unit) -> None:
        if self.newest is not None:
            self.newest.forget_packet()
            self.previous_seq = self.newest.seq
        frame = VideoFrame(self._camera, self.name, unit, self.frames, self._end)
        self._end += frame.size
        self.frames += 1
        self.newest = self._group[unit.seq] = frame
        marks, at = self._marks, unit.at_unix
        if not marks or at < marks[-1][0] - STEP_BACK_S:
            marks.clear()
            marks.append((at, self._end))
        elif at - marks[-1][0] >= RATE_STEP_S:
            marks.append((at, self._end))
            while len(marks) > 2 and at - marks[1][0] >= RATE_WINDOW_S:
                marks.popleft()

    def _forget(self) -> None:
        self._group.clear()
        self._marks.clear()
        self._last_burst = self.newest = None
        self.previous_seq = 0
        self._began_unix = 0.0
