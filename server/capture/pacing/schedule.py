"""When a camera's next picture is due."""

import time

from server.capture.pacing.measured import Measured
from server.capture.sources.reader import AT_ONCE

__all__ = ["Schedule"]

# Of a source and a camera that say nothing.
DEFAULT_FPS = 30.0

# Of a source that is polled and a camera that says nothing.
POLLED_FPS = 1.0

# How far a picture may lie behind its time, in intervals, for the next ones to make up for it. With
# less, a source whose pictures come unevenly would lose some of them, up to a fifth.
CATCH_UP = 1.5


class Schedule:
    """Frame rates, and the time of the next picture that they ask for.

    Args:
        source: What is known of the source.
        fps: Frames a second that are set; None for the source's own rate.

    Attributes:
        fps: The same; may be changed.
    """

    def __init__(self, source: Measured, fps: float | None) -> None:
        self._source = source
        self.fps = fps
        self.due = 0.0
        """From when on a picture is taken, in monotonic seconds; may be asked natively."""

    @property
    def limit(self) -> float | None:
        """Frames a second that are asked for; None for all that come."""
        return self.fps or (POLLED_FPS if self._source.polled else None)

    @property
    def expected_fps(self) -> float:
        """Pictures a second that should arrive; 0 while unknown."""
        return (self.limit or 0.0) if self._source.polled else self._source.fps

    @property
    def rate(self) -> float:
        """Frames a second that are delivered at most, as far as is known."""
        return min(filter(None, (self.limit, self._source.fps)), default=DEFAULT_FPS)

    def request(self) -> None:
        """Make the very next picture due."""
        self.due = AT_ONCE

    @property
    def asked(self) -> bool:
        """Whether somebody asks for a picture out of turn."""
        return self.due == AT_ONCE

    def advance(self) -> None:
        """Note that a picture was taken."""
        fps = self.limit
        if not fps:
            self.due = 0.0
            return
        # Whatever the source's own rate, which may be unknown or change. On schedule, so that the
        # average is right; but never in a burst after a gap.
        now, interval_s = time.monotonic(), 1 / fps
        if self.due > 0:
            self.due = max(self.due + interval_s, now + (1 - CATCH_UP) * interval_s)
        else:
            # Half of the source's interval early: then a picture is nearer than the next one.
            early_s = 0.5 / self._source.fps if self._source.fps else 0.0
            self.due = now + interval_s - min(early_s, interval_s / 2)
