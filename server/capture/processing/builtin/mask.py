"""Hides a part of the picture."""

from collections.abc import Callable
from math import ceil, floor

import cv2

from server.capture.frames.frame import Image
from server.capture.processing.info import Info

__all__ = ["make_mask"]

FILL = (38, 31, 27)  # BGR; not black, which could pass for a dark part of the scene.


def make_mask(options: dict[str, str]) -> Callable[[Image, Info], None]:
    """Return a processor that fills a part of the picture, given as fractions of it.

    Nothing of the original remains: blurred text, for example, can be reconstructed.
    """
    x, y, width, height = (float(options[key]) for key in ("x", "y", "width", "height"))

    def mask(image: Image, _info: Info) -> None:
        rows, columns = image.shape[:2]
        # Round outwards to hide partly covered pixels. OpenCV includes the far corner.
        near = floor(x * columns), floor(y * rows)
        far = ceil((x + width) * columns) - 1, ceil((y + height) * rows) - 1
        cv2.rectangle(image, near, far, FILL, cv2.FILLED)

    return mask
