"""A synthetic camera: pleasant to look at, and readable by machines.

It shows its name, a clock and shapes that move at a known speed, so that people can see judder,
delay and loss. For machines, the time of rendering is burned in as a strip of :data:`CELLS` square
cells: 48 bits of Unix time in milliseconds, most significant first, then 8 bits of checksum, the
XOR of the six bytes; white is 1, black is 0. The side of a cell is ``width // 64``, the strip
starts at ``x = y = 4 * side``, and :func:`read_time` reads it.
"""

import ctypes
import itertools
import math
import time
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

import cv2
import numpy as np

from server.capture.devices.controls import ControlInfo, Value, find_control
from server.capture.frames.arrivals import Arrivals
from server.capture.frames.frame import Image
from server.capture.frames.info import SourceInfo
from server.capture.frames.stencil import Colour, Stencil, join, letter
from server.capture.sources.adjustment import Adjustment
from server.capture.sources.pacer import Pacer

__all__ = ["CELLS", "TestPattern", "read_time"]

CELLS = 56
TIME_BYTES = 6

# The number of backdrops with different noise, and of reusable pictures kept for each.
NOISES = 4
SHEETS = 4

# The sizes it can be set to, besides its initial one.
SIZES = ((320, 180), (640, 360), (1280, 720), (1920, 1080))

# Date formats, longest first; the longest that fits is shown.
DATES = ("%A %d %B %Y", "%a %d %b %Y", "%d %b")

