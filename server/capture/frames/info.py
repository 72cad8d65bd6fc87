"""Properties of an open source."""

from dataclasses import dataclass

__all__ = ["SourceInfo"]


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Size, rate and kind of an open source.

    Attributes:
        width: Of its pictures, in pixels.
        height: Of its pictures, in pixels.
        fps: The frame rate that it announces; 0 if it announces none. The actual rate is measured
            by :class:`server.capture.frames.arrivals.Arrivals`.
        codec: FFmpeg's name for its encoding, such as ``h264`` or ``mjpeg``, or ``raw``.
        live: Whether it runs on its own clock. A live source must be read even when nobody
            watches, or its buffers fill with old pictures; any other can be paused.
        on_request: Whether it can produce a picture at any time, even between two regular ones.
        polled: Whether each picture is fetched only when it is wanted, as from a URL that answers
            with one JPEG.
        still: Whether it is a single picture until its file changes; it is polled too.
        video: The RFC 6381 codec string of its own video; empty if it has none that can be passed
            through.
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
