"""One picture with its number and time."""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame", "Image", "Jpeg", "Picture", "size_of"]

Image: TypeAlias = NDArray[np.uint8]
"""Pixels: uint8, shape (height, width, 3), BGR order."""


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A picture as its camera encoded it: checked, and fit to be sent as it is.

    Attributes:
        data: The file.
        width: In pixels.
        height: In pixels.
        quality: What its quantisation tables amount to on libjpeg's scale from 1 to 100; 0 if it
            has none.
        pixels: The same picture decoded, perhaps smaller, where it was asked for; else None.
    """

    data: bytes
    width: int
    height: int
    quality: int
    pixels: Image | None = field(default=None, compare=False, repr=False)


Picture: TypeAlias = Image | Jpeg


def size_of(picture: Picture) -> tuple[int, int]:
    """Return width and height, in pixels."""
    if isinstance(picture, Jpeg):
        return picture.width, picture.height
    height, width = picture.shape[:2]
    return width, height


@dataclass(frozen=True, slots=True)
class Frame:
    """One captured picture; shared by reference, so nobody may write to its pixels.

    Attributes:
        picture: The pixels, or the camera's own JPEG.
        seq: Its number; counts the camera's captured frames and only grows.
        at_unix: When it was captured, in Unix seconds.
    """

    picture: Picture
    seq: int
    at_unix: float
