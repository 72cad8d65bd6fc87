"""Properties of an open source."""

from dataclasses import dataclass

__all__ = ["SourceInfo"]


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Size, rate and kind of an open source.

    Attributes:
        width: Of its pictures, in pixels.
        height: Of its pictures, in pixels.
        fps: Pictures a second that it promises; 0 if it promises none. What really arrives is
            measured, see :class:`server.capture.frames.arrivals.Arrivals`.
        codec: Its encoding by the name that FFmpeg gives it, such as ``h264`` or ``mjpeg``, or
            ``raw``.
        live: Whether it runs on its own clock. A live source must be read even when nobody
            watches, or its buffers fill with old pictures; any other can be paused.
        on_request: Whether it can produce a picture at any time, even between two regular ones.
        polled: Whether each picture is fetched only when it is wanted, as from a URL that answers
            with one JPEG.
        still: Whether it is one picture that stands until its file changes; it is polled too.
        video: What its own video is encoded as, by RFC 6381; empty if it has none that could be
            shown as it is.
    """

    width: int
    height: int
    fps: float
    codec: str
    live: bool
    on_request: bool = False
    polled: bool = False
    still: bool = False
    video: str = ""
