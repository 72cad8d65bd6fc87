"""One encoded picture as it arrived: what is decoded here, and can be passed on untouched."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import av
    from av.video.stream import VideoStream

__all__ = ["Packet"]


class Packet(NamedTuple):
    """One encoded picture.

    Attributes:
        encoded: FFmpeg's packet; :attr:`data` are its bytes.
        key: Whether it can be decoded by itself.
        nbytes: Its size.
        stamp_s: When it is to be decoded, by the stream's own clock; None if the stream has none.
        shown_s: When it is to be shown, likewise.
        arrived_at: When it was read, in monotonic seconds.
        awaited: Whether it was waited for, so that it arrived just then; others may have been there
            for a while.
        incomplete: Whether something of it, or between it and the next one, was lost on the way.
    """

    encoded: "av.Packet[VideoStream]"
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
        return bytes(self.encoded)
