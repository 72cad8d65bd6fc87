"""What can be asked of the past that is kept of a camera, wherever that is."""

from typing import Protocol

from server.capture.frames.unit import Unit

__all__ = ["SAME_S", "Memory"]

SAME_S = 0.001
"""Times that differ by less mean the same picture: they have been through JSON and clients."""


class Memory(Protocol):
    """The last seconds of one camera. Another node's may block the green thread that asks."""

    def find(self, at_unix: float, toward_s: float = 0.0) -> list[Unit]:
        """Return the picture of a moment, after those that are needed to decode it.

        It is the newest that is not later, or the first of all; nothing if there is none.

        Args:
            at_unix: The moment, in Unix seconds.
            toward_s: How much later what is wanted next may be; negative for earlier.

        Raises:
            RequestError: If the node that keeps it cannot be asked; so do the others.
        """

    def between(self, from_unix: float, to_unix: float) -> list[Unit]:
        """Return all from one moment to another, after what is needed to decode the first."""

    @property
    def span(self) -> tuple[float, float] | None:
        """The times of the first and the last picture in Unix seconds; None with nothing."""

    def neighbours(self, at_unix: float) -> tuple[float | None, float | None]:
        """Return the times of the pictures before and after that of a moment; None for none."""
