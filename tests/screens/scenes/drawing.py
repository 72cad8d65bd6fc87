"""Drawing helpers for scenes: light as float32, BGR, shape (HEIGHT, WIDTH, 3), where 1 is white."""

import math
from typing import Any

import cv2
import numpy as np

__all__ = [
    "HEIGHT",
    "WIDTH",
    "Light",
    "bgr",
    "clouds",
    "disc",
    "fill",
    "gradient",
    "line",
    "placed",
    "shine",
]

WIDTH, HEIGHT = 1280, 720

Light = Any  # np.ndarray, as described above.


def bgr(text: str) -> tuple[float, float, float]:
    """Return ``rrggbb`` as BGR, 0 to 1."""
    red, green, blue = (int(text[start : start + 2], 16) / 255 for start in (0, 2, 4))
    return blue, green, red


def gradient(*stops: tuple[float, str]) -> Light:
    """Return a picture whose colour changes from top to bottom."""
    at = np.linspace(0, 1, HEIGHT)
    places = [place for place, _ in stops]
    channels = np.array([bgr(text) for _, text in stops])
    column = np.stack([np.interp(at, places, channels[:, index]) for index in range(3)], axis=1)
    return np.repeat(column[:, None, :], WIDTH, axis=1).astype(np.float32)


def clouds(seed: int, scale: tuple[int, int], size: tuple[int, int] = (WIDTH, HEIGHT)) -> Light:
    """Return soft noise from 0 to 1; ``scale`` is the number of lumps across and down."""
    chance = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(4):
        coarse = chance.random((scale[1] * 2**octave + 2, scale[0] * 2**octave + 2))
        fine = cv2.resize(coarse.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
        total += fine / 2**octave
    return (total - total.min()) / (total.max() - total.min())


def fill(light: Light, points: Any, colour: str, gain: float = 1.0) -> None:
    scaled = np.round(np.asarray(points, np.float64) * 16).astype(np.int32)
    tint = tuple(gain * part for part in bgr(colour))
    cv2.fillPoly(light, [scaled], tint, cv2.LINE_AA, 4)


def disc(light: Light, x: float, y: float, radius: float, colour: str, gain: float = 1.0) -> None:
    centre = (round(x * 16), round(y * 16))
    tint = tuple(gain * part for part in bgr(colour))
    cv2.circle(light, centre, max(8, round(radius * 16)), tint, -1, cv2.LINE_AA, 4)


def line(
    light: Light, points: Any, colour: str, width: int, gain: float = 1.0, closed: bool = False
) -> None:
    scaled = np.round(np.asarray(points, np.float64) * 16).astype(np.int32)
    tint = tuple(gain * part for part in bgr(colour))
    cv2.polylines(light, [scaled], closed, tint, width, cv2.LINE_AA, 4)


def shine(light: Light, x: float, y: float, radius: float, colour: str, gain: float) -> None:
    """Add a soft light around a point."""
    left, right = max(0, int(x - 3 * radius)), min(WIDTH, int(x + 3 * radius))
    top, bottom = max(0, int(y - 3 * radius)), min(HEIGHT, int(y + 3 * radius))
    if left >= right or top >= bottom:
        return
    ys, xs = np.mgrid[top:bottom, left:right].astype(np.float32)
    fall = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * (radius / 1.6) ** 2))
    light[top:bottom, left:right] += gain * fall[..., None] * np.array(bgr(colour), np.float32)


def placed(shape: list[tuple[int, int]], x: float, y: float, degrees: float) -> list[Any]:
    turn = math.radians(degrees)
    return [
        (
            x + px * math.cos(turn) - py * math.sin(turn),
            y + px * math.sin(turn) + py * math.cos(turn),
        )
        for px, py in shape
    ]
