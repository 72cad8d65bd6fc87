"""Builds the boxes of an MP4 file (ISO/IEC 14496-12)."""

import struct

__all__ = ["box", "full_box"]


def box(kind: bytes, *content: bytes) -> bytes:
    """Return a box with a four-letter type."""
    size = 8 + sum(map(len, content))
    return b"".join((struct.pack("!I4s", size, kind), *content))


def full_box(kind: bytes, version: int, flags: int, *content: bytes) -> bytes:
    """Return a box with a version and flags, which most types have."""
    return box(kind, struct.pack("!I", version << 24 | flags), *content)
