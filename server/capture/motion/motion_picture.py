"""A picture for motion detection: small and grey, and in full only on request."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from server.capture.frames.frame import Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MotionPicture", "motion_picture"]


class MotionPicture(NamedTuple):
    """A picture for motion detection.

    Attributes:
        grey: A small copy, uint8, shape (height, width).
        full: Returns the picture itself.
    """

    grey: "NDArray[np.uint8]"
    full: Callable[[], Picture]


def motion_picture(picture: Picture) -> MotionPicture:
    """Return a picture in the form for motion detection.

    Raises:
        PictureError: If it is JPEG that cannot be decoded.
    """
    from server.capture.motion.pictures import shrink  # It loads OpenCV.

    return MotionPicture(shrink(picture), lambda: picture)
