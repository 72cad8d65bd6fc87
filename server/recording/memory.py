"""The interface to the kept pictures of a camera, on this node or another."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from server.capture.frames.unit import Unit

__all__ = ["SAME_S", "DecodeRun", "Memory"]

SAME_S = 0.001
"""Times that differ by less mean the same picture, because JSON and clients round them."""


class DecodeRun(NamedTuple):
    """The units that a decoder needs to show one picture.

    With B-frames, a decoder outputs pictures in another order than their units, and holds them
    back until it has later units. Units are then paired with outputs by position: the first
    output counts as the picture of the first unit, and so on.

    Attributes:
        units: From a key frame up to the unit of the picture.
        push: Later units that make the decoder output the picture; empty without B-frames.
        newest: Whether no later picture can be shown yet.
    """

    units: list[Unit]
    push: list[Unit]
    newest: bool = True


class Memory(Protocol):
    """The last seconds of one camera. Calls block the green thread if another node keeps them."""

    def decode_run(self, at_unix: float, toward_s: float = 0.0) -> DecodeRun:
        """Return the units a decoder needs to show the picture of a moment.

        It is the newest that is not later, or the first of all; empty if there is none.

        Args:
            at_unix: The moment, in Unix seconds.
            toward_s: For prefetching: how much later the next requests may be; negative: earlier.

        Raises:
            RequestError: If the node that keeps it does not answer; the other methods likewise.
        """

    def find(self, at_unix: float) -> list[Unit]:
        """Return the picture of a moment, preceded by the units needed to decode it."""

    def between(self, from_unix: float, to_unix: float) -> list[Unit]:
        """Return all units from one moment to another, preceded by those needed to decode them."""

    @property
    def span(self) -> tuple[float, float] | None:
        """The times of the first and the last picture, in Unix seconds; None if empty."""

    @property
    def gaps(self) -> Sequence[tuple[float, float]]:
        """Begin and end of each gap within the span, in Unix seconds, oldest first."""

    def neighbours(self, at_unix: float) -> tuple[float | None, float | None]:
        """Return the times of the pictures before and after a moment's; None if there is none."""
