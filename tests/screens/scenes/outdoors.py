"""Scenes outdoors: a street, a harbour, the night sky."""

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
    clouds,
    disc,
    fill,
    gradient,
    line,
    placed,
    shine,
)

__all__ = ["harbour", "sky", "street"]


# A street at dusk.


@cache
def _street_still() -> Light:
    light = gradient(
        (0, "1b2a4d"), (0.26, "4c4a76"), (0.42, "c9705c"), (0.52, "f3b06a"), (1, "f3b06a")
    )
    light += 0.12 * (clouds(3, (5, 9))[..., None] - 0.5) * np.array(bgr("ffb28a"), np.float32)
    chance = np.random.default_rng(11)
    for layer, (base, shade) in enumerate(((386, "51486a"), (394, "332f4b"), (402, "1d1e33"))):
        x = -40.0
        while x < WIDTH + 40:
            width = chance.uniform(54, 120) * (1 + 0.25 * layer)
            # Lower towards the middle, where the street leads away.
            far = abs(x + width / 2 - 640) / 640
            top = base - chance.uniform(30, 80) - (90 + 90 * layer) * far**1.2
            fill(light, [(x, top), (x + width, top), (x + width, 470), (x, 470)], shade)
            step = 15 + 3 * layer
            for wx in np.arange(x + 9, x + width - 12, step):
                for wy in np.arange(top + 12, 440, step * 1.25):
                    if chance.random() < 0.26 + 0.06 * layer:
                        warm = chance.choice(["ffd08a", "ffe2ae", "ffb865", "cfe3ff"])
                        pane = [
                            (wx, wy),
                            (wx + step * 0.42, wy),
                            (wx + step * 0.42, wy + step * 0.55),
                            (wx, wy + step * 0.55),
                        ]
                        fill(light, pane, str(warm), chance.uniform(0.35, 0.95))
            x += width + chance.uniform(-8, 6)
    fill(
        light, [(-10, 470), (590, 418), (690, 418), (1290, 470), (1290, 730), (-10, 730)], "22242f"
    )
    road = [(-260, 730), (604, 420), (676, 420), (1540, 730)]
    fill(light, road, "2b2d38")
    wet = np.clip((np.arange(HEIGHT) - 420) / 300, 0, 1)[:, None, None]
    light += 0.10 * wet * (clouds(5, (3, 30))[..., None] - 0.35) * np.array(bgr("f0a878"))
    for side in (-1, 1):
        line(light, [(640 + side * 34, 420), (640 + side * 870, 730)], "8d8796", 2, 0.6)
    for index in range(9):
        near = (index + 0.15) / 9
        y0, y1 = 420 + 310 * near**2.2, 420 + 310 * (near + 0.05) ** 2.2
        wide = 1 + 9 * near**2.2
        fill(
            light,
            [(640 - wide, y0), (640 + wide, y0), (640 + wide * 1.3, y1), (640 - wide * 1.3, y1)],
            "cfc7b4",
            0.7,
        )
    for index in range(5):
        near = (0.12 + index * 0.2) ** 1.7
        for side in (-1, 1):
            x, foot = 640 + side * (52 + 740 * near), 424 + 250 * near
            top = foot - (50 + 370 * near)
            line(
                light,
                [(x, foot), (x, top), (x - side * (12 + 66 * near), top - 6)],
                "14151f",
                1 + int(7 * near),
            )
            lamp = x - side * (14 + 70 * near)
            shine(light, lamp, top, 26 + 150 * near, "ffb660", 0.55)
            disc(light, lamp, top - 3, 2 + 8 * near, "fff0cf", 1.3)
            shine(light, lamp, foot + 24 * near, 30 + 190 * near, "ffa850", 0.14)
    return light.astype(np.float32)


def street(share: float) -> Light:
    """Cars on a wet road between lit houses."""
    light = _street_still().copy()
    traffic = [(1, 0.0, "3d4f78"), (1, 0.47, "7a2f36"), (-1, 0.2, "5a6872"), (-1, 0.66, "35525e")]
    for side, offset, body in sorted(traffic, key=lambda car: _near(car, share)):
        near = _near((side, offset, body), share) ** 2.4
        x, y = 640 + side * (16 + 330 * near), 424 + 330 * near
        size = 4 + 96 * near
        # Cars on the right drive away from us and show their tail lights.
        lamp, glow = ("ff2a1c", "ff3020") if side > 0 else ("fffbe8", "fff0c8")
        fill(
            light,
            [
                (x - size, y + 3),
                (x + size, y + 3),
                (x + size * 0.94, y - size * 0.52),
                (x - size * 0.94, y - size * 0.52),
            ],
            body,
        )
        fill(
            light,
            [
                (x - size * 0.8, y - size * 0.5),
                (x + size * 0.8, y - size * 0.5),
                (x + size * 0.6, y - size * 0.98),
                (x - size * 0.6, y - size * 0.98),
            ],
            body,
            0.75,
        )
        fill(
            light,
            [
                (x - size * 0.7, y - size * 0.52),
                (x + size * 0.7, y - size * 0.52),
                (x + size * 0.54, y - size * 0.9),
                (x - size * 0.54, y - size * 0.9),
            ],
            "6d7896",
            0.55,
        )
        for end in (-1, 1):
            lx, ly = x + end * size * 0.74, y - size * 0.24
            disc(light, lx, ly, size * 0.11, lamp, 1.5)
            shine(light, lx, ly, size * 0.6, glow, 0.75 if side < 0 else 0.45)
            shine(light, lx, y + size * 0.62, size * 0.55, glow, 0.28)
    return light


