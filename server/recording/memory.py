"""What can be asked of the past that is kept of a camera, wherever that is."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from server.capture.frames.unit import Unit

__all__ = ["SAME_S", "Lead", "Memory"]

SAME_S = 0.001
"""Times that differ by less mean the same picture: they have been through JSON and clients."""


class Lead(NamedTuple):
    """What a decoder has to be given for one picture.

    With B-frames a decoder keeps pictures until it has had later ones, and hands them out in
    another order than it is given units. The first that it hands out then counts as that of the
    first unit, and so on.

    Attributes:
        units: Up to that of the picture, from one on that can be decoded by itself.
        push: More, without which the decoder would keep the picture; nothing without B-frames.
        newest: Whether no later picture can be shown yet.
    """

    units: list[Unit]
    push: list[Unit]
    newest: bool = True


class Memory(Protocol):
    """The last seconds of one camera. Another node's may block the green thread that asks."""

    def lead(self, at_unix: float, toward_s: float = 0.0) -> Lead:
        """Return what shows the picture of a moment to who decodes one unit after the other.

        It is the newest that is not later, or the first of all; nothing if there is none.

        Args:
            at_unix: The moment, in Unix seconds.
            toward_s: How much later what is wanted next may be; negative for earlier.

        Raises:
            RequestError: If the node that keeps it cannot be asked; so do the others.
        """

    def find(self, at_unix: float) -> list[Unit]:
        """Return only the picture of a moment, after those that are needed to decode it."""

    def between(self, from_unix: float, to_unix: float) -> list[Unit]:
        """Return all from one moment to another, after what is needed to decode the first."""

    @property
    def span(self) -> tuple[float, float] | None:
        """The times of the first and the last picture in Unix seconds; None with nothing."""

    @property
    def gaps(self) -> Sequence[tuple[float, float]]:
        """Between which times within the span nothing was kept, in Unix seconds, oldest first."""

    def neighbours(self, at_unix: float) -> tuple[float | None, float | None]:
        """Return the times of the pictures before and after that of a moment; None for none."""
