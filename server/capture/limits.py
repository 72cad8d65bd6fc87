"""How large a picture may be: what is beyond is refused before it takes memory."""

from server.errors import PictureError, SourceError

__all__ = ["MAX_PIXELS", "MAX_SIDE", "check_jpeg", "check_size", "is_too_large"]

# A JPEG of 1.7 MB can unfold into 12000 x 12000 pixels and a gigabyte of memory.
MAX_SIDE = 8192
"""The longest side of a picture, in pixels."""
MAX_PIXELS = 40_000_000
"""The most pixels in a picture: 120 MB decoded."""

START = b"\xff\xd8"
END = b"\xff\xd9"
# Markers that begin a frame header; C4, C8 and CC in between are tables and an extension.
FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def is_too_large(width: int, height: int) -> bool:
    """Return whether a picture of this size, in pixels, is beyond what is accepted."""
    return max(width, height) > MAX_SIDE or width * height > MAX_PIXELS


def check_size(width: int, height: int) -> None:
    """Refuse a source by the size it announces.

    Raises:
        SourceError: If its pictures are too large; says what is accepted.
    """
    if is_too_large(width, height):
        raise SourceError(_too_large(width, height))


def check_jpeg(data: bytes) -> None:
    """Refuse a JPEG that is not whole or too large, by its markers: nothing is decoded.

    Raises:
        PictureError: If it is broken, truncated or too large.
    """
    if not data.startswith(START):
        raise PictureError("a part arrived that is no JPEG picture")
    # Some cameras pad their pictures; a thumbnail's end would be far from the end of the data.
    if END not in data[-64:]:
        raise PictureError("a JPEG picture arrived that is not complete")
    size = _read_size(data)
    if size is None:
        raise PictureError("a JPEG picture arrived that does not tell its size")
    if is_too_large(*size):
        raise PictureError(_too_large(*size))


def _too_large(width: int, height: int) -> str:
    return (
        f"its pictures have {width} x {height} pixels; accepted: up to {MAX_SIDE} a side "
        f"and {MAX_PIXELS // 1_000_000} megapixels"
    )


def _read_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height from a JPEG's frame header, or None if there is none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # Fill bytes may precede a marker.
            at += 1
            continue
        if marker in FRAME_HEADERS:
            height, width = (int.from_bytes(data[at + n : at + n + 2], "big") for n in (5, 7))
            return (width, height) if width and height else None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
