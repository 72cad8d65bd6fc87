"""Validates JPEG from cameras by its markers, and completes it so that it can be passed through.

Inspection does not decode. It reads the segments before the picture's data (ITU-T T.81, annex B): a
few hundred bytes that show whether browsers can show the picture.
"""

import functools
from dataclasses import replace
from typing import NamedTuple

from server.capture.frames.frame import Image, Jpeg, Picture
from server.capture.frames.limits import MAX_SIDE, is_too_large, too_large
from server.errors import PictureError

__all__ = ["decode_jpeg", "inspect_jpeg", "take_jpeg"]

START = b"\xff\xd8"
END = b"\xff\xd9"

# The end marker must be within this many bytes of the end: some cameras add padding. The end of
# an embedded thumbnail is much further away.
PADDING = 64

# Markers that begin a frame header; C4, C8 and CC in between are tables and an extension.
FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Baseline, extended and progressive with Huffman tables; no browser shows the other kinds.
SHOWN = frozenset((0xC0, 0xC1, 0xC2))
HUFFMAN_TABLES = 0xC4
SCAN = 0xDA
SCAN_MARKER = bytes([0xFF, SCAN])
QUANTISATION_TABLES = 0xDB
EXIF = 0xE1

COMPONENTS_SHOWN = (1, 3)

BROKEN_HEADER = "received a JPEG picture without a size"


class _Segment(NamedTuple):
    """One marker and its contents: ``data[start:end]``, including the marker's two bytes."""

    marker: int
    start: int
    end: int


def inspect_jpeg(data: bytes) -> tuple[Jpeg, bool]:
    """Validate a JPEG by its markers, and add what cameras leave out.

    Many cameras omit the Huffman tables (as the M-JPEG of AVI does); they are added. EXIF is
    removed: browsers would rotate the picture by it, and it may contain a location.

    Returns:
        The picture, and whether browsers can show it as it is.

    Raises:
        PictureError: If it is broken, truncated or too large.
    """
    if not data.startswith(START):
        raise PictureError("received a part that is not a JPEG picture")
    if END not in data[-PADDING:]:
        raise PictureError("received an incomplete JPEG picture")
    # A camera's pictures all begin with the same few hundred bytes, so their layout is cached.
    head = data[: data.find(SCAN_MARKER) + 2]
    layout = _layout(head)
    if not layout.complete:
        head, layout = data, _layout.__wrapped__(data)  # What looked like a scan was not one.
    if layout.fault:
        raise PictureError(layout.fault)
    if layout.parts:
        data = b"".join((*layout.parts, data[layout.scan_at :]))
    return Jpeg(data, layout.width, layout.height, layout.quality), layout.shown


def take_jpeg(data: bytes, jpeg_up_to: int, pixels_from: int) -> Picture:
    """Return a camera's JPEG unchanged if that is acceptable, otherwise decoded.

    Args:
        data: The JPEG.
        jpeg_up_to: The highest acceptable quality, 1 to 100; 0 if pixels are needed.
        pixels_from: The minimum width of the pixels to decode in addition; 0 for none.

    Raises:
        PictureError: If it is broken, truncated or too large.
    """
    jpeg, shown = inspect_jpeg(data)
    if not shown or not 0 < jpeg.quality <= jpeg_up_to:
        return decode_jpeg(jpeg)
    return replace(jpeg, pixels=decode_jpeg(jpeg, pixels_from)) if pixels_from else jpeg


def decode_jpeg(jpeg: Jpeg, width: int = MAX_SIDE) -> Image:
    """Return the pixels of a validated JPEG, uint8, shape (height, width, 3), BGR order.

    Args:
        jpeg: The picture.
        width: The width needed. Decoding a JPEG at a half, a quarter or an eighth of its size takes
            a fraction of the time; the result is only narrower than this if the picture is.

    Raises:
        PictureError: If its data is broken.
    """
    # Loaded only when needed: they take 45 MB, and most network cameras' JPEG passes undecoded.
    import cv2
    import numpy as np

    reduced = {
        8: cv2.IMREAD_REDUCED_COLOR_8,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        2: cv2.IMREAD_REDUCED_COLOR_2,
    }
    scale = next((scale for scale in reduced if jpeg.width >= scale * width), 1)
    flags = reduced.get(scale, cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(jpeg.data, np.uint8), flags)
    except cv2.error as error:
        raise PictureError("received a JPEG picture that OpenCV refuses to decode") from error
    if image is None:
        raise PictureError("received a JPEG picture that cannot be decoded")
    return image  # type: ignore[return-value]


