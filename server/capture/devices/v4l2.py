"""What a device on this machine lets one set, asked of its driver.

OpenCV sets values but does not know their limits, so these come from Video4Linux itself: the
requests and structures of ``linux/videodev2.h``, on a descriptor of our own, which the driver
allows beside the one that OpenCV reads pictures from. Only what OpenCV can set is told of.
"""

import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2

from server.capture.devices.controls import ControlInfo

__all__ = ["Driver", "Property", "find_property", "parse_size"]

# _IOWR('V', number, size), as the kernel's header makes them.
QUERYCTRL = 0xC0445624
QUERYMENU = 0xC02C5625
G_CTRL = 0xC008561B
ENUM_FRAMESIZES = 0xC02C564A

QUERYCTRL_LAYOUT = struct.Struct("=II32siiiiI8x")
QUERYMENU_LAYOUT = struct.Struct("=II32s4x")
CONTROL_LAYOUT = struct.Struct("=Ii")
FRAMESIZE_LAYOUT = struct.Struct("=III6I8x")

INTEGER, BOOLEAN, MENU = 1, 2, 3
DISABLED, GRABBED, READ_ONLY, INACTIVE, WRITE_ONLY = 0x1, 0x2, 0x4, 0x10, 0x40
DISCRETE = 1

MANUAL = 1
"""Of the menu of automatic exposure; everything else in it leaves something to the camera."""

# Offered where a device takes any size within limits.
COMMON_SIZES = (
    *((160, 120), (320, 240), (640, 360), (640, 480), (800, 600), (1024, 768), (1280, 720)),
    *((1280, 960), (1600, 1200), (1920, 1080), (2560, 1440), (3840, 2160)),
)
MAX_SIZES = 40

Ioctl = Callable[[int, int, bytearray], object]


@dataclass(frozen=True, slots=True)
class Property:
    """What OpenCV and the driver call the same thing.

    Attributes:
        name: Ours.
        title: For people.
        group: For people.
        id: The driver's.
        opencv: OpenCV's.
        unit: For people.
        held_by: The name of the automatic that takes it over.
    """

    name: str
    title: str
    group: str
    id: int
    opencv: int
    unit: str = ""
    held_by: str = ""


# In the order of setting: an automatic before what it holds.
PROPERTIES = (
    Property("brightness", "Brightness", "Colour", 0x980900, cv2.CAP_PROP_BRIGHTNESS),
    Property("contrast", "Contrast", "Colour", 0x980901, cv2.CAP_PROP_CONTRAST),
    Property("saturation", "Saturation", "Colour", 0x980902, cv2.CAP_PROP_SATURATION),
    Property("hue", "Hue", "Colour", 0x980903, cv2.CAP_PROP_HUE),
    Property("gamma", "Gamma", "Colour", 0x980910, cv2.CAP_PROP_GAMMA),
    Property("sharpness", "Sharpness", "Colour", 0x98091B, cv2.CAP_PROP_SHARPNESS),
    Property(
        "auto_white_balance", "Automatic white balance", "Colour", 0x98090C, cv2.CAP_PROP_AUTO_WB
    ),
    Property(
        *("white_balance", "White balance", "Colour", 0x98091A, cv2.CAP_PROP_WB_TEMPERATURE),
        unit="K",
        held_by="auto_white_balance",
    ),
    Property(
        *("red_balance", "Red balance", "Colour", 0x98090E, cv2.CAP_PROP_WHITE_BALANCE_RED_V),
        held_by="auto_white_balance",
    ),
    Property(
        *("blue_balance", "Blue balance", "Colour", 0x98090F, cv2.CAP_PROP_WHITE_BALANCE_BLUE_U),
        held_by="auto_white_balance",
    ),
    Property(
        "auto_exposure", "Automatic exposure", "Exposure", 0x9A0901, cv2.CAP_PROP_AUTO_EXPOSURE
    ),
    Property(
        *("exposure", "Exposure time", "Exposure", 0x9A0902, cv2.CAP_PROP_EXPOSURE),
        unit="× 100 µs",
        held_by="auto_exposure",
    ),
    Property(
        *("gain", "Gain", "Exposure", 0x980913, cv2.CAP_PROP_GAIN),
        held_by="auto_exposure",
    ),
    Property(
        *("iris", "Iris", "Exposure", 0x9A0911, cv2.CAP_PROP_IRIS),
        held_by="auto_exposure",
    ),
    Property("backlight", "Backlight compensation", "Exposure", 0x98091C, cv2.CAP_PROP_BACKLIGHT),
    Property("autofocus", "Autofocus", "Lens", 0x9A090C, cv2.CAP_PROP_AUTOFOCUS),
    Property(
        *("focus", "Focus", "Lens", 0x9A090A, cv2.CAP_PROP_FOCUS),
        held_by="autofocus",
    ),
    Property("zoom", "Zoom", "Lens", 0x9A090D, cv2.CAP_PROP_ZOOM),
    Property("pan", "Pan", "Lens", 0x9A0908, cv2.CAP_PROP_PAN),
    Property("tilt", "Tilt", "Lens", 0x9A0909, cv2.CAP_PROP_TILT),
)
TITLES = {one.name: one.title for one in PROPERTIES}

# What OpenCV sets as one of several modes, and people as on or off.
AUTO_EXPOSURE = "auto_exposure"


def find_property(name: str) -> Property | None:
    """Return what a control of ours is to OpenCV and the driver, or None."""
    return next((one for one in PROPERTIES if one.name == name), None)


def parse_size(text: str) -> tuple[int, int]:
    """Return width and height of an option of ``size``."""
    width, _, height = text.partition("x")
    return int(width), int(height)


