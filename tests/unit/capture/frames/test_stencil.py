"""Lines of text that are drawn once and then copied."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from server.capture.frames.stencil import join, letter

INK = (250, 244, 236)


@pytest.mark.parametrize("text", ["Front door", "Wednesday 26 November", "Übergröße ΑБ", "7"])
@pytest.mark.parametrize("pixels", [8, 34])
def test_line_matches_opencv_text(text: str, pixels: int) -> None:
    """A copied line looks as OpenCV would draw it there, up to rounding."""
    background = np.linspace(0, 255, 120 * 800 * 3).astype(np.uint8).reshape(120, 800, 3)
    written, laid = background.copy(), background.copy()

    cv2.putText(written, text, (40, 70), INK, cv2.FontFace("sans"), pixels, 400)
    letter(text, pixels, 400, INK).lay(laid, 40, 70)

    assert np.abs(written.astype(int) - laid).max() <= 2
    assert (laid != background).any()


@pytest.mark.parametrize("place", [(-9, 20), (60, 20), (5, 2), (5, 50), (200, 20), (5, -40)])
def test_line_is_clipped_to_the_picture(place: tuple[int, int]) -> None:
    """A line may extend beyond any side of the picture."""
    whole = np.zeros((200, 400, 3), np.uint8)
    part = np.zeros((48, 64, 3), np.uint8)
    line = letter("door", 24, 400, INK)

    line.lay(whole, place[0] + 100, place[1] + 100)
    line.lay(part, *place)

    assert (part == whole[100:148, 100:164]).all()


def test_line_is_drawn_once_for_all_threads() -> None:
    """Threads share a drawn line: OpenCV unpacks its font on each thread that draws, in 23 ms."""
    drawn = letter("once", 18, 400, INK)

    with ThreadPoolExecutor(1) as other:
        assert other.submit(letter, "once", 18, 400, INK).result() is drawn


def test_clock_digits_have_equal_width() -> None:
    """Each digit keeps its position, whatever the others are."""
    one, two = (join([letter(sign, 34, 600, INK) for sign in text]) for text in ("11:1", "88:8"))

    assert one.width == two.width == pytest.approx(3 * letter("8", 34, 600, INK).width, rel=0.3)
