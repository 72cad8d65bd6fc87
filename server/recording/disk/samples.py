"""Read the list of samples in a recording's fragments. Blocks on the disk."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["StoredSample", "read_samples"]

# The flag sample_is_non_sync_sample.
NO_SYNC = 0x10000


@dataclass(frozen=True, slots=True)
class StoredSample:
    """A sample (one picture) as listed in a fragment.

    Attributes:
        at: Its offset in the file.
        size: In bytes.
        key: Whether it can be decoded by itself.
        time: When it is shown, in ticks since the file's beginning.
        duration: Ticks until the next one is decoded.
    """

    at: int
    size: int
    key: bool
    time: int
    duration: int


def read_samples(descriptor: int, at: int, end: int) -> Iterator[tuple[int, list[StoredSample]]]:
    """Yield the size and samples of each complete fragment.

    Args:
        descriptor: Of the file.
        at: Offset of the first fragment.
        end: Offset to stop at.
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


def _read_moof(moof: bytes, moof_at: int) -> list[StoredSample]:
    """Return a fragment's samples; raise ValueError if it has none."""
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
        listed.append(StoredSample(place, size, not kind & NO_SYNC, time, duration))
        place, decoded = place + size, decoded + duration
    if not listed:
        raise ValueError("no pictures")
    return listed
