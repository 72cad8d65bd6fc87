"""Properties of an open source."""

from dataclasses import dataclass

__all__ = ["SourceInfo"]


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Size, rate and kind of an open source.

    Attributes:
        width: Of its pictures, in pixels.
        height: Of its pictures, in pixels.
        fps: Pictures a second; 0 if unknown.
        codec: Its encoding as a four-letter code, or ``raw``.
        live: Whether it runs on its own clock. A live source must be read even when nobody
            watches, or its buffers fill with old pictures; any other simply waits.
        on_request: Whether it can produce a picture at any time, even between two regular ones.
    """

    width: int
    height: int
    fps: float
    codec: str
    live: bool
    on_request: bool = False
