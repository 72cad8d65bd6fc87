"""The largest size of a picture; larger ones are rejected before they take memory."""

from server.errors import SourceError

__all__ = ["MAX_PIXELS", "MAX_SIDE", "check_size", "is_too_large", "too_large"]

# A JPEG of 1.7 MB can decode to 12000 x 12000 pixels and a gigabyte of memory.
MAX_SIDE = 8192
"""The longest side of a picture, in pixels."""
MAX_PIXELS = 40_000_000
"""The most pixels in a picture: 120 MB decoded."""


def is_too_large(width: int, height: int) -> bool:
    """Return whether a picture of this size, in pixels, exceeds the limits."""
    return width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS


def check_size(width: int, height: int) -> None:
    """Check the size that a source announces.

    Raises:
        SourceError: If its pictures are too large; says what is accepted.
    """
    if is_too_large(width, height):
        raise SourceError(too_large(width, height))


def too_large(width: int, height: int) -> str:
    """Return the error message for a picture of this size."""
    return (
        f"its pictures have {width} x {height} pixels; accepted: up to {MAX_SIDE} a side "
        f"and {MAX_PIXELS // 1_000_000} megapixels"
    )
