"""Read a driver's answers in the layout of ``linux/videodev2.h``.

The machines that run these tests have no device. The answers are bytes laid out as in the kernel's
documentation; the request numbers were compared with the header's.
"""

import errno
import struct
from collections.abc import Callable
from typing import Any, cast

import cv2
import pytest

from server.capture.devices import v4l2
from server.capture.devices.opencv import DeviceVideo
from server.capture.devices.v4l2 import Driver
from server.capture.frames.info import SourceInfo
from server.errors import ControlError

BRIGHTNESS, AUTO_WB, WB, EXPOSURE_AUTO, EXPOSURE = 0x980900, 0x98090C, 0x98091A, 0x9A0901, 0x9A0902
MJPG = cv2.VideoWriter.fourcc(*"MJPG")


class FakeDriver:
    """A UVC camera's driver: brightness, and automatic white balance and exposure."""

    def __init__(self) -> None:
        # By id: type, minimum, maximum, step, default and flags.
        self.known = {
            BRIGHTNESS: (1, -64, 64, 1, 0, 0x20),
            AUTO_WB: (2, 0, 1, 1, 1, 0),
            WB: (1, 2800, 6500, 10, 4600, 0x10),
            EXPOSURE_AUTO: (3, 0, 3, 1, 3, 0),
            EXPOSURE: (1, 3, 2047, 1, 250, 0x10),
        }
        self.values = {BRIGHTNESS: -5, AUTO_WB: 1, WB: 4600, EXPOSURE_AUTO: 3, EXPOSURE: 250}
        self.sizes = [(1, 1280, 720), (1, 640, 480), (1, 320, 240)]

    def __call__(self, _fd: int, request: int, data: bytearray) -> None:
        what, index = struct.unpack_from("=I", data)[0], struct.unpack_from("=4xI", data)[0]
        if request == v4l2.QUERYCTRL and what in self.known:
            kind, low, high, step, default, flags = self.known[what]
            data[:] = struct.pack(
                "=II32siiiiI2I", what, kind, b"a name", low, high, step, default, flags, 0, 0
            )
        elif request == v4l2.QUERYMENU and (what, index) in {
            (EXPOSURE_AUTO, 1),
            (EXPOSURE_AUTO, 3),
        }:
            data[:] = struct.pack("=II32sI", what, index, b"a mode", 0)
        elif request == v4l2.G_CTRL and what in self.values:
            data[:] = struct.pack("=Ii", what, self.values[what])
        elif request == v4l2.ENUM_FRAMESIZES and what < len(self.sizes) and index == MJPG:
            kind, *numbers = self.sizes[what]
            numbers += [0] * (6 - len(numbers))
            data[:] = struct.pack("=III6I2I", what, index, kind, *numbers, 0, 0)
        else:
            raise OSError(errno.EINVAL, "Invalid argument")


class FakeCapture:
    """OpenCV's side of the same camera; ``obeys`` maps a requested value to the resulting one."""

    def __init__(self, driver: FakeDriver, obeys: Callable[[int], int] = lambda value: value):
        self.driver = driver
        self.obeys = obeys
        self.size = [640, 480]

    def get(self, what: int) -> float:
        places = {cv2.CAP_PROP_FRAME_WIDTH: 0, cv2.CAP_PROP_FRAME_HEIGHT: 1}
        if what in places:
            return self.size[places[what]]
        return float(MJPG) if what == cv2.CAP_PROP_FOURCC else 30.0

    def set(self, what: int, value: float) -> bool:
        if what == cv2.CAP_PROP_FRAME_WIDTH:
            self.size[0] = int(value)
        elif what == cv2.CAP_PROP_FRAME_HEIGHT:
            self.size[1] = int(value)
        else:
            name = next(one for one in v4l2.PROPERTIES if one.opencv == what)
            self.driver.values[name.id] = self.obeys(int(value))
        return True


