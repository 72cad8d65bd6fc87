"""How large a picture may be."""

import cv2
import numpy as np
import pytest

from server.capture.limits import check_jpeg, check_size
from server.errors import PictureError, SourceError


def jpeg(width: int, height: int) -> bytes:
    """Return an even picture."""
    return cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8))[1].tobytes()


@pytest.mark.parametrize(
    ("width", "height", "accepted"),
    [(0, 0, True), (7680, 4320, True), (8192, 4882, True), (8193, 10, False), (8192, 8192, False)],
)
def test_announced_sizes(width: int, height: int, accepted: bool) -> None:
    """Up to 8192 a side and 40 megapixels."""
    if accepted:
        check_size(width, height)
    else:
        with pytest.raises(SourceError, match=f"{width} x {height} pixels; accepted"):
            check_size(width, height)


def test_whole_jpeg_is_accepted() -> None:
    """With fill bytes and padding too, as some cameras send them."""
    data = jpeg(64, 48)

    check_jpeg(data)
    check_jpeg(data + b"\0" * 8)
    check_jpeg(data[:2] + b"\xff" + data[2:])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JPEG"),
        (b"hello", "no JPEG"),
        (b"\xff\xd8", "not complete"),
        (jpeg(64, 48)[:-40], "not complete"),
        (b"\xff\xd8\xff\xd9", "size"),
        (b"\xff\xd8\xff\xe0\x00\x00\xff\xd9", "size"),
        (b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\xff\xd9", "65535 x 65535"),
    ],
)
def test_unfit_jpeg_is_refused_without_decoding(data: bytes, said: str) -> None:
    """What is no JPEG, not whole, or too large."""
    with pytest.raises(PictureError, match=said):
        check_jpeg(data)


def test_any_bytes_are_judged() -> None:
    """No input makes the reader fail otherwise, or run for ever."""
    random = np.random.default_rng(1)
    for _ in range(500):
        data = b"\xff\xd8" + random.choice([0, 0xFF, 0xC0, 0xDA, 2], 60).astype(np.uint8).tobytes()
        try:
            check_jpeg(data + b"\xff\xd9")
        except PictureError:
            pass  # As it should.
