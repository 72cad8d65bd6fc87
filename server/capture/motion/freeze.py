"""Detects frozen pictures: a camera that hangs may keep sending its last one."""

from server.capture.frames.frame import Jpeg, Picture

__all__ = ["FreezeDetector"]

# One row in 16 is compared, a different set each time, so 16 pictures cover all rows. At 720p each
# comparison reads 170 kB twice and takes about 0.02 ms.
STRIDE = 16

# The marker that precedes a picture's data, ITU-T T.81 annex B.
SCAN = b"\xff\xda"

TAIL = 64


class FreezeDetector:
    """Measures how long a camera's pictures have been exactly the same.

    A working sensor has noise, so its pictures always differ. Screens, drawings and slides have
    none, and may legitimately stand still. Used by one thread at a time.

    Keeps a reference to the first of a run of equal pictures and compares the others with it. A
    change is noticed when its rows are compared, so a lasting one is noticed within 16 pictures.
    For JPEG, all the data is compared: two pictures from a sensor have no part of it in common.
    """

    def __init__(self) -> None:
        self._reference: Picture | None = None
        self._since = 0.0
        self._row = 0

    def see(self, picture: Picture, now: float) -> float:
        """Compare the next picture; return for how many seconds nothing has changed.

        Args:
            picture: Pixels, which must not be written to afterwards, or JPEG.
            now: Monotonic seconds.
        """
        self._row = (self._row + 1) % STRIDE
        if self._reference is None or self._differs(self._reference, picture):
            self._reference = picture
            self._since = now
        return now - self._since

    def forget(self) -> None:
        """Start over: the source was closed, or no pictures were requested for a while."""
        self._reference = None

    def _differs(self, reference: Picture, picture: Picture) -> bool:
        if reference is picture:
            return False
        if isinstance(reference, Jpeg) and isinstance(picture, Jpeg):
            # The last bytes nearly always differ, and comparing them copies little. A comment or a
            # time in the file's header is not a change of the picture.
            return reference.data[-TAIL:] != picture.data[-TAIL:] or (
                _scan(reference) != _scan(picture)
            )
        if isinstance(reference, Jpeg) or isinstance(picture, Jpeg):
            return True
        if reference.shape != picture.shape:
            return True
        return bool((reference[self._row :: STRIDE] != picture[self._row :: STRIDE]).any())


def _scan(jpeg: Jpeg) -> bytes:
    """Return a JPEG's data, starting at its first scan."""
    return jpeg.data[jpeg.data.find(SCAN) :]
