"""What a sequence parameter set says of the pictures that follow it."""

from fractions import Fraction
from typing import NamedTuple

__all__ = ["MAX_HEADER_BYTES", "Sequence"]

MAX_HEADER_BYTES = 1024
"""What is read of a parameter set: all that is asked for comes earlier."""


class Sequence(NamedTuple):
    """The pictures of a sequence.

    Attributes:
        codec: What a decoder must be configured for, by RFC 6381.
        width: In pixels, without what is cropped.
        height: In pixels, without what is cropped.
        interlaced: Whether pictures may be made of two fields.
        aspect: The width of a pixel divided by its height; 1 where nothing is said.
    """

    codec: str
    width: int
    height: int
    interlaced: bool
    aspect: Fraction
