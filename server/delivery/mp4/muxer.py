"""Makes fragmented MP4: the init segment and the fragments (ISO/IEC 14496-12)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from server.capture.frames.unit import Unit
from server.capture.streams.units import annex_b
from server.delivery.mp4.boxes import box, full_box
from server.delivery.mp4.movie import TIMESCALE, TRACK, SampleDescription, movie
from server.delivery.mp4.parameters import LENGTH_BYTES, Codec, Sets, codec_of
from server.errors import PictureError

__all__ = ["START_CODE", "TIMESCALE", "Muxer", "Parts", "Sample"]

Parts: TypeAlias = list[bytes | memoryview]
"""Pieces of bytes, to avoid copying."""

START_CODE = b"\0\0\0\1"

# Sample flags (8.8.3.1): depends on no other sample, and depends on others.
KEY = 0x02000000
NO_KEY = 0x01010000


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture in the form of the file.

    Attributes:
        data: Its NAL units, each preceded by its length.
        key: Whether it can be decoded by itself.
        duration: Time until the next one is decoded, in ticks.
        offset: Time from decoding until display, in ticks; negative if it would be shown before an
            evenly paced decoder gets to it.
    """

    data: bytes
    key: bool
    duration: int
    offset: int = 0


class Muxer:
    """Makes an MP4, perhaps endless, with one video of one codec and no sound.

    Args:
        first: A key frame.

    Attributes:
        video: How its pictures are encoded.
        sets: The parameter sets of the first unit, in Annex B format.
        init_segment: The beginning of a fragmented file.

    Raises:
        PictureError: If the unit has no valid parameter sets.
    """

    def __init__(self, first: Unit) -> None:
        self._name = first.codec.partition(".")[0]
        self._kept = codec_of(first.codec)
        sets = _find_sets(self._kept, first)
        self._in_effect = {one for kind in sets.values() for one in kind}
        self.sets = b"".join(START_CODE + one for kind in sets.values() for one in kind)
        self._number = 0
        try:
            record = self._kept.describe(sets)
            self.video = SampleDescription(self._kept.entry, record, first.width, first.height)
            self.init_segment = _init_segment(self.video)
        except (ValueError, LookupError, struct.error) as error:
            raise PictureError(f"{first.codec}: its parameter sets are invalid") from error

    def fits(self, unit: Unit) -> bool:
        """Return whether a unit fits into this file; another codec needs a new one."""
        return unit.codec.partition(".")[0] == self._name

    def sample(self, unit: Unit, duration: int, offset: int = 0) -> Sample:
        """Convert the next unit to a sample of this file."""
        parts, _ = self.lay_out(unit)
        return Sample(b"".join(parts), unit.key, duration, offset)

    def lay_out(self, unit: Unit) -> tuple[Parts, bool]:
        """Return the next unit in the file's form, and whether it includes its parameter sets.

        Parameter sets already in effect are removed. New ones, for example after a camera has
        changed its size, stay in the unit: FFmpeg, VLC and Chromium read them there.
        """
        nals = _nals_of(unit)
        sets = [nal for nal in nals if self._is_set(nal)]
        new = not self._in_effect.issuperset(map(bytes, sets))
        if new:
            found = set(map(bytes, sets))
            self._in_effect = found if unit.key else self._in_effect | found
        return self._with_lengths(nals, new or not sets), new

    def lay_out_again(self, unit: Unit, with_sets: bool) -> Parts:
        """Return a unit in the form in which :meth:`lay_out` returned it."""
        return self._with_lengths(_nals_of(unit), with_sets)

    def fragment(self, samples: Sequence[Sample], time: int) -> bytes:
        """Return the next fragment; see :meth:`fragment_parts`."""
        return b"".join(self.fragment_parts(samples, time))

    def fragment_parts(self, samples: Sequence[Sample], time: int) -> list[bytes]:
        """Return the next fragment, with one or more pictures, without copying them.

        Args:
            samples: In decoding order.
            time: When the first is decoded, in ticks since the file's beginning.
        """
        self._number += 1
        payload = [sample.data for sample in samples]
        # Each sample has a duration, size and flags, and an offset if pictures are reordered.
        reordered = any(sample.offset for sample in samples)
        listed = b"".join(
            struct.pack("!III", one.duration, len(one.data), KEY if one.key else NO_KEY)
            + (struct.pack("!i", one.offset) if reordered else b"")
            for one in samples
        )
        flags = 0x701 | (0x800 if reordered else 0)
        # The data offset counts from the start of the header, so build that twice.
        head = self._fragment_head(flags, struct.pack("!II", len(samples), 0) + listed, time)
        count = struct.pack("!II", len(samples), len(head) + 8)
        head = self._fragment_head(flags, count + listed, time)
        return [head + struct.pack("!I4s", 8 + sum(map(len, payload)), b"mdat"), *payload]

    def _is_set(self, nal: memoryview) -> bool:
        return self._kept.kind_of(nal) in self._kept.kinds

    def _with_lengths(self, nals: list[memoryview], with_sets: bool) -> Parts:
        parts: Parts = []
        for nal in nals:
            if with_sets or not self._is_set(nal):
                parts += (len(nal).to_bytes(LENGTH_BYTES), nal)
        return parts

    def _fragment_head(self, flags: int, listed: bytes, time: int) -> bytes:
        return box(
            b"moof",
            full_box(b"mfhd", 0, 0, struct.pack("!I", self._number)),
            box(
                b"traf",
                full_box(b"tfhd", 0, 0x020000, struct.pack("!I", TRACK)),
                full_box(b"tfdt", 1, 0, struct.pack("!Q", time)),
                full_box(b"trun", 1, flags, listed),
            ),
        )


def _nals_of(unit: Unit) -> list[memoryview]:
    view = memoryview(unit.data)
    return [view[begin:end] for begin, end in annex_b.split(unit.data)]


def _find_sets(codec: Codec, first: Unit) -> Sets:
    sets: dict[int, list[bytes]] = {kind: [] for kind in codec.kinds}
    for nal in _nals_of(first):
        found = sets.get(codec.kind_of(nal))
        if found is not None and nal not in found:
            found.append(bytes(nal))
    return sets


def _init_segment(video: SampleDescription) -> bytes:
    none = struct.pack("!I", 0)
    tables = b"".join(
        (
            full_box(b"stts", 0, 0, none),
            full_box(b"stsc", 0, 0, none),
            full_box(b"stsz", 0, 0, none, none),
            full_box(b"stco", 0, 0, none),
        )
    )
    extends = box(b"mvex", full_box(b"trex", 0, 0, struct.pack("!IIIII", TRACK, 1, 0, 0, 0)))
    begin = box(b"ftyp", b"iso5", struct.pack("!I", 0x200), b"iso5iso6mp41")
    return begin + movie(video, tables, extends=extends)
