"""Models the background of a camera's small grey pictures, and finds where a picture differs.

Each pixel has a running Gaussian, a mean and a variance, as in C. Wren et al., "Pfinder: Real-Time
Tracking of the Human Body", 1997. In addition:

* Exposure changes the whole picture by a factor, which is estimated as the median over all pixels
  and removed first: automatic exposure, clouds and flickering lamps are not motion.
* A pixel is compared with the darkest and the brightest background around it, so that a shaking
  camera or an edge that an encoder blurs is not motion either.
* Anything that stands still becomes background: a parked car, or the hole it left (a "ghost").
* If most of the picture is new, or its brightness jumps, a light was switched on or off, and the
  background is learned again.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Background", "Grey", "Mask"]

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Plane = NDArray[np.float32]

# Seconds in which the background approaches the picture by two thirds: where nothing moves, where
# something has stopped, and where something moves.
FOLLOW_S = 4.0
ABSORB_S = 2.0
RESIST_S = 40.0

# For this long after it was reset, the background adapts fast, and nothing counts as motion.
LEARN_S = 1.0

# Limits for a pixel's estimated noise, in levels of 255.
MIN_SIGMA = 1.5
MAX_SIGMA = 24.0

# The difference from the background that counts, at sensitivity 50: in sigma, and in levels.
SIGMAS = 4.0
LEVELS = 14.0

# If at least this fraction of the picture is new, or the exposure has changed by this factor from
# one picture to the next, a light was switched on or off. Cameras adapt within a second or two, so
# between pictures that are further apart the exposure may change more.
MOST = 0.6
JUMP = 1.35
JUMP_APART = 2.5

# Pictures that are further apart, in seconds, count as if they were this far apart.
APART_S = 0.4

# Darker pixels are ignored when estimating the exposure: they are mostly noise.
DARK = 24.0

EDGE = np.ones((3, 3), np.uint8)


class Background:
    """A running model of the background. Used by one thread.

    Args:
        sensitivity: From 1 to 100.
    """

    def __init__(self, sensitivity: int) -> None:
        # From 4 at sensitivity 1 to 1/4 at 100.
        scale = 4 ** ((50 - sensitivity) / 50)
        self._sigmas = SIGMAS * math.sqrt(scale)
        self._levels = LEVELS * scale
        self._mean: Plane | None = None
        self._variance: Plane | None = None
        self._last: Plane | None = None  # The previous picture, at the background's exposure.
        self._at = 0.0
        self._gain = 1.0
        self._learned_at = 0.0

    def see(self, grey: Grey, at: float) -> tuple[Mask, Mask] | None:
        """Compare the next picture with the background, and learn from it.

        Args:
            grey: uint8, shape (height, width).
            at: When it was captured, in monotonic seconds.

        Returns:
            Where it differs from the background, and where also from the previous picture; None
            while the background is being learned.
        """
        now = grey.astype(np.float32)
        if self._mean is None or self._mean.shape != now.shape:
            self._learn(now, at)
            return None
        assert self._variance is not None
        assert self._last is not None
        gain = _exposure(now, self._mean)
        jump = max(gain / self._gain, self._gain / gain)
        now /= gain
        limit = np.maximum(self._sigmas * np.sqrt(self._variance), self._levels)
        new = _distance(now, self._mean) > limit
        elapsed_s = max(0.0, at - self._at)
        usual = JUMP if elapsed_s <= APART_S else JUMP_APART
        count = np.count_nonzero(new)
        if jump > usual or count > MOST * new.size:
            self._learn(now * gain, at)
            return None
        changed = moving = new
        if count:  # Usually nothing is new.
            changed = new & (_distance(now, self._last) > self._levels / 2)
            moving = cv2.dilate(changed.astype(np.uint8), EDGE, iterations=2) > 0
        elapsed_s = min(APART_S, elapsed_s)
        learning = at - self._learned_at < LEARN_S
        self._adapt(now, new, moving, elapsed_s, learning)
        # Learn the exposure, too, so that the background becomes as bright as the picture.
        self._mean *= 1 + (gain - 1) * _weight(elapsed_s, FOLLOW_S)
        self._gain = gain
        self._last, self._at = now, at
        return None if learning else (new, changed)

    def _learn(self, now: Plane, at: float) -> None:
        self._mean = now.copy()
        self._variance = np.full_like(now, (2 * MIN_SIGMA) ** 2)
        self._last, self._gain = now, 1.0
        self._at = self._learned_at = at

    def _adapt(self, now: Plane, new: Mask, moving: Mask, elapsed_s: float, learning: bool) -> None:
        assert self._mean is not None
        assert self._variance is not None
        usual = _weight(elapsed_s, LEARN_S / 2 if learning else FOLLOW_S)
        weight = np.full_like(now, usual)
        weight[new] = _weight(elapsed_s, ABSORB_S)
        weight[moving] = _weight(elapsed_s, RESIST_S)
        off = now - self._mean
        self._mean += weight * off
        self._variance += weight * (off * off - self._variance)
        np.clip(self._variance, MIN_SIGMA**2, MAX_SIGMA**2, out=self._variance)


def _exposure(now: Plane, mean: Plane) -> float:
    """Return how much brighter a picture is than the background, as a factor."""
    sample, before = now[::3, ::3], mean[::3, ::3]
    bright = before > DARK
    if np.count_nonzero(bright) < bright.size / 10:
        return 1.0
    ratio = float(np.median(sample[bright] / before[bright]))
    return min(4.0, max(0.25, ratio))


def _distance(now: Plane, before: Plane) -> Plane:
    """Return how far each pixel is outside the range of its neighbours in another picture."""
    above = now - cv2.dilate(before, EDGE)
    below = cv2.erode(before, EDGE) - now
    return np.maximum(above, below)  # type: ignore[no-any-return]


def _weight(elapsed_s: float, follow_s: float) -> float:
    return 1 - math.exp(-elapsed_s / follow_s)
