"""What a camera wants of its source, and how it is told what there is."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from server.capture.devices.controls import ControlInfo, Value
from server.capture.frames.frame import Picture
from server.capture.frames.freeze import FreezeDetector
from server.capture.frames.info import SourceInfo

__all__ = ["AT_ONCE", "PATIENCE_S", "Demand", "Reader", "Reading", "is_due", "read_and_compare"]

PATIENCE_S = 0.2
"""How long :meth:`Reader.read` may take while there is nothing, so that a camera can be stopped."""

AT_ONCE = float("-inf")


class Demand(NamedTuple):
    """What a camera wants next; asked natively and anew, so that a change counts during a read.

    Attributes:
        due: When a picture is next wanted, in monotonic seconds; infinite while nobody watches,
            and :data:`AT_ONCE` also out of turn, where the source can make one.
        jpeg_up_to: The highest quality, 1 to 100, at which the source's own JPEG will do.
        pixels_from: The least width at which the pixels of such a JPEG are wanted beside it; 0
            where they are not.
        changed: Whether a picture that shows nothing new is wanted once a second only.
    """

    due: Callable[[], float]
    jpeg_up_to: Callable[[], int]
    pixels_from: Callable[[], int] = lambda: 0
    changed: bool = False


class Reading(NamedTuple):
    """What a source brought.

    Attributes:
        picture: The newest; None if there were pictures, but none was due, and none was decoded.
        at_unix: When it was captured, in Unix seconds.
    """

    picture: Picture | None
    at_unix: float


class Reader(Protocol):
    """A source as its camera reads it. Every method blocks and is called natively, by one caller.

    A live source is read on at its own pace, whatever is wanted: nothing may grow old in a driver.
    """

    info: SourceInfo

    @property
    def controls(self) -> tuple[ControlInfo, ...]:
        """What the source lets one set, and what holds since it was opened or last set."""

    def set_controls(self, values: Mapping[str, Value]) -> dict[str, str]:
        """Set several controls in the right order; ``info`` and ``controls`` are new after it.

        Returns:
            By name, what the source did not take, and what it keeps instead.

        Raises:
            ControlError: If the source gives no answer; it may yet set them.
            SourceEnded: As in :meth:`read`.
            SourceError: As in :meth:`read`.
        """

    def read(self, demand: Demand) -> Reading | None:
        """Return the next picture that is due, or what else there is to say; None for nothing.

        Raises:
            PictureError: If a picture cannot be decoded; the next one may be.
            SourceEnded: If there will be none, and that is as it should be.
            SourceError: If the source is lost; says why.
        """

    def close(self) -> None:
        """Release the device, file or connection."""


def is_due(demand: Demand) -> bool:
    """Return whether a picture that is there now is wanted."""
    return time.monotonic() >= demand.due()


def read_and_compare(
    reader: Reader, demand: Demand, stillness: FreezeDetector
) -> tuple[Reading, float] | None:
    """Read, and say for how many seconds nothing in the picture has changed; None for nothing."""
    reading = reader.read(demand)
    if reading is None:
        return None
    if reading.picture is None or not reader.info.live:
        return reading, 0.0
    return reading, stillness.see(reading.picture, time.monotonic())
