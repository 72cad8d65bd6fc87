"""What a source is, and the way to open one."""

from typing import Protocol

from server.capture.devices.controls import ControlInfo, Value
from server.capture.devices.opencv import DeviceVideo, why_no_device
from server.capture.frames.frame import Picture
from server.capture.frames.info import SourceInfo
from server.capture.sources.testpattern import TestPattern
from server.capture.sources.video import FileVideo, NetworkVideo, why_no_file
from server.config.address import NETWORK_SCHEMES, Address

__all__ = ["Source", "open_source", "why_missing"]


class Source(Protocol):
    """Where pictures come from. Every method blocks and is called natively, by one caller.

    What is in a camera's hands is a :class:`server.capture.sources.reader.Reader`.
    """

    info: SourceInfo

    def grab(self) -> bool:
        """Wait for the next picture; False means none yet, ask again.

        Raises:
            SourceEnded: If there will be none, and that is as it should be.
            SourceError: If the source is lost; says why.
        """

    def retrieve(self, jpeg_up_to: int = 0, pixels_from: int = 0) -> Picture:
        """Return the picture last grabbed; to decode it is the costly part.

        Args:
            jpeg_up_to: The highest JPEG quality at which the source's own JPEG will do, from 0,
                when pixels are needed, to 100.
            pixels_from: The least width at which its pixels are wanted beside it; 0 for none.

        Raises:
            PictureError: If it cannot be decoded; the next one may be.
            SourceError: If the source is lost.
        """

    def controls(self) -> tuple[ControlInfo, ...]:
        """Return what can be set now, in the order in which several are to be set."""

    def set_control(self, name: str, value: Value) -> Value:
        """Set a control between two pictures; return the value that holds now.

        Args:
            name: Of one of :meth:`controls`.
            value: As :meth:`ControlInfo.fit` returns it.

        Raises:
            ControlError: If it is not taken; says what holds instead.
        """

    def close(self) -> None:
        """Release the device, file or connection."""


def open_source(address: Address, name: str, timeout_s: float) -> Source:
    """Open the source at ``address``; blocks for up to about ``timeout_s`` seconds.

    Args:
        address: Where it is.
        name: The camera's name, which the test pattern shows.
        timeout_s: How long a network source may take to open and, later, to deliver.

    Raises:
        SourceError: If it cannot be opened; says why.
    """
    if address.scheme == "test":
        return TestPattern(name, **TestPattern.read_options(address.options))
    if address.scheme == "device":
        return DeviceVideo(int(address.target))
    if address.scheme == "file":
        return FileVideo(address.target, loop=address.options.get("loop", "1") == "1")
    assert address.scheme in NETWORK_SCHEMES
    return NetworkVideo(address, timeout_s)


def why_missing(address: Address) -> str:
    """Return what to say of a device or file that is not there; nothing if it is. Opens nothing."""
    if address.scheme == "device":
        return why_no_device(int(address.target))
    if address.scheme == "file":
        return why_no_file(address.target)
    return ""
