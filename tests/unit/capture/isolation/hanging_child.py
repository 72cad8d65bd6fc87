"""A camera's child process whose source hangs; the camera's name says where."""

import ctypes
import itertools
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from server.capture.devices.controls import Value, find_control, refuse
from server.capture.frames.frame import Image
from server.capture.isolation import child
from server.capture.sources.source import Source, open_source
from server.config.address import Address


def open_hanging(address: Address, name: str, timeout_s: float) -> Source:
    """Open a source that hangs ``in-open``, ``in-grab``, ``in-retrieve`` or ``with-the-lock``."""
    if name == "in-open":
        hang()
    source = open_source(address, name, timeout_s)
    if name == "in-grab":
        source.grab = hang  # type: ignore[method-assign]
    if name == "in-retrieve":
        source.retrieve = hang_image  # type: ignore[method-assign]
    if name == "with-the-lock":
        source.grab = hang_with_the_lock  # type: ignore[method-assign]
    if name == "in-set":
        source.set_control = hang_value  # type: ignore[method-assign]
    if name == "refuses":
        source.set_control = refuse_bright(source)  # type: ignore[method-assign]
    if name in ("polled", "paced"):
        source.info = replace(source.info, live=False, polled=name == "polled")
    if name == "polled":
        count_polls(source)
    if name == "crash":
        source.grab = crash  # type: ignore[method-assign]
    return source


def count_polls(source: Source) -> None:
    """Make each picture's shade the number of polls so far."""
    polls = itertools.count(1)
    shade = 0

    def grab() -> bool:
        nonlocal shade
        shade = next(polls)
        return True

    def retrieve(_jpeg_up_to: int = 0, _pixels_from: int = 0) -> Image:
        return np.full((48, 64, 3), shade, np.uint8)

    source.grab = grab  # type: ignore[method-assign]
    source.retrieve = retrieve  # type: ignore[method-assign]


def hang_value(_name: str, _value: Value) -> Value:
    """Hang instead of setting anything."""
    raise AssertionError(hang())


def refuse_bright(source: Source) -> Callable[[str, Value], Value]:
    """Return the ``set_control`` of a device that rejects every brightness."""
    take = source.set_control

    def set_control(name: str, value: Value) -> Value:
        control = find_control(source.controls(), name)
        if name == "brightness":
            raise refuse(control, value, control.value)
        return take(name, value)

    return set_control


def hang() -> bool:
    """Hang with Python's lock released, as OpenCV does."""
    threading.Event().wait()
    return False


def hang_image(_jpeg_up_to: int = 0, _pixels_from: int = 0) -> Image:
    """Hang instead of decoding."""
    raise AssertionError(hang())


def hang_with_the_lock() -> bool:
    """Hang without letting any other thread run."""
    return bool(ctypes.PyDLL(None).pause())


def crash() -> bool:
    """Crash by reading from address 0."""
    return bool(ctypes.string_at(0))


if __name__ == "__main__":
    child.main(open_hanging)
