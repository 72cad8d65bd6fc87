"""Scenes with living things: fish and plants."""

import math
from functools import cache
from typing import Any

import cv2
import numpy as np

from tests.screens.scenes.drawing import (
    HEIGHT,
    WIDTH,
    Light,
    bgr,
    disc,
    fill,
    gradient,
    line,
    shine,
)

__all__ = ["aquarium", "greenhouse"]


# An aquarium.


@cache
def _aquarium_still() -> Light:
    light = gradient((0, "4fb6c9"), (0.3, "1d7f9b"), (0.75, "0c4a68"), (1, "0a3148"))
    sand = [(x, 640 + 14 * math.sin(x / 130) + 6 * math.sin(x / 47)) for x in range(0, 1290, 10)]
    fill(light, [(0, 730), *sand, (1290, 730)], "a58a5f", 0.72)
    chance = np.random.default_rng(4)
    for _ in range(260):
        x, y = chance.uniform(0, WIDTH), chance.uniform(660, 716)
        disc(
            light,
            x,
            y,
            chance.uniform(2, 5),
            str(chance.choice(["6d5a3f", "cbb48a", "8a7350"])),
            0.7,
        )
    for x, y, size in ((210, 660, 96), (330, 680, 60), (1060, 664, 120), (930, 690, 56)):
        turn = np.linspace(0, 2 * math.pi, 15)[:-1]
        edge = size * (1 + 0.13 * np.sin(3 * turn + x))
        points = np.stack([x + edge * np.cos(turn), y + 0.72 * edge * np.sin(turn)], axis=1)
        fill(light, points, "2c3c42")
        fill(light, (points - [x, y]) * 0.72 + [x - size * 0.12, y - size * 0.16], "3f555a")
    return light.astype(np.float32)


@cache
def _rays() -> Light:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    return (x - 400) / (y + 260), np.clip(1 - y / 640, 0, 1)


def aquarium(share: float) -> Light:
    """Fish, weeds and light from above."""
    light = _aquarium_still().copy()
    turn = 2 * math.pi * share
    angle, fall = _rays()
    rays = np.clip(np.sin(9 * angle + turn) + np.sin(17 * angle - 2 * turn) + 0.2, 0, 2)
    light += (0.10 * rays * fall)[..., None] * np.array(bgr("d8fbff"), np.float32)
    for index in range(15):
        x = 40 + index * 23 if index < 8 else 870 + (index - 8) * 54
        tall = 190 + 140 * abs(math.sin(index * 2.3))
        up = np.linspace(0, 1, 18)
        sway = 34 * up**1.6 * np.sin(turn + 2.4 * up + index)
        broad = 10 * (1 - up) ** 0.6 + 1
        spine_x, spine_y = x + sway, 668 - tall * up
        left = np.stack([spine_x - broad, spine_y], axis=1)
        right = np.stack([spine_x + broad, spine_y], axis=1)[::-1]
        fill(light, np.concatenate([left, right]), ("2f8a56", "4aa35c", "1f6f57")[index % 3], 0.78)
    for lane, (y, size, way, hue, belly) in enumerate(
        (
            (230, 62, 1, "ff8a2b", "fff0dc"),
            (392, 44, -1, "ffd23e", "fff6c9"),
            (312, 30, 1, "7fd4ff", "e8fbff"),
            (500, 54, -1, "ff5f57", "ffe0d8"),
            (164, 26, -1, "8fe3b0", "effff4"),
            (458, 26, 1, "c9a4ff", "f4ebff"),
        )
    ):
        along = (share * way + lane * 0.29) % 1
        x = -140 + along * (WIDTH + 280)
        _fish(
            light, x, y + 18 * math.sin(turn * 2 + lane), size, way, (hue, belly), turn * 6 + lane
        )
    chance = np.random.default_rng(9)
    for _ in range(26):
        x, start, size = chance.uniform(700, 780), chance.random(), chance.uniform(2.5, 7)
        up = (start + 2 * share) % 1
        x += 14 * math.sin(turn * 2 + start * 20)
        cv2.circle(
            light, (round(x), round(660 - 660 * up)), round(size), (0.95, 0.92, 0.8), 1, cv2.LINE_AA
        )
        disc(light, x - size / 3, 660 - 660 * up - size / 3, 1.4, "ffffff", 0.95)
    return light


