"""Builds the header of a complete MP4, which lists all pictures before the first one."""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from server.delivery.mp4.boxes import box, full_box
from server.delivery.mp4.movie import SampleDescription, movie

__all__ = ["SampleEntry", "file_header"]

# Pictures per chunk; players read a chunk at a time.
CHUNK = 25

# A box size of 1 means that the actual size follows, in 64 bits.
LARGE = 1
LARGE_HEAD_BYTES = 16


@dataclass(frozen=True, slots=True)
class SampleEntry:
    """One picture of a file.

    Attributes:
        nbytes: Its size in the file, in bytes.
        key: Whether it can be decoded by itself.
        duration: Time until the next one is decoded, in ticks.
        offset: Time from decoding until display, in ticks.
    """

    nbytes: int
    key: bool
    duration: int
    offset: int = 0


def file_header(
    video: SampleDescription,
    pictures: Sequence[SampleEntry],
    begin: int,
    shown: int,
    made_unix: float = 0.0,
) -> bytes:
    """Return everything that precedes the bytes of a file's pictures.

    Args:
        video: How the pictures are encoded.
        pictures: In decoding order.
        begin: When display begins, in ticks since the first picture is decoded.
        shown: How long the file plays, in ticks.
        made_unix: When the first shown picture was captured, in Unix seconds.
    """
    kind = box(b"ftyp", b"isom", struct.pack("!I", 0x200), b"isomiso2avc1mp41")
    edit = struct.pack("!IIiHH", 1, shown, begin, 1, 0)
    edits = box(b"edts", full_box(b"elst", 0, 0, edit))
    total = LARGE_HEAD_BYTES + sum(one.nbytes for one in pictures)
    lasts = sum(one.duration for one in pictures)

    def describe(data_at: int) -> bytes:
        tables = _tables(pictures, data_at)
        return movie(video, tables, shown=shown, lasts=lasts, edits=edits, made_unix=made_unix)

    data_at = len(kind) + len(describe(0)) + LARGE_HEAD_BYTES
    return b"".join((kind, describe(data_at), struct.pack("!I4sQ", LARGE, b"mdat", total)))


def _tables(pictures: Sequence[SampleEntry], data_at: int) -> bytes:
    """Return the boxes that list all pictures; their bytes begin at ``data_at``."""
    count = len(pictures)
    sizes = [one.nbytes for one in pictures]
    keys = [number for number, one in enumerate(pictures, 1) if one.key]
    starts = list(accumulate(sizes, initial=data_at))[:-1:CHUNK]
    # The last chunk may have fewer pictures.
    chunks = [(1, CHUNK, 1)] if count >= CHUNK else []
    if count % CHUNK:
        chunks.append((count // CHUNK + 1, count % CHUNK, 1))
    tables = [
        full_box(b"stts", 0, 0, _runs(one.duration for one in pictures)),
        full_box(b"stss", 0, 0, _list("I", keys)),
        full_box(
            b"stsc",
            0,
            0,
            struct.pack("!I", len(chunks)),
            *(struct.pack("!III", *one) for one in chunks),
        ),
        full_box(b"stsz", 0, 0, struct.pack("!I", 0), _list("I", sizes)),
        full_box(b"co64", 0, 0, _list("Q", starts)),
    ]
    if any(one.offset for one in pictures):
        tables.append(full_box(b"ctts", 0, 0, _runs(one.offset for one in pictures)))
    return b"".join(tables)


def _runs(values: Iterable[int]) -> bytes:
    """Return values run-length encoded."""
    runs = [(len(list(run)), value) for value, run in groupby(values)]
    return struct.pack("!I", len(runs)) + b"".join(struct.pack("!II", *run) for run in runs)


def _list(kind: str, values: Sequence[int]) -> bytes:
    return struct.pack(f"!I{len(values)}{kind}", len(values), *values)
