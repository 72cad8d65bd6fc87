"""JPEG as cameras send it: checked by its markers, and made fit to be passed on as it is.

Nothing here decodes. What is read are the segments before the picture's data, ITU-T T.81 annex B: a
few hundred bytes, whose layout tells whether browsers will be able to show it.
"""

import functools
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from server.capture.frames.frame import Image, Jpeg
from server.capture.frames.limits import MAX_SIDE, is_too_large, too_large
from server.errors import PictureError

__all__ = ["decode_jpeg", "inspect_jpeg", "with_pixels"]

START = b"\xff\xd8"
END = b"\xff\xd9"

# How far from the end of the data the picture may end: some cameras pad. A thumbnail's end would be
# far from it.
PADDING = 64

# Markers that begin a frame header; C4, C8 and CC in between are tables and an extension.
FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Baseline, extended and progressive with Huffman tables; no browser shows the others.
SHOWN = frozenset((0xC0, 0xC1, 0xC2))
HUFFMAN_TABLES = 0xC4
SCAN = 0xDA
SCAN_MARKER = bytes([0xFF, SCAN])
QUANTISATION_TABLES = 0xDB
EXIF = 0xE1

COMPONENTS_SHOWN = (1, 3)

# How OpenCV is told to decode at a part of the size, largest reduction first.
REDUCED = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
}

BROKEN_HEADER = "a JPEG picture arrived that does not tell its size"


class _Segment(NamedTuple):
    """One marker and what belongs to it: ``data[start:end]``, the marker's two bytes included."""

    marker: int
    start: int
    end: int


def inspect_jpeg(data: bytes) -> tuple[Jpeg, bool]:
    """Check a JPEG by its markers, and complete it where cameras leave things out.

    Many cameras omit the Huffman tables (as the M-JPEG of AVI does); they are put in. EXIF is taken
    out: by it browsers would turn the picture, and it may tell where it was taken.

    Returns:
        The picture, and whether any browser can show it as it is.

    Raises:
        PictureError: If it is broken, truncated or too large.
    """
    if not data.startswith(START):
        raise PictureError("a part arrived that is no JPEG picture")
    if END not in data[-PADDING:]:
        raise PictureError("a JPEG picture arrived that is not complete")
    # A camera's pictures all begin with the same few hundred bytes: those are looked at once.
    head = data[: data.find(SCAN_MARKER) + 2]
    layout = _layout(head)
    if not layout.whole:
        head, layout = data, _layout.__wrapped__(data)  # What looked like a scan was none.
    if layout.fault:
        raise PictureError(layout.fault)
    if layout.parts:
        data = b"".join((*layout.parts, data[layout.scan_at :]))
    return Jpeg(data, layout.width, layout.height, layout.quality), layout.shown


def with_pixels(jpeg: Jpeg, width: int) -> Jpeg:
    """Return a checked JPEG with its pixels, decoded at ``width`` or as little above as is cheap.

    Raises:
        PictureError: If its data is broken.
    """
    return replace(jpeg, pixels=decode_jpeg(jpeg, width))


def decode_jpeg(jpeg: Jpeg, width: int = MAX_SIDE) -> Image:
    """Return the pixels of a checked JPEG, uint8, shape (height, width, 3), BGR order.

    Args:
        jpeg: The picture.
        width: How wide it is needed. A JPEG is decoded at a half, a quarter or an eighth of its
            size for a fraction of the work; the result is never narrower than this, unless the
            picture is.

    Raises:
        PictureError: If its data is broken.
    """
    scale = next((scale for scale in REDUCED if jpeg.width >= scale * width), 1)
    flags = REDUCED.get(scale, cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(jpeg.data, np.uint8), flags)
    except cv2.error as error:
        raise PictureError("a JPEG picture arrived that OpenCV refuses to decode") from error
    if image is None:
        raise PictureError("a JPEG picture arrived that cannot be decoded")
    return image  # type: ignore[return-value]


class _Layout(NamedTuple):
    """What the bytes before a picture's data say.

    Attributes:
        whole: Whether these were all the bytes before the data.
        fault: What is wrong with the picture, or nothing.
        parts: What its head becomes where it must be changed.
        scan_at: Where its data begins.
    """

    whole: bool
    fault: str = ""
    shown: bool = False
    width: int = 0
    height: int = 0
    quality: int = 0
    parts: tuple[bytes, ...] = ()
    scan_at: int = 0


