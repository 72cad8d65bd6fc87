"""Builds the ``moov`` box, which describes an MP4's only video (ISO/IEC 14496-12, 8.2 to 8.8)."""

import struct
from dataclasses import dataclass

from server.delivery.mp4.boxes import box, full_box

__all__ = ["TIMESCALE", "TRACK", "SampleDescription", "movie"]

TIMESCALE = 90_000
"""Ticks per second."""

TRACK = 1

MATRIX = struct.pack("!9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
"""The identity matrix: neither rotated nor scaled."""

# Seconds from 1904, the epoch of MP4, to 1970.
EPOCH_1904_S = 2_082_844_800

# 72 dpi in both directions, a reserved zero, and one picture per sample.
RESOLUTION = (0x480000, 0x480000, 0, 1)

# The language code "und".
UNDETERMINED = 0x55C4


@dataclass(frozen=True, slots=True)
class SampleDescription:
    """How pictures are encoded.

    Attributes:
        entry: The type of the sample entry.
        record: The box with the parameter sets.
        width: In pixels.
        height: In pixels.
    """

    entry: bytes
    record: bytes
    width: int
    height: int


def movie(
    video: SampleDescription,
    tables: bytes,
    *,
    shown: int = 0,
    lasts: int = 0,
    edits: bytes = b"",
    extends: bytes = b"",
    made_unix: float = 0.0,
) -> bytes:
    """Return the ``moov`` box.

    Args:
        video: How its pictures are encoded.
        tables: The boxes that list the pictures.
        shown: How long the file plays, in ticks; 0 if unknown.
        lasts: The duration of all pictures, in ticks; 0 if unknown.
        edits: The ``edts`` box, if not all pictures are shown.
        extends: The ``mvex`` box, if fragments follow.
        made_unix: When it was captured, in Unix seconds; 0 if unspecified.
    """
    made = int(made_unix) + EPOCH_1904_S if made_unix else 0
    entry = box(
        video.entry,
        struct.pack("!6xH16xHHIIIH32xHH", 1, video.width, video.height, *RESOLUTION, 24, 0xFFFF),
        video.record,
    )
    described = full_box(b"stsd", 0, 0, struct.pack("!I", 1), entry)
    # "url " with flag 1: the pictures are in this file.
    where = box(b"dinf", full_box(b"dref", 0, 0, struct.pack("!I", 1), full_box(b"url ", 0, 1)))
    media = box(
        b"mdia",
        full_box(
            b"mdhd", 0, 0, struct.pack("!IIIIHH", made, made, TIMESCALE, lasts, UNDETERMINED, 0)
        ),
        full_box(b"hdlr", 0, 0, struct.pack("!I4s12x", 0, b"vide"), b"video\0"),
        box(b"minf", full_box(b"vmhd", 0, 1, bytes(8)), where, box(b"stbl", described, tables)),
    )
    size = struct.pack("!II", video.width << 16, video.height << 16)
    head = struct.pack("!IIIII16x", made, made, TRACK, 0, shown)
    track = box(b"trak", full_box(b"tkhd", 0, 3, head, MATRIX, size), edits, media)
    whole = struct.pack("!IIIIIH10x", made, made, TIMESCALE, shown, 0x10000, 0x100)
    following = struct.pack("!I", TRACK + 1)
    return box(
        b"moov", full_box(b"mvhd", 0, 0, whole, MATRIX, bytes(24), following), track, extends
    )
