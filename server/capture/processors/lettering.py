"""Text on a picture: legible on any ground, and in any script."""

import cv2

from server.capture.frame import Image

__all__ = ["Lettering"]

# Of the picture's height; from the back of a room it is still read on a wall screen.
SIZE = 1 / 30
SMALLEST_PX = 12

INK = (246, 243, 240)  # BGR.
# How much of what is behind the text remains, so that white on white is still read.
GROUND = 0.35


class Lettering:
    """Writes one line into a corner of a picture, on a ground darkened for it.

    Args:
        corner: One of :data:`server.processor.CORNERS`.
    """

    def __init__(self, corner: str) -> None:
        self._bottom, self._right = corner.startswith("bottom"), corner.endswith("right")
        # OpenCV's own font, which has Greek, Cyrillic and accents too; not shared between threads.
        self._font = cv2.FontFace("sans")

    def write(self, image: Image, text: str) -> None:
        """Write in place; about 0.2 ms."""
        height, width = image.shape[:2]
        size = max(SMALLEST_PX, round(height * SIZE))
        pad = size // 2
        _, top, text_width, text_height = cv2.getTextSize(
            (width, height), text, (0, 0), self._font, size, 500
        )
        box_width, box_height = text_width + 2 * pad, text_height + pad
        x = max(0, width - box_width - pad) if self._right else min(pad, width)
        y = max(0, height - box_height - pad) if self._bottom else min(pad, height)
        ground = image[y : y + box_height, x : x + box_width]
        cv2.convertScaleAbs(ground, ground, GROUND)
        baseline = (x + pad, y + pad // 2 - top)
        cv2.putText(image, text, baseline, INK, self._font, size, 500)
