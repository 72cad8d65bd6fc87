"""Reads pictures back from recordings, as units. Blocks on the disk: on native threads only."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from server.capture.frames.unit import Unit
from server.delivery.mp4.movie import TIMESCALE
from server.delivery.mp4.muxer import START_CODE
from server.delivery.mp4.parameters import LENGTH_BYTES, codec_of
from server.recording.disk.fragments import read_samples
from server.recording.disk.recording_file import Facts, Parts, examine

__all__ = ["TooMuch", "read_units"]


class TooMuch(ValueError):
    """What was asked for is too large to be in memory."""


def read_units(path: Path, from_unix: float, to_unix: float, max_bytes: int) -> list[Unit]:
    """Return the pictures from one moment to another, after what is needed to decode the first.

    Args:
        path: A recording, which may be open.
        from_unix: The first is the newest that is not later, or the first there is.
        to_unix: The last is not later.
        max_bytes: As much is read at most.

    Raises:
        TooMuch: If it is more.
        PictureError: If the file is none of ours, or has no picture.
        OSError: If it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        facts, parts = examine(descriptor)
        begin = round((from_unix - facts.begin_unix) * TIMESCALE)
        end = round((to_unix - facts.begin_unix) * TIMESCALE)
        units: list[Unit] = []
        for unit, time in _read(descriptor, facts, parts, begin):
            if time > end:
                if unit.key:
                    break
                continue
            if unit.key and time <= begin:
                units.clear()
            units.append(unit)
            max_bytes -= len(unit.data)
            if max_bytes < 0:
                raise TooMuch("this part of the recordings is too large; ask for a shorter one")
        return [replace(unit, seq=seq) for seq, unit in enumerate(units, 1)]
    finally:
        os.close(descriptor)


def _read(descriptor: int, facts: Facts, parts: Parts, begin: int) -> Iterator[tuple[Unit, int]]:
    """Yield the units of a file, and when they are shown, from the part with a moment on."""
    at, time = parts.begin, 0
    for size, ticks in zip(parts.sizes, parts.ticks, strict=True):
        if time + ticks > begin:
            break
        at, time = at + size, time + ticks
    if at == parts.end:
        at -= parts.sizes[-1]  # After the last picture, it is that one.
    kept = codec_of(facts.codec)
    for _, listed in read_samples(descriptor, at, parts.end):
        for one in listed:
            nals = list(_nals(os.pread(descriptor, one.size, one.at)))
            bare = one.key and not any(kept.kind_of(memoryview(nal)) in kept.kinds for nal in nals)
            data = (facts.sets if bare else b"") + b"".join(START_CODE + nal for nal in nals)
            at_unix = facts.begin_unix + one.time / TIMESCALE
            unit = Unit(data, one.key, 0, at_unix, facts.codec, facts.width, facts.height)
            yield unit, one.time


def _nals(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + LENGTH_BYTES < len(data):
        size = int.from_bytes(data[at : at + LENGTH_BYTES])
        at += LENGTH_BYTES
        yield data[at : at + size]
        at += size
