"""Rotates, mirrors and crops a camera's pictures."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from server.capture.frames.frame import Image

__all__ = ["MIN_SIDE", "Crop", "Mirror", "Transform"]

Mirror: TypeAlias = Literal["none", "horizontal", "vertical", "both"]
"""Left and right swapped, top and bottom swapped, or both."""

Crop: TypeAlias = tuple[float, float, float, float]
"""Left edge, top edge, width and height, as fractions of the picture."""

MIN_SIDE = 16
"""The shortest side that a crop leaves, in pixels, unless the picture itself is smaller."""

WHOLE: Crop = (0.0, 0.0, 1.0, 1.0)

# How far the sum of two fractions may exceed 1: they are decimals from JSON.
ROUNDING = 1e-6

# OpenCV's codes for these rotations.
ROTATIONS = {90: 0, 180: 1, 270: 2}
FLIPS: dict[str, int] = {"horizontal": 1, "vertical": 0, "both": -1}


@dataclass(frozen=True, slots=True)
class Transform:
    """Rotates a picture, then mirrors it, then crops it.

    Attributes:
        rotate: Clockwise, in degrees: 0, 90, 180 or 270.
        mirror: Applied after rotating.
        crop: The part to keep, as fractions of the picture after rotating and mirroring.

    Raises:
        ValueError: If a value is invalid, or the crop extends beyond the picture.
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
        """Whether it leaves pictures unchanged."""
        return self.rotate == 0 and self.mirror == "none" and self.crop == WHOLE

    def size_after(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height of the result for a picture of this size, in pixels."""
        left, top, right, bottom = self._crop_box(width, height)
        return right - left, bottom - top

    def apply(self, image: Image) -> Image:
        """Return the transformed picture; blocks for about a millisecond at 720p.

        Args:
            image: Pixels as uint8, shape (height, width, 3); not written to.

        Returns:
            Contiguous pixels: new ones, or the given ones if there is nothing to do.
        """
        import cv2  # Loaded only when needed, as in jpeg.py.
        import numpy as np

        if self.identity:
            return np.ascontiguousarray(image)
        # Crop first, to leave less to rotate.
        image = self._crop_original(image)
        if self.rotate:
            image = cv2.rotate(image, ROTATIONS[self.rotate])  # type: ignore[assignment]
        if self.mirror != "none":
            image = cv2.flip(image, FLIPS[self.mirror])  # type: ignore[assignment]
        return np.ascontiguousarray(image)

    def _crop_box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of the crop in the rotated picture, in pixels."""
        if self.rotate in (90, 270):
            width, height = height, width
        x, y, fraction_x, fraction_y = self.crop
        left, right = _span(x, fraction_x, width)
        top, bottom = _span(y, fraction_y, height)
        return left, top, right, bottom

    def _crop_original(self, image: Image) -> Image:
        """Return the part of the original that becomes the crop after rotating and mirroring."""
        height, width = image.shape[:2]
        left, top, right, bottom = self._crop_box(width, height)
        rotated_width, rotated_height = (
            (height, width) if self.rotate in (90, 270) else (width, height)
        )
        if self.mirror in ("horizontal", "both"):
            left, right = rotated_width - right, rotated_width - left
        if self.mirror in ("vertical", "both"):
            top, bottom = rotated_height - bottom, rotated_height - top
        if self.rotate == 90:
            left, top, right, bottom = top, height - right, bottom, height - left
        elif self.rotate == 180:
            left, top, right, bottom = width - right, height - bottom, width - left, height - top
        elif self.rotate == 270:
            left, top, right, bottom = width - bottom, left, width - top, right
        return image[top:bottom, left:right]


def _span(start: float, fraction: float, side: int) -> tuple[int, int]:
    """Return start and end of a fraction of a side, in pixels, at least :data:`MIN_SIDE` long."""
    low = round(start * side)
    high = min(side, round((start + fraction) * side))
    least = min(MIN_SIDE, side)
    if high - low < least:
        low = min(low, side - least)
        high = low + least
    return low, high
