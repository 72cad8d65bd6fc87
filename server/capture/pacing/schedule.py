"""Decides when a camera's next picture is due."""

import time
from collections.abc import Callable

from server.capture.pacing.measured import Measured
from server.capture.sources.reader import AT_ONCE

__all__ = ["Schedule"]

# If neither the source nor the camera's settings give a rate.
DEFAULT_FPS = 30.0

# For a polled source, if the camera's settings give no rate.
POLLED_FPS = 1.0

# How late a picture may be, in intervals, for the next ones to make up for it. With less, a source
# whose pictures come unevenly would lose up to a fifth of them.
CATCH_UP = 1.5


class Schedule:
    """One camera's frame rates, and when they make the next picture due.

    Args:
        fps: Returns the set frame rate; None for the source's own.
        source: What is known of the source.
    """

    def __init__(self, fps: Callable[[], float | None], source: Measured) -> None:
        self._fps = fps
        self._source = source
        self.due = 0.0
        """When the next picture is due, in monotonic seconds; native threads may read it."""

    @property
    def limit(self) -> float | None:
        """The requested frame rate; None to take all pictures that come."""
        return self._fps() or (POLLED_FPS if self._source.polled else None)

    @property
    def expected_fps(self) -> float:
        """The frame rate at which pictures should arrive; 0 while unknown."""
        return (self.limit or 0.0) if self._source.polled else self._source.fps

    @property
    def rate(self) -> float:
        """The highest rate of delivered frames, as far as is known."""
        return min(filter(None, (self.limit, self._source.fps)), default=DEFAULT_FPS)

    def request(self) -> None:
        """Make the next picture due, whenever it comes."""
        self.due = AT_ONCE

    @property
    def asked(self) -> bool:
        """Whether a picture was requested out of turn."""
        return self.due == AT_ONCE

    def advance(self) -> None:
        """Note that a picture was taken."""
        fps = self.limit
        if not fps:
            self.due = 0.0
            return
        # Ignore the source's own rate, which may be unknown or change. Keep to the schedule, so
        # that the average is right, but never catch up in a burst after a gap.
        now, interval_s = time.monotonic(), 1 / fps
        if self.due > 0:
            self.due = max(self.due + interval_s, now + (1 - CATCH_UP) * interval_s)
        else:
            # Half the source's interval early, to take whichever picture is nearest.
            early_s = 0.5 / self._source.fps if self._source.fps else 0.0
            self.due = now + interval_s - min(early_s, interval_s / 2)
