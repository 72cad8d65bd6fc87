"""Detect frozen pictures."""

import numpy as np
import pytest

from server.capture.frames.frame import Jpeg
from server.capture.motion.freeze import STRIDE, FreezeDetector
from tests.support.fakes import picture


def test_equal_pictures_count_as_still() -> None:
    """Equal pictures, even in different memory, count as still since the first of them."""
    detector = FreezeDetector()

    still_s = [detector.see(picture(), now) for now in (100.0, 101.0, 111.5)]

    assert still_s == [0.0, 1.0, 11.5]


@pytest.mark.parametrize("row", [0, 7, 40, 47])
def test_smallest_lasting_change_is_detected(row: int) -> None:
    """A single value that stays different is found anywhere within 16 pictures."""
    detector = FreezeDetector()
    detector.see(picture(), 0.0)
    changed = picture()
    changed[row, 3, 1] += 1

    still_s = [detector.see(changed.copy(), 1.0 + n) for n in range(STRIDE)]

    assert min(still_s[1:]) == 0.0


def test_noise_is_never_still() -> None:
    """Pictures from a working sensor differ in every row."""
    random = np.random.default_rng(1)
    detector = FreezeDetector()

    still_s = [
        detector.see(random.integers(0, 255, (48, 64, 3), np.uint8), float(n)) for n in range(40)
    ]

    assert max(still_s) == 0.0


def test_new_size_is_a_change() -> None:
    """A picture of another size counts as a change."""
    detector = FreezeDetector()
    detector.see(picture(), 0.0)

    assert detector.see(picture(32, 24), 5.0) == 0.0


def test_forget_restarts_the_measurement() -> None:
    """After a reconnect, the same picture does not count as frozen."""
    detector = FreezeDetector()
    detector.see(picture(), 0.0)

    detector.forget()

    assert detector.see(picture(), 50.0) == 0.0
    assert detector.see(picture(), 51.0) == 1.0


def test_jpeg_is_compared_by_its_image_data() -> None:
    """A new time in the file's header is not a change; one changed byte of image data is."""
    head, data = b"\xff\xd8\xff\xfe\x00\x04%02d", b"\xff\xda\x00\x0c" + bytes(100)
    detector = FreezeDetector()

    still_s = [
        detector.see(Jpeg(head % second + data + end, 64, 48, 80), float(second))
        for second, end in enumerate((b"0", b"0", b"0", b"1", b"1"))
    ]

    assert still_s == [0.0, 1.0, 2.0, 0.0, 1.0]


def test_switch_between_jpeg_and_pixels_is_a_change() -> None:
    """A switch between JPEG and pixels counts as a change."""
    detector = FreezeDetector()
    detector.see(Jpeg(b"\xff\xda", 64, 48, 80), 0.0)

    assert detector.see(picture(), 9.0) == 0.0
