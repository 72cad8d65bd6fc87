"""Draws text on a picture, legible on any background, in any script that OpenCV draws correctly."""

import unicodedata
from collections.abc import Sequence

import cv2
import numpy as np

from server.capture.frames.frame import Image

__all__ = ["Lettering", "find_unreadable"]

# The font size, as a fraction of the picture's height: legible on a wall screen across a room.
SIZE = 1 / 30
MIN_PX = 12

INK = (246, 243, 240)  # BGR.
# How much of the background's brightness remains, so that white on white stays legible.
BACKGROUND = 0.35


class Lettering:
    """Writes one line into a corner of a picture, on a darkened background.

    Args:
        corner: One of :data:`server.config.processors.CORNERS`.
    """

    def __init__(self, corner: str) -> None:
        self._bottom, self._right = corner.startswith("bottom"), corner.endswith("right")
        # OpenCV's own font, which also has Greek, Cyrillic and accents; not thread-safe.
        self._font = cv2.FontFace("sans")

    def write(self, image: Image, text: str) -> None:
        """Write in place, in about 0.2 ms. A line that is too long is shrunk, then shortened."""
        height, width = image.shape[:2]
        size = max(MIN_PX, round(height * SIZE))
        text_width = self._extent(text, size)[2]
        if text_width + 2 * size > width:
            size = max(MIN_PX, size * (width - 2 * size) // text_width)
        while len(text) > 1 and self._extent(text, size)[2] + 2 * size > width:
            text = text.rstrip("…")[:-1].rstrip() + "…"
        pad = size // 2
        _, top, text_width, text_height = self._extent(text, size)
        box_width, box_height = text_width + 2 * pad, text_height + pad
        x = max(0, width - box_width - pad) if self._right else min(pad, width)
        y = max(0, height - box_height - pad) if self._bottom else min(pad, height)
        background = image[y : y + box_height, x : x + box_width]
        cv2.convertScaleAbs(background, background, BACKGROUND)
        baseline = (x + pad, y + pad // 2 - top)
        cv2.putText(image, text, baseline, INK, self._font, size, 500)

    def _extent(self, text: str, size: int) -> Sequence[int]:
        """Return left, top, width and height in pixels, from the start of the baseline."""
        return cv2.getTextSize((0, 0), text, (0, 0), self._font, size, 500)


def find_unreadable(text: str) -> str:
    """Return the characters that would be drawn wrongly, each once.

    OpenCV draws characters one by one from left to right: Hebrew and Arabic would be reversed, and
    a combining mark would stand beside its letter. Characters that its font lacks become question
    marks.
    """
    font = cv2.FontFace("sans")
    missing = _draw_alone("?", font)
    return "".join(
        character
        for character in dict.fromkeys(text)
        if unicodedata.bidirectional(character) in ("R", "AL")
        or unicodedata.category(character).startswith("M")
        or (character != "?" and _draw_alone(character, font) == missing)
    )


def _draw_alone(character: str, font: cv2.FontFace) -> bytes:
    """Return the pixels of one character."""
    image = np.zeros((32, 48), np.uint8)
    cv2.putText(image, character, (8, 24), (255, 255, 255), font, 16, 500)
    return image.tobytes()
