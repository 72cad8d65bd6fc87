"""Reads which pictures are in the fragments of a recording. Blocks on the disk."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Listed", "read_samples"]

# Of a picture's flags.
NO_SYNC = 0x10000


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture as a fragment lists it.

    Attributes:
        at: Where it is in the file.
        size: In bytes.
        key: Whether it can be decoded by itself.
        time: When it is shown, in ticks since the file's beginning.
        duration: Until the next one is decoded, in ticks.
    """

    at: int
    size: int
    key: bool
    time: int
    duration: int


def read_samples(descriptor: int, at: int, end: int) -> Iterator[tuple[int, list[Listed]]]:
    """Yield the size of each whole fragment, and its pictures.

    Args:
        descriptor: Of the file.
        at: Where the first one begins.
        end: Where to end.
    """
    while at + 16 <= end:
        size, kind = struct.unpack("!I4s", os.pread(descriptor, 8, at))
        if kind != b"moof" or at + size + 8 > end:
            return
        moof = os.pread(descriptor, size, at)
        data_size, kind = struct.unpack("!I4s", os.pread(descriptor, 8, at + size))
        if kind != b"mdat" or at + size + data_size > end:
            return
        try:
            listed = _read_moof(moof, at)
        except (ValueError, LookupError, struct.error):
            return
        yield size + data_size, listed
        at += size + data_size


def _read_moof(moof: bytes, moof_at: int) -> list[Listed]:
    """Return the pictures of a fragment, of which there is at least one."""
    (decoded,) = struct.unpack_from("!Q", moof, moof.index(b"tfdt") + 8)
    at = moof.index(b"trun") + 4
    flags, count, data_at = struct.unpack_from("!III", moof, at)
    has_offsets = bool(flags & 0x800)
    one = struct.Struct("!IIIi" if has_offsets else "!III")
    listed = []
    place = moof_at + data_at
    for number in range(count):
        duration, size, kind, *offset = one.unpack_from(moof, at + 12 + number * one.size)
        time = decoded + (offset[0] if has_offsets else 0)
        listed.append(Listed(place, size, not kind & NO_SYNC, time, duration))
        place, decoded = place + size, decoded + duration
    if not listed:
        raise ValueError("no pictures")
    return listed
