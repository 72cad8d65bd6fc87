"""The interface between a camera and its source: what it requests and what it gets."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from server.capture.devices.controls import ControlInfo, Value
from server.capture.frames.arrivals import Figures
from server.capture.frames.frame import Picture
from server.capture.frames.happening import Happening
from server.capture.frames.info import SourceInfo
from server.capture.frames.numbering import UNCOUNTED, Place
from server.capture.motion.freeze import FreezeDetector

__all__ = [
    "AT_ONCE",
    "MAX_READ_S",
    "Demand",
    "Reader",
    "Reading",
    "compare",
    "is_due",
    "read_and_compare",
]

MAX_READ_S = 0.2
"""How long :meth:`Reader.read` waits for a picture, so that a camera can be stopped."""

AT_ONCE = float("-inf")


class Demand(NamedTuple):
    """What a camera wants next. Called natively for each picture, so changes apply during a read.

    Attributes:
        due: When the next picture is wanted, in monotonic seconds; infinite while nobody watches,
            and :data:`AT_ONCE` for a picture out of turn, if the source can make one.
        jpeg_up_to: The highest quality, 1 to 100, at which the source's own JPEG is accepted.
        pixels_from: The minimum width at which a JPEG's pixels are wanted too; 0 for no pixels.
        changed: Whether to skip pictures that show nothing new, except one each second.
        keys_only: Whether a key picture is wanted, which alone can be decoded without others.
    """

    due: Callable[[], float]
    jpeg_up_to: Callable[[], int]
    pixels_from: Callable[[], int] = lambda: 0
    changed: bool = False
    keys_only: Callable[[], bool] = lambda: False


class Reading(NamedTuple):
    """The result of a read.

    Attributes:
        picture: The newest; None if pictures arrived but none was due, so none was decoded.
        at_unix: When it was captured, in Unix seconds.
        place: Which picture of the source it is, while these are counted.
    """

    picture: Picture | None
    at_unix: float
    place: Place = UNCOUNTED


class Reader(Protocol):
    """A source as its camera reads it. Every method blocks and is called natively, by one caller.

    A live source is read at its own rate, even if no picture is wanted, so that no picture grows
    old in a driver.
    """

    info: SourceInfo
    figures: Figures
    """What was last measured of its arrivals."""

    @property
    def controls(self) -> tuple[ControlInfo, ...]:
        """The source's controls, with the values since it was opened or last set."""

    def set_controls(self, values: Mapping[str, Value]) -> dict[str, str]:
        """Set several controls in the right order; this updates ``info`` and ``controls``.

        Returns:
            By name, why the source rejected a value and what it keeps instead.

        Raises:
            ControlError: If the source does not answer in time; it may still set them.
            SourceEnded: As in :meth:`read`.
            SourceError: As in :meth:`read`.
        """

    def read(self, demand: Demand) -> Reading | None:
        """Return the next picture that is due; None if nothing arrived.

        Raises:
            PictureError: If a picture cannot be decoded; the next one may be.
            SourceEnded: If the source ended normally.
            LoginRefused: If it refuses the user name or password.
        SourceError: If the source is lost; says why.
        """

    def hurry(self) -> None:
        """Take any picture, if only a key picture was asked for; also called on the hub."""

    def set_videos(self, wanted: Mapping[str, Any], fd: int = -1) -> bool:
        """Say which videos are wanted; return whether that is possible. Also called on the hub.

        Args:
            wanted: See :mod:`server.capture.isolation.channel`.
            fd: Where their units are to be sent, if that was not said before.
        """

    def request_key(self, track: int) -> bool:
        """Ask for a key picture in an encoded video, by its number; also called on the hub.

        Returns:
            Whether that was possible.
        """

    def set_motion(self, wanted: Mapping[str, Any] | None) -> bool:
        """Say how to look for motion, None for not at all; also called on the hub.

        Args:
            wanted: See :meth:`MotionSettings.describe`.

        Returns:
            Whether that is possible.
        """

    def take_happenings(self) -> list[Happening]:
        """Return what has happened since the last call; not during a read."""

    def pause(self) -> None:
        """Let a source that is not live stand still until the next read."""

    def close(self) -> None:
        """Release the device, file or connection."""


def is_due(demand: Demand) -> bool:
    """Return whether a picture that arrives now is wanted."""
    return time.monotonic() >= demand.due()


def read_and_compare(
    reader: Reader, demand: Demand, stillness: FreezeDetector
) -> tuple[Reading, float] | None:
    """Read, and say for how many seconds nothing in the picture has changed; None for nothing."""
    reading = reader.read(demand)
    return None if reading is None else compare(reader, reading, stillness)


def compare(reader: Reader, reading: Reading, stillness: FreezeDetector) -> tuple[Reading, float]:
    """Say for how many seconds nothing in the picture has changed."""
    if reading.picture is None or not reader.info.live:
        return reading, 0.0
    return reading, stillness.see(reading.picture, time.monotonic())