class _Layout(NamedTuple):
    """The layout of the bytes before a picture's data.

    Attributes:
        complete: Whether these were all the bytes before the data.
        fault: What is wrong with the picture; empty if nothing is.
        parts: Its new head in parts; empty if the head needs no change.
        scan_at: Where its data begins.
    """

    complete: bool
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
    complete = scan_at > 0
    header = next((one for one in segments if one.marker in FRAME_HEADERS), None)
    if header is None or header.end - header.start < 10:
        return _Layout(complete, BROKEN_HEADER)
    precision = head[header.start + 4]
    height, width = (
        int.from_bytes(head[header.start + at : header.start + at + 2], "big") for at in (5, 7)
    )
    if not width or not height:
        return _Layout(complete, BROKEN_HEADER)
    if is_too_large(width, height):
        return _Layout(complete, too_large(width, height))
    shown = (
        complete
        and header.marker in SHOWN
        and precision == 8
        and head[header.start + 9] in COMPONENTS_SHOWN
    )
    tables = [head[one.start : one.end] for one in segments if one.marker == QUANTISATION_TABLES]
    quality = _quality(tables[0]) if tables else 0
    parts = _completed(head, segments, scan_at) if complete else ()
    return _Layout(complete, "", shown, width, height, quality, parts, scan_at)


def _segments(head: bytes) -> tuple[list[_Segment], int]:
    """Return the segments before the first scan and its position; 0 if there is none."""
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
    """Return the head with Huffman tables and without EXIF; empty if it needs no change."""
    lacks_tables = all(one.marker != HUFFMAN_TABLES for one in segments)
    exif = [one for one in segments if one.marker == EXIF]
    if not lacks_tables and not exif:
        return ()
    parts, at = [], 0
    for one in exif:
        parts.append(head[at : one.start])
        at = one.end
    parts.append(head[at:scan_at])
    if lacks_tables:
        parts.append(STANDARD_HUFFMAN_TABLES)
    return tuple(parts)


def _table(kind: int, counts: str, values: bytes) -> bytes:
    """Return one Huffman table in a segment's format: class and id, codes per length, values.

    Args:
        kind: 0x00 and 0x01 for the DC tables of luminance and chrominance, 0x10 and 0x11 for AC.
        counts: In hex, the number of codes of each length from 1 to 16 bits.
        values: The values of the codes, shortest code first.
    """
    return bytes([kind]) + bytes.fromhex(counts) + values


# ITU-T T.81, tables K.3 to K.6: the defaults where a stream sends none.
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

# ITU-T T.81, table K.1: luminance quantisation, libjpeg's quality 50.
_LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)


@functools.cache
def _sum_at(quality: int) -> int:
    """Return the sum of the luminance table as libjpeg scales it (``jpeg_quality_scaling``)."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(255, max(1, (value * percent + 50) // 100)) for value in _LUMINANCE)


@functools.lru_cache(maxsize=64)
def _quality(segment: bytes) -> int:
    """Return the quality, 1 to 100, whose table has the sum nearest to a segment's first one.

    Exact for libjpeg's tables, and a fair estimate for others. Cached, because a camera's tables
    rarely change.
    """
    wide = segment[4] >> 4 if len(segment) > 4 else 0
    table = segment[5 : 5 + 64 * (wide + 1)]
    total = 256 * sum(table[::2]) + sum(table[1::2]) if wide else sum(table)
    return min(range(1, 101), key=lambda quality: abs(_sum_at(quality) - total))
