"""Scenes for cameras that are not there: drawn, the same every time, and pleasant to look at.

Each is a function of the share of its loop that has passed, 0 to 1, and loops without a seam. It
draws light as float32, BGR, shape (HEIGHT, WIDTH, 3), where 1 is white; :func:`_develop` makes of
it what a camera makes of light: glow, vignette, noise.
"""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

__all__ = ["SCENES", "film"]

WIDTH, HEIGHT = 1280, 720
FPS = 12
SECONDS = 5

Light = Any  # np.ndarray, float32; spelled out above.
Scene = Callable[[float], Light]


def film(name: str, path: Path, size: tuple[int, int], mirrored: bool = False) -> None:
    """Write a scene's loop as motion JPEG, which a server passes through as it is."""
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


def _colour(text: str) -> tuple[float, float, float]:
    """Return ``rrggbb`` as BGR, 0 to 1."""
    red, green, blue = (int(text[start : start + 2], 16) / 255 for start in (0, 2, 4))
    return blue, green, red


def _gradient(*stops: tuple[float, str]) -> Light:
    """Return a picture whose colour changes from top to bottom."""
    at = np.linspace(0, 1, HEIGHT)
    places = [place for place, _ in stops]
    channels = np.array([_colour(text) for _, text in stops])
    column = np.stack([np.interp(at, places, channels[:, index]) for index in range(3)], axis=1)
    return np.repeat(column[:, None, :], WIDTH, axis=1).astype(np.float32)


def _clouds(seed: int, scale: tuple[int, int], size: tuple[int, int] = (WIDTH, HEIGHT)) -> Light:
    """Return soft noise from 0 to 1; ``scale`` is how many lumps there are across and down."""
    chance = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(4):
        coarse = chance.random((scale[1] * 2**octave + 2, scale[0] * 2**octave + 2))
        fine = cv2.resize(coarse.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
        total += fine / 2**octave
    return (total - total.min()) / (total.max() - total.min())


def _fill(light: Light, points: Any, colour: str, gain: float = 1.0) -> None:
    scaled = np.round(np.asarray(points, np.float64) * 16).astype(np.int32)
    tint = tuple(gain * part for part in _colour(colour))
    cv2.fillPoly(light, [scaled], tint, cv2.LINE_AA, 4)


def _disc(light: Light, x: float, y: float, radius: float, colour: str, gain: float = 1.0) -> None:
    centre = (round(x * 16), round(y * 16))
    tint = tuple(gain * part for part in _colour(colour))
    cv2.circle(light, centre, max(8, round(radius * 16)), tint, -1, cv2.LINE_AA, 4)


def _line(
    light: Light, points: Any, colour: str, width: int, gain: float = 1.0, closed: bool = False
) -> None:
    scaled = np.round(np.asarray(points, np.float64) * 16).astype(np.int32)
    tint = tuple(gain * part for part in _colour(colour))
    cv2.polylines(light, [scaled], closed, tint, width, cv2.LINE_AA, 4)


def _shine(light: Light, x: float, y: float, radius: float, colour: str, gain: float) -> None:
    """Add a soft light around a place."""
    left, right = max(0, int(x - 3 * radius)), min(WIDTH, int(x + 3 * radius))
    top, bottom = max(0, int(y - 3 * radius)), min(HEIGHT, int(y + 3 * radius))
    if left >= right or top >= bottom:
        return
    ys, xs = np.mgrid[top:bottom, left:right].astype(np.float32)
    fall = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * (radius / 1.6) ** 2))
    light[top:bottom, left:right] += gain * fall[..., None] * np.array(_colour(colour), np.float32)


# A street at dusk.


