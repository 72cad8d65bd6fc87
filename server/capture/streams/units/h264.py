"""Parses the headers of H.264, by ITU-T H.264 (08/2021), clauses 7.3 and E.1. No I/O."""

from fractions import Fraction

from server.capture.streams.units import annex_b
from server.capture.streams.units.bits import Bits
from server.capture.streams.units.sequence import MAX_HEADER_BYTES, Sequence

__all__ = ["H264", "read_aspect", "skip_colours"]

# Profiles whose sequence parameter sets describe the colour format.
HIGH_PROFILES = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135))

# Table E-1: the aspect ratio of a pixel; 255 means that it is written out.
ASPECTS = (
    *((0, 1), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11)),
    *((80, 33), (18, 11), (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1)),
)
WRITTEN_OUT = 255

# The luma samples for each chroma sample, across and down, by chroma_format_idc.
CHROMA = ((1, 1), (2, 2), (2, 1), (1, 1))


class H264:
    """The syntax of H.264, as :class:`server.capture.streams.units.h265.H265` is that of H.265.

    Attributes:
        sets: The types of parameter sets, in the required order.
        sequence: The type of sequence parameter sets.
        picture_set: The type of picture parameter sets, which slices refer to.
        delimiter: The type that may only be a picture's first unit.
        filler: The type with which some cameras keep their bit rate constant.
        record_at: The offset of the length size in a decoder configuration record.
    """

    sets = (7, 8)
    sequence = 7
    picture_set = 8
    delimiter = 9
    filler = 12
    record_at = 4

    @staticmethod
    def kind(unit: bytes) -> int:
        """Return a unit's type."""
        return unit[0] & 31

    @staticmethod
    def is_slice(kind: int) -> bool:
        """Return whether a unit of this type contains a part of the picture."""
        return 1 <= kind <= 5

    @staticmethod
    def is_key(kind: int) -> bool:
        """Return whether a decoder can start at a picture with such slices."""
        return kind == 5

    @staticmethod
    def ids(unit: bytes) -> tuple[int, int]:
        """Return a parameter set's id, and the id of the set it refers to, or -1.

        Raises:
            ValueError: If it is broken.
        """
        if unit[0] & 31 == 7:
            return Bits(annex_b.unescape(unit[:MAX_HEADER_BYTES]), 4).unsigned(), -1
        bits = Bits(annex_b.unescape(unit[:MAX_HEADER_BYTES]), 1)
        return bits.unsigned(), bits.unsigned()

    @staticmethod
    def picture_set_of(unit: bytes) -> int:
        """Return the id of the picture parameter set that a slice uses; raises ValueError."""
        bits = Bits(annex_b.unescape(unit[:32]), 1)
        bits.unsigned()  # first_mb_in_slice
        bits.unsigned()  # slice_type
        return bits.unsigned()

    @staticmethod
    def sets_of_record(record: bytes) -> list[bytes]:
        """Return the parameter sets of an ``avcC`` record; raises ValueError or IndexError."""
        sequences, at = annex_b.take(record, 6, record[5] & 31)
        return sequences + annex_b.take(record, at + 1, record[at])[0]

    @staticmethod
    def read(unit: bytes) -> Sequence:
        """Parse a sequence parameter set.

        Raises:
            ValueError: If it is broken.
        """
        if len(unit) < 4:
            raise ValueError("a sequence parameter set is cut off")
        bits = Bits(annex_b.unescape(unit[:MAX_HEADER_BYTES]), 4)
        bits.unsigned()  # seq_parameter_set_id
        chroma = skip_colours(bits, unit[1])
        bits.unsigned()  # log2_max_frame_num_minus4
        _skip_order(bits)
        bits.unsigned()  # max_num_ref_frames
        bits.take()  # gaps_in_frame_num_value_allowed_flag
        across, down = 16 * (bits.unsigned() + 1), 16 * (bits.unsigned() + 1)
        progressive = bits.take()
        if not progressive:
            down *= 2
            bits.take()  # mb_adaptive_frame_field_flag
        bits.take()  # direct_8x8_inference_flag
        if bits.take():
            wide, high = CHROMA[chroma]
            high *= 2 - progressive
            across -= wide * (bits.unsigned() + bits.unsigned())
            down -= high * (bits.unsigned() + bits.unsigned())
        if across <= 0 or down <= 0:
            raise ValueError("a sequence parameter set crops the whole picture")
        aspect = read_aspect(bits) if bits.take() else Fraction(1)
        codec = f"avc1.{unit[1]:02x}{unit[2]:02x}{unit[3]:02x}"
        return Sequence(codec, across, down, not progressive, aspect)


def skip_colours(bits: Bits, profile: int) -> int:
    """Skip a high profile's colour format and scaling lists; return chroma_format_idc."""
    if profile not in HIGH_PROFILES:
        return 1
    chroma = bits.unsigned()
    if chroma > 3:
        raise ValueError("a sequence parameter set names no known colour format")
    planes = chroma == 3 and bits.take()  # separate_colour_plane_flag
    bits.unsigned()  # bit_depth_luma_minus8
    bits.unsigned()  # bit_depth_chroma_minus8
    bits.take()  # qpprime_y_zero_transform_bypass_flag
    if bits.take():
        for number in range(12 if chroma == 3 else 8):
            if bits.take():
                _skip_scaling(bits, 16 if number < 6 else 64)
    return 0 if planes else chroma


def _skip_scaling(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_order(bits: Bits) -> None:
    """Skip the parameters of the picture order count."""
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()  # log2_max_pic_order_cnt_lsb_minus4
    elif kind == 1:
        bits.take()  # delta_pic_order_always_zero_flag
        bits.signed()  # offset_for_non_ref_pic
        bits.signed()  # offset_for_top_to_bottom_field
        count = bits.unsigned()
        if count > 255:
            raise ValueError("a sequence parameter set has too many offsets")
        for _ in range(count):
            bits.signed()


def read_aspect(bits: Bits) -> Fraction:
    """Return the aspect ratio of a pixel, from the start of the video usability information."""
    try:
        if not bits.take():
            return Fraction(1)
        kind = bits.take(8)
        known = kind < len(ASPECTS)
        across, down = ASPECTS[kind] if known else (0, 0)
        if kind == WRITTEN_OUT:
            across, down = bits.take(16), bits.take(16)
    except ValueError:  # Some cameras truncate it, and decoders accept that.
        return Fraction(1)
    return Fraction(across, down) if across and down else Fraction(1)
