"""JPEG from cameras: checked by its markers, completed, and passed through."""

import struct

import cv2
import numpy as np
import pytest

from server.capture.frames.jpeg import decode_jpeg, inspect_jpeg
from server.errors import PictureError

EXIF_TURNED = (
    b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
)


def jpeg(width: int, height: int, quality: int = 95) -> bytes:
    """Return a plain picture."""
    image = np.full((height, width, 3), 90, np.uint8)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def noise(more: tuple[int, ...] = ()) -> bytes:
    """Return a picture that needs every Huffman code."""
    image = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
    return cv2.imencode(".jpg", image, more)[1].tobytes()


def without_tables(data: bytes) -> bytes:
    """Return a JPEG without its Huffman tables, as many cameras send it."""
    while (at := data.find(b"\xff\xc4")) >= 0:
        (size,) = struct.unpack_from(">H", data, at + 2)
        data = data[:at] + data[at + 2 + size :]
    return data


def pixels(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def test_complete_jpeg_passes_through_unchanged() -> None:
    """A complete JPEG is returned unchanged, without a copy."""
    data = noise()

    found, shown = inspect_jpeg(data)

    assert shown
    assert found.data is data
    assert (found.width, found.height) == (64, 48)


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 51, 75, 80, 95, 100])
def test_quality_is_read_from_the_tables(quality: int) -> None:
    """The quality that libjpeg was given is recognised from its tables."""
    found, _ = inspect_jpeg(jpeg(64, 48, quality))

    assert found.quality == quality


def test_missing_huffman_tables_are_added() -> None:
    """The completed file shows exactly the same picture in any decoder."""
    data = noise()
    bare = without_tables(data)
    assert len(bare) < len(data)

    found, shown = inspect_jpeg(bare)

    assert shown
    assert np.array_equal(pixels(found.data), pixels(data))
    assert np.array_equal(decode_jpeg(found), pixels(data))


@pytest.mark.parametrize("bare", [False, True])
def test_exif_is_removed(bare: bool) -> None:
    """EXIF is removed, since browsers would rotate by it; the rest is unchanged."""
    data = without_tables(noise()) if bare else noise()
    turned = data[:2] + EXIF_TURNED + data[2:]

    found, shown = inspect_jpeg(turned)

    assert shown
    assert b"Exif" not in found.data
    assert found.data == inspect_jpeg(data)[0].data


def test_progressive_jpeg_passes_through() -> None:
    """Browsers show progressive JPEG, so it is passed through."""
    _, shown = inspect_jpeg(noise((cv2.IMWRITE_JPEG_PROGRESSIVE, 1)))

    assert shown


@pytest.mark.parametrize(
    ("at", "value"),
    [(1, 0xC3), (1, 0xC9), (4, 12), (9, 4)],
    ids=["lossless", "arithmetic", "12 bits", "CMYK"],
)
def test_jpeg_browsers_cannot_show_is_not_passed_through(at: int, value: int) -> None:
    """A JPEG that browsers cannot show goes to the decoder instead."""
    data = bytearray(noise())
    header = data.index(b"\xff\xc0")
    data[header + at] = value

    _, shown = inspect_jpeg(bytes(data))

    assert not shown


def test_jpeg_with_fill_bytes_is_accepted() -> None:
    """Fill bytes and padding from some cameras are accepted."""
    data = jpeg(64, 48)

    inspect_jpeg(data + b"\0" * 8)
    inspect_jpeg(data[:2] + b"\xff" + data[2:])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a JPEG"),
        (b"hello", "not a JPEG"),
        (b"\xff\xd8", "incomplete"),
        (jpeg(64, 48)[:-40], "incomplete"),
        (b"\xff\xd8\xff\xd9", "size"),
        (b"\xff\xd8\xff\xe0\x00\x00\xff\xd9", "size"),
        (b"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x01\x01\x11\x00\xff\xd9", "65535 x 65535"),
    ],
)
def test_invalid_jpeg_is_rejected_without_decoding(data: bytes, said: str) -> None:
    """Data that is not JPEG, incomplete or too large is rejected."""
    with pytest.raises(PictureError, match=said):
        inspect_jpeg(data)


def test_arbitrary_bytes_never_crash_the_parser() -> None:
    """Any input yields a result or a PictureError, in finite time."""
    random = np.random.default_rng(1)
    for _ in range(500):
        data = b"\xff\xd8" + random.choice([0, 0xFF, 0xC0, 0xDA, 2], 60).astype(np.uint8).tobytes()
        try:
            inspect_jpeg(data + b"\xff\xd9")
        except PictureError:
            pass  # Expected.
