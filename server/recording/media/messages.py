"""What the server and its media process send each other.

Each request is one message: what to do and how much of the memory that comes with it is the list of
units; after that list come their bytes. Each is answered by one message.
"""

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from server.capture.frames.unit import Unit
from server.recording.media.fragments import Kept

__all__ = ["in_memory", "pack_units", "read_json", "read_memory", "unpack_units"]


def pack_units(units: Iterable[Kept]) -> list[bytes]:
    """Return units as bytes in parts, the first of which lists the others."""
    parts: list[bytes] = []
    listed: list[list[object]] = []
    for one in units:
        parts.append(one.data)  # It may be on the disk.
        listed.append([len(parts[-1]), one.key, one.shown_unix, one.codec, one.width, one.height])
    return [json.dumps(listed).encode(), *parts]


def unpack_units(data: bytes, listed_bytes: int) -> list[Unit]:
    """Return what :func:`pack_units` was given, without the units' numbers.

    ``at_unix`` is when each one's own picture was captured, so with B-frames it goes back.
    """
    view = memoryview(data)
    units, at = [], listed_bytes
    for nbytes, key, at_unix, codec, width, height in json.loads(data[:listed_bytes]):
        units.append(Unit(bytes(view[at : at + nbytes]), key, 0, at_unix, codec, width, height))
        at += nbytes
    return units


def in_memory(parts: Sequence[bytes]) -> int:
    """Return the descriptor of memory that holds these bytes.

    Raises:
        OSError: If there is none left.
    """
    fd = os.memfd_create("porthole-media", os.MFD_CLOEXEC)
    try:
        for part in parts:
            left = memoryview(part)
            while left:
                left = left[os.write(fd, left) :]
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_memory(fd: int) -> bytes:
    """Return what memory holds, and close its descriptor."""
    try:
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)


def read_json(payload: bytes) -> dict[str, Any]:
    """Return what a message says."""
    answer = json.loads(payload)
    if not isinstance(answer, dict):
        raise ValueError("a message of the media process makes no sense")
    return answer
