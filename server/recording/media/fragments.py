"""Read units from our own fragmented MP4 files, without a decoder.

Blocks on the disk: call it on native threads only.
"""

import os
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from server.capture.frames.unit import Unit
from server.capture.streams.units import annex_b
from server.capture.streams.units.h264 import H264
from server.capture.streams.units.h265 import H265
from server.capture.streams.units.order import HEAD_BYTES
from server.delivery.mp4.movie import TIMESCALE
from server.delivery.mp4.parameters import LENGTH_BYTES
from server.errors import PictureError
from server.recording.disk.samples import read_samples
from server.recording.media.moments import until

__all__ = ["Kept", "StoredUnit", "cut", "loaded", "read_units"]

SYNTAXES: dict[bytes, tuple[bytes, type[H264] | type[H265]]] = {
    b"avc1": (b"avcC", H264),
    b"hvc1": (b"hvcC", H265),
}

# Size of a sample entry before the boxes in it.
ENTRY_BYTES = 8 + 78

MAX_HEAD_BYTES = 1 << 20

# Parameter sets precede the picture, within this many bytes.
MAX_SETS_BYTES = 4096


@dataclass(frozen=True, slots=True)
class StoredUnit:
    """A unit on the disk: a :class:`server.capture.frames.unit.Unit` that is read on access.

    Attributes:
        key: Whether it can be decoded by itself.
        at_unix: When its own picture was captured, in Unix seconds, rounded to ticks.
        codec: The RFC 6381 codec string.
        width: In pixels.
        height: In pixels.
        nbytes: Size of the sample.
        seq: Always 0.
    """

    key: bool
    at_unix: float
    codec: str
    width: int
    height: int
    nbytes: int
    _at: int
    _file: "_File"
    _sets: tuple[bytes, ...]
    _syntax: type[H264] | type[H265]
    seq: int = 0

    @property
    def shown_unix(self) -> float:
        """The same as ``at_unix``, which is not in order with B-frames."""
        return self.at_unix

    @property
    def sample(self) -> bytes:
        """Its NAL units, each preceded by its length, as stored in the file.

        Raises:
            PictureError: If the file has been truncated.
            OSError: If it cannot be read.
        """
        data = os.pread(self._file.descriptor, self.nbytes, self._at)
        if len(data) != self.nbytes:
            raise PictureError("a recording was cut off while it was read")
        return data

    @property
    def heads(self) -> list[bytes]:
        """Its first NAL units, the last of which may be incomplete."""
        head = os.pread(self._file.descriptor, min(self.nbytes, HEAD_BYTES), self._at)
        nals, at = [], 0
        while at + LENGTH_BYTES < len(head):
            end = at + LENGTH_BYTES + int.from_bytes(head[at : at + LENGTH_BYTES])
            nals.append(head[at + LENGTH_BYTES : end])
            at = end
        return nals

    @property
    def data(self) -> bytes:
        """Its Annex B form, with parameter sets if it is a key frame; raises like `sample`."""
        sample = self.sample
        try:
            nals = [sample[begin:end] for begin, end in annex_b.split_lengths(sample, LENGTH_BYTES)]
        except ValueError as error:
            raise PictureError("a recording is damaged") from error
        kinds = [self._syntax.kind(nal) for nal in nals]
        if self.key and not set(kinds) & set(self._syntax.sets):
            at = 1 if kinds[:1] == [self._syntax.delimiter] else 0  # A delimiter must come first.
            nals[at:at] = self._sets
        return annex_b.join(nals)

    def load(self) -> Unit:
        """Read it into memory; see :attr:`data`."""
        return Unit(
            self.data, self.key, self.seq, self.at_unix, self.codec, self.width, self.height
        )


