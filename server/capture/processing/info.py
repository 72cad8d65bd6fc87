"""The information that a processor gets with a picture."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Info"]


@dataclass(frozen=True, slots=True)
class Info:
    """The information that a processor gets with a picture.

    Attributes:
        camera: The camera's name.
        title: Its title, for people.
        seq: The picture's sequence number; only grows.
        at: When it was captured, in Unix seconds.
        width: In pixels, as the processor gets it.
        height: In pixels, as the processor gets it.
        fps: The camera's target rate in pictures a second.
        state: The processor's own, to keep data from picture to picture; emptied when the source is
            reopened.
    """

    camera: str
    title: str
    seq: int
    at: float
    width: int
    height: int
    fps: float
    state: dict[str, Any] = field(repr=False)
