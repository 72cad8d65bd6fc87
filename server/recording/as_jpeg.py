"""A camera's kept pictures as JPEG, for viewers that cannot decode video."""

from collections.abc import Callable, Sequence

from server.capture.frames.unit import JPEG, Unit
from server.errors import RequestError
from server.recording.memory import DecodeRun, Memory

__all__ = ["AsJpeg", "ToJpeg", "refuse_jpeg"]

ToJpeg = Callable[[Sequence[Unit]], bytes]
"""Returns the last of some units as JPEG, given the units it needs; blocks this green thread."""


class AsJpeg:
    """A :class:`Memory` that converts pictures to JPEG, for one viewer.

    Args:
        memory: The pictures as they are kept.
        to_jpeg: Converts a picture; raises RequestError.
    """

    def __init__(self, memory: Memory, to_jpeg: ToJpeg) -> None:
        self._memory = memory
        self._to_jpeg = to_jpeg
        self._made: Unit | None = None  # Slow playback asks for the same one again.

    def decode_run(self, at_unix: float, toward_s: float = 0.0) -> DecodeRun:
        """Return the picture of a moment."""
        found = self._memory.decode_run(at_unix, toward_s)
        if not found.units or found.units[-1].codec == JPEG:
            return DecodeRun(found.units[-1:], [], found.newest)
        return DecodeRun(self.find(at_unix), [], found.newest)

    def find(self, at_unix: float) -> list[Unit]:
        """Return the picture of a moment."""
        found = self._memory.find(at_unix)
        return [self._convert(found)] if found else []

    def between(self, from_unix: float, to_unix: float) -> list[Unit]:
        """Return all units from one moment to another unconverted: they are too many."""
        return self._memory.between(from_unix, to_unix)

    @property
    def span(self) -> tuple[float, float] | None:
        """The times of the first and the last picture, in Unix seconds; None if empty."""
        return self._memory.span

    @property
    def gaps(self) -> Sequence[tuple[float, float]]:
        """Begin and end of each gap within the span."""
        return self._memory.gaps

    def neighbours(self, at_unix: float) -> tuple[float | None, float | None]:
        """Return the times of the pictures before and after a moment's; None if there is none."""
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
    """Raise RequestError: the kept pictures are video, and cannot be converted here."""
    raise RequestError("unavailable", f"this camera's past is kept as video, {units[-1].codec}")
