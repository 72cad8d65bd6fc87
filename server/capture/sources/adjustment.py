"""The test pattern's picture controls, which imitate a camera's electronics and lens."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from server.capture.devices.controls import ControlInfo, Value
from server.capture.frames.frame import Image

__all__ = ["Adjustment"]

DAYLIGHT_K = 6500.0
"""The colour temperature at which the pattern is neutral."""

AUTO_IS_ON = "Automatic white balance is on"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Values of the pattern's controls. The defaults change nothing and cost nothing.

    Attributes:
        brightness: -100 to 100.
        contrast: 0 to 200, in percent.
        auto_white_balance: Whether colours stay as painted.
        white_balance: The light taken as white while that is off, in kelvin.
        zoom: 100 to 400, in percent.
    """

    brightness: float = 0.0
    contrast: float = 100.0
    auto_white_balance: bool = True
    white_balance: float = DAYLIGHT_K
    zoom: float = 100.0

    @property
    def controls(self) -> tuple[ControlInfo, ...]:
        """The controls with their current values."""
        auto = self.auto_white_balance
        return (
            ControlInfo(
                name="brightness",
                title="Brightness",
                kind="range",
                group="Colour",
                default=0.0,
                value=self.brightness,
                min=-100.0,
                max=100.0,
            ),
            ControlInfo(
                name="contrast",
                title="Contrast",
                kind="range",
                group="Colour",
                default=100.0,
                value=self.contrast,
                max=200.0,
                unit="%",
            ),
            ControlInfo(
                name="auto_white_balance",
                title="Automatic white balance",
                kind="switch",
                group="Colour",
                default=True,
                value=auto,
            ),
            ControlInfo(
                name="white_balance",
                title="White balance",
                kind="range",
                group="Colour",
                default=DAYLIGHT_K,
                value=self.white_balance,
                min=2500.0,
                max=10500.0,
                step=100.0,
                unit="K",
                active=not auto,
                note=AUTO_IS_ON if auto else "",
            ),
            ControlInfo(
                name="zoom",
                title="Zoom",
                kind="range",
                group="Lens",
                default=100.0,
                value=self.zoom,
                min=100.0,
                max=400.0,
                step=5.0,
                unit="%",
            ),
        )

    @property
    def identity(self) -> bool:
        """Whether it leaves every picture as it is."""
        neutral = self.auto_white_balance or self.white_balance == DAYLIGHT_K
        return (self.brightness, self.contrast, self.zoom, neutral) == (0, 100, 100, True)

    def with_value(self, name: str, value: Value) -> "Adjustment":
        """Return a copy with one value changed; the caller has validated it."""
        return replace(self, **{name: value})  # type: ignore[arg-type]

    def apply(self, image: Image) -> Image:
        """Return a new picture; takes a few milliseconds at 720p."""
        if self.zoom > 100:
            height, width = image.shape[:2]
            share = 100 / self.zoom
            across, down = max(2, round(width * share)), max(2, round(height * share))
            left, top = (width - across) // 2, (height - down) // 2
            seen = image[top : top + down, left : left + across]
            image = cv2.resize(seen, (width, height))  # type: ignore[assignment]
        return cv2.LUT(image, self._table())  # type: ignore[return-value]

    def _table(self) -> NDArray[np.uint8]:
        """Return the new value of each value of blue, green and red; shape (1, 256, 3)."""
        levels = np.arange(256.0)[:, None]
        warmth = 0.0 if self.auto_white_balance else (self.white_balance - DAYLIGHT_K) / 8000
        levels = levels * np.array([1 - warmth, 1.0, 1 + warmth])
        levels = (levels - 128) * (self.contrast / 100) + 128 + 1.28 * self.brightness
        table: NDArray[np.uint8] = np.clip(levels, 0, 255).astype(np.uint8)[None]
        return table
