"""Builds MP4's decoder configuration boxes from parameter sets (ISO/IEC 14496-15)."""

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from server.capture.streams.units import annex_b
from server.capture.streams.units.bits import Bits
from server.delivery.mp4.boxes import box
from server.errors import PictureError

__all__ = ["LENGTH_BYTES", "Codec", "Sets", "codec_of"]

LENGTH_BYTES = 4
"""In a sample, each NAL unit is preceded by its length in this many bytes."""

# H.264 profiles whose parameter sets include the chroma format (7.3.2.1.1).
HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128}

Sets = Mapping[int, list[bytes]]
"""Parameter sets by NAL unit type."""


@dataclass(frozen=True)
class Codec:
    """How MP4 stores a codec.

    Attributes:
        entry: The type of its sample entry.
        kinds: The NAL unit types of parameter sets, in the order of the box.
        kind_of: Returns the type of a NAL unit.
        describe: Returns the box with the parameter sets.
    """

    entry: bytes
    kinds: tuple[int, ...]
    kind_of: Callable[[memoryview], int]
    describe: Callable[[Sets], bytes]


def codec_of(name: str) -> Codec:
    """Return how MP4 stores a codec.

    Args:
        name: The RFC 6381 name, such as ``avc1.64001f``.

    Raises:
        PictureError: If the codec is not supported.
    """
    codec = CODECS.get(name.partition(".")[0])
    if codec is None:
        raise PictureError(f"{name[:40]!r} cannot be put into MP4")
    return codec


def _describe_h264(sets: Sets) -> bytes:
    """Return the ``avcC`` box."""
    sequence, picture = sets[7], sets[8]
    first = sequence[0]
    colours = b""
    if first[1] in HIGH_PROFILES:
        bits = Bits(annex_b.unescape(first), 4)
        bits.unsigned()
        chroma = bits.unsigned()
        if chroma == 3:
            bits.take(1)
        luma_depth, chroma_depth = bits.unsigned(), bits.unsigned()
        colours = bytes((0xFC | chroma & 3, 0xF8 | luma_depth & 7, 0xF8 | chroma_depth & 7, 0))
    return box(
        b"avcC",
        struct.pack("!B3sB", 1, first[1:4], 0xFC | (LENGTH_BYTES - 1)),
        struct.pack("!B", 0xE0 | len(sequence) & 0x1F),
        _join(sequence),
        struct.pack("!B", len(picture)),
        _join(picture),
        colours,
    )


def _describe_h265(sets: Sets) -> bytes:
    """Return the ``hvcC`` box."""
    bits = Bits(annex_b.unescape(sets[33][0]), 2)
    bits.take(4)
    layers, nested = bits.take(3), bits.take(1)
    profile, level = bits.take(88).to_bytes(11), bits.take(8)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for has_profile, has_level in present:
        bits.take(88 * has_profile + 8 * has_level)
    bits.unsigned()
    chroma = bits.unsigned()
    if chroma == 3:
        bits.take(1)
    for _ in range(2):  # Width and height.
        bits.unsigned()
    for _ in range(4 * bits.take(1)):  # The conformance window's four offsets.
        bits.unsigned()
    luma_depth, chroma_depth = bits.unsigned(), bits.unsigned()
    return box(
        b"hvcC",
        struct.pack("!B11sBHB", 1, profile, level, 0xF000, 0xFC),
        struct.pack("!BBB", 0xFC | chroma & 3, 0xF8 | luma_depth & 7, 0xF8 | chroma_depth & 7),
        struct.pack("!HBB", 0, (layers + 1) << 3 | nested << 2 | (LENGTH_BYTES - 1), 3),
        *(
            struct.pack("!BH", 0x80 | kind, len(sets[kind])) + _join(sets[kind])
            for kind in H265.kinds
        ),
    )


def _join(sets: Iterable[bytes]) -> bytes:
    return b"".join(struct.pack("!H", len(one)) + one for one in sets)


H264 = Codec(b"avc1", (7, 8), lambda nal: nal[0] & 0x1F, _describe_h264)
H265 = Codec(b"hvc1", (32, 33, 34), lambda nal: nal[0] >> 1 & 0x3F, _describe_h265)

CODECS = {"avc1": H264, "avc3": H264, "hvc1": H265, "hev1": H265}
