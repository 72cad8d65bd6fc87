"""A camera's past for viewers that decode no video: every picture as JPEG."""

from collections.abc import Callable, Sequence

from server.capture.frames.unit import JPEG, Unit
from server.errors import RequestError
from server.recording.memory import Lead, Memory

__all__ = ["AsJpeg", "ToJpeg", "refuse_jpeg"]

ToJpeg = Callable[[Sequence[Unit]], bytes]
"""Returns the last of some units as JPEG, given those that it needs; blocks this green thread."""


class AsJpeg:
    """The past of one camera, for one viewer.

    Args:
        memory: The same as it is kept.
        to_jpeg: Makes a picture; raises RequestError.
    """

    def __init__(self, memory: Memory, to_jpeg: ToJpeg) -> None:
        self._memory = memory
        self._to_jpeg = to_jpeg
        self._made: Unit | None = None  # Whoever plays slowly asks for the same one again.

    def lead(self, at_unix: float, toward_s: float = 0.0) -> Lead:
        """Return the picture of a moment."""
        found = self._memory.lead(at_unix, toward_s)
        if not found.units or found.units[-1].codec == JPEG:
            return Lead(found.units[-1:], [], found.newest)
        return Lead(self.find(at_unix), [], found.newest)

    def find(self, at_unix: float) -> list[Unit]:
        """Return the picture of a moment."""
        found = self._memory.find(at_unix)
        return [self._convert(found)] if found else []

    def between(self, from_unix: float, to_unix: float) -> list[Unit]:
        """Return all from one moment to another as they are kept: too many to be converted."""
        return self._memory.between(from_unix, to_unix)

    @property
    def span(self) -> tuple[float, float] | None:
        """The times of the first and the last picture in Unix seconds; None with nothing."""
        return self._memory.span

    @property
    def gaps(self) -> Sequence[tuple[float, float]]:
        """Between which times within the span nothing was kept."""
        return self._memory.gaps

    def neighbours(self, at_unix: float) -> tuple[float | None, float | None]:
        """Return the times of the pictures before and after that of a moment; None for none."""
        return self._memory.neighbours(at_unix)

    def _convert(self, units: list[Unit]) -> Unit:
        one = units[-1]
        if one.codec == JPEG:
            return one
        if self._made is None or self._made.seq != one.seq:
            jpeg = self._to_jpeg(units)
            self._made = Unit(jpeg, True, one.seq, one.shown_unix, JPEG, one.width, one.height)
        return self._made


def refuse_jpeg(units: Sequence[Unit]) -> bytes:
    """Say that what is kept is video."""
    raise RequestError("unavailable", f"the past of this camera is video, {units[-1].codec}")
