"""Detect frozen pictures."""

import numpy as np
import pytest

from server.capture.frames.frame import Jpeg
from server.capture.motion.freeze import STRIDE, FreezeDetector
from tests.support.fakes import picture


def test_same_pictures_grow_still() -> None:
    """Equal pictures in different memory count as still from the first of them on."""
    stillness = FreezeDetector()

    still_s = [stillness.see(picture(), now) for now in (100.0, 101.0, 111.5)]

    assert still_s == [0.0, 1.0, 11.5]


@pytest.mark.parametrize("row", [0, 7, 40, 47])
def test_smallest_lasting_change_is_seen(row: int) -> None:
    """A single value that stays different is found anywhere within 16 pictures."""
    stillness = FreezeDetector()
    stillness.see(picture(), 0.0)
    changed = picture()
    changed[row, 3, 1] += 1

    still_s = [stillness.see(changed.copy(), 1.0 + n) for n in range(STRIDE)]

    assert min(still_s[1:]) == 0.0


def test_noise_is_never_still() -> None:
    """Pictures from a working sensor differ in every row."""
    random = np.random.default_rng(1)
    stillness = FreezeDetector()

    still_s = [
        stillness.see(random.integers(0, 255, (48, 64, 3), np.uint8), float(n)) for n in range(40)
    ]

    assert max(still_s) == 0.0


def test_new_size_is_a_change() -> None:
    """A picture of another size counts as a change."""
    stillness = FreezeDetector()
    stillness.see(picture(), 0.0)

    assert stillness.see(picture(32, 24), 5.0) == 0.0


def test_forgetting_begins_anew() -> None:
    """After a reconnect, the same picture does not count as frozen."""
    stillness = FreezeDetector()
    stillness.see(picture(), 0.0)

    stillness.forget()

    assert stillness.see(picture(), 50.0) == 0.0
    assert stillness.see(picture(), 51.0) == 1.0


def test_jpeg_is_still_while_its_data_is() -> None:
    """A new time in the file's header is no change of the picture; one changed bit of data is."""
    head, data = b"\xff\xd8\xff\xfe\x00\x04%02d", b"\xff\xda\x00\x0c" + bytes(100)
    stillness = FreezeDetector()

    still_s = [
        stillness.see(Jpeg(head % second + data + end, 64, 48, 80), float(second))
        for second, end in enumerate((b"0", b"0", b"0", b"1", b"1"))
    ]

    assert still_s == [0.0, 1.0, 2.0, 0.0, 1.0]


def test_another_kind_of_picture_is_a_change() -> None:
    """A switch between JPEG and pixels counts as a change."""
    stillness = FreezeDetector()
    stillness.see(Jpeg(b"\xff\xda", 64, 48, 80), 0.0)

    assert stillness.see(picture(), 9.0) == 0.0
