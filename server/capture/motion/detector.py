"""Finds what moves in a camera's small grey pictures: how much, and where."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from server.capture.frames.event_report import Box
from server.capture.motion.background import EDGE, Background, Grey, Mask
from server.capture.motion.settings import MotionSettings, Zone

__all__ = ["Detector", "Motion"]

# Motion this many times as large as the minimum has a score of one half.
HALF = 8.0

# Where a region differs from the background, the fraction of it that must have changed since the
# previous picture: otherwise the object has stopped, or has left.
ALIVE = 0.04

# Parts within this distance, in small pixels, belong to one object.
REACH = np.ones((5, 5), np.uint8)

# A polygon's corners are rasterised in fractions of a pixel with this many bits.
FRACTION_BITS = 4


class Motion(NamedTuple):
    """The motion in a picture: a score from 0 to 1, and the box around all of it."""

    score: float
    box: Box


class Detector:
    """Detects motion in one camera's pictures. Used by one thread.

    Args:
        settings: What counts as motion.
    """

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._background = Background(settings.sensitivity)
        self._zones: Mask | None = None

    def see(self, grey: Grey, at: float) -> Motion | None:
        """Return the motion in the next picture, if any; takes about 0.5 ms.

        Args:
            grey: uint8, shape (height, width), from :func:`server.capture.motion.pictures.shrink`.
            at: When it was captured, in monotonic seconds.
        """
        seen = self._background.see(grey, at)
        if seen is None:
            return None
        new, changed = seen
        if self._settings.zones:
            if self._zones is None or self._zones.shape != new.shape:
                self._zones = _rasterise(self._settings.zones, new.shape)
            new &= self._zones
        return self._find(new, changed)

    def _find(self, new: Mask, changed: Mask) -> Motion | None:
        # Remove anything narrower than three pixels: noise and edges.
        solid = cv2.morphologyEx(new.astype(np.uint8), cv2.MORPH_OPEN, EDGE)
        if not solid.any():
            return None
        joined = cv2.dilate(solid, REACH)
        count, labels = cv2.connectedComponents(joined)
        labels = labels * solid
        areas = np.bincount(labels.ravel(), minlength=count)
        alive = np.bincount(labels[changed], minlength=count)
        least = max(1.0, self._settings.min_size / 100 * new.size)
        found = [
            label
            for label in range(1, count)
            if areas[label] >= least and alive[label] >= ALIVE * areas[label]
        ]
        if not found:
            return None
        area = float(sum(areas[label] for label in found)) / least
        return Motion(area / (area + HALF), _box(np.isin(labels, found)))


def _rasterise(zones: Sequence[Zone], shape: tuple[int, ...]) -> Mask:
    """Return a mask of the zones in a small picture."""
    height, width = shape
    scale = np.array([width, height]) * (1 << FRACTION_BITS)
    half = 1 << FRACTION_BITS >> 1  # OpenCV counts from the middle of the first pixel.
    polygons = [np.rint(np.array(zone) * scale - half).astype(np.int32) for zone in zones]
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [polygon], 1, shift=FRACTION_BITS)
    return mask > 0


def _box(mask: NDArray[np.bool_]) -> Box:
    """Return the box around all set pixels, as fractions of the picture."""
    height, width = mask.shape
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    left, right = int(columns[0]), int(columns[-1]) + 1
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    return left / width, top / height, (right - left) / width, (bottom - top) / height
