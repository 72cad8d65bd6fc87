"""One picture with its number and time."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame", "Image"]

Image: TypeAlias = NDArray[np.uint8]
"""Pixels: uint8, shape (height, width, 3), BGR order."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One captured picture; shared by reference, so nobody may write to its pixels.

    Attributes:
        image: The pixels.
        seq: Its number; counts the camera's captured frames and only grows.
        at_unix: When it was captured, in Unix seconds.
    """

    image: Image
    seq: int
    at_unix: float