# The free radius within the ring and its ticks, in units.
INNER_RADIUS = 176

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
    """The options after ``test:?``."""

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

    __test__ = False  # The name looks like a test class; pytest must not collect it.

    def __init__(
        self, name: str, size: tuple[int, int] = (1280, 720), fps: float = 30.0, noise: float = 0.0
    ) -> None:
        self._name = name
        self._noise = noise
        self._first_size = size
        self._pacer = Pacer()
        self.arrivals = Arrivals()
        self._adjustment = Adjustment()
        self._apply_size(size, fps)

    def _apply_size(self, size: tuple[int, int], fps: float) -> None:
        width, height = size
        self.info = SourceInfo(width, height, fps, "raw", live=True, on_request=True)
        self._unit = min(height / 720, width / 1280)
        # The last text and its stencil. All characters are drawn, and so cached, on this thread
        # first: OpenCV unpacks its font again on each new thread.
        self._last_clock = "", join([self._line(one, 58, INK, 600) for one in "0123456789:."])
        backdrop = self._paint_backdrop(self._name)
        backdrops = _with_noise(backdrop, self._noise) if self._noise else [backdrop]
        moving = self._find_moving()
        self._canvases = itertools.cycle([_Canvas(image, moving) for image in backdrops])

    @staticmethod
    def read_options(options: Mapping[str, str]) -> Options:
        """Return the constructor's arguments for options validated by ``config/address.py``."""
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
            self.arrivals.add()
            self._pacer.schedule(1 / self.info.fps)
        return due

    def retrieve(self, _jpeg_up_to: int = 0, _pixels_from: int = 0) -> Image:
        """Render the picture for the current time."""
        return self.render(time.time())

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def render(self, at_unix: float) -> Image:
        """Return the picture for the time ``at_unix``, in Unix seconds."""
        image, shown = next(self._canvases).clean()
        self._draw_sweep(image, at_unix)
        self._draw_runner(image, at_unix)
        self._draw_clock(image, at_unix)
        if not self._adjustment.identity:
            image = shown = self._adjustment.apply(image)
        _burn_time(image, at_unix)  # Last, so that no adjustment makes it unreadable.
        shown.flags.writeable = False
        return shown

    def controls(self) -> tuple[ControlInfo, ...]:
        """Return the controls, which let people try everything without hardware."""
        sizes = sorted({*SIZES, self._first_size})
        size = ControlInfo(
            name="size",
            title="Size",
            kind="choice",
            group="Picture",
            default=_show_size(self._first_size),
            value=_show_size((self.info.width, self.info.height)),
            options=tuple(map(_show_size, sizes)),
        )
        return (size, *self._adjustment.controls)

    def set_control(self, name: str, value: Value) -> Value:
        """Set a control from the next picture on.

        Raises:
            ControlError: If there is no such control, or it cannot be set now.
        """
        find_control(self.controls(), name)
        if name == "size":
            width, _, height = str(value).partition("x")
            self._apply_size((int(width), int(height)), self.info.fps)
        else:
            self._adjustment = self._adjustment.with_value(name, value)
        return value

    def _find_moving(self) -> list[tuple[slice, slice]]:
        """Return the areas that are drawn on, without the time strip, which is overwritten."""
        width, height = self.info.width, self.info.height
        x, y = self._center
        reach = round(230 * self._unit) + 2
        clock, date = self._clock("00:00:00.0"), self._line("M" * 28, 18, MUTED)
        across = max(reach, clock.width, date.width)
        top = round(height * 0.84 - 28 * self._unit) - 2
        return [
            np.s_[max(0, y - reach) : y + reach, max(0, x - across) : x + across],
            np.s_[top : top + round(56 * self._unit) + 4, 0:width],
        ]

    @property
    def _center(self) -> tuple[int, int]:
        return self.info.width // 2, int(self.info.height * 0.49)

    def _paint_backdrop(self, name: str) -> Image:
        """Paint the static parts: water, ring, swatches and the name."""
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
        self._write(image, self._line(name, 34, INK, 600), height - 66 * unit)
        size = f"{width} x {height}"
        self._write_in_ring(image, -62, (f"{size} at {self.info.fps:g} fps", size))
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
        clock = self._clock(time.strftime("%H:%M:%S", now) + f".{tenths}")
        self._write(image, clock, self._center[1] + 20 * self._unit)
        self._write_in_ring(image, 74, (time.strftime(form, now) for form in DATES))

    def _clock(self, text: str) -> Stencil:
        """Return the stencil of a time; equal widths of digits keep the clock steady."""
        if text != self._last_clock[0]:
            self._last_clock = text, join([self._line(one, 58, INK, 600) for one in text])
        return self._last_clock[1]

    def _line(self, text: str, size: float, colour: Colour, weight: int = 400) -> Stencil:
        return letter(text, max(8, round(size * self._unit)), weight, colour)

    def _write_in_ring(self, image: Image, below: float, texts: Iterable[str]) -> None:
        """Write the first text that fits, if any: letters have a minimum size, the ring does not.

        Args:
            image: The image to write on.
            below: The distance below the ring's centre, in units.
            texts: The texts, longest first.
        """
        room = 2 * math.sqrt(INNER_RADIUS**2 - below**2) * self._unit
        lines = (self._line(text, 18, MUTED) for text in texts)
        line = next((one for one in lines if one.width <= room), None)
        if line is not None:
            self._write(image, line, self._center[1] + below * self._unit)

    def _write(self, image: Image, line: Stencil, baseline: float) -> None:
        """Write a centred line."""
        line.lay(image, (self.info.width - line.width) // 2, round(baseline))


class _Canvas:
    """A backdrop to draw on; pictures are wiped and reused when nothing refers to them any more.

    Copying the whole backdrop for each picture would cost more than all the drawing.

    Args:
        backdrop: uint8, shape (height, width, 3).
        moving: The areas that are drawn on, to be wiped.
    """

    def __init__(self, backdrop: Image, moving: list[tuple[slice, slice]]) -> None:
        self._backdrop = backdrop
        self._moving = moving
        self._sheets: list[tuple[Image, weakref.ref[Any]]] = []

    def clean(self) -> tuple[Image, Image]:
        """Return a clean copy of the backdrop as two views: one to draw on, one to show."""
        free = (at for at, (_, shown) in enumerate(self._sheets) if shown() is None)
        at = next(free, None)
        if at is not None:
            image, _ = self._sheets.pop(at)
            for part in self._moving:
                image[part] = self._backdrop[part]
        else:
            image = self._backdrop.copy()
        # Any slice of the shown picture keeps this block alive, so the picture is not reused.
        block = (ctypes.c_uint8 * image.size).from_buffer(image.data)
        shown: Image = np.frombuffer(memoryview(block), np.uint8).reshape(image.shape)
        shown.flags.writeable = False
        if len(self._sheets) < SHEETS:
            self._sheets.append((image, weakref.ref(block)))
        return image, shown


def _show_size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _with_noise(image: Image, strength: float) -> list[Image]:
    """Return copies of the image with different noise; cycling through them looks random."""
    # Avoid numpy's generators: they take a lock, which would be green on this native thread.
    cv2.setRNGSeed(1)
    noise = np.empty((image.shape[0], image[0].size), np.int16)
    cv2.randn(noise, 0.0, 255 * strength)  # type: ignore[call-overload]
    noise = noise.reshape(image.shape)
    shifted = (np.roll(noise, (31 * number, 97 * number), axis=(0, 1)) for number in range(NOISES))
    return [np.clip(image + one, 0, 255).astype(np.uint8) for one in shifted]


def _burn_time(image: Image, at_unix: float) -> None:
    side = image.shape[1] // 64
    stamp = int(at_unix * 1000).to_bytes(TIME_BYTES, "big")
    bits = np.unpackbits(np.frombuffer(stamp + bytes([_checksum(stamp)]), np.uint8)) * np.uint8(255)
    strip = np.repeat(np.repeat(bits[None], side, axis=0), side, axis=1)
    top = left = 4 * side
    image[top : top + side, left : left + CELLS * side] = strip[..., None]


def read_time(image: Image) -> float | None:
    """Return the burned-in time in Unix seconds, or None if it cannot be read."""
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
