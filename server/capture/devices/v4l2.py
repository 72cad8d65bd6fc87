"""Reads a local device's controls and sizes from its driver.

OpenCV sets values but does not know their limits, so these come from Video4Linux itself, with the
requests and structures of ``linux/videodev2.h``, on our own file descriptor: the driver allows
several. Only controls that OpenCV can set are listed.
"""

import fcntl
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2

from server.capture.devices.controls import ControlInfo

__all__ = ["Driver", "Property", "find_property", "parse_size"]

# _IOWR('V', number, size), as in the kernel's header.
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
"""The manual entry in the menu of exposure modes; the others are at least partly automatic."""

# Offered if a device accepts any size within limits.
COMMON_SIZES = (
    (160, 120),
    (320, 240),
    (640, 360),
    (640, 480),
    (800, 600),
    (1024, 768),
    (1280, 720),
    (1280, 960),
    (1600, 1200),
    (1920, 1080),
    (2560, 1440),
    (3840, 2160),
)
MAX_SIZES = 40

Ioctl = Callable[[int, int, bytearray], object]


@dataclass(frozen=True, slots=True)
class Property:
    """One control by its names in OpenCV and in the driver.

    Attributes:
        name: Our name.
        title: Its name for people.
        group: The heading under which it is shown.
        id: The driver's id.
        opencv: OpenCV's property.
        unit: The unit of its values, for people.
        driven_by: The name of the automatic mode that drives it.
    """

    name: str
    title: str
    group: str
    id: int
    opencv: int
    unit: str = ""
    driven_by: str = ""


# In the order in which they are set: each automatic mode before the controls that it drives.
PROPERTIES = (
    Property("brightness", "Brightness", "Colour", 0x980900, cv2.CAP_PROP_BRIGHTNESS),
    Property("contrast", "Contrast", "Colour", 0x980901, cv2.CAP_PROP_CONTRAST),
    Property("saturation", "Saturation", "Colour", 0x980902, cv2.CAP_PROP_SATURATION),
    Property("hue", "Hue", "Colour", 0x980903, cv2.CAP_PROP_HUE),
    Property("gamma", "Gamma", "Colour", 0x980910, cv2.CAP_PROP_GAMMA),
    Property("sharpness", "Sharpness", "Colour", 0x98091B, cv2.CAP_PROP_SHARPNESS),
    Property(
        name="auto_white_balance",
        title="Automatic white balance",
        group="Colour",
        id=0x98090C,
        opencv=cv2.CAP_PROP_AUTO_WB,
    ),
    Property(
        name="white_balance",
        title="White balance",
        group="Colour",
        id=0x98091A,
        opencv=cv2.CAP_PROP_WB_TEMPERATURE,
        unit="K",
        driven_by="auto_white_balance",
    ),
    Property(
        name="red_balance",
        title="Red balance",
        group="Colour",
        id=0x98090E,
        opencv=cv2.CAP_PROP_WHITE_BALANCE_RED_V,
        driven_by="auto_white_balance",
    ),
    Property(
        name="blue_balance",
        title="Blue balance",
        group="Colour",
        id=0x98090F,
        opencv=cv2.CAP_PROP_WHITE_BALANCE_BLUE_U,
        driven_by="auto_white_balance",
    ),
    Property(
        name="auto_exposure",
        title="Automatic exposure",
        group="Exposure",
        id=0x9A0901,
        opencv=cv2.CAP_PROP_AUTO_EXPOSURE,
    ),
    Property(
        name="exposure",
        title="Exposure time",
        group="Exposure",
        id=0x9A0902,
        opencv=cv2.CAP_PROP_EXPOSURE,
        unit="× 100 µs",
        driven_by="auto_exposure",
    ),
    Property(
        name="gain",
        title="Gain",
        group="Exposure",
        id=0x980913,
        opencv=cv2.CAP_PROP_GAIN,
        driven_by="auto_exposure",
    ),
    Property(
        name="iris",
        title="Iris",
        group="Exposure",
        id=0x9A0911,
        opencv=cv2.CAP_PROP_IRIS,
        driven_by="auto_exposure",
    ),
    Property("backlight", "Backlight compensation", "Exposure", 0x98091C, cv2.CAP_PROP_BACKLIGHT),
    Property("autofocus", "Autofocus", "Lens", 0x9A090C, cv2.CAP_PROP_AUTOFOCUS),
    Property(
        name="focus",
        title="Focus",
        group="Lens",
        id=0x9A090A,
        opencv=cv2.CAP_PROP_FOCUS,
        driven_by="autofocus",
    ),
    Property("zoom", "Zoom", "Lens", 0x9A090D, cv2.CAP_PROP_ZOOM),
    Property("pan", "Pan", "Lens", 0x9A0908, cv2.CAP_PROP_PAN),
    Property("tilt", "Tilt", "Lens", 0x9A0909, cv2.CAP_PROP_TILT),
)
TITLES = {one.name: one.title for one in PROPERTIES}

