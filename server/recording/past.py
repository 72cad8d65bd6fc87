"""The kept units of each camera: those in memory, and older ones from the disk."""

from collections.abc import Callable, Mapping, Sequence

from server.recording.media.fragments import Kept
from server.recording.memory import Memory
from server.recording.rewind import Rewind

__all__ = ["Past"]

# Rounding error of times on the disk: a unit older than one in memory by more is a different one.
ROUNDING_S = 0.001

Stored = Callable[[str, float, float], Sequence[Kept]]
"""Returns a camera's units from one moment to another, preceded by those needed to decode them."""


class Past:
    """Finds units of any time, in memory, on the disk or on another node.

    Args:
        rewinds: The rewind buffers, by camera name.

    Attributes:
        stored: Returns units on the disk.
        stored_at: Returns the newest picture on the disk that is not later than a moment, preceded
            by the units that it needs; empty if there is none.
        stored_span: Returns the first and last time for which a camera has units on the disk.
        elsewhere: Returns the memory of another node's camera; None for cameras of this node. The
            methods here pass on its exceptions.
    """

    def __init__(self, rewinds: Mapping[str, Rewind]) -> None:
        self._rewinds = rewinds
        self.stored: Stored = lambda camera, from_unix, to_unix: []
        self.stored_at: Callable[[str, float], Sequence[Kept]] = lambda camera, at_unix: []
        self.stored_span: Callable[[str], tuple[float, float] | None] = lambda camera: None
        self.elsewhere: Callable[[str], Memory | None] = lambda camera: None

    def span(self, camera: str) -> tuple[float, float] | None:
        """Return the times of the first and the last unit, in Unix seconds; None without any."""
        if (there := self.elsewhere(camera)) is not None:
            return there.span
        rewind = self._rewinds.get(camera)
        spans = [one for one in (rewind and rewind.span, self.stored_span(camera)) if one]
        if not spans:
            return None
        return min(begin for begin, _ in spans), max(end for _, end in spans)

    def between(self, camera: str, from_unix: float, to_unix: float) -> Sequence[Kept]:
        """Return all units from one moment to another, preceded by those needed to decode them."""
        if (there := self.elsewhere(camera)) is not None:
            return there.between(from_unix, to_unix)
        rewind = self._rewinds.get(camera)
        recent = rewind.between(from_unix, to_unix) if rewind else []
        if recent and recent[0].shown_unix <= from_unix:
            return recent
        until = recent[0].shown_unix - ROUNDING_S if recent else to_unix
        older = self.stored(camera, from_unix, until)
        return [*older, *recent]

    def find(self, camera: str, at_unix: float) -> Sequence[Kept]:
        """Return the picture of a moment, preceded by the units needed to decode it."""
        if (there := self.elsewhere(camera)) is not None:
            return there.find(at_unix)
        rewind = self._rewinds.get(camera)
        recent = rewind.find(at_unix) if rewind else []
        if recent and recent[-1].shown_unix <= at_unix:
            return recent
        return self.stored_at(camera, at_unix) or recent
