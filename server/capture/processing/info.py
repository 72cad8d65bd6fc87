"""What a processor is told of a picture."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Info"]


@dataclass(frozen=True, slots=True)
class Info:
    """What a processor is told of a picture.

    Attributes:
        camera: The camera's name.
        title: What people see instead.
        seq: The picture's number; only grows.
        at: When it was captured, in Unix seconds.
        width: In pixels, as the processor gets it.
        height: In pixels, as the processor gets it.
        fps: Pictures a second that the camera is to deliver.
        state: The processor's own, for what it wants to keep from picture to picture; emptied when
            the source is opened anew.
    """

    camera: str
    title: str
    seq: int
    at: float
    width: int
    height: int
    fps: float
    state: dict[str, Any] = field(repr=False)
