"""A synthetic camera: pleasant to look at, and readable by machines.

It shows its name, a clock that a person can read and things that move at a known pace, so that
judder, delay and loss can be seen with the naked eye. For machines the time of rendering is burned
in as a strip of :data:`CELLS` square cells: 48 bits of Unix time in milliseconds, most significant
first, then 8 bits of checksum, the XOR of the six bytes; white is 1, black is 0. The side of a
cell is ``width // 64``, the strip starts at ``x = y = 4 * side``, and :func:`read_time` reads it.
"""

import math
import time
from collections.abc import Mapping
from typing import TypedDict

import cv2
import numpy as np

from server.capture.frame import Image
from server.capture.info import SourceInfo
from server.capture.pacer import Pacer

__all__ = ["CELLS", "TestPattern", "read_time"]

CELLS = 56
TIME_BYTES = 6

# Colours in BGR.
DEEP = (58, 34, 14)
SHALLOW = (116, 84, 38)
RING = (168, 140, 96)
BRASS = (96, 188, 236)
CORAL = (98, 112, 244)
INK = (250, 244, 236)
MUTED = (206, 186, 158)
SWATCHES = (
    (236, 236, 236),
    (86, 204, 244),
    (196, 190, 62),
    (110, 184, 92),
    (168, 96, 188),
    (92, 92, 232),
    (196, 116, 58),
)


class Options(TypedDict, total=False):
    """What can follow ``test:?``."""

    size: tuple[int, int]
    fps: float
    noise: float


class TestPattern:
    """The pattern as a source.

    Args:
        name: The camera's name, shown in the picture.
        size: Width and height in pixels.
        fps: Pictures a second.
        noise: Strength of the noise, 0 to 1, as the standard deviation in units of full white.
            Noise makes JPEG bigger, as a dim room does.
    """

    __test__ = False  # The name begins like a test class's; pytest shall not collect it.

    def __init__(
        self, name: str, size: tuple[int, int] = (1280, 720), fps: float = 30.0, noise: float = 0.0
    ) -> None:
        width, height = size
        self.info = SourceInfo(width, height, fps, "raw", live=True)
        self._pacer = Pacer()
        self._face = cv2.FontFace("sans")
        self._unit = min(height / 720, width / 1280)
        self._backdrop = self._paint_backdrop(name)
        self._noise = _Noise(size, noise) if noise else None

    @staticmethod
    def read_options(options: Mapping[str, str]) -> Options:
        """Return the constructor's arguments for options that :mod:`server.address` has checked."""
        read: Options = {}
        if "size" in options:
            width, _, height = options["size"].partition("x")
            read["size"] = (int(width), int(height))
        if "fps" in options:
            read["fps"] = float(options["fps"])
        if "noise" in options:
            read["noise"] = float(options["noise"])
        return read

    def grab(self) -> bool:
        """Wait until the next picture is due."""
        due = self._pacer.wait()
        if due:
            self._pacer.schedule(1 / self.info.fps)
        return due

    def retrieve(self, _jpeg_up_to: int = 0) -> Image:
        """Render the picture of this moment."""
        return self.render(time.time())

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def render(self, at_unix: float) -> Image:
        """Return the picture of the moment ``at_unix``, in Unix seconds."""
        image = self._backdrop.copy()
        self._draw_sweep(image, at_unix)
        self._draw_runner(image, at_unix)
        self._draw_clock(image, at_unix)
        if self._noise:
            self._noise.add_to(image)
        _burn_time(image, at_unix)
        return image

    @property
    def _center(self) -> tuple[int, int]:
        return self.info.width // 2, int(self.info.height * 0.49)

    def _paint_backdrop(self, name: str) -> Image:
        """Paint what never moves: water, ring, swatches and the name."""
        width, height, unit = self.info.width, self.info.height, self._unit
        depth = np.linspace(0, 1, height)[:, None]
        rows = (np.array(SHALLOW) * (1 - depth) + np.array(DEEP) * depth).astype(np.uint8)
        image: Image = np.repeat(rows[:, None], width, axis=1)
        thin = max(1, round(2 * unit))
        cv2.circle(image, self._center, round(212 * unit), RING, thin, cv2.LINE_AA)
        for hour in range(12):
            start, end = self._on_dial(hour / 12, 182), self._on_dial(hour / 12, 198)
            cv2.line(image, start, end, MUTED, thin, cv2.LINE_AA)
        side, top = width / len(SWATCHES), round(height - 36 * unit)
        for index, colour in enumerate(SWATCHES):
            left, right = round(index * side), round((index + 1) * side)
            cv2.rectangle(image, (left, top), (right, height), colour, cv2.FILLED)
        self._write(image, name, height - 66 * unit, 34, INK, 600)
        self._write(
            image,
            f"{width} x {height} at {self.info.fps:g} fps",
            self._center[1] - 62 * unit,
            18,
            MUTED,
        )
        return image

    def _on_dial(self, turn: float, radius: float) -> tuple[int, int]:
        x, y = self._center
        angle = 2 * math.pi * turn
        return (
            round(x + radius * self._unit * math.sin(angle)),
            round(y - radius * self._unit * math.cos(angle)),
        )

    def _draw_sweep(self, image: Image, at_unix: float) -> None:
        """Draw an arc that grows over a minute, and a dot that goes round in a second."""
        thick = max(2, round(6 * self._unit))
        radius = round(212 * self._unit)
        minute, second = at_unix % 60 / 60, at_unix % 1
        cv2.ellipse(
            image, self._center, (radius, radius), -90, 0, 360 * minute, BRASS, thick, cv2.LINE_AA
        )
        cv2.circle(image, self._on_dial(second, 212), round(12 * self._unit), INK, -1, cv2.LINE_AA)

    def _draw_runner(self, image: Image, at_unix: float) -> None:
        """Draw a ball on a wave that crosses the picture every four seconds."""
        width, height = self.info.width, self.info.height
        phase = at_unix % 4 / 4
        x = round(width * phase)
        y = round(height * 0.84 - 12 * self._unit * math.sin(phase * 16 * math.pi))
        cv2.circle(image, (x, y), round(15 * self._unit), CORAL, -1, cv2.LINE_AA)

    def _draw_clock(self, image: Image, at_unix: float) -> None:
        now = time.localtime(at_unix)
        tenths = int(at_unix % 1 * 10)
        middle = self._center[1]
        self._write(
            image,
            time.strftime("%H:%M:%S", now) + f".{tenths}",
            middle + 20 * self._unit,
            58,
            INK,
            600,
        )
        self._write(image, time.strftime("%A %d %B %Y", now), middle + 74 * self._unit, 18, MUTED)

    def _write(
        self,
        image: Image,
        text: str,
        baseline: float,
        size: float,
        colour: tuple[int, int, int],
        weight: int = 400,
    ) -> None:
        """Write a centred line; digits are as wide as each other, so a clock does not tremble."""
        pixels = max(8, round(size * self._unit))
        _, _, wide, _ = cv2.getTextSize((0, 0), text, (0, 0), self._face, pixels, weight)
        left = self.info.width // 2 - wide // 2
        cv2.putText(image, text, (left, round(baseline)), colour, self._face, pixels, weight)


