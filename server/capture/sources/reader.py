"""The interface between a camera and its source: requests and results."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from server.capture.devices.controls import ControlInfo, Value
from server.capture.frames.arrivals import Figures
from server.capture.frames.event_report import EventReport
from server.capture.frames.frame import Picture
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
    """The next picture a camera wants. Called for each picture, so changes apply during a read.

    Attributes:
        due: When the next picture is wanted, in monotonic seconds; infinite while nobody watches,
            and :data:`AT_ONCE` for a picture out of turn, if the source can make one.
        jpeg_up_to: The highest quality, 1 to 100, at which the source's own JPEG is accepted.
        pixels_from: The minimum width of the pixels wanted beside a JPEG; 0 for no pixels.
        changed: Whether to skip pictures that show nothing new, except one each second.
        keys_only: Whether only a key frame is wanted, which decodes without any others.
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
        place: The picture's number in its source, while these are counted.
    """

    picture: Picture | None
    at_unix: float
    place: Place = UNCOUNTED


class Reader(Protocol):
    """A source as its camera reads it. Every method blocks and is called natively, by one caller.

    A live source is read at its own rate even if no picture is wanted, so that no driver buffers
    outdated pictures.
    """

    info: SourceInfo
    figures: Figures
    """The latest measurements of what arrives."""

    @property
    def controls(self) -> tuple[ControlInfo, ...]:
        """The source's controls, with their values as of opening or the last change."""

    def set_controls(self, values: Mapping[str, Value]) -> dict[str, str]:
        """Set several controls in the right order; this updates ``info`` and ``controls``.

        Returns:
            By name, why the source rejected a value, and the value it keeps.

        Raises:
            ControlError: If the source does not answer in time; it may set them later.
            SourceEnded: As in :meth:`read`.
            SourceError: As in :meth:`read`.
        """

    def read(self, demand: Demand) -> Reading | None:
        """Return the next picture that is due; None if nothing arrived.

        Raises:
            PictureError: If a picture cannot be decoded; the next one may be.
            SourceEnded: If the source ended normally.
            LoginRefused: If it rejects the user name or password.
            SourceError: If the source is lost; says why.
        """

    def accept_any_picture(self) -> None:
        """Accept any picture if only a key frame was requested; also called on the hub."""

    def set_videos(self, wanted: Mapping[str, Any], fd: int = -1) -> bool:
        """Set the wanted videos; return whether that is possible. Also called on the hub.

        Args:
            wanted: See :mod:`server.capture.isolation.channel`.
            fd: The child's end of the socket for their units, if it has none yet.
        """

    def request_key(self, track: int) -> bool:
        """Request a key frame in an encoded video, by its number; also called on the hub.

        Returns:
            Whether that was possible.
        """

    def set_motion(self, wanted: Mapping[str, Any] | None) -> bool:
        """Configure motion detection, or switch it off with None; also called on the hub.

        Args:
            wanted: See :meth:`MotionSettings.describe`.

        Returns:
            Whether that is possible.
        """

    def take_event_reports(self) -> list[EventReport]:
        """Return the events since the last call; not during a read."""

    def pause(self) -> None:
        """Pause a source that is not live until the next read."""

    def close(self) -> None:
        """Release the device, file or connection."""


def is_due(demand: Demand) -> bool:
    """Return whether a picture that arrives now is wanted."""
    return time.monotonic() >= demand.due()


def read_and_compare(
    reader: Reader, demand: Demand, stillness: FreezeDetector
) -> tuple[Reading, float] | None:
    """Read a picture, and return it as :func:`compare` does; None if nothing arrived."""
    reading = reader.read(demand)
    return None if reading is None else compare(reader, reading, stillness)


def compare(reader: Reader, reading: Reading, stillness: FreezeDetector) -> tuple[Reading, float]:
    """Return the reading, and for how many seconds its picture has not changed."""
    if reading.picture is None or not reader.info.live:
        return reading, 0.0
    return reading, stillness.see(reading.picture, time.monotonic())