class Driver:
    """Asks a device's driver. Native; used by one thread.

    Args:
        path: Of the device.
        ioctl: How to ask; a parameter so that tests can answer with structures of their own.

    Raises:
        OSError: If it cannot be opened.
    """

    def __init__(self, path: str, ioctl: Ioctl | None = None) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._ioctl = ioctl or fcntl.ioctl

    def close(self) -> None:
        """Let go of the device."""
        os.close(self._fd)

    def controls(self) -> tuple[ControlInfo, ...]:
        """Return what can be set but the size, with the device's own limits and present values."""
        return tuple(filter(None, map(self._ask, PROPERTIES)))

    def sizes(self, pixel_format: int) -> tuple[tuple[int, int], ...]:
        """Return the sizes that the device offers in a format, smallest first.

        Args:
            pixel_format: Its four-letter code as a number.
        """
        found: set[tuple[int, int]] = set()
        for answer in self._frame_sizes(pixel_format):
            kind, *numbers = answer
            if kind == DISCRETE:
                found.add((numbers[0], numbers[1]))
            else:
                found |= {size for size in COMMON_SIZES if _takes(numbers, *size)}
        return tuple(sorted(found, key=lambda size: (size[0] * size[1], size)))[-MAX_SIZES:]

    def mode_of(self, automatic: bool) -> int:
        """Return the exposure mode that being automatic, or not, stands for."""
        if not automatic:
            return MANUAL
        answer = self._query(find_id(AUTO_EXPOSURE))
        modes = self._modes(answer) if answer else []
        default = answer.default if answer else MANUAL
        automatics = [mode for mode in modes if mode != MANUAL]
        return default if default in automatics else (automatics or [MANUAL])[0]

    def _ask(self, what: Property) -> ControlInfo | None:
        answer = self._query(what.id)
        if answer is None or answer.flags & (DISABLED | READ_ONLY | WRITE_ONLY):
            return None
        value = self._value(what.id)
        if value is None:
            return None
        active = not answer.flags & (INACTIVE | GRABBED)
        note = "" if active else _why_inactive(what)
        told = {"active": active, "note": note, "group": what.group, "title": what.title}
        if what.name == AUTO_EXPOSURE and answer.type == MENU:
            if len(self._modes(answer)) < 2:
                return None  # There is nothing to choose.
            switch = {"default": answer.default != MANUAL, "value": value != MANUAL}
            return ControlInfo(what.name, kind="switch", **switch, **told)  # type: ignore[arg-type]
        if answer.type == BOOLEAN or (
            answer.type == INTEGER and (answer.min, answer.max) == (0, 1)
        ):
            switch = {"default": bool(answer.default), "value": bool(value)}
            return ControlInfo(what.name, kind="switch", **switch, **told)  # type: ignore[arg-type]
        if answer.type != INTEGER or answer.max <= answer.min:
            return None
        return ControlInfo(
            what.name,
            kind="range",
            default=float(answer.default),
            value=float(value),
            min=float(answer.min),
            max=float(answer.max),
            step=float(max(1, answer.step)),
            unit=what.unit,
            **told,  # type: ignore[arg-type]
        )

    def _query(self, what: int) -> "_Query | None":
        data = bytearray(QUERYCTRL_LAYOUT.size)
        struct.pack_into("=I", data, 0, what)
        if not self._request(QUERYCTRL, data):
            return None
        _, kind, _, low, high, step, default, flags = QUERYCTRL_LAYOUT.unpack(data)
        return _Query(what, kind, low, high, step, default, flags)

    def _modes(self, answer: "_Query") -> list[int]:
        """Return the entries of a menu that the device has; there may be gaps."""
        modes = []
        for index in range(max(0, answer.min), min(answer.max, 63) + 1):
            data = bytearray(QUERYMENU_LAYOUT.size)
            struct.pack_into("=II", data, 0, answer.id, index)
            if self._request(QUERYMENU, data):
                modes.append(index)
        return modes

    def _value(self, what: int) -> int | None:
        data = bytearray(CONTROL_LAYOUT.pack(what, 0))
        return CONTROL_LAYOUT.unpack(data)[1] if self._request(G_CTRL, data) else None

    def _frame_sizes(self, pixel_format: int) -> Iterator[tuple[int, ...]]:
        for index in range(256):
            data = bytearray(FRAMESIZE_LAYOUT.size)
            struct.pack_into("=II", data, 0, index, pixel_format)
            if not self._request(ENUM_FRAMESIZES, data):
                return
            yield FRAMESIZE_LAYOUT.unpack(data)[2:]

    def _request(self, request: int, data: bytearray) -> bool:
        try:
            self._ioctl(self._fd, request, data)
        except OSError:
            return False  # EINVAL: there is no such thing. Whatever else: it cannot be offered.
        return True


@dataclass(frozen=True, slots=True)
class _Query:
    """``struct v4l2_queryctrl``, as far as it is of use."""

    id: int
    type: int
    min: int
    max: int
    step: int
    default: int
    flags: int


def find_id(name: str) -> int:
    """Return the driver's number of a control of ours."""
    return next(one.id for one in PROPERTIES if one.name == name)


def _takes(limits: list[int], width: int, height: int) -> bool:
    """Whether a size lies within min, max and step of width and height."""
    low_x, high_x, step_x, low_y, high_y, step_y = limits
    return (
        low_x <= width <= high_x
        and low_y <= height <= high_y
        and (width - low_x) % max(1, step_x) == 0
        and (height - low_y) % max(1, step_y) == 0
    )


def _why_inactive(what: Property) -> str:
    if what.held_by:
        return f"{TITLES[what.held_by]} is on"
    return "The camera does not let it be changed now"
