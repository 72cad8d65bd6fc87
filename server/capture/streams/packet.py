"""One encoded picture as it arrived: what is decoded here, and can be passed on untouched."""

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from server.capture.streams.units.maker import UnitMaker

if TYPE_CHECKING:
    import av
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

__all__ = ["Packet", "PacketReader"]

# Of packets that are made here: the one of RTP, so that no stamp is rounded.
TIME_BASE = Fraction(1, 90_000)


class Packet(NamedTuple):
    """One encoded picture.

    Attributes:
        content: FFmpeg's packet, or its bytes; see :attr:`encoded` and :attr:`data`.
        key: Whether it can be decoded by itself.
        nbytes: Its size.
        stamp_s: When it is to be decoded, by the stream's own clock; None if the stream has none.
        shown_s: When it is to be shown, likewise.
        arrived_at: When it was read, in monotonic seconds.
        awaited: Whether it was waited for, so that it arrived just then; others may have been there
            for a while.
        incomplete: Whether something of it, or between it and the next one, was lost on the way.
    """

    content: "av.Packet[VideoStream] | bytes"
    key: bool
    nbytes: int
    stamp_s: float | None
    shown_s: float | None
    arrived_at: float
    awaited: bool = True
    incomplete: bool = False

    @property
    def data(self) -> bytes:
        """Its bytes, as the stream's format has them: Annex B, or with lengths as in MP4."""
        return self.content if isinstance(self.content, bytes) else bytes(self.content)

    @property
    def encoded(self) -> "av.Packet[VideoStream]":
        """FFmpeg's packet, as a decoder takes it."""
        if not isinstance(self.content, bytes):
            return self.content
        import av

        packet = cast("av.Packet[VideoStream]", av.Packet(self.content))
        packet.time_base, packet.is_keyframe = TIME_BASE, self.key
        if self.shown_s is not None:
            packet.pts = round(self.shown_s / TIME_BASE)
        return packet


class PacketReader(Protocol):
    """Where packets come from; see :class:`server.capture.streams.demuxer.Demuxer`."""

    @property
    def context(self) -> "VideoCodecContext":
        """The decoder's context, which knows the size of the pictures; not open yet."""

    @property
    def codec(self) -> str:
        """The name that FFmpeg gives the encoding."""

    @property
    def fps(self) -> float:
        """The pictures a second that it promises; 0 if it promises none."""

    @property
    def aspect(self) -> Fraction:
        """The width of a pixel divided by its height."""

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture file, of any kind."""

    def unit_maker(self) -> UnitMaker | None:
        """Return what makes units of its packets; None if they could not be shown as they are."""

    def read(self) -> Packet | None:
        """Wait for the next picture; return None at the end; raise SourceError."""

    def close(self) -> None:
        """Close the connection or file; not while it is being read."""
