"""Messages between the server and its media process.

A request is one JSON message, optionally with memory that holds units: first a JSON list of them,
whose length the message gives, then their data. Each request is answered by one message.
"""

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from server.capture.frames.unit import Unit
from server.recording.media.fragments import Kept

__all__ = ["in_memory", "pack_units", "read_json", "read_memory", "unpack_units"]


def pack_units(units: Iterable[Kept]) -> list[bytes]:
    """Serialise units as a list of byte strings, the first of which lists the others."""
    parts: list[bytes] = []
    listed: list[list[object]] = []
    for one in units:
        parts.append(one.data)  # This may read the disk.
        listed.append([len(parts[-1]), one.key, one.shown_unix, one.codec, one.width, one.height])
    return [json.dumps(listed).encode(), *parts]


def unpack_units(data: bytes, listed_bytes: int) -> list[Unit]:
    """Parse the output of :func:`pack_units`; sequence numbers are lost.

    ``at_unix`` is the capture time of the unit's own picture, which is not in order with B-frames.
    """
    view = memoryview(data)
    units, at = [], listed_bytes
    for nbytes, key, at_unix, codec, width, height in json.loads(data[:listed_bytes]):
        units.append(Unit(bytes(view[at : at + nbytes]), key, 0, at_unix, codec, width, height))
        at += nbytes
    return units


def in_memory(parts: Sequence[bytes]) -> int:
    """Return a descriptor of new memory that holds these bytes.

    Raises:
        OSError: If no memory or descriptor is available.
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
    """Read all bytes of a memory descriptor, and close it."""
    try:
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)


def read_json(payload: bytes) -> dict[str, Any]:
    """Parse a message; raise ValueError if it is not a JSON object."""
    answer = json.loads(payload)
    if not isinstance(answer, dict):
        raise ValueError("a message of the media process is invalid")
    return answer
