"""Scenes with machines: a printer, a conveyor, a rack."""

import math
from functools import cache

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

__all__ = ["belt", "printer", "rack"]


# A 3D printer.


@cache
def _printer_still() -> Light:
    light = gradient((0, "15181d"), (0.5, "252a31"), (0.62, "1a1d22"), (1, "0c0d10"))
    for x in range(40, WIDTH, 148):
        disc(light, x + 30, 120 + (x * 37) % 90, 50, "34404d", 0.5)
    light = cv2.GaussianBlur(light, (0, 0), 22)
    bed = [(236, 640), (372, 470), (908, 470), (1044, 640)]
    fill(light, [(x, y + 26) for x, y in bed], "08090b")
    fill(light, bed, "2e3136")
    for index in range(13):
        part = index / 12
        line(light, [(236 + 808 * part, 640), (372 + 536 * part, 470)], "4d535b", 1, 0.8)
        y = 640 - 170 * (1 - (1 - part) ** 1.0)
        inset = 136 * (640 - y) / 170
        line(light, [(236 + inset, y), (1044 - inset, y)], "4d535b", 1, 0.8)
    shine(light, 640, 560, 330, "ffe9c9", 0.26)
    for x in (168, 1112):
        fill(light, [(x - 24, 0), (x + 24, 0), (x + 24, 720), (x - 24, 720)], "30343a")
        fill(light, [(x - 24, 0), (x - 12, 0), (x - 12, 720), (x - 24, 720)], "4a5058")
        line(light, [(x + 4, 0), (x + 4, 720)], "15171a", 7)
    return light.astype(np.float32)


def printer(share: float) -> Light:
    """A vase that grows under a circling nozzle."""
    light = _printer_still().copy()
    layers = 46
    for index in range(layers):
        part = index / 52
        radius = 92 + 46 * math.sin(2.1 + 5.0 * part) + 12 * part
        y = 572 - 3.9 * index
        lit = 0.62 + 0.38 * ((index % 2) * 0.35 + part * 0.65)
        # The ripples of the outline rotate with height: a twisted vase.
        turn = np.linspace(0, 2 * math.pi, 73)
        wave = radius * (1 + 0.045 * np.sin(9 * turn + 2.6 * part * math.pi))
        points = np.stack([640 + wave * np.cos(turn), y + 0.26 * wave * np.sin(turn)], axis=1)
        fill(light, points, "e0662e", 0.52 * lit)
        front = points[4:33]
        line(light, front, "ff9a5a", 3, 0.50 + 0.42 * lit)
        line(light, points[20:31], "ffd2a8", 2, 0.50 * lit)
        line(light, points[3:10], "8c3414", 3, 0.9)
    top = 572 - 3.9 * layers
    radius = 92 + 46 * math.sin(2.1 + 5.0 * layers / 52) + 12
    hole = np.linspace(0, 2 * math.pi, 60)
    fill(
        light,
        np.stack([640 + radius * 0.9 * np.cos(hole), top + 0.22 * radius * np.sin(hole)], axis=1),
        "4a1c0a",
        0.8,
    )
    angle = 2 * math.pi * share
    x, y = 640 + radius * math.cos(angle), top + 0.26 * radius * math.sin(angle)
    rail = 196.0
    fill(
        light, [(150, rail - 20), (1130, rail - 20), (1130, rail + 20), (150, rail + 20)], "3d434b"
    )
    fill(
        light, [(150, rail - 20), (1130, rail - 20), (1130, rail - 10), (150, rail - 10)], "68717c"
    )
    line(light, [(150, rail + 8), (1130, rail + 8)], "15171a", 4)
    fill(
        light,
        [(x - 66, rail - 46), (x + 66, rail - 46), (x + 66, rail + 66), (x - 66, rail + 66)],
        "1d2024",
    )
    fill(
        light,
        [(x - 66, rail - 46), (x + 66, rail - 46), (x + 66, rail - 34), (x - 66, rail - 34)],
        "3b4148",
    )
    disc(light, x, rail + 8, 36, "0c0d0f")
    for blade in range(7):
        turn = 2 * math.pi * (blade / 7 + 9 * share)
        tip = (x + 31 * math.cos(turn), rail + 8 + 31 * math.sin(turn))
        line(light, [(x, rail + 8), tip], "33383e", 5)
    disc(light, x, rail + 8, 9, "4a515a")
    for fin in range(5):
        fy = rail + 72 + fin * 12
        fill(
            light, [(x - 30, fy), (x + 30, fy), (x + 30, fy + 7), (x - 30, fy + 7)], "8b949e", 0.85
        )
    neck = rail + 134
    fill(light, [(x - 18, neck), (x + 18, neck), (x + 18, y - 26), (x - 18, y - 26)], "b98a4a")
    fill(light, [(x - 16, y - 26), (x + 16, y - 26), (x + 4, y - 1), (x - 4, y - 1)], "e0b264")
    shine(light, x, y, 60, "ff8a3c", 0.5)
    shine(light, x - 30, rail + 70, 190, "eaf3ff", 0.12)
    disc(light, x, y, 4, "fff0d8", 1.4)
    return light


