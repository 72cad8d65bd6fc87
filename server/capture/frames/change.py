"""Finds pictures that show nothing new, for cameras that look at what seldom moves."""

import time

import cv2
import numpy as np
from numpy.typing import NDArray

from server.capture.frames.frame import Jpeg, Picture

__all__ = ["Change"]

# Each grey value of the small copy is the mean of 8 x 8 pixels: a sensor's noise is an eighth
# there, and a change of a few pixels still shows. JPEG is decoded to this size at little cost.
SCALE = 8

# How far apart a place must be, of 255, to count. Noise of a dim room stays below.
THRESHOLD = 8

KEEP_ALIVE_S = 1.0
"""How often an unchanged picture is sent all the same, so that viewers see that it is live."""


class Change:
    """Says which pictures are worth sending: those that differ from the last one that was.

    Held against the last one sent and not the last one seen, so that dusk is noticed too.
    """

    def __init__(self) -> None:
        self._sent: NDArray[np.uint8] | None = None
        self._sent_at = 0.0

    def is_worth_sending(self, picture: Picture) -> bool:
        """Return whether the picture is to be sent; then it is what the next ones are held against.

        One that cannot be made sense of is.
        """
        now = time.monotonic()
        small = _shrink(picture)
        if small is not None and now - self._sent_at < KEEP_ALIVE_S and self._is_near(small):
            return False
        self._sent, self._sent_at = small, now
        return True

    def _is_near(self, small: NDArray[np.uint8]) -> bool:
        if self._sent is None or self._sent.shape != small.shape:
            return False
        return int(cv2.absdiff(self._sent, small).max()) < THRESHOLD


def _shrink(picture: Picture) -> NDArray[np.uint8] | None:
    """Return a small grey copy, uint8, shape (height / 8, width / 8); None if there is none."""
    if isinstance(picture, Jpeg):
        data = np.frombuffer(picture.data, np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_8)  # type: ignore[return-value]
    height, width = picture.shape[:2]
    size = max(1, width // SCALE), max(1, height // SCALE)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)  # type: ignore[return-value]