@functools.lru_cache(maxsize=64)
def _layout(head: bytes) -> _Layout:
    segments, scan_at = _segments(head)
    whole = scan_at > 0
    header = next((one for one in segments if one.marker in FRAME_HEADERS), None)
    if header is None or header.end - header.start < 10:
        return _Layout(whole, BROKEN_HEADER)
    precision = head[header.start + 4]
    height, width = (
        int.from_bytes(head[header.start + at : header.start + at + 2], "big") for at in (5, 7)
    )
    if not width or not height:
        return _Layout(whole, BROKEN_HEADER)
    if is_too_large(width, height):
        return _Layout(whole, too_large(width, height))
    shown = (
        whole
        and header.marker in SHOWN
        and precision == 8
        and head[header.start + 9] in COMPONENTS_SHOWN
    )
    tables = [head[one.start : one.end] for one in segments if one.marker == QUANTISATION_TABLES]
    quality = _quality(tables[0]) if tables else 0
    parts = _completed(head, segments, scan_at) if whole else ()
    return _Layout(whole, "", shown, width, height, quality, parts, scan_at)


def _segments(head: bytes) -> tuple[list[_Segment], int]:
    """Return the segments before the first scan, and where it begins; 0 if it is not reached."""
    segments: list[_Segment] = []
    at = len(START)
    while at + 2 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # Fill bytes may precede a marker.
            at += 1
            continue
        if marker == SCAN:
            return segments, at
        end = at + 2 + int.from_bytes(head[at + 2 : at + 4], "big")
        if end > len(head) or end < at + 4:
            break
        segments.append(_Segment(marker, at, end))
        at = end
    return segments, 0


def _completed(head: bytes, segments: list[_Segment], scan_at: int) -> tuple[bytes, ...]:
    """Return the head with Huffman tables and without EXIF; nothing where both is so already."""
    bare = all(one.marker != HUFFMAN_TABLES for one in segments)
    exif = [one for one in segments if one.marker == EXIF]
    if not bare and not exif:
        return ()
    parts, at = [], 0
    for one in exif:
        parts.append(head[at : one.start])
        at = one.end
    parts.append(head[at:scan_at])
    if bare:
        parts.append(STANDARD_HUFFMAN_TABLES)
    return tuple(parts)


def _table(kind: int, counts: str, values: bytes) -> bytes:
    """Return one Huffman table as it stands in a segment: class and id, codes per length, values.

    Args:
        kind: 0x00 and 0x01 for luminance's and chrominance's DC, 0x10 and 0x11 for their AC.
        counts: In hex, how many codes there are of 1 to 16 bits.
        values: What the codes mean, shortest code first.
    """
    return bytes([kind]) + bytes.fromhex(counts) + values


# ITU-T T.81, tables K.3 to K.6: what a decoder is to take where none are sent.
_DC_VALUES = bytes(range(12))
_AC_LUMINANCE = bytes.fromhex(
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728"
    "292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a83848586878889"
    "8a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2"
    "e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
)
_AC_CHROMINANCE = bytes.fromhex(
    "0001020311040521310612415107617113223281081442"
    "91a1b1c109233352f0156272d10a162434e125f11718191a26"
    "2728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a828384858687"
    "88898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9da"
    "e2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
)
_TABLES = b"".join(
    (
        _table(0x00, "00010501010101010100000000000000", _DC_VALUES),
        _table(0x10, "0002010303020403050504040000017d", _AC_LUMINANCE),
        _table(0x01, "00030101010101010101010000000000", _DC_VALUES),
        _table(0x11, "00020102040403040705040400010277", _AC_CHROMINANCE),
    )
)
STANDARD_HUFFMAN_TABLES = (
    bytes([0xFF, HUFFMAN_TABLES]) + (2 + len(_TABLES)).to_bytes(2, "big") + _TABLES
)

# ITU-T T.81, table K.1: luminance's quantisation at what libjpeg calls quality 50.
_LUMINANCE = np.array(
    (
        *(16, 11, 10, 16, 24, 40, 51, 61),
        *(12, 12, 14, 19, 26, 58, 60, 55),
        *(14, 13, 16, 24, 40, 57, 69, 56),
        *(14, 17, 22, 29, 51, 87, 80, 62),
        *(18, 22, 37, 56, 68, 109, 103, 77),
        *(24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101),
        *(72, 92, 95, 98, 112, 100, 103, 99),
    )
)


def _sum_at(quality: int) -> int:
    """Return the sum of luminance's table as libjpeg scales it (``jpeg_quality_scaling``)."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return int(np.clip((_LUMINANCE * percent + 50) // 100, 1, 255).sum())


_SUMS = np.array([_sum_at(quality) for quality in range(1, 101)])


@functools.lru_cache(maxsize=64)
def _quality(segment: bytes) -> int:
    """Return the quality, 1 to 100, whose table is nearest in sum to the first one in a segment.

    Exact for what libjpeg made, and a fair measure for other tables. A camera's tables seldom
    change, so this is worked out once.
    """
    wide = segment[4] >> 4 if len(segment) > 4 else 0
    table = np.frombuffer(segment[5 : 5 + 64 * (wide + 1)], ">u2" if wide else "u1")
    return int(np.abs(_SUMS - int(table.sum())).argmin()) + 1
