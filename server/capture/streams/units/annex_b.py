"""NAL units of H.264 and H.265: between start codes, or each after its length, as in MP4.

No I/O. What is broken raises ValueError, and nothing else.
"""

import re
from collections.abc import Iterable, Iterator

__all__ = ["START", "begins", "join", "split", "split_lengths", "take", "unescape"]

START = b"\0\0\0\1"

# Whole pictures are searched: ``bytes.find`` takes twice as long.
_find_start = re.compile(b"\0\0\1").search


def begins(data: bytes) -> Iterator[int]:
    """Yield where each unit begins, and look for no later one before it is asked for."""
    found = _find_start(data)
    while found is not None:
        yield found.end()
        found = _find_start(data, found.end())


def split(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each unit begins and ends, without start codes and the zeros before them.

    What comes before the first start code is skipped, and so are empty units.
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
    """Yield where each unit begins and ends that follows its length; skips empty units.

    Args:
        data: Lengths and units in turn, the first as big-endian numbers.
        size: The bytes of a length: 1, 2 or 4.

    Raises:
        ValueError: If a length leads beyond the end.
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
    """Return so many units, each after its length in two bytes, and where they end.

    Raises:
        ValueError: If there are not so many.
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
    """Return a unit's payload: without the bytes that keep it from looking like a start code."""
    return unit.replace(b"\0\0\3", b"\0\0")
