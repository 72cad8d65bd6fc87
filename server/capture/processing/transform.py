"""How a camera hangs: its picture turned, mirrored and cut to what matters."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np

from server.capture.frames.frame import Image

__all__ = ["MIN_SIDE", "Crop", "Mirror", "Transform"]

Mirror: TypeAlias = Literal["none", "horizontal", "vertical", "both"]
"""Left and right swapped, top and bottom swapped, or both."""

Crop: TypeAlias = tuple[float, float, float, float]
"""Left edge, top edge, width and height, as shares of the picture."""

MIN_SIDE = 16
"""What a crop leaves at least of each side, in pixels, where there is so much."""

WHOLE: Crop = (0.0, 0.0, 1.0, 1.0)

# What shares may add up to beyond 1: they come as decimals, over JSON.
ROUNDING = 1e-6

ROTATIONS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}
FLIPS: dict[str, int] = {"horizontal": 1, "vertical": 0, "both": -1}


@dataclass(frozen=True, slots=True)
class Transform:
    """Turns a picture, then mirrors it, then cuts it.

    Attributes:
        rotate: Clockwise, in degrees: 0, 90, 180 or 270.
        mirror: What is swapped after rotating.
        crop: What remains, as shares of the picture after rotating and mirroring.

    Raises:
        ValueError: If a value is none of these, or the crop reaches out of the picture.
    """

    rotate: int = 0
    mirror: Mirror = "none"
    crop: Crop = WHOLE

    def __post_init__(self) -> None:
        if self.rotate not in (0, *ROTATIONS):
            raise ValueError(f"rotate = {self.rotate!r}; accepted: 0, 90, 180 or 270")
        if self.mirror not in get_args(Mirror):
            raise ValueError(f"mirror = {self.mirror!r}; accepted: {', '.join(get_args(Mirror))}")
        x, y, width, height = self.crop
        inside = x >= 0 and y >= 0 and x + width <= 1 + ROUNDING and y + height <= 1 + ROUNDING
        if not (inside and width > 0 and height > 0):  # NaN is not inside either.
            raise ValueError(f"crop = {self.crop!r}; accepted: x, y, width, height within 0 to 1")

    @property
    def identity(self) -> bool:
        """Whether it leaves every picture as it is."""
        return self.rotate == 0 and self.mirror == "none" and self.crop == WHOLE

    def size_after(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height, in pixels, of what becomes of a picture of this size."""
        left, top, right, bottom = self._cut(width, height)
        return right - left, bottom - top

    def apply(self, image: Image) -> Image:
        """Return the picture as it is to be shown; blocks for about a millisecond at 720p.

        Args:
            image: Pixels as uint8, shape (height, width, 3); not written to.

        Returns:
            Contiguous pixels: new ones, or the given ones if nothing was to be done.
        """
        if self.identity:
            return np.ascontiguousarray(image)
        # Cut first, as that leaves less to turn.
        image = self._cut_out(image)
        if self.rotate:
            image = cv2.rotate(image, ROTATIONS[self.rotate])  # type: ignore[assignment]
        if self.mirror != "none":
            image = cv2.flip(image, FLIPS[self.mirror])  # type: ignore[assignment]
        return np.ascontiguousarray(image)

    def _cut(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of the crop in a turned picture, in pixels."""
        if self.rotate in (90, 270):
            width, height = height, width
        x, y, share_x, share_y = self.crop
        left, right = _span(x, share_x, width)
        top, bottom = _span(y, share_y, height)
        return left, top, right, bottom

    def _cut_out(self, image: Image) -> Image:
        """Return the part of the untouched picture that turning and mirroring makes the crop."""
        height, width = image.shape[:2]
        left, top, right, bottom = self._cut(width, height)
        turned_width, turned_height = (
            (height, width) if self.rotate in (90, 270) else (width, height)
        )
        if self.mirror in ("horizontal", "both"):
            left, right = turned_width - right, turned_width - left
        if self.mirror in ("vertical", "both"):
            top, bottom = turned_height - bottom, turned_height - top
        if self.rotate == 90:
            left, top, right, bottom = top, height - right, bottom, height - left
        elif self.rotate == 180:
            left, top, right, bottom = width - right, height - bottom, width - left, height - top
        elif self.rotate == 270:
            left, top, right, bottom = width - bottom, left, width - top, right
        return image[top:bottom, left:right]


def _span(start: float, share: float, side: int) -> tuple[int, int]:
    """Return begin and end, in pixels, of a share of a side; never less than is useful."""
    low = round(start * side)
    high = min(side, round((start + share) * side))
    least = min(MIN_SIDE, side)
    if high - low < least:
        low = min(low, side - least)
        high = low + least
    return low, high