class _Noise:
    """Noise that looks fresh in every picture and costs two additions."""

    MARGIN = 64

    def __init__(self, size: tuple[int, int], strength: float) -> None:
        self._random = np.random.default_rng(1)
        shape = (size[1] + self.MARGIN, size[0] + self.MARGIN, 3)
        values = self._random.normal(0, 255 * strength, shape)
        self._lighter: Image = np.clip(values, 0, 255).astype(np.uint8)
        self._darker: Image = np.clip(-values, 0, 255).astype(np.uint8)

    def add_to(self, image: Image) -> None:
        height, width = image.shape[:2]
        y, x = self._random.integers(0, self.MARGIN, 2)
        window = np.s_[y : y + height, x : x + width]
        cv2.add(image, self._lighter[window], dst=image)
        cv2.subtract(image, self._darker[window], dst=image)


def _burn_time(image: Image, at_unix: float) -> None:
    side = image.shape[1] // 64
    stamp = int(at_unix * 1000).to_bytes(TIME_BYTES, "big")
    bits = np.unpackbits(np.frombuffer(stamp + bytes([_checksum(stamp)]), np.uint8)) * np.uint8(255)
    strip = np.repeat(np.repeat(bits[None], side, axis=0), side, axis=1)
    top = left = 4 * side
    image[top : top + side, left : left + CELLS * side] = strip[..., None]


def read_time(image: Image) -> float | None:
    """Return the burned-in time in Unix seconds, or None if there is none to be read."""
    height, width = image.shape[:2]
    side = width // 64
    center = 4 * side + side // 2
    if side == 0 or height <= center:
        return None
    cells = image[center, center : center + CELLS * side : side].mean(axis=-1)
    stamp = np.packbits(cells > 127).tobytes()
    if _checksum(stamp[:TIME_BYTES]) != stamp[TIME_BYTES]:
        return None
    return int.from_bytes(stamp[:TIME_BYTES], "big") / 1000


def _checksum(stamp: bytes) -> int:
    checksum = 0
    for byte in stamp:
        checksum ^= byte
    return checksum