# OpenCV sets this to one of several modes; people see a switch.
AUTO_EXPOSURE = "auto_exposure"


def find_property(name: str) -> Property | None:
    """Return the property with this name, or None."""
    return next((one for one in PROPERTIES if one.name == name), None)


def parse_size(text: str) -> tuple[int, int]:
    """Return the width and height in an option of the ``size`` control."""
    width, _, height = text.partition("x")
    return int(width), int(height)


class Driver:
    """Queries a device's driver. Native; used by one thread.

    Args:
        path: The device's path.
        ioctl: Performs a request; a parameter so that tests can supply the answers.

    Raises:
        OSError: If the device cannot be opened.
    """

    def __init__(self, path: str, ioctl: Ioctl | None = None) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._ioctl = ioctl or fcntl.ioctl

    def close(self) -> None:
        """Close our descriptor of the device."""
        os.close(self._fd)

    def controls(self) -> tuple[ControlInfo, ...]:
        """Return all controls except the size, with the device's limits and current values."""
        return tuple(filter(None, map(self._query_control, PROPERTIES)))

    def sizes(self, pixel_format: int) -> tuple[tuple[int, int], ...]:
        """Return the sizes that the device offers in a format, smallest first.

        Args:
            pixel_format: The format's FourCC as a number.
        """
        found: set[tuple[int, int]] = set()
        for answer in self._frame_sizes(pixel_format):
            kind, *numbers = answer
            if kind == DISCRETE:
                found.add((numbers[0], numbers[1]))
            else:
                found |= {size for size in COMMON_SIZES if _accepts(numbers, *size)}
        return tuple(sorted(found, key=lambda size: (size[0] * size[1], size)))[-MAX_SIZES:]

    def mode_of(self, automatic: bool) -> int:
        """Return the device's mode for automatic or manual exposure."""
        if not automatic:
            return MANUAL
        answer = self._query(find_id(AUTO_EXPOSURE))
        modes = self._modes(answer) if answer else []
        default = answer.default if answer else MANUAL
        automatics = [mode for mode in modes if mode != MANUAL]
        return default if default in automatics else (automatics or [MANUAL])[0]

    def _query_control(self, what: Property) -> ControlInfo | None:
        answer = self._query(what.id)
        if answer is None or answer.flags & (DISABLED | READ_ONLY | WRITE_ONLY):
            return None
        value = self._value(what.id)
        if value is None:
            return None
        active = not answer.flags & (INACTIVE | GRABBED)
        switch = ControlInfo(
            name=what.name,
            title=what.title,
            kind="switch",
            group=what.group,
            default=bool(answer.default),
            value=bool(value),
            active=active,
            note="" if active else _why_inactive(what),
        )
        if what.name == AUTO_EXPOSURE and answer.type == MENU:
            if len(self._modes(answer)) < 2:
                return None  # There is nothing to choose from.
            return replace(switch, default=answer.default != MANUAL, value=value != MANUAL)
        if answer.type == BOOLEAN or (
            answer.type == INTEGER and (answer.min, answer.max) == (0, 1)
        ):
            return switch
        if answer.type != INTEGER or answer.max <= answer.min:
            return None
        return replace(
            switch,
            kind="range",
            default=float(answer.default),
            value=float(value),
            min=float(answer.min),
            max=float(answer.max),
            step=float(max(1, answer.step)),
            unit=what.unit,
        )

    def _query(self, what: int) -> "_Query | None":
        data = bytearray(QUERYCTRL_LAYOUT.size)
        struct.pack_into("=I", data, 0, what)
        if not self._request(QUERYCTRL, data):
            return None
        _, kind, _, low, high, step, default, flags = QUERYCTRL_LAYOUT.unpack(data)
        return _Query(what, kind, low, high, step, default, flags)

    def _modes(self, answer: "_Query") -> list[int]:
        """Return the entries of a menu that the device supports; there may be gaps."""
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
            return False  # EINVAL: the device lacks it. Other errors make it unusable, too.
        return True


@dataclass(frozen=True, slots=True)
class _Query:
    """The parts of ``struct v4l2_queryctrl`` that are used here."""

    id: int
    type: int
    min: int
    max: int
    step: int
    default: int
    flags: int


def find_id(name: str) -> int:
    """Return a control's id in the driver, by our name."""
    return next(one.id for one in PROPERTIES if one.name == name)


def _accepts(limits: list[int], width: int, height: int) -> bool:
    """Return whether a size is within the limits: min, max and step of width, then height."""
    low_x, high_x, step_x, low_y, high_y, step_y = limits
    return (
        low_x <= width <= high_x
        and low_y <= height <= high_y
        and (width - low_x) % max(1, step_x) == 0
        and (height - low_y) % max(1, step_y) == 0
    )


def _why_inactive(what: Property) -> str:
    if what.driven_by:
        return f"{TITLES[what.driven_by]} is on"
    return "The camera does not allow changes to it now"