class _File:
    """A file that stays open while any of its units is referenced, even if it is deleted."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


Kept: TypeAlias = Unit | StoredUnit
"""A unit, in memory or on the disk."""


def loaded(unit: Kept) -> Unit:
    """Return a unit in memory; read it if it is on the disk, see :attr:`StoredUnit.data`."""
    return unit.load() if isinstance(unit, StoredUnit) else unit


def read_units(path: Path, begin_unix: float) -> list[StoredUnit]:
    """Return the units of a file, which may still be being written.

    Args:
        path: The file.
        begin_unix: When its first picture was captured.

    Raises:
        PictureError: If it is not a recording.
        OSError: If it cannot be read.
    """
    file = _File(path)
    try:
        return list(_read(file, begin_unix))
    except (ValueError, LookupError, struct.error) as error:
        raise PictureError(f"{path.name} is not a recording") from error


def cut(units: list[StoredUnit], from_unix: float, to_unix: float) -> list[StoredUnit]:
    """Return units from one moment to another, preceded by those needed to decode them."""
    keys = [at for at, one in enumerate(units) if one.key]
    begin = keys[max(0, bisect_right(keys, from_unix, key=lambda at: units[at].at_unix) - 1)]
    found = until(units[begin:], to_unix)
    return found if found[0].at_unix <= to_unix else []


def _read(file: _File, begin_unix: float) -> Iterator[StoredUnit]:
    fd = file.descriptor
    moov, first = _find_boxes(fd)
    described = _describe(moov)
    for _, listed in read_samples(fd, first, os.fstat(fd).st_size):
        for one in listed:
            if one.key:
                described = described.at_key(fd, one.at, one.size)
            yield StoredUnit(
                one.key,
                begin_unix + one.time / TIMESCALE,
                described.codec,
                described.width,
                described.height,
                one.size,
                one.at,
                file,
                described.sets,
                described.syntax,
            )


class _Described(NamedTuple):
    """How pictures are encoded, from one key frame to the next."""

    syntax: type[H264] | type[H265]
    sets: tuple[bytes, ...]
    codec: str
    width: int
    height: int

    def at_key(self, fd: int, at: int, nbytes: int) -> "_Described":
        """Return the description from a key frame's own parameter sets, or else the same."""
        head = os.pread(fd, min(nbytes, MAX_SETS_BYTES), at)
        found, at = [], 0
        while at + LENGTH_BYTES < len(head):
            end = at + LENGTH_BYTES + int.from_bytes(head[at : at + LENGTH_BYTES])
            nal = head[at + LENGTH_BYTES : end]
            kind = self.syntax.kind(nal)
            if self.syntax.is_slice(kind):
                break
            if kind in self.syntax.sets:
                found.append(nal)
            at = end
        return _described(self.syntax, found) if found else self


def _described(syntax: type[H264] | type[H265], sets: list[bytes]) -> _Described:
    sequence = syntax.read(next(one for one in sets if syntax.kind(one) == syntax.sequence))
    return _Described(syntax, tuple(sets), sequence.codec, sequence.width, sequence.height)


def _describe(moov: bytes) -> _Described:
    """Read the parameter sets in the head of a file."""
    for entry, (record, syntax) in SYNTAXES.items():
        at = moov.find(entry, moov.find(b"stsd"))
        if at < 0:
            continue
        at = moov.index(record, at - 4 + ENTRY_BYTES)
        nbytes = int.from_bytes(moov[at - 4 : at])
        return _described(syntax, list(syntax.sets_of_record(moov[at + 4 : at - 4 + nbytes])))
    raise ValueError("there is no video in it")


def _find_boxes(fd: int) -> tuple[bytes, int]:
    """Return a file's ``moov``, and the offset where its fragments begin."""
    moov = b""
    at, end = 0, os.fstat(fd).st_size
    while at + 8 <= end:
        nbytes, kind = struct.unpack("!I4s", os.pread(fd, 8, at))
        if kind == b"moof" or nbytes < 8:
            break
        if kind == b"moov":
            moov = os.pread(fd, min(nbytes, MAX_HEAD_BYTES), at)
        at += nbytes
    return moov, at
