"""When a camera's next picture is due."""

import time
from collections.abc import Callable

from server.capture.sources.reader import AT_ONCE

__all__ = ["Schedule"]

# Of a source and a camera that say nothing.
DEFAULT_FPS = 30.0


class Schedule:
    """Frame rates, and the time of the next picture that they ask for.

    Args:
        fps: Returns what was set; None for the source's own rate.

    Attributes:
        source_fps: Frames a second that the source delivers; 0 while unknown.
    """

    def __init__(self, fps: Callable[[], float | None]) -> None:
        self._fps = fps
        self.source_fps = 0.0
        self._due = 0.0

    @property
    def rate(self) -> float:
        """Frames a second that are delivered at most, as far as is known."""
        return self._fps() or self.source_fps or DEFAULT_FPS

    @property
    def due(self) -> float:
        """From when on a picture is taken, in monotonic seconds; may be asked natively."""
        # One may come early by half of the source's own interval: it is nearer than the next.
        return self._due - (0.5 / self.source_fps if self.source_fps else 0.005)

    def request(self) -> None:
        """Make the very next picture due."""
        self._due = AT_ONCE

    def advance(self) -> None:
        """Note that a picture was taken."""
        now, fps = time.monotonic(), self._fps()
        if fps and (not self.source_fps or fps < self.source_fps * 0.99):
            # On schedule, so that the average is right; but never in a burst after a gap.
            before = self._due if self._due > 0 else now
            self._due = max(before + 1 / fps, now + 0.5 / fps)
        else:
            self._due = 0.0
