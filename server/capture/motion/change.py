"""Finds pictures that show nothing new, for cameras whose view rarely changes."""

import time
from typing import TYPE_CHECKING

from server.capture.frames.frame import Jpeg, Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ChangeDetector"]

# Each grey value of the small copy is the mean of 8 x 8 pixels: that cuts a sensor's noise to an
# eighth, while a change of a few pixels still shows. JPEG is cheap to decode at this size.
SCALE = 8

# The difference of a grey value, of 255, that counts as a change. A dim room's noise stays below.
THRESHOLD = 8

KEEP_ALIVE_S = 1.0
"""How often an unchanged picture is sent anyway, so that viewers see that the camera is live."""


class ChangeDetector:
    """Decides which pictures are worth sending: those that differ from the last one sent.

    Compares with the last picture sent, not the last one seen, to notice slow changes like dusk.
    """

    def __init__(self) -> None:
        self._sent: NDArray[np.uint8] | None = None
        self._sent_at = 0.0

    def is_worth_sending(self, picture: Picture) -> bool:
        """Return whether to send the picture; if so, the next ones are compared with it.

        A picture that cannot be decoded is sent.
        """
        now = time.monotonic()
        small = _shrink(picture)
        if small is not None and now - self._sent_at < KEEP_ALIVE_S and self._is_similar(small):
            return False
        self._sent, self._sent_at = small, now
        return True

    def _is_similar(self, small: "NDArray[np.uint8]") -> bool:
        import cv2

        if self._sent is None or self._sent.shape != small.shape:
            return False
        return int(cv2.absdiff(self._sent, small).max()) < THRESHOLD


def _shrink(picture: Picture) -> "NDArray[np.uint8] | None":
    """Return a grey copy, uint8, shape (height / 8, width / 8); None if it cannot be decoded."""
    import cv2  # Loaded only when needed, as in jpeg.py.
    import numpy as np

    if isinstance(picture, Jpeg):
        data = np.frombuffer(picture.data, np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_8)  # type: ignore[return-value]
    height, width = picture.shape[:2]
    size = max(1, width // SCALE), max(1, height // SCALE)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)  # type: ignore[return-value]
