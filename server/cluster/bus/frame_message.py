"""A frame as it travels: a small binary header, then the JPEG as it is.

::

    "PF"  version  node       seq        at_unix    JPEG
    2     1        8 bytes    uint64     float64    the rest, big endian
"""

import math
import struct

from server.capture.frames.frame import Frame
from server.capture.frames.jpeg import inspect_jpeg
from server.errors import PictureError

__all__ = ["MAX_SEQ", "FrameMessageError", "pack_frame", "peek", "unpack_frame"]

HEADER = struct.Struct("!2sB8sQd")
MAGIC = b"PF"
VERSION = 1

# Larger than any camera's picture: 50 megapixels at the best quality.
MAX_BYTES = 32 * 1024 * 1024

MAX_SEQ = 999_999_999_999_999
"""Acknowledgements have room for fifteen digits."""


class FrameMessageError(Exception):
    """What came is no frame."""


def pack_frame(node: str, seq: int, at_unix: float, jpeg: bytes) -> bytes:
    """Return a frame as bytes.

    Args:
        node: Of the camera: 16 hexadecimal digits.
        seq: The frame's number.
        at_unix: When it was captured, in Unix seconds.
        jpeg: The picture.
    """
    return HEADER.pack(MAGIC, VERSION, bytes.fromhex(node), seq, at_unix) + jpeg


def peek(parcel: bytes) -> tuple[str, int, float]:
    """Return node, number and time of a frame without looking at its picture.

    Raises:
        FrameMessageError: If it is none.
    """
    if not HEADER.size < len(parcel) <= MAX_BYTES:
        raise FrameMessageError(f"{len(parcel)} bytes are no frame")
    magic, version, node, seq, at_unix = HEADER.unpack_from(parcel)
    if magic != MAGIC or version != VERSION:
        raise FrameMessageError("no frame, or one of another version")
    if not 0 < seq <= MAX_SEQ or not math.isfinite(at_unix):
        raise FrameMessageError("a frame with an impossible number or time")
    return node.hex(), seq, at_unix


def unpack_frame(parcel: bytes) -> Frame:
    """Return the frame, its picture checked by its markers.

    Raises:
        FrameMessageError: If anything about it is wrong.
    """
    _, seq, at_unix = peek(parcel)
    try:
        jpeg, shown = inspect_jpeg(parcel[HEADER.size :])
    except PictureError as error:
        raise FrameMessageError(str(error)) from None
    if not shown:
        raise FrameMessageError("a JPEG picture that browsers do not show")
    return Frame(jpeg, seq, at_unix)