@cache
def _street_still() -> Light:
    light = _gradient(
        (0, "1b2a4d"), (0.26, "4c4a76"), (0.42, "c9705c"), (0.52, "f3b06a"), (1, "f3b06a")
    )
    light += 0.12 * (_clouds(3, (5, 9))[..., None] - 0.5) * np.array(_colour("ffb28a"), np.float32)
    chance = np.random.default_rng(11)
    for layer, (base, shade) in enumerate(((386, "51486a"), (394, "332f4b"), (402, "1d1e33"))):
        x = -40.0
        while x < WIDTH + 40:
            width = chance.uniform(54, 120) * (1 + 0.25 * layer)
            # Lower towards the middle, where the street leads away.
            far = abs(x + width / 2 - 640) / 640
            top = base - chance.uniform(30, 80) - (90 + 90 * layer) * far**1.2
            _fill(light, [(x, top), (x + width, top), (x + width, 470), (x, 470)], shade)
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
                        _fill(light, pane, str(warm), chance.uniform(0.35, 0.95))
            x += width + chance.uniform(-8, 6)
    _fill(
        light, [(-10, 470), (590, 418), (690, 418), (1290, 470), (1290, 730), (-10, 730)], "22242f"
    )
    road = [(-260, 730), (604, 420), (676, 420), (1540, 730)]
    _fill(light, road, "2b2d38")
    wet = np.clip((np.arange(HEIGHT) - 420) / 300, 0, 1)[:, None, None]
    light += 0.10 * wet * (_clouds(5, (3, 30))[..., None] - 0.35) * np.array(_colour("f0a878"))
    for side in (-1, 1):
        _line(light, [(640 + side * 34, 420), (640 + side * 870, 730)], "8d8796", 2, 0.6)
    for index in range(9):
        near = (index + 0.15) / 9
        y0, y1 = 420 + 310 * near**2.2, 420 + 310 * (near + 0.05) ** 2.2
        wide = 1 + 9 * near**2.2
        _fill(
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
            _line(
                light,
                [(x, foot), (x, top), (x - side * (12 + 66 * near), top - 6)],
                "14151f",
                1 + int(7 * near),
            )
            lamp = x - side * (14 + 70 * near)
            _shine(light, lamp, top, 26 + 150 * near, "ffb660", 0.55)
            _disc(light, lamp, top - 3, 2 + 8 * near, "fff0cf", 1.3)
            _shine(light, lamp, foot + 24 * near, 30 + 190 * near, "ffa850", 0.14)
    return light.astype(np.float32)


def street(share: float) -> Light:
    """Cars on a wet road between lit houses."""
    light = _street_still().copy()
    traffic = [(1, 0.0, "3d4f78"), (1, 0.47, "7a2f36"), (-1, 0.2, "5a6872"), (-1, 0.66, "35525e")]
    for side, offset, body in sorted(traffic, key=lambda car: _near(car, share)):
        near = _near((side, offset, body), share) ** 2.4
        x, y = 640 + side * (16 + 330 * near), 424 + 330 * near
        size = 4 + 96 * near
        # Those on the right drive away from us and show their tail lights.
        lamp, glow = ("ff2a1c", "ff3020") if side > 0 else ("fffbe8", "fff0c8")
        _fill(
            light,
            [
                (x - size, y + 3),
                (x + size, y + 3),
                (x + size * 0.94, y - size * 0.52),
                (x - size * 0.94, y - size * 0.52),
            ],
            body,
        )
        _fill(
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
        _fill(
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
            _disc(light, lx, ly, size * 0.11, lamp, 1.5)
            _shine(light, lx, ly, size * 0.6, glow, 0.75 if side < 0 else 0.45)
            _shine(light, lx, y + size * 0.62, size * 0.55, glow, 0.28)
    return light


def _near(car: tuple[int, float, str], share: float) -> float:
    side, offset, _ = car
    gone = (share + offset) % 1
    return 1.12 * (1 - gone) if side > 0 else 1.12 * gone


# A 3D printer.


@cache
def _printer_still() -> Light:
    light = _gradient((0, "15181d"), (0.5, "252a31"), (0.62, "1a1d22"), (1, "0c0d10"))
    for x in range(40, WIDTH, 148):
        _disc(light, x + 30, 120 + (x * 37) % 90, 50, "34404d", 0.5)
    light = cv2.GaussianBlur(light, (0, 0), 22)
    bed = [(236, 640), (372, 470), (908, 470), (1044, 640)]
    _fill(light, [(x, y + 26) for x, y in bed], "08090b")
    _fill(light, bed, "2e3136")
    for index in range(13):
        part = index / 12
        _line(light, [(236 + 808 * part, 640), (372 + 536 * part, 470)], "4d535b", 1, 0.8)
        y = 640 - 170 * (1 - (1 - part) ** 1.0)
        inset = 136 * (640 - y) / 170
        _line(light, [(236 + inset, y), (1044 - inset, y)], "4d535b", 1, 0.8)
    _shine(light, 640, 560, 330, "ffe9c9", 0.26)
    for x in (168, 1112):
        _fill(light, [(x - 24, 0), (x + 24, 0), (x + 24, 720), (x - 24, 720)], "30343a")
        _fill(light, [(x - 24, 0), (x - 12, 0), (x - 12, 720), (x - 24, 720)], "4a5058")
        _line(light, [(x + 4, 0), (x + 4, 720)], "15171a", 7)
    return light.astype(np.float32)


def printer(share: float) -> Light:
    """A vase that grows under a nozzle which goes round."""
    light = _printer_still().copy()
    layers = 46
    for index in range(layers):
        part = index / 52
        radius = 92 + 46 * math.sin(2.1 + 5.0 * part) + 12 * part
        y = 572 - 3.9 * index
        lit = 0.62 + 0.38 * ((index % 2) * 0.35 + part * 0.65)
        # Ripples along the outline turn with the height: a twisted vase.
        turn = np.linspace(0, 2 * math.pi, 73)
        wave = radius * (1 + 0.045 * np.sin(9 * turn + 2.6 * part * math.pi))
        points = np.stack([640 + wave * np.cos(turn), y + 0.26 * wave * np.sin(turn)], axis=1)
        _fill(light, points, "e0662e", 0.52 * lit)
        front = points[4:33]
        _line(light, front, "ff9a5a", 3, 0.50 + 0.42 * lit)
        _line(light, points[20:31], "ffd2a8", 2, 0.50 * lit)
        _line(light, points[3:10], "8c3414", 3, 0.9)
    top = 572 - 3.9 * layers
    radius = 92 + 46 * math.sin(2.1 + 5.0 * layers / 52) + 12
    hole = np.linspace(0, 2 * math.pi, 60)
    _fill(
        light,
        np.stack([640 + radius * 0.9 * np.cos(hole), top + 0.22 * radius * np.sin(hole)], axis=1),
        "4a1c0a",
        0.8,
    )
    angle = 2 * math.pi * share
    x, y = 640 + radius * math.cos(angle), top + 0.26 * radius * math.sin(angle)
    rail = 196.0
    _fill(
        light, [(150, rail - 20), (1130, rail - 20), (1130, rail + 20), (150, rail + 20)], "3d434b"
    )
    _fill(
        light, [(150, rail - 20), (1130, rail - 20), (1130, rail - 10), (150, rail - 10)], "68717c"
    )
    _line(light, [(150, rail + 8), (1130, rail + 8)], "15171a", 4)
    _fill(
        light,
        [(x - 66, rail - 46), (x + 66, rail - 46), (x + 66, rail + 66), (x - 66, rail + 66)],
        "1d2024",
    )
    _fill(
        light,
        [(x - 66, rail - 46), (x + 66, rail - 46), (x + 66, rail - 34), (x - 66, rail - 34)],
        "3b4148",
    )
    _disc(light, x, rail + 8, 36, "0c0d0f")
    for blade in range(7):
        turn = 2 * math.pi * (blade / 7 + 9 * share)
        tip = (x + 31 * math.cos(turn), rail + 8 + 31 * math.sin(turn))
        _line(light, [(x, rail + 8), tip], "33383e", 5)
    _disc(light, x, rail + 8, 9, "4a515a")
    for fin in range(5):
        fy = rail + 72 + fin * 12
        _fill(
            light, [(x - 30, fy), (x + 30, fy), (x + 30, fy + 7), (x - 30, fy + 7)], "8b949e", 0.85
        )
    neck = rail + 134
    _fill(light, [(x - 18, neck), (x + 18, neck), (x + 18, y - 26), (x - 18, y - 26)], "b98a4a")
    _fill(light, [(x - 16, y - 26), (x + 16, y - 26), (x + 4, y - 1), (x - 4, y - 1)], "e0b264")
    _shine(light, x, y, 60, "ff8a3c", 0.5)
    _shine(light, x - 30, rail + 70, 190, "eaf3ff", 0.12)
    _disc(light, x, y, 4, "fff0d8", 1.4)
    return light


# The sea from a harbour, in the evening.


@cache
def _harbour_still() -> Light:
    light = _gradient(
        (0, "2c4a74"), (0.25, "7d86a5"), (0.42, "f0a878"), (0.5, "ffd79a"), (1, "ffd79a")
    )
    banks = _clouds(23, (4, 14))
    mass = np.clip(1.9 * (banks - 0.55), 0, 1) * np.linspace(1, 0.5, HEIGHT)[:, None]
    light = light * (1 - 0.45 * mass[..., None]) + 0.45 * mass[..., None] * np.array(
        _colour("e88a78")
    )
    _shine(light, 820, 340, 190, "ffcf8a", 0.32)
    _disc(light, 820, 322, 32, "fff3d6", 1.3)
    light = light.astype(np.float32)
    hills = [
        (x, 352 - 26 * math.sin(x / 170) - 16 * math.sin(x / 61 + 1)) for x in range(0, 620, 8)
    ]
    _fill(light, [(0, 372), *hills, (620, 372)], "5d5a72")
    return light


@cache
def _ripples() -> tuple[Light, Light, Light]:
    # At half the size: water is soft, and this is what takes time.
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
    sea = np.array(_colour("1f3f52"), np.float32) + (y[..., None] / 360) * (
        np.array(_colour("0b2030"), np.float32) - np.array(_colour("1f3f52"), np.float32)
    )
    sky = np.clip(0.30 + 0.13 * waves, 0, 1)[..., None] * np.array(_colour("f7b98a"), np.float32)
    path = np.exp(-((x - 820) ** 2) / (2 * (36 + 0.62 * y) ** 2)) * np.clip(waves - 0.25, 0, None)
    water = sea + 0.55 * sky + 0.62 * path[..., None] * np.array(_colour("ffd49a"), np.float32)
    light[360:] = cv2.resize(water, (WIDTH, HEIGHT - 360), interpolation=cv2.INTER_LINEAR)
    # The mole and its light.
    _fill(light, [(-10, 372), (330, 366), (352, 384), (-10, 420)], "23242e")
    _fill(light, [(262, 368), (300, 368), (294, 222), (268, 222)], "efe6dc", 0.86)
    for band in range(2):
        top = 250 + band * 56
        _fill(light, [(266, top), (297, top), (298, top + 26), (265, top + 26)], "b2392f", 0.9)
    _fill(light, [(264, 222), (298, 222), (298, 196), (264, 196)], "3a3038")
    _fill(light, [(260, 196), (302, 196), (281, 176)], "8e2c26")
    blink = max(0.0, math.cos(turn)) ** 6
    _disc(light, 281, 209, 8, "fff2c0", 0.7 + blink)
    _shine(light, 281, 209, 110, "ffe9a8", 0.9 * blink)
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
        _fill(light, _placed(shape, x0, y0, lean), shade, 0.82)
    for ends in ([(-6, -228), (146, -28)], [(-6, -228), (-146, -22)]):
        _line(light, _placed(ends, x0, y0, lean), "2a2420", 1)
    _fill(
        light,
        [(x0 - 128, y0 + 32), (x0 + 118, y0 + 32), (x0 + 84, y0 + 74), (x0 - 90, y0 + 70)],
        "0a1a26",
        0.8,
    )
    return light


def _placed(shape: list[tuple[int, int]], x: float, y: float, degrees: float) -> list[Any]:
    turn = math.radians(degrees)
    return [
        (
            x + px * math.cos(turn) - py * math.sin(turn),
            y + px * math.sin(turn) + py * math.cos(turn),
        )
        for px, py in shape
    ]


# An aquarium.


@cache
def _aquarium_still() -> Light:
    light = _gradient((0, "4fb6c9"), (0.3, "1d7f9b"), (0.75, "0c4a68"), (1, "0a3148"))
    sand = [(x, 640 + 14 * math.sin(x / 130) + 6 * math.sin(x / 47)) for x in range(0, 1290, 10)]
    _fill(light, [(0, 730), *sand, (1290, 730)], "a58a5f", 0.72)
    chance = np.random.default_rng(4)
    for _ in range(260):
        x, y = chance.uniform(0, WIDTH), chance.uniform(660, 716)
        _disc(
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
        _fill(light, points, "2c3c42")
        _fill(light, (points - [x, y]) * 0.72 + [x - size * 0.12, y - size * 0.16], "3f555a")
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
    light += (0.10 * rays * fall)[..., None] * np.array(_colour("d8fbff"), np.float32)
    for index in range(15):
        x = 40 + index * 23 if index < 8 else 870 + (index - 8) * 54
        tall = 190 + 140 * abs(math.sin(index * 2.3))
        up = np.linspace(0, 1, 18)
        sway = 34 * up**1.6 * np.sin(turn + 2.4 * up + index)
        broad = 10 * (1 - up) ** 0.6 + 1
        spine_x, spine_y = x + sway, 668 - tall * up
        left = np.stack([spine_x - broad, spine_y], axis=1)
        right = np.stack([spine_x + broad, spine_y], axis=1)[::-1]
        _fill(light, np.concatenate([left, right]), ("2f8a56", "4aa35c", "1f6f57")[index % 3], 0.78)
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
        _disc(light, x - size / 3, 660 - 660 * up - size / 3, 1.4, "ffffff", 0.95)
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
    _fill(light, tail, hues[0], 0.8)
    _fill(light, fin, hues[0], 0.7)
    _fill(light, body, hues[0], 0.92)
    under = np.stack(
        [x + way * size * 0.86 * np.cos(turn[:21]), y + size * (0.10 + 0.36 * np.sin(turn[:21]))],
        axis=1,
    )
    _fill(light, under, hues[1], 0.75)
    for stripe in (0.34, -0.22):
        sx = x + way * size * stripe
        _fill(
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
    _disc(light, x + way * size * 0.66, y - size * 0.12, size * 0.12, "ffffff")
    _disc(light, x + way * size * 0.69, y - size * 0.12, size * 0.07, "101820")


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
    light = _gradient((0, "070b1c"), (0.55, "101c38"), (0.82, "24365a"), (1, "3a4a66"))
    band = np.exp(-((_tilted() + 0.02) ** 2) / 0.045) * (0.35 + 0.65 * _clouds(40, (9, 6)))
    light += (0.30 * band)[..., None] * np.array(_colour("b9b4e8"), np.float32)
    for radius, angle, bright, warm in _stars():
        # Nearly still, like the real ones, and back where they were at the end of the loop.
        at = angle + 0.006 * math.sin(2 * math.pi * share)
        x, y = 520 + radius * math.cos(at), 250 + 0.8 * radius * math.sin(at)
        if 0 <= x < WIDTH and 0 <= y < 640:
            twinkle = 0.8 + 0.2 * math.sin(2 * math.pi * (2 * share + angle * 7))
            _disc(
                light,
                x,
                y,
                0.6 + 1.2 * bright,
                "ffe6c8" if warm > 0.7 else "dfe9ff",
                bright * twinkle,
            )
    x = -60 + share * 1400
    _disc(light, x, 240 - 0.09 * x, 1.8, "ffffff", 1.1)
    _line(light, [(x - 26, 240 - 0.09 * (x - 26)), (x, 240 - 0.09 * x)], "aab8d8", 1, 0.5)
    chance = np.random.default_rng(2)
    for index in range(46):
        tx, tall = index * 29 + chance.uniform(-10, 10), chance.uniform(50, 150)
        if 660 < tx < 1120:
            tall *= 0.35
        for tier in range(4):
            top = 690 - tall * (0.25 + 0.25 * tier)
            broad = 26 * (1 - 0.2 * tier) * (0.5 + tall / 160)
            _fill(
                light,
                [(tx - broad, top + tall * 0.36), (tx + broad, top + tall * 0.36), (tx, top)],
                "050810",
            )
    _fill(light, [(0, 668), (400, 656), (1280, 672), (1280, 730), (0, 730)], "04060c")
    turn = np.linspace(math.pi, 2 * math.pi, 40)
    dome = np.stack([880 + 128 * np.cos(turn), 560 + 128 * np.sin(turn)], axis=1)
    _fill(light, [(760, 558), (1000, 558), (1000, 680), (760, 680)], "161c2a")
    _fill(light, dome, "2a3448")
    _fill(light, dome * [0.94, 1] + [0.06 * 830, 4], "222b3d")
    _fill(light, [(896, 434), (930, 441), (944, 556), (898, 556)], "7a1f1a", 0.9)
    _shine(light, 916, 520, 66, "ff4a30", 0.34)
    _fill(light, [(776, 610), (806, 610), (806, 668), (776, 668)], "e0562e", 0.7)
    _shine(light, 790, 640, 70, "ff5a30", 0.25)
    return light


@cache
def _tilted() -> Light:
    y, x = np.mgrid[-0.56 : 0.56 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j].astype(np.float32)
    return 0.5 * x + 0.85 * y


# A conveyor, from above.


@cache
def _belt_still() -> Light:
    light = (
        np.zeros((HEIGHT, WIDTH, 3), np.float32) + np.array(_colour("8d9398"), np.float32) * 0.55
    )
    light *= (0.9 + 0.2 * _clouds(12, (30, 3)))[..., None]
    _fill(light, [(0, 150), (WIDTH, 150), (WIDTH, 570), (0, 570)], "24282c")
    for y in (112, 578):
        _fill(light, [(0, y), (WIDTH, y), (WIDTH, y + 32), (0, y + 32)], "b4bbc0", 0.9)
        _fill(light, [(0, y), (WIDTH, y), (WIDTH, y + 8), (0, y + 8)], "e4e9ec", 0.9)
        for x in range(40, WIDTH, 160):
            _disc(light, x, y + 18, 7, "5a6166")
            _disc(light, x, y + 17, 4, "7d858b")
    return light.astype(np.float32)


def belt(share: float) -> Light:
    """Boxes and bottles on a belt, under a ring of light."""
    light = _belt_still().copy()
    for index in range(34):
        x = (index / 34 + share * 8 / 34) % 1 * (WIDTH + 80) - 40
        _line(light, [(x, 150), (x, 570)], "1b1e21", 3)
    kinds = ("box", "cap", "cap", "box", "tin", "cap", "box", "tin")
    for index, kind in enumerate(kinds):
        x = (index / 8 + share) % 1 * (WIDTH + 320) - 160
        y = 360 + 72 * math.sin(index * 2.1)
        _shine(light, x + 14, y + 16, 62, "ffffff", -0.12)
        if kind == "box":
            turn = math.degrees(0.5 * math.sin(index * 3))
            for inset, shade in ((0, "8a6238"), (5, "c1915a"), (5, "c89a64")):
                side = 78 - inset
                shape = [
                    (-side, -side * 0.72),
                    (side, -side * 0.72),
                    (side, side * 0.72),
                    (-side, side * 0.72),
                ]
                _fill(light, _placed([(int(a), int(b)) for a, b in shape], x, y, turn), shade, 0.95)
            tape = [(-74, -9), (74, -9), (74, 9), (-74, 9)]
            _fill(light, _placed(tape, x, y, turn), "e2c79a", 0.9)
            label = [(18, 18), (60, 18), (60, 44), (18, 44)]
            _fill(light, _placed(label, x, y, turn), "f4f1ea", 0.95)
            for bar in range(7):
                strip = [
                    (22 + bar * 5, 22),
                    (24 + bar * 5, 22),
                    (24 + bar * 5, 40),
                    (22 + bar * 5, 40),
                ]
                _fill(light, _placed(strip, x, y, turn), "26231f")
        else:
            body, edge = ("2f7fb8", "7fc0ea") if kind == "cap" else ("9aa1a6", "e8ecee")
            size = 44 if kind == "cap" else 58
            _disc(light, x, y, size, edge, 0.62)
            _disc(light, x, y, size - 5, body, 0.95)
            _disc(light, x - size * 0.1, y - size * 0.12, size * 0.62, edge, 0.5)
            _disc(light, x, y, size * 0.5, body, 0.85)
            _disc(light, x - size * 0.3, y - size * 0.34, size * 0.12, "ffffff", 0.95)
    _shine(light, 640, 360, 420, "f2f8ff", 0.20)
    return light


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
    light = _gradient((0, "2a1b3a"), (0.36, "3a2750"), (0.40, "181522"), (1, "221c28"))
    for x in range(0, WIDTH, 92):
        _line(light, [(x, 0), (640 + (x - 640) * 0.7, 290)], "46305e", 2)
    light = cv2.GaussianBlur(light, (0, 0), 5)
    for row in range(3):
        y, wide = 384 + row * 128, 520 + row * 150
        _fill(
            light,
            [
                (640 - wide, y + 40),
                (640 + wide, y + 40),
                (640 + wide - 40, y - 22),
                (640 - wide + 40, y - 22),
            ],
            "1a1410",
        )
        _fill(
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
        _fill(light, [(x - 150, 70), (x + 150, 70), (x + 138, 96), (x - 138, 96)], "ffe6ff", 1.4)
        _shine(light, x, 90, 210, "e08cff", 0.42)
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
            _fill(light, _smooth(leaf), shade, 0.55 + 0.35 * index / len(leaves))
            _line(light, [(x, y), (mid_x, mid_y), (tip_x, tip_y)], "b9e59a", 1, 0.5)
    light[:, :, 0] *= 1.04
    _shine(light, 640, 330, 560, "d69cff", 0.16)
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


# A rack of machines.


@cache
def _rack_still() -> Light:
    light = _gradient((0, "10161d"), (1, "0a0e13"))
    _shine(light, 200, 100, 500, "2f5f86", 0.28)
    for x0, x1 in ((84, 604), (676, 1196)):
        _fill(light, [(x0 - 22, 0), (x1 + 22, 0), (x1 + 22, 720), (x0 - 22, 720)], "1b2129")
        for unit in range(11):
            y = 14 + unit * 65
            _fill(light, [(x0, y), (x1, y), (x1, y + 58), (x0, y + 58)], "2a323c")
            _fill(light, [(x0, y), (x1, y), (x1, y + 3), (x0, y + 3)], "4a5664")
            for hole in range(22):
                for line in range(3):
                    _disc(
                        light,
                        x0 + 132 + hole * 15 + (line % 2) * 7,
                        y + 18 + line * 12,
                        3.4,
                        "11161c",
                    )
            for ear in (x0 + 12, x1 - 12):
                _disc(light, ear, y + 29, 5, "56636f")
            _fill(
                light,
                [(x0 + 26, y + 12), (x0 + 108, y + 12), (x0 + 108, y + 46), (x0 + 26, y + 46)],
                "1a2027",
            )
    return light.astype(np.float32)


def rack(share: float) -> Light:
    """Machines whose lights blink."""
    light = _rack_still().copy()
    chance = np.random.default_rng(3)
    for x0 in (84, 676):
        for unit in range(11):
            y = 14 + unit * 65
            for lamp in range(8):
                rate, phase = int(chance.integers(1, 9)), chance.random()
                busy = chance.random() < 0.75
                on = 1.0 if not busy else float(((share * rate * 2 + phase) % 1) < 0.6)
                colour = str(chance.choice(["4dff9a", "4dff9a", "58b4ff", "ffb23e"]))
                x, ly = x0 + 36 + (lamp % 4) * 21, y + 21 + (lamp // 4) * 16
                _disc(light, x, ly, 3.6, colour, 0.25 + 1.1 * on)
                if on:
                    _shine(light, x, ly, 15, colour, 0.30)
            bad = x0 == 676 and unit == 6
            _disc(light, x0 + 490, y + 29, 4.5, "ff4a3c" if bad else "58b4ff", 1.2)
            _shine(light, x0 + 490, y + 29, 26, "ff4a3c" if bad else "58b4ff", 0.4)
    return light


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
