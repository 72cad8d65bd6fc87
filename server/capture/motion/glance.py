"""A picture as it is looked at: small and grey, and in full only if that is needed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from server.capture.frames.frame import Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Glance", "glance_at"]


class Glance(NamedTuple):
    """A picture to be looked at.

    Attributes:
        grey: A small copy, uint8, shape (height, width).
        full: Returns the picture itself.
    """

    grey: "NDArray[np.uint8]"
    full: Callable[[], Picture]


def glance_at(picture: Picture) -> Glance:
    """Return a picture as it is looked at.

    Raises:
        PictureError: If it is JPEG that cannot be decoded.
    """
    from server.capture.motion.pictures import shrink  # It loads OpenCV.

    return Glance(shrink(picture), lambda: picture)
