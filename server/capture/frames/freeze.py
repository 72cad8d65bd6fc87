"""Finds pictures that have stopped changing: a camera that hangs may well go on sending."""

import numpy as np

from server.capture.frames.frame import Jpeg, Picture

__all__ = ["FreezeDetector"]

# One row in so many is compared, each time others: the whole picture within as many pictures.
# At 720p that reads 170 kB twice and takes about 0.02 ms.
STRIDE = 16

# The marker before a picture's data, ITU-T T.81 annex B.
SCAN = b"\xff\xda"

TAIL = 64


class FreezeDetector:
    """Says for how long a camera's pictures have been exactly the same.

    A living sensor has noise, so that its pictures always differ. Screens, drawings and slides do
    not: they may rightly stand still. Used by one thread at a time.

    The first picture of a still time is kept, by reference, to hold the others against. A change
    counts when its rows are compared, so one that lasts is seen after at most 16 pictures. Of JPEG
    the data is compared, all of it: two pictures of a sensor have not one run of it in common.
    """

    def __init__(self) -> None:
        self._reference: Picture | None = None
        self._since = 0.0
        self._row = 0

    def see(self, picture: Picture, now: float) -> float:
        """Take the next picture, and return for how many seconds nothing has changed.

        Args:
            picture: Pixels, not to be written to afterwards, or JPEG.
            now: Monotonic seconds.
        """
        self._row = (self._row + 1) % STRIDE
        if self._reference is None or self._differs(self._reference, picture):
            self._reference = picture
            self._since = now
        return now - self._since

    def forget(self) -> None:
        """Begin anew: the source was closed, or nobody asked for pictures for a while."""
        self._reference = None

    def _differs(self, reference: Picture, picture: Picture) -> bool:
        if reference is picture:
            return False
        if isinstance(reference, Jpeg) and isinstance(picture, Jpeg):
            # The end tells nearly all there are apart, without a copy. A comment or a time in the
            # file's head is no change of the picture.
            return reference.data[-TAIL:] != picture.data[-TAIL:] or (
                _scan(reference) != _scan(picture)
            )
        if isinstance(reference, Jpeg) or isinstance(picture, Jpeg):
            return True
        return not np.array_equal(reference[self._row :: STRIDE], picture[self._row :: STRIDE])


def _scan(jpeg: Jpeg) -> bytes:
    """Return a JPEG's data from its first scan on."""
    return jpeg.data[jpeg.data.find(SCAN) :]