@pytest.fixture
def answers() -> FakeDriver:
    """A camera's driver."""
    return FakeDriver()


def device(answers: FakeDriver, **capture: Any) -> DeviceVideo:
    """Return a device with these answers, without opening it."""
    made = object.__new__(DeviceVideo)
    made.info = SourceInfo(640, 480, 30.0, "MJPG", True)
    made._driver = Driver("/dev/null", answers)
    made._capture = cast(Any, FakeCapture(answers, **capture))
    made._first_size = "640x480"
    return made


def test_control_limits_come_from_the_driver(answers: FakeDriver) -> None:
    """Minimum, maximum, step, default and current value come from the driver."""
    driver = Driver("/dev/null", answers)
    controls = {control.name: control for control in driver.controls()}
    driver.close()

    assert list(controls) == [
        *("brightness", "auto_white_balance", "white_balance", "auto_exposure", "exposure")
    ]
    told = controls["brightness"]
    assert (told.kind, told.min, told.max, told.step) == ("range", -64, 64, 1)
    assert (told.default, told.value, told.active) == (0, -5, True)
    held = controls["exposure"]
    assert (held.active, held.note) == (False, "Automatic exposure is on")
    assert (controls["auto_exposure"].kind, controls["auto_exposure"].value) == ("switch", True)
    assert (controls["auto_white_balance"].kind, controls["auto_white_balance"].default) == (
        *("switch", True),
    )


def test_unusable_controls_are_not_offered(answers: FakeDriver) -> None:
    """A control that is disabled, read-only or has an empty range is not offered."""
    answers.known[BRIGHTNESS] = (1, -64, 64, 1, 0, 0x1)
    answers.known[WB] = (1, 2800, 6500, 10, 4600, 0x4)
    answers.known[EXPOSURE] = (1, 5, 5, 1, 5, 0)

    driver = Driver("/dev/null", answers)
    names = [control.name for control in driver.controls()]
    driver.close()

    assert names == ["auto_white_balance", "auto_exposure"]


def test_sizes_come_from_the_driver(answers: FakeDriver) -> None:
    """The listed sizes are offered; for a continuous range, the common ones."""
    driver = Driver("/dev/null", answers)
    listed = driver.sizes(MJPG)
    answers.sizes = [(3, 320, 1280, 16, 240, 720, 8)]
    stepwise = driver.sizes(MJPG)
    other = driver.sizes(0)
    driver.close()

    assert listed == ((320, 240), (640, 480), (1280, 720))
    assert stepwise == ((320, 240), (640, 360), (640, 480), (800, 600), (1280, 720))
    assert other == ()


def test_setting_is_read_back(answers: FakeDriver) -> None:
    """A value is set through OpenCV; automatic exposure uses a mode that the camera supports."""
    video = device(answers)

    assert video.set_control("brightness", 12.0) == 12.0
    assert video.set_control("auto_exposure", False) is False
    assert answers.values[EXPOSURE_AUTO] == 1
    assert video.set_control("auto_exposure", True) is True
    assert answers.values[EXPOSURE_AUTO] == 3
    assert video.set_control("size", "1280x720") == "1280x720"
    assert (video.info.width, video.info.height) == (1280, 720)
    video._driver.close()  # type: ignore[union-attr]


def test_ignored_setting_is_reported(answers: FakeDriver) -> None:
    """If the camera keeps another value, the error names the control and both values."""
    video = device(answers, obeys=lambda _value: 20)

    with pytest.raises(ControlError, match="Brightness: 50 was requested, but the camera keeps 20"):
        video.set_control("brightness", 50.0)
    with pytest.raises(ControlError, match="Exposure time cannot be set now: Automatic exposure"):
        video.set_control("exposure", 100.0)
    with pytest.raises(ControlError, match="zoom: the camera has no such control"):
        video.set_control("zoom", 100.0)
    video._driver.close()  # type: ignore[union-attr]
