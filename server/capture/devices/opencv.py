"""Sources read by OpenCV: any open ``VideoCapture``, and devices through V4L2.

The back end is always specified: OpenCV's automatic choice might fall back to others, which behave
and fail differently.
"""

import os
from dataclasses import replace
from typing import cast

import cv2

from server.capture.devices.controls import (
    ControlInfo,
    Uncontrolled,
    Value,
    find_control,
    refuse,
)
from server.capture.devices.v4l2 import AUTO_EXPOSURE, Driver, find_property, parse_size
from server.capture.frames.arrivals import Arrivals
from server.capture.frames.frame import Image, Picture
from server.capture.frames.info import SourceInfo
from server.capture.frames.jpeg import take_jpeg
from server.config.local import device_path, why_no_device
from server.errors import PictureError, SourceError

__all__ = ["DeviceVideo", "OpenCvVideo"]

# See VideoCaptureProperties in OpenCV's documentation: without conversion to RGB, the V4L2 back end
# returns undecoded data.
AS_SENT_BY_V4L2 = (cv2.CAP_PROP_CONVERT_RGB, 0.0)


class OpenCvVideo(Uncontrolled):
    """An open ``VideoCapture``, used by one native thread.

    Args:
        capture: The capture to read.
        as_sent: The property and value that make OpenCV return a source's JPEG undecoded.
            Otherwise it decodes every picture, needed or not, and scales it to the size of
            the first.
    """

    def __init__(self, capture: cv2.VideoCapture, as_sent: tuple[int, float]) -> None:
        self.info = SourceInfo(
            width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            fps=_sane_fps(capture.get(cv2.CAP_PROP_FPS)),
            codec=_codec_name(int(capture.get(cv2.CAP_PROP_FOURCC))),
            live=True,
        )
        self.arrivals = Arrivals()
        self._capture = capture
        self._jpeg = self.info.codec == "MJPG" and capture.set(*as_sent)

    def grab(self) -> bool:
        """Wait for the next picture."""
        if not self._capture.grab():
            raise SourceError("no more pictures arrive; is it still connected?")
        self.arrivals.add()
        return True

    def retrieve(self, jpeg_up_to: int = 0, pixels_from: int = 0) -> Picture:
        """Return the last grabbed picture: as it arrived if that will do, otherwise decoded."""
        arrived, data = self._capture.retrieve()
        if self._jpeg:
            if not arrived or data is None:
                raise PictureError("received an empty picture")
            return take_jpeg(data.tobytes(), jpeg_up_to, pixels_from)
        if not arrived or data is None or data.size == 0:
            raise PictureError("received a picture that cannot be decoded")
        pixels = cv2.cvtColor(data, cv2.COLOR_GRAY2BGR) if data.ndim == 2 else data
        return cast(Image, pixels)

    def close(self) -> None:
        """Release it, on the reading thread only: OpenCV would crash if a read were in progress."""
        self._capture.release()


class DeviceVideo(OpenCvVideo):
    """A camera on this machine, read through V4L2.

    Args:
        target: N of ``/dev/videoN``, or a path. A link, as in ``/dev/v4l/by-id``, is resolved each
            time: a camera may get another number when it is plugged in again.

    Raises:
        SourceError: If it is missing, busy, not permitted or not a camera.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        if missing := why_no_device(target):
            raise SourceError(missing)
        path = os.path.realpath(device_path(target))
        # Try MJPG first: most USB cameras reach their full size and rate only with it.
        wanted = [cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"), cv2.CAP_PROP_BUFFERSIZE, 2]
        capture = cv2.VideoCapture(path, cv2.CAP_V4L2, wanted)
        if not capture.isOpened():
            capture = cv2.VideoCapture(path, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise SourceError(_why_not_device(path))
        super().__init__(capture, AS_SENT_BY_V4L2)
        try:
            self._driver: Driver | None = Driver(path)
        except OSError:
            self._driver = None  # Then there are pictures, but no controls.
        self._first_size = self._size

    def grab(self) -> bool:
        """Wait for the next picture.

        Raises:
            SourceError: If no more pictures arrive; says whether it was unplugged.
        """
        try:
            return super().grab()
        except SourceError:
            if missing := why_no_device(self._target):
                raise SourceError(f"it was unplugged: {missing}") from None
            raise

    @property
    def _size(self) -> str:
        return f"{self.info.width}x{self.info.height}"

    def controls(self) -> tuple[ControlInfo, ...]:
        """Return the controls that OpenCV can set, with limits and values from the driver."""
        if self._driver is None:
            return ()
        sizes = self._driver.sizes(int(self._capture.get(cv2.CAP_PROP_FOURCC)))
        offered = tuple(f"{width}x{height}" for width, height in sizes)
        size = ControlInfo(
            name="size",
            title="Size",
            kind="choice",
            group="Picture",
            default=self._first_size,
            value=self._size,
            options=offered,
        )
        # Without the initial size in the list, people could not go back to it.
        fits = len(offered) > 1 and self._first_size in offered
        return (*((size,) if fits else ()), *self._driver.controls())

    def set_control(self, name: str, value: Value) -> Value:
        """Set a control through OpenCV, then read the result from the driver.

        Raises:
            ControlError: If the driver keeps another value.
        """
        control = find_control(self.controls(), name)
        taken = self._set_size(str(value)) if name == "size" else self._set(name, value)
        kept = next((one.value for one in self.controls() if one.name == name), control.value)
        near = isinstance(kept, float) and abs(kept - float(cast(float, value))) < control.step
        if not taken or not (kept == value or near):
            raise refuse(control, value, kept)
        return kept

    def _set(self, name: str, value: Value) -> bool:
        found = find_property(name)
        assert found is not None
        assert self._driver is not None
        number = float(cast(float, value))
        if name == AUTO_EXPOSURE:
            number = self._driver.mode_of(bool(value))
        return self._capture.set(found.opencv, number)

    def _set_size(self, size: str) -> bool:
        # The second call restarts the device's stream.
        width, height = parse_size(size)
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        taken = self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        self.info = replace(
            self.info,
            width=int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            height=int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            fps=_sane_fps(self._capture.get(cv2.CAP_PROP_FPS)),
        )
        return taken

    def close(self) -> None:
        """Release the device."""
        if self._driver is not None:
            self._driver.close()
        super().close()


def _sane_fps(fps: float) -> float:
    # OpenCV may report NaN, or a time base such as 90000, for an unknown rate.
    return fps if 0 < fps <= 240 else 0.0


def _codec_name(code: int) -> str:
    letters = code.to_bytes(4, "little", signed=code < 0).decode("ascii", "replace")
    return letters.strip("\0 ") if letters.isprintable() and code > 0 else "unknown"


def _why_not_device(path: str) -> str:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except OSError as error:
        return f"{path} cannot be opened ({error.strerror}); is your user in the group 'video'?"
    return f"{path} delivers no pictures; another program may be using it, or it is not a camera"
