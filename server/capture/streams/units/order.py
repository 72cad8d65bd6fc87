"""Display order of pictures; with B-frames it differs from decoding order.

By the picture order count of ITU-T H.264, 8.2.1.1, and H.265, 8.3.1. No I/O.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Protocol

from server.capture.streams.units import annex_b
from server.capture.streams.units.bits import Bits
from server.capture.streams.units.h264 import H264, skip_colours
from server.capture.streams.units.h265 import H265, skip_layers
from server.capture.streams.units.sequence import MAX_HEADER_BYTES

__all__ = ["HEAD_BYTES", "DisplayOrder", "heads_of"]

HEAD_BYTES = 600
"""The first slice usually begins within this many bytes of a unit."""

MAX_SLICE_HEADER_BYTES = 48

# Added where the count restarts; more than pictures displayed before a key frame count back.
APART = 1 << 20


class _Slices(Protocol):
    """Parses the slices of a codec."""

    def keep(self, kind: int, unit: bytes) -> None:
        """Take a parameter set."""

    def read(self, kind: int, unit: bytes) -> int | None:
        """Return the low bits of a picture's count; None if display is in decoding order."""

    def restarts_count(self, kind: int) -> bool:
        """Return whether the count restarts at this picture."""

    def is_anchor(self, kind: int, unit: bytes) -> bool:
        """Return whether the high bits of the next picture's count follow from this one's."""

    bits: int


class DisplayOrder:
    """Numbers the pictures of one video in display order. For one thread.

    Args:
        codec: The RFC 6381 codec string.
    """

    def __init__(self, codec: str) -> None:
        is_h264 = codec.startswith("avc")
        self._syntax: type[H264] | type[H265] = H264 if is_h264 else H265
        self._slices: _Slices = _H264() if is_h264 else _H265()
        self._base = 0
        self._before = 0  # The count that the next picture's high bits follow from.
        self._highest = 0

    def number(self, units: Iterable[bytes]) -> int:
        """Return a picture's place in display order; numbers may be skipped.

        Args:
            units: The picture's NAL units, up to the beginning of its first slice; a key frame's
                include its parameter sets.
        """
        count = None
        for unit in units:
            kind = self._syntax.kind(unit)
            with suppress(ValueError, IndexError):  # Broken ones are displayed in decoding order.
                if kind in self._syntax.sets:
                    self._slices.keep(kind, unit)
                elif self._syntax.is_slice(kind):
                    count = self._count(kind, unit)
                    break
        number = self._highest + 1 if count is None else self._base + count
        self._highest = max(self._highest, number)
        return number

    def _count(self, kind: int, unit: bytes) -> int | None:
        low = self._slices.read(kind, unit)
        if low is None:
            return None
        if self._slices.restarts_count(kind):
            self._base, self._before = self._highest + APART, 0
            count = low
        else:
            span = 1 << self._slices.bits
            high = self._before - self._before % span
            if low < self._before % span and self._before % span - low >= span // 2:
                high += span
            elif low > self._before % span and low - self._before % span > span // 2:
                high -= span
            count = high + low
        if self._slices.is_anchor(kind, unit):
            self._before = count
        return count


class _H264:
    def __init__(self) -> None:
        self.bits = 0
        self._frame_bits = 0

    def keep(self, kind: int, unit: bytes) -> None:
        if kind != H264.sequence:
            return
        bits = Bits(annex_b.unescape(unit[:MAX_HEADER_BYTES]), 4)
        bits.unsigned()  # seq_parameter_set_id
        skip_colours(bits, unit[1])
        self._frame_bits = bits.unsigned() + 4
        self.bits = bits.unsigned() + 4 if bits.unsigned() == 0 else 0

    def read(self, kind: int, unit: bytes) -> int | None:
        if not self.bits:
            return None
        bits = Bits(annex_b.unescape(unit[:MAX_SLICE_HEADER_BYTES]), 1)
        for _ in range(3):
            bits.unsigned()  # first_mb_in_slice, slice_type, pic_parameter_set_id
        bits.take(self._frame_bits)
        if kind == 5:
            bits.unsigned()  # idr_pic_id
        return bits.take(self.bits)

    def restarts_count(self, kind: int) -> bool:
        return kind == 5

    def is_anchor(self, kind: int, unit: bytes) -> bool:
        return bool(unit[0] & 0x60)


class _H265:
    def __init__(self) -> None:
        self.bits = 0
        self._begun = False
        self._extra_bits = 0
        self._has_output_flag = 0

    def keep(self, kind: int, unit: bytes) -> None:
        bits = Bits(annex_b.unescape(unit[:MAX_HEADER_BYTES]), 2)
        if kind == H265.picture_set:
            bits.unsigned()  # pps_pic_parameter_set_id
            bits.unsigned()  # pps_seq_parameter_set_id
            bits.take()  # dependent_slice_segments_enabled_flag
            self._has_output_flag, self._extra_bits = bits.take(), bits.take(3)
        elif kind == H265.sequence:
            bits.take(4)  # sps_video_parameter_set_id
            skip_layers(bits, bits.take(3))
            bits.unsigned()  # sps_seq_parameter_set_id
            if bits.unsigned() == 3:
                bits.take()  # separate_colour_plane_flag
            bits.unsigned()  # Width and height.
            bits.unsigned()
            for _ in range(4 * bits.take()):
                bits.unsigned()  # The cropping at each side.
            bits.unsigned()  # bit_depth_luma_minus8
            bits.unsigned()  # bit_depth_chroma_minus8
            self.bits = bits.unsigned() + 4

    def read(self, kind: int, unit: bytes) -> int | None:
        if not self.bits:
            return None
        if kind in (19, 20):
            return 0
        bits = Bits(annex_b.unescape(unit[:MAX_SLICE_HEADER_BYTES]), 2)
        bits.take()  # first_slice_segment_in_pic_flag
        if 16 <= kind <= 23:
            bits.take()  # no_output_of_prior_pics_flag
        bits.unsigned()  # slice_pic_parameter_set_id
        bits.take(self._extra_bits)
        bits.unsigned()  # slice_type
        bits.take(self._has_output_flag)
        return bits.take(self.bits)

    def restarts_count(self, kind: int) -> bool:
        # A CRA picture continues the count, unless decoding begins there.
        begins = 16 <= kind <= 20 or (kind == 21 and not self._begun)
        self._begun = True
        return begins

    def is_anchor(self, kind: int, unit: bytes) -> bool:
        is_base = unit[1] & 7 == 1  # nuh_temporal_id_plus1
        return is_base and not 6 <= kind <= 9 and not (kind <= 14 and kind % 2 == 0)


def heads_of(data: bytes) -> Iterator[bytes]:
    """Yield the NAL units at the beginning of a unit in Annex B format; the last is cut off."""
    head = data[:HEAD_BYTES]
    return (head[begin:end] for begin, end in annex_b.split(head))
