"""Splits and joins NAL units of H.264 and H.265, with start codes or, as in MP4, lengths.

No I/O. Broken data raises ValueError, and nothing else.
"""

import re
from collections.abc import Iterable, Iterator

__all__ = ["START", "begins", "join", "split", "split_lengths", "take", "unescape"]

START = b"\0\0\0\1"

# For searching whole pictures: ``bytes.find`` takes twice as long.
_find_start = re.compile(b"\0\0\1").search


def begins(data: bytes) -> Iterator[int]:
    """Yield where each unit begins, searching no further than the caller iterates."""
    found = _find_start(data)
    while found is not None:
        yield found.end()
        found = _find_start(data, found.end())


def split(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each unit begins and ends, without start codes and the zeros before them.

    Skips empty units, and anything before the first start code.
    """
    found = _find_start(data)
    while found is not None:
        begin = found.end()
        found = _find_start(data, begin)
        stop = len(data) if found is None else found.start()
        while stop > begin and data[stop - 1] == 0:
            stop -= 1
        if stop > begin:
            yield begin, stop


def split_lengths(data: bytes, size: int) -> Iterator[tuple[int, int]]:
    """Yield where each length-prefixed unit begins and ends; skips empty units.

    Args:
        data: Lengths and units in turn; lengths are big-endian.
        size: The size of a length in bytes: 1, 2 or 4.

    Raises:
        ValueError: If a length exceeds the data.
    """
    at = 0
    while at < len(data):
        begin = at + size
        at = begin + int.from_bytes(data[at:begin], "big")
        if at > len(data) or begin > len(data):
            raise ValueError("a NAL unit is longer than its picture")
        if at > begin:
            yield begin, at


def take(data: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """Return ``count`` units, each after its length in two bytes, and where they end.

    Raises:
        ValueError: If there are fewer.
    """
    units = []
    for _ in range(count):
        begin = at + 2
        at = begin + int.from_bytes(data[at:begin], "big")
        if at > len(data):
            raise ValueError("a record is cut off")
        units.append(data[begin:at])
    return units, at


def join(units: Iterable[bytes]) -> bytes:
    """Return units in Annex B format."""
    return b"".join([part for unit in units for part in (START, unit)])


def unescape(unit: bytes) -> bytes:
    """Return a unit's payload, without the emulation prevention bytes."""
    return unit.replace(b"\0\0\3", b"\0\0")
