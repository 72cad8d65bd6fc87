"""The settings for motion detection in one camera's pictures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

__all__ = ["LABEL", "MOTION_INTERVAL_S", "WIDTH", "MotionSettings", "Zone"]

LABEL = "motion"
"""The label of its reports."""

MOTION_INTERVAL_S = 0.2
"""Seconds between two pictures that are searched for motion."""

WIDTH = 160
"""The width of pictures for detection, in pixels: noise is averaged away, and a person is not."""

Zone = tuple[tuple[float, float], ...]
"""The corners of a polygon, as fractions of the picture."""


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """What counts as motion.

    Attributes:
        sensitivity: From 1 to 100; higher detects smaller differences in brightness.
        min_size: The minimum area of a moving object, in percent of the picture.
        min_s: How long it must move, in seconds.
        zones: Where to look; empty for anywhere.
    """

    sensitivity: int = 50
    min_size: float = 0.5
    min_s: float = 0.4
    zones: tuple[Zone, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return the settings as JSON data."""
        return asdict(self) | {"zones": [[list(point) for point in zone] for zone in self.zones]}

    def with_changes(self, data: Mapping[str, Any]) -> "MotionSettings":
        """Return a copy with some fields changed, in the form that :meth:`describe` returns."""
        changes = dict(data)
        if "zones" in changes:
            changes["zones"] = tuple(
                tuple((float(x), float(y)) for x, y in zone) for zone in changes["zones"]
            )
        return replace(self, **changes)
