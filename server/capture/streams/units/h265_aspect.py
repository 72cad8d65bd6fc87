"""Parses a pixel's aspect ratio, which is late in H.265's sequence parameter set (7.3.2.2, E.2.1).

No I/O. Broken data raises ValueError, and nothing else.
"""

from fractions import Fraction

from server.capture.streams.units.bits import Bits
from server.capture.streams.units.h264 import read_aspect

__all__ = ["aspect_after_size"]

MAX_PICTURE_SETS = 64
MAX_PICTURES = 16
MAX_LONG_TERM = 32


def aspect_after_size(bits: Bits, layers: int) -> Fraction:
    """Return the aspect ratio of a pixel; 1 if there is none.

    Args:
        bits: The rest of a sequence parameter set, after the size and the cropping.
        layers: ``sps_max_sub_layers_minus1``.
    """
    bits.unsigned()  # bit_depth_luma_minus8
    bits.unsigned()  # bit_depth_chroma_minus8
    count_bits = bits.unsigned() + 4  # log2_max_pic_order_cnt_lsb_minus4
    for _ in range(3 * (layers + 1 if bits.take() else 1)):
        bits.unsigned()  # Limits for buffering and reordering pictures.
    for _ in range(6):
        bits.unsigned()  # The sizes of blocks, and the depths of their hierarchies.
    if bits.take() and bits.take():
        _skip_scaling(bits)
    bits.take(2)  # amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.take():  # pcm_enabled_flag
        bits.take(8)
        bits.unsigned()
        bits.unsigned()
        bits.take()
    _skip_picture_sets(bits)
    if bits.take():  # long_term_ref_pics_present_flag
        for _ in range(_check_count(bits.unsigned(), MAX_LONG_TERM)):
            bits.take(count_bits + 1)
    bits.take(2)  # sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
    return read_aspect(bits) if bits.take() else Fraction(1)


def _skip_scaling(bits: Bits) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not bits.take():  # scaling_list_pred_mode_flag
                bits.unsigned()
                continue
            if size > 1:
                bits.signed()
            for _ in range(min(64, 16 << 2 * size)):
                bits.signed()


def _skip_picture_sets(bits: Bits) -> None:
    """Skip the sets of reference pictures; each may be predicted from the one before."""
    pictures = 0
    for number in range(_check_count(bits.unsigned(), MAX_PICTURE_SETS)):
        if number and bits.take():  # inter_ref_pic_set_prediction_flag
            bits.take()
            bits.unsigned()
            pictures = sum(bool(bits.take() or bits.take()) for _ in range(pictures + 1))
        else:
            pictures = bits.unsigned() + bits.unsigned()
            for _ in range(_check_count(pictures, MAX_PICTURES)):
                bits.unsigned()
                bits.take()


def _check_count(count: int, maximum: int) -> int:
    if count > maximum:
        raise ValueError("a sequence parameter set counts too far")
    return count
