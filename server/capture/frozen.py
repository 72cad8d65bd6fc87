"""Finds pictures that have stopped changing: a camera that hangs may well go on sending."""

import numpy as np

from server.capture.frame import Image

__all__ = ["Stillness"]

# One row in so many is compared, each time others: the whole picture within as many pictures.
# At 720p that reads 170 kB twice and takes about 0.02 ms.
STRIDE = 16


class Stillness:
    """Says for how long a camera's pictures have been exactly the same.

    A living sensor has noise, so that its pictures always differ. Screens, drawings and slides do
    not: they may rightly stand still. Used by one thread at a time.

    The first picture of a still time is kept, by reference, to hold the others against. A change
    counts when its rows are compared, so one that lasts is seen after at most 16 pictures.
    """

    def __init__(self) -> None:
        self._reference: Image | None = None
        self._since = 0.0
        self._row = 0

    def see(self, image: Image, now: float) -> float:
        """Take the next picture, and return for how many seconds nothing has changed.

        Args:
            image: Pixels as uint8, shape (height, width, 3); not to be written to afterwards.
            now: Monotonic seconds.
        """
        self._row = (self._row + 1) % STRIDE
        if self._reference is None or self._differs(self._reference, image):
            self._reference = image
            self._since = now
        return now - self._since

    def forget(self) -> None:
        """Begin anew: the source was closed, or nobody asked for pictures for a while."""
        self._reference = None

    def _differs(self, reference: Image, image: Image) -> bool:
        if reference is image:
            return False
        return not np.array_equal(reference[self._row :: STRIDE], image[self._row :: STRIDE])
