"""Draw scenes for cameras that do not exist: the same every time, and pleasant to look at.

Each is a function of the share of its loop that has passed, 0 to 1, and loops without a seam. It
draws light as float32, BGR, shape (HEIGHT, WIDTH, 3), where 1 is white; :func:`_develop` turns
light into a camera's picture: glow, vignette, noise.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from tests.screens.scenes.drawing import HEIGHT, WIDTH, Light
from tests.screens.scenes.living import aquarium, greenhouse
from tests.screens.scenes.machines import belt, printer, rack
from tests.screens.scenes.outdoors import harbour, sky, street

__all__ = ["SCENES", "film"]

FPS = 12
SECONDS = 5

Scene = Callable[[float], Light]


def film(name: str, path: Path, size: tuple[int, int], mirrored: bool = False) -> None:
    """Write a scene's loop as motion JPEG, which a server passes through."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), FPS, size)  # type: ignore[attr-defined]
    writer.set(cv2.VIDEOWRITER_PROP_QUALITY, 88)
    for picture in _pictures(name):
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        writer.write(cv2.flip(small, 1) if mirrored else small)
    writer.release()


@cache
def _pictures(name: str) -> list[Light]:
    count = FPS * SECONDS
    return [_develop(SCENES[name](number / count), number) for number in range(count)]


def _develop(light: Light, number: int) -> Light:
    """Return light as a small sensor sees it: uint8."""
    small = cv2.resize(light, (WIDTH // 8, HEIGHT // 8), interpolation=cv2.INTER_AREA)
    glow = cv2.GaussianBlur(np.maximum(small - 0.55, 0), (0, 0), 5)
    light = light + 0.9 * cv2.resize(glow, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    light = light * _vignette() + _grain()[number % 4]
    return (255 * np.clip(light, 0, 1)).astype(np.uint8)


@cache
def _vignette() -> Light:
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j].astype(np.float32)
    return (1.03 - 0.22 * (x * x + y * y))[..., None]


@cache
def _grain() -> list[Light]:
    chance = np.random.default_rng(7)
    return [
        cv2.GaussianBlur(
            chance.normal(0, 0.014, (HEIGHT, WIDTH, 3)).astype(np.float32), (0, 0), 0.7
        )
        for _ in range(4)
    ]


SCENES: dict[str, Scene] = {
    "harbour": harbour,
    "street": street,
    "printer": printer,
    "aquarium": aquarium,
    "greenhouse": greenhouse,
    "belt": belt,
    "sky": sky,
    "rack": rack,
}
