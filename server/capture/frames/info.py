"""What an open source says of itself."""

from dataclasses import dataclass

__all__ = ["SourceInfo"]


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Size, pace and kind of an open source.

    Attributes:
        width: Of its pictures, in pixels.
        height: Of its pictures, in pixels.
        fps: Pictures a second; 0 if it does not say.
        codec: Its encoding as a four-letter code, or ``raw``.
        live: Whether it goes on by itself. A live source must be read even when nobody watches,
            or its buffers grow old; any other simply waits.
        on_request: Whether it can make a picture whenever one is wanted, also between two of its
            own.
    """

    width: int
    height: int
    fps: float
    codec: str
    live: bool
    on_request: bool = False
