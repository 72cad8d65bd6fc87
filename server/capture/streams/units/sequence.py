"""The content of a sequence parameter set, as far as it is needed."""

from fractions import Fraction
from typing import NamedTuple

__all__ = ["MAX_HEADER_BYTES", "Sequence"]

MAX_HEADER_BYTES = 1024
"""How much of a parameter set to parse: all needed fields come earlier."""


class Sequence(NamedTuple):
    """The pictures of a sequence.

    Attributes:
        codec: The RFC 6381 codec string for decoders.
        width: In pixels, after cropping.
        height: In pixels, after cropping.
        interlaced: Whether pictures may consist of two fields.
        aspect: The width of a pixel divided by its height; 1 if it is not given.
    """

    codec: str
    width: int
    height: int
    interlaced: bool
    aspect: Fraction
