"""A frame on the bus: a small binary header, then the JPEG unchanged.

::

    "PF"  version  node       seq        at_unix    JPEG
    2     1        8 bytes    uint64     float64    the rest; numbers are big endian

Video units have a different version, see :mod:`server.cluster.bus.unit_message`.
"""

import math
import struct

from server.capture.frames.frame import Frame
from server.capture.frames.jpeg import inspect_jpeg
from server.errors import PictureError

__all__ = [
    "HEADER",
    "MAGIC",
    "MAX_SEQ",
    "VERSION",
    "FrameMessageError",
    "pack_frame",
    "peek",
    "unpack_frame",
]

HEADER = struct.Struct("!2sB8sQd")
MAGIC = b"PF"
VERSION = 1

# Larger than any camera's JPEG: 50 megapixels at the best quality.
MAX_BYTES = 32 * 1024 * 1024

MAX_SEQ = 999_999_999_999_999
"""Acknowledgements allow fifteen digits."""


class FrameMessageError(Exception):
    """A message is not a valid frame."""


def pack_frame(node: str, seq: int, at_unix: float, jpeg: bytes) -> bytes:
    """Return a frame as bytes.

    Args:
        node: Id of the camera's node, 16 hexadecimal digits.
        seq: The frame's number.
        at_unix: When it was captured, in Unix seconds.
        jpeg: The picture as JPEG.
    """
    return HEADER.pack(MAGIC, VERSION, bytes.fromhex(node), seq, at_unix) + jpeg


def peek(message: bytes, version: int = VERSION) -> tuple[str, int, float]:
    """Return a frame's node, sequence number and time without parsing its picture.

    Args:
        message: The whole message.
        version: The version it must have.

    Raises:
        FrameMessageError: If the message is not a valid frame.
    """
    if not HEADER.size < len(message) <= MAX_BYTES:
        raise FrameMessageError(f"not a frame: {len(message)} bytes")
    magic, given, node, seq, at_unix = HEADER.unpack_from(message)
    if magic != MAGIC or given != version:
        raise FrameMessageError("not a frame, or a frame of another version")
    if not 0 < seq <= MAX_SEQ or not math.isfinite(at_unix):
        raise FrameMessageError("a frame with an impossible sequence number or time")
    return node.hex(), seq, at_unix


def unpack_frame(message: bytes) -> Frame:
    """Return the frame; its JPEG markers are checked.

    Raises:
        FrameMessageError: If the message is not a valid frame.
    """
    _, seq, at_unix = peek(message)
    try:
        jpeg, shown = inspect_jpeg(message[HEADER.size :])
    except PictureError as error:
        raise FrameMessageError(str(error)) from None
    if not shown:
        raise FrameMessageError("a JPEG that browsers do not show")
    return Frame(jpeg, seq, at_unix)