# A conveyor, from above.


@cache
def _belt_still() -> Light:
    light = np.zeros((HEIGHT, WIDTH, 3), np.float32) + np.array(bgr("8d9398"), np.float32) * 0.55
    light *= (0.9 + 0.2 * clouds(12, (30, 3)))[..., None]
    fill(light, [(0, 150), (WIDTH, 150), (WIDTH, 570), (0, 570)], "24282c")
    for y in (112, 578):
        fill(light, [(0, y), (WIDTH, y), (WIDTH, y + 32), (0, y + 32)], "b4bbc0", 0.9)
        fill(light, [(0, y), (WIDTH, y), (WIDTH, y + 8), (0, y + 8)], "e4e9ec", 0.9)
        for x in range(40, WIDTH, 160):
            disc(light, x, y + 18, 7, "5a6166")
            disc(light, x, y + 17, 4, "7d858b")
    return light.astype(np.float32)


def belt(share: float) -> Light:
    """Boxes and bottles on a belt, under a ring of light."""
    light = _belt_still().copy()
    for index in range(34):
        x = (index / 34 + share * 8 / 34) % 1 * (WIDTH + 80) - 40
        line(light, [(x, 150), (x, 570)], "1b1e21", 3)
    kinds = ("box", "cap", "cap", "box", "tin", "cap", "box", "tin")
    for index, kind in enumerate(kinds):
        x = (index / 8 + share) % 1 * (WIDTH + 320) - 160
        y = 360 + 72 * math.sin(index * 2.1)
        shine(light, x + 14, y + 16, 62, "ffffff", -0.12)
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
                fill(light, placed([(int(a), int(b)) for a, b in shape], x, y, turn), shade, 0.95)
            tape = [(-74, -9), (74, -9), (74, 9), (-74, 9)]
            fill(light, placed(tape, x, y, turn), "e2c79a", 0.9)
            label = [(18, 18), (60, 18), (60, 44), (18, 44)]
            fill(light, placed(label, x, y, turn), "f4f1ea", 0.95)
            for bar in range(7):
                strip = [
                    (22 + bar * 5, 22),
                    (24 + bar * 5, 22),
                    (24 + bar * 5, 40),
                    (22 + bar * 5, 40),
                ]
                fill(light, placed(strip, x, y, turn), "26231f")
        else:
            body, edge = ("2f7fb8", "7fc0ea") if kind == "cap" else ("9aa1a6", "e8ecee")
            size = 44 if kind == "cap" else 58
            disc(light, x, y, size, edge, 0.62)
            disc(light, x, y, size - 5, body, 0.95)
            disc(light, x - size * 0.1, y - size * 0.12, size * 0.62, edge, 0.5)
            disc(light, x, y, size * 0.5, body, 0.85)
            disc(light, x - size * 0.3, y - size * 0.34, size * 0.12, "ffffff", 0.95)
    shine(light, 640, 360, 420, "f2f8ff", 0.20)
    return light


# A rack of machines.


@cache
def _rack_still() -> Light:
    light = gradient((0, "10161d"), (1, "0a0e13"))
    shine(light, 200, 100, 500, "2f5f86", 0.28)
    for x0, x1 in ((84, 604), (676, 1196)):
        fill(light, [(x0 - 22, 0), (x1 + 22, 0), (x1 + 22, 720), (x0 - 22, 720)], "1b2129")
        for unit in range(11):
            y = 14 + unit * 65
            fill(light, [(x0, y), (x1, y), (x1, y + 58), (x0, y + 58)], "2a323c")
            fill(light, [(x0, y), (x1, y), (x1, y + 3), (x0, y + 3)], "4a5664")
            for hole in range(22):
                for row in range(3):
                    disc(
                        light,
                        x0 + 132 + hole * 15 + (row % 2) * 7,
                        y + 18 + row * 12,
                        3.4,
                        "11161c",
                    )
            for ear in (x0 + 12, x1 - 12):
                disc(light, ear, y + 29, 5, "56636f")
            fill(
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
                disc(light, x, ly, 3.6, colour, 0.25 + 1.1 * on)
                if on:
                    shine(light, x, ly, 15, colour, 0.30)
            bad = x0 == 676 and unit == 6
            disc(light, x0 + 490, y + 29, 4.5, "ff4a3c" if bad else "58b4ff", 1.2)
            shine(light, x0 + 490, y + 29, 26, "ff4a3c" if bad else "58b4ff", 0.4)
    return light