def _fish(
    light: Light, x: float, y: float, size: float, way: int, hues: tuple[str, str], beat: float
) -> None:
    turn = np.linspace(0, 2 * math.pi, 40)
    body = np.stack(
        [x + way * size * np.cos(turn), y + 0.52 * size * np.sin(turn) * (1 - 0.18 * np.cos(turn))],
        axis=1,
    )
    wag = 0.28 * size * math.sin(beat)
    tail = [
        (x - way * size * 0.82, y),
        (x - way * size * 1.6, y - size * 0.5 + wag),
        (x - way * size * 1.38, y + wag * 0.5),
        (x - way * size * 1.6, y + size * 0.5 + wag),
    ]
    fin = [
        (x + way * size * 0.2, y - size * 0.44),
        (x - way * size * 0.3, y - size * 0.86),
        (x - way * size * 0.55, y - size * 0.36),
    ]
    fill(light, tail, hues[0], 0.8)
    fill(light, fin, hues[0], 0.7)
    fill(light, body, hues[0], 0.92)
    under = np.stack(
        [x + way * size * 0.86 * np.cos(turn[:21]), y + size * (0.10 + 0.36 * np.sin(turn[:21]))],
        axis=1,
    )
    fill(light, under, hues[1], 0.75)
    for stripe in (0.34, -0.22):
        sx = x + way * size * stripe
        fill(
            light,
            [
                (sx - size * 0.07, y - size * 0.46),
                (sx + size * 0.07, y - size * 0.46),
                (sx + size * 0.05, y + size * 0.44),
                (sx - size * 0.05, y + size * 0.44),
            ],
            hues[1],
            0.9,
        )
    disc(light, x + way * size * 0.66, y - size * 0.12, size * 0.12, "ffffff")
    disc(light, x + way * size * 0.69, y - size * 0.12, size * 0.07, "101820")


# Seedlings under a lamp.


@cache
def _plants() -> Any:
    chance = np.random.default_rng(17)
    plants = []
    for row in range(3):
        for column in range(7 + row):
            x = 640 + (column - (6 + row) / 2) * (118 + 34 * row) + chance.uniform(-12, 12)
            y = 372 + row * 128 + chance.uniform(-5, 5)
            leaves = [
                (chance.uniform(0, 2 * math.pi), chance.uniform(0.5, 1.0), chance.uniform(0, 6))
                for _ in range(int(chance.integers(9, 14)))
            ]
            plants.append((x, y, 0.72 + 0.30 * row, leaves))
    return plants


@cache
def _greenhouse_still() -> Light:
    light = gradient((0, "2a1b3a"), (0.36, "3a2750"), (0.40, "181522"), (1, "221c28"))
    for x in range(0, WIDTH, 92):
        line(light, [(x, 0), (640 + (x - 640) * 0.7, 290)], "46305e", 2)
    light = cv2.GaussianBlur(light, (0, 0), 5)
    for row in range(3):
        y, wide = 384 + row * 128, 520 + row * 150
        fill(
            light,
            [
                (640 - wide, y + 40),
                (640 + wide, y + 40),
                (640 + wide - 40, y - 22),
                (640 - wide + 40, y - 22),
            ],
            "1a1410",
        )
        fill(
            light,
            [
                (640 - wide, y + 40),
                (640 + wide, y + 40),
                (640 + wide, y + 60),
                (640 - wide, y + 60),
            ],
            "5b5f66",
            0.7,
        )
    for x in (300, 640, 980):
        fill(light, [(x - 150, 70), (x + 150, 70), (x + 138, 96), (x - 138, 96)], "ffe6ff", 1.4)
        shine(light, x, 90, 210, "e08cff", 0.42)
    return light.astype(np.float32)


def greenhouse(share: float) -> Light:
    """Leaves that move in a draught, row behind row."""
    light = _greenhouse_still().copy()
    turn = 2 * math.pi * share
    for x, y, size, leaves in _plants():
        for index, (angle, long, phase) in enumerate(leaves):
            at = angle + 0.09 * math.sin(turn + phase) + 0.03 * math.sin(3 * turn + phase)
            reach = 66 * size * long
            tip_x, tip_y = (
                x + reach * math.cos(at),
                y - 26 * size - 0.55 * reach * math.sin(at) - 4 * index,
            )
            mid_x, mid_y = (x + tip_x) / 2, (y + tip_y) / 2 - 12 * size
            across = 0.30 * reach
            nx, ny = -(tip_y - y) / (reach + 1), (tip_x - x) / (reach + 1)
            shade = ("2f7d3b", "3f9a48", "58b455", "77c964")[(index + int(phase)) % 4]
            leaf = [
                (x, y),
                (mid_x + nx * across, mid_y + ny * across),
                (tip_x, tip_y),
                (mid_x - nx * across, mid_y - ny * across),
            ]
            fill(light, _smooth(leaf), shade, 0.55 + 0.35 * index / len(leaves))
            line(light, [(x, y), (mid_x, mid_y), (tip_x, tip_y)], "b9e59a", 1, 0.5)
    light[:, :, 0] *= 1.04
    shine(light, 640, 330, 560, "d69cff", 0.16)
    return light


def _smooth(points: list[tuple[float, float]]) -> Any:
    """Return a leaf's outline through its four corners, pointed at the first and the third."""
    foot, left, tip, right = (np.array(point) for point in points)
    along = np.linspace(0, 1, 9)[:, None]
    one = (
        (1 - along) ** 2 * foot
        + 2 * along * (1 - along) * (2 * left - (foot + tip) / 2)
        + along**2 * tip
    )
    two = (
        (1 - along) ** 2 * tip
        + 2 * along * (1 - along) * (2 * right - (foot + tip) / 2)
        + along**2 * foot
    )
    return np.concatenate([one, two])
