"""Draws boxes around moving objects."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from server.capture.frames.frame import Image
from server.capture.processing.info import Info

__all__ = ["make_motion"]

# Detect motion at this width: that averages noise away and takes a fraction of the time.
WIDTH = 320

# The difference from the background, of 255, that counts as motion.
THRESHOLD = 18
# The weight of each picture in the background: after seconds, still objects become part of it.
LEARNING = 0.05
# Motion within this distance, in small pixels, is merged into one box.
REACH = np.ones((9, 9), np.uint8)

COLOUR = (68, 165, 220)  # BGR; brass, like the page's own marks.

MIN_AREA = 0.5


def make_motion(options: dict[str, str]) -> Callable[[Image, Info], None]:
    """Return a processor that draws boxes around moving objects.

    Its option ``min_area`` is the minimum area of a box, in percent of the picture.
    """
    min_area = float(options.get("min_area", MIN_AREA)) / 100

    def motion(image: Image, info: Info) -> None:
        small = _shrink(image)
        background: NDArray[np.float32] | None = info.state.get("background")
        if background is None or background.shape != small.shape:
            info.state["background"] = small.astype(np.float32)
            return
        for x, y, width, height in _find(small, background, min_area * small.size):
            _draw(image, x / small.shape[1], y / small.shape[0], width, height, small.shape[1])
        cv2.accumulateWeighted(small, background, LEARNING)

    return motion


def _shrink(image: Image) -> NDArray[np.uint8]:
    """Return a small grey copy, uint8, shape (height, width), at most 320 wide."""
    height, width = image.shape[:2]
    size = (min(WIDTH, width), max(1, round(height * min(WIDTH, width) / width)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.blur(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), (3, 3))  # type: ignore[return-value]


def _find(
    small: NDArray[np.uint8], background: NDArray[np.float32], min_area: float
) -> list[tuple[int, int, int, int]]:
    """Return left, top, width and height of moving objects, in small pixels."""
    far = cv2.absdiff(small, cv2.convertScaleAbs(background))
    _, moving = cv2.threshold(far, THRESHOLD, 255, cv2.THRESH_BINARY)
    moving = cv2.dilate(moving, REACH)
    outlines, _ = cv2.findContours(moving, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = [cv2.boundingRect(outline) for outline in outlines]
    return [(x, y, w, h) for x, y, w, h in boxes if w * h >= min_area]


def _draw(
    image: Image, fraction_x: float, fraction_y: float, width: int, height: int, small_width: int
) -> None:
    scale = image.shape[1] / small_width
    x, y = round(fraction_x * image.shape[1]), round(fraction_y * image.shape[0])
    thickness = max(1, image.shape[0] // 360)
    far = (x + round(width * scale) - 1, y + round(height * scale) - 1)
    cv2.rectangle(image, (x, y), far, COLOUR, thickness, cv2.LINE_AA)