def _near(car: tuple[int, float, str], share: float) -> float:
    side, offset, _ = car
    gone = (share + offset) % 1
    return 1.12 * (1 - gone) if side > 0 else 1.12 * gone


# The sea from a harbour, in the evening.


@cache
def _harbour_still() -> Light:
    light = gradient(
        (0, "2c4a74"), (0.25, "7d86a5"), (0.42, "f0a878"), (0.5, "ffd79a"), (1, "ffd79a")
    )
    banks = clouds(23, (4, 14))
    mass = np.clip(1.9 * (banks - 0.55), 0, 1) * np.linspace(1, 0.5, HEIGHT)[:, None]
    light = light * (1 - 0.45 * mass[..., None]) + 0.45 * mass[..., None] * np.array(bgr("e88a78"))
    shine(light, 820, 340, 190, "ffcf8a", 0.32)
    disc(light, 820, 322, 32, "fff3d6", 1.3)
    light = light.astype(np.float32)
    hills = [
        (x, 352 - 26 * math.sin(x / 170) - 16 * math.sin(x / 61 + 1)) for x in range(0, 620, 8)
    ]
    fill(light, [(0, 372), *hills, (620, 372)], "5d5a72")
    return light


@cache
def _ripples() -> tuple[Light, Light, Light]:
    # At half the size: water is soft, and drawing it is the slow part.
    y, x = 2 * np.mgrid[0 : (HEIGHT - 360) // 2, 0 : WIDTH // 2].astype(np.float32)
    depth = 1 / (y / 90 + 0.16)
    return y, x, depth


def harbour(share: float) -> Light:
    """Evening sun on moving water, a lighthouse, and a boat that rocks."""
    light = _harbour_still().copy()
    y, x, depth = _ripples()
    turn = 2 * math.pi * share
    far = depth * 40
    waves = (
        np.sin(far * 2.3 + 0.008 * x * depth + 2 * turn)
        + 0.8 * np.sin(far * 3.9 - 0.015 * x * depth + 3 * turn + 1)
        + 0.6 * np.sin(0.021 * x * np.sqrt(depth) + far * 1.2 - turn)
        + 0.5 * np.sin(0.06 * x * depth**0.4 + 0.11 * y - 4 * turn)
    )
    sea = np.array(bgr("1f3f52"), np.float32) + (y[..., None] / 360) * (
        np.array(bgr("0b2030"), np.float32) - np.array(bgr("1f3f52"), np.float32)
    )
    sky = np.clip(0.30 + 0.13 * waves, 0, 1)[..., None] * np.array(bgr("f7b98a"), np.float32)
    path = np.exp(-((x - 820) ** 2) / (2 * (36 + 0.62 * y) ** 2)) * np.clip(waves - 0.25, 0, None)
    water = sea + 0.55 * sky + 0.62 * path[..., None] * np.array(bgr("ffd49a"), np.float32)
    light[360:] = cv2.resize(water, (WIDTH, HEIGHT - 360), interpolation=cv2.INTER_LINEAR)
    # The mole and its light.
    fill(light, [(-10, 372), (330, 366), (352, 384), (-10, 420)], "23242e")
    fill(light, [(262, 368), (300, 368), (294, 222), (268, 222)], "efe6dc", 0.86)
    for band in range(2):
        top = 250 + band * 56
        fill(light, [(266, top), (297, top), (298, top + 26), (265, top + 26)], "b2392f", 0.9)
    fill(light, [(264, 222), (298, 222), (298, 196), (264, 196)], "3a3038")
    fill(light, [(260, 196), (302, 196), (281, 176)], "8e2c26")
    blink = max(0.0, math.cos(turn)) ** 6
    disc(light, 281, 209, 8, "fff2c0", 0.7 + blink)
    shine(light, 281, 209, 110, "ffe9a8", 0.9 * blink)
    # A boat at its buoy.
    lean, rise = 3.5 * math.sin(turn), 4 * math.sin(2 * turn)
    x0, y0 = 560 + 3 * math.sin(turn), 520 + rise
    hull = [(-150, -20), (150, -26), (112, 30), (-118, 30)]
    deck = [(-150, -20), (150, -26), (148, -14), (-146, -8)]
    cabin = [(-62, -22), (40, -24), (28, -74), (-52, -72)]
    glass = [(-46, -40), (24, -42), (18, -64), (-40, -62)]
    mast = [(-8, -72), (-4, -72), (-4, -230), (-8, -230)]
    for shape, shade in (
        (mast, "2a2420"),
        (hull, "173246"),
        (deck, "e8ded0"),
        (cabin, "e9e2d6"),
        (glass, "27404e"),
    ):
        fill(light, placed(shape, x0, y0, lean), shade, 0.82)
    for ends in ([(-6, -228), (146, -28)], [(-6, -228), (-146, -22)]):
        line(light, placed(ends, x0, y0, lean), "2a2420", 1)
    fill(
        light,
        [(x0 - 128, y0 + 32), (x0 + 118, y0 + 32), (x0 + 84, y0 + 74), (x0 - 90, y0 + 70)],
        "0a1a26",
        0.8,
    )
    return light


# The night sky over an observatory.


@cache
def _stars() -> Any:
    chance = np.random.default_rng(31)
    count = 1500
    radius = 1250 * np.sqrt(chance.random(count))
    angle = chance.random(count) * 2 * math.pi
    bright = 0.15 + 0.95 * chance.random(count) ** 6
    warm = chance.random(count)
    return np.stack([radius, angle, bright, warm], axis=1)


def sky(share: float) -> Light:
    """Stars over a dome and trees; a satellite passes."""
    light = gradient((0, "070b1c"), (0.55, "101c38"), (0.82, "24365a"), (1, "3a4a66"))
    band = np.exp(-((_tilted() + 0.02) ** 2) / 0.045) * (0.35 + 0.65 * clouds(40, (9, 6)))
    light += (0.30 * band)[..., None] * np.array(bgr("b9b4e8"), np.float32)
    for radius, angle, bright, warm in _stars():
        # Nearly still, like real ones, and back in place at the end of the loop.
        at = angle + 0.006 * math.sin(2 * math.pi * share)
        x, y = 520 + radius * math.cos(at), 250 + 0.8 * radius * math.sin(at)
        if 0 <= x < WIDTH and 0 <= y < 640:
            twinkle = 0.8 + 0.2 * math.sin(2 * math.pi * (2 * share + angle * 7))
            disc(
                light,
                x,
                y,
                0.6 + 1.2 * bright,
                "ffe6c8" if warm > 0.7 else "dfe9ff",
                bright * twinkle,
            )
    x = -60 + share * 1400
    disc(light, x, 240 - 0.09 * x, 1.8, "ffffff", 1.1)
    line(light, [(x - 26, 240 - 0.09 * (x - 26)), (x, 240 - 0.09 * x)], "aab8d8", 1, 0.5)
    chance = np.random.default_rng(2)
    for index in range(46):
        tx, tall = index * 29 + chance.uniform(-10, 10), chance.uniform(50, 150)
        if 660 < tx < 1120:
            tall *= 0.35
        for tier in range(4):
            top = 690 - tall * (0.25 + 0.25 * tier)
            broad = 26 * (1 - 0.2 * tier) * (0.5 + tall / 160)
            fill(
                light,
                [(tx - broad, top + tall * 0.36), (tx + broad, top + tall * 0.36), (tx, top)],
                "050810",
            )
    fill(light, [(0, 668), (400, 656), (1280, 672), (1280, 730), (0, 730)], "04060c")
    turn = np.linspace(math.pi, 2 * math.pi, 40)
    dome = np.stack([880 + 128 * np.cos(turn), 560 + 128 * np.sin(turn)], axis=1)
    fill(light, [(760, 558), (1000, 558), (1000, 680), (760, 680)], "161c2a")
    fill(light, dome, "2a3448")
    fill(light, dome * [0.94, 1] + [0.06 * 830, 4], "222b3d")
    fill(light, [(896, 434), (930, 441), (944, 556), (898, 556)], "7a1f1a", 0.9)
    shine(light, 916, 520, 66, "ff4a30", 0.34)
    fill(light, [(776, 610), (806, 610), (806, 668), (776, 668)], "e0562e", 0.7)
    shine(light, 790, 640, 70, "ff5a30", 0.25)
    return light


@cache
def _tilted() -> Light:
    y, x = np.mgrid[-0.56 : 0.56 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j].astype(np.float32)
    return 0.5 * x + 0.85 * y
