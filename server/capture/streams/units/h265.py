"""Parses the headers of H.265, by ITU-T H.265 (08/2021), clause 7.3. No I/O."""

from fractions import Fraction

from server.capture.streams.units import annex_b
from server.capture.streams.units.bits import Bits
from server.capture.streams.units.h265_aspect import aspect_after_size
from server.capture.streams.units.sequence import MAX_HEADER_BYTES, Sequence

__all__ = ["H265", "skip_layers"]

# The luma samples for each chroma sample, across and down, by chroma_format_idc.
CHROMA = ((1, 1), (2, 2), (2, 1), (1, 1))

PROFILE_SPACES = ("", "A", "B", "C")


class H265:
    """The syntax of H.265; see :class:`server.capture.streams.units.h264.H264`."""

    sets = (32, 33, 34)
    sequence = 33
    picture_set = 34
    delimiter = 35
    filler = 38
    record_at = 21

    @staticmethod
    def kind(unit: bytes) -> int:
        """Return a unit's type."""
        return unit[0] >> 1 & 63

    @staticmethod
    def is_slice(kind: int) -> bool:
        """Return whether a unit of this type contains a part of the picture."""
        return kind < 32

    @staticmethod
    def is_key(kind: int) -> bool:
        """Return whether a decoder can start at a picture with such slices."""
        return 16 <= kind <= 21

    @staticmethod
    def ids(unit: bytes) -> tuple[int, int]:
        """Return a parameter set's id, and the id of the set it refers to, or -1.

        Raises:
            ValueError: If it is broken.
        """
        kind = H265.kind(unit)
        bits = Bits(annex_b.unescape(unit[:MAX_HEADER_BYTES]), 2)
        if kind == 32:
            return bits.take(4), -1
        if kind == 34:
            return bits.unsigned(), bits.unsigned()
        video = bits.take(4)
        skip_layers(bits, bits.take(3))
        return bits.unsigned(), video

    @staticmethod
    def picture_set_of(unit: bytes) -> int:
        """Return the id of the picture parameter set that a slice uses; raises ValueError."""
        bits = Bits(annex_b.unescape(unit[:32]), 2)
        bits.take()  # first_slice_segment_in_pic_flag
        if 16 <= H265.kind(unit) <= 23:
            bits.take()  # no_output_of_prior_pics_flag
        return bits.unsigned()

    @staticmethod
    def sets_of_record(record: bytes) -> list[bytes]:
        """Return the parameter sets of an ``hvcC`` record; raises ValueError or IndexError."""
        sets: list[bytes] = []
        at = 23
        for _ in range(record[22]):
            count = int.from_bytes(record[at + 1 : at + 3], "big")
            more, at = annex_b.take(record, at + 3, count)
            sets += more
        return sets

    @staticmethod
    def read(unit: bytes) -> Sequence:
        """Parse a sequence parameter set.

        Raises:
            ValueError: If it is broken.
        """
        payload = annex_b.unescape(unit[:MAX_HEADER_BYTES])
        bits = Bits(payload, 2)
        bits.take(4)  # sps_video_parameter_set_id
        layers = bits.take(3)
        skip_layers(bits, layers)
        bits.unsigned()  # sps_seq_parameter_set_id
        chroma = bits.unsigned()
        if chroma > 3:
            raise ValueError("a sequence parameter set names no known colour format")
        if chroma == 3 and bits.take():
            chroma = 0
        across, down = bits.unsigned(), bits.unsigned()
        if bits.take():
            wide, high = CHROMA[chroma]
            across -= wide * (bits.unsigned() + bits.unsigned())
            down -= high * (bits.unsigned() + bits.unsigned())
        if across <= 0 or down <= 0:
            raise ValueError("a sequence parameter set crops the whole picture")
        # The general profile is always in bytes 3 to 14.
        progressive, interlaced = payload[8] >> 7 & 1, payload[8] >> 6 & 1
        try:
            aspect = aspect_after_size(bits, layers)
        except ValueError:  # Decoders accept a truncated one.
            aspect = Fraction(1)
        return Sequence(
            _codec(payload[3:15]), across, down, bool(interlaced and not progressive), aspect
        )


def skip_layers(bits: Bits, layers: int) -> None:
    """Skip a flag, and the profiles and levels of all layers."""
    bits.take(1 + 88 + 8)
    present = [(bits.take(), bits.take()) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for profile, level in present:
        bits.take(88 * profile + 8 * level)


def _codec(profile: bytes) -> str:
    """Return the codec string of a profile, tier and level, by ISO/IEC 14496-15, annex E.3."""
    space, tier, number = profile[0] >> 6, profile[0] >> 5 & 1, profile[0] & 31
    compatible = int(f"{int.from_bytes(profile[1:5], 'big'):032b}"[::-1], 2)
    parts = [
        f"hev1.{PROFILE_SPACES[space]}{number}",
        f"{compatible:X}",
        f"{'LH'[tier]}{profile[11]}",
        *(f"{byte:X}" for byte in profile[5:11].rstrip(b"\0")),
    ]
    return ".".join(parts)
