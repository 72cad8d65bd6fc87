"""One encoded picture as it arrived, to be decoded or passed through."""

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from server.capture.streams.units.maker import UnitMaker

if TYPE_CHECKING:
    import av
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

__all__ = ["Packet", "PacketReader"]

# For packets that are made here: RTP's, so that no timestamp is rounded.
TIME_BASE = Fraction(1, 90_000)


class Packet(NamedTuple):
    """One encoded picture.

    Attributes:
        content: FFmpeg's packet, or its bytes; see :attr:`encoded` and :attr:`data`.
        key: Whether it can be decoded by itself.
        nbytes: Its size.
        timestamp_s: Its decoding time, by the stream's own clock; None if the stream has none.
        shown_s: Its display time; likewise.
        arrived_at: When it was read, in monotonic seconds.
        awaited: Whether the reader waited for it, so that it arrived just then; otherwise it may
            have arrived long before.
        incomplete: Whether some of it, or of the data up to the next one, was lost on the way.
    """

    content: "av.Packet[VideoStream] | bytes"
    key: bool
    nbytes: int
    timestamp_s: float | None
    shown_s: float | None
    arrived_at: float
    awaited: bool = True
    incomplete: bool = False

    @property
    def data(self) -> bytes:
        """Its bytes in the stream's format: Annex B, or with lengths as in MP4."""
        return self.content if isinstance(self.content, bytes) else bytes(self.content)

    @property
    def encoded(self) -> "av.Packet[VideoStream]":
        """FFmpeg's packet, for a decoder."""
        if not isinstance(self.content, bytes):
            return self.content
        import av

        packet = cast("av.Packet[VideoStream]", av.Packet(self.content))
        packet.time_base, packet.is_keyframe = TIME_BASE, self.key
        if self.shown_s is not None:
            packet.pts = round(self.shown_s / TIME_BASE)
        return packet


class PacketReader(Protocol):
    """A source of packets; see :class:`server.capture.streams.demuxer.Demuxer`."""

    @property
    def context(self) -> "VideoCodecContext":
        """The decoder's context, which knows the size of the pictures; not open yet."""

    @property
    def codec(self) -> str:
        """FFmpeg's name of the encoding."""

    @property
    def fps(self) -> float:
        """The frame rate that it announces; 0 if it announces none."""

    @property
    def aspect(self) -> Fraction:
        """The width of a pixel divided by its height."""

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture file, of any kind."""

    def unit_maker(self) -> UnitMaker | None:
        """Return a maker of units from its packets; None if browsers could not show them."""

    def read(self) -> Packet | None:
        """Wait for the next picture; return None at the end; raise SourceError."""

    def close(self) -> None:
        """Close the connection or file; not while it is being read."""
