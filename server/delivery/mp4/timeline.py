"""Computes when each picture of an endless file is shown."""

from server.delivery.mp4.muxer import TIMESCALE

__all__ = ["Timeline"]

# A file that is behind the camera's clock by less than this, or by less than two pictures, runs on
# without gaps; that is jitter. If it is further behind, it jumps.
MAX_BEHIND_S = 0.25

# A file that is ahead by less than this waits for the camera's clock. If it is further ahead, the
# clock was set back.
MAX_AHEAD_S = 2.0

# The share of a difference that the next picture corrects, and the weight of the newest interval in
# the average interval.
CORRECTION = 0.25

# Skipped pictures must not immediately count as a new frame rate.
MAX_GROWTH = 4.0

FIRST_INTERVAL_S = 0.04

CATCH_UP_S = 0.001
"""How long a picture is shown that only serves to decode the next one."""


class Timeline:
    """Turns jittering capture times into a file's steady times, which never drift far from them.

    Each picture begins when the previous one ends, because players stumble over gaps. So its
    duration is chosen before the next one has come, and later pictures correct the difference.

    Args:
        reorder_s: How long pictures are decoded before they are shown, because pictures shown
            before them are decoded after them; see ``early_s`` of a unit. 0 without B-frames.
    """

    def __init__(self, reorder_s: float = 0.0) -> None:
        self._reorder_s = reorder_s
        # Where catching up began, in the file's and the camera's time, and how long a second takes.
        self._caught_up: tuple[int, float, float] | None = None
        self._next = 0.0  # When the next picture is shown, in seconds since the file's beginning.
        self._interval: float | None = None
        self._last_unix: float | None = None
        self._zero_unix: float | None = None  # The file's beginning in the camera's time.

    def place(self, at_unix: float, catch_up: bool = False) -> tuple[int, int]:
        """Return when to show a picture and for how long, in ticks.

        Args:
            at_unix: When it was captured, in Unix seconds.
            catch_up: Whether a newer picture is already available.
        """
        self._learn(at_unix)
        if catch_up:
            self._zero_unix = None
            return self._show(CATCH_UP_S)
        if self._zero_unix is None:
            self._zero_unix = at_unix - self._next
        interval = self._interval or FIRST_INTERVAL_S
        behind_s = at_unix - self._zero_unix - self._next
        if behind_s > max(MAX_BEHIND_S, 2 * interval) or behind_s < -MAX_AHEAD_S:
            self._next += max(behind_s, 0.0)
            self._zero_unix = at_unix - self._next
            behind_s = 0.0
        return self._show(max(interval + CORRECTION * behind_s, CATCH_UP_S))

    def offset(self, begin: int, at_unix: float, early_s: float) -> int:
        """Return the time from a picture's decoding until its display, in ticks; may be negative.

        Args:
            begin: When it is decoded, as :meth:`place` has just returned it.
            at_unix: As for :meth:`place`.
            early_s: How much earlier than ``at_unix`` the picture was captured.
        """
        if not self._reorder_s and not early_s:
            return 0
        shown_unix = at_unix - early_s
        if self._zero_unix is not None:
            self._caught_up = None
            return round((shown_unix - self._zero_unix + self._reorder_s) * TIMESCALE) - begin
        hurry = CATCH_UP_S / (self._interval or FIRST_INTERVAL_S)
        first, first_unix, hurry = self._caught_up = self._caught_up or (begin, shown_unix, hurry)
        return first + round((shown_unix - first_unix) * hurry * TIMESCALE) - begin

    def _learn(self, at_unix: float) -> None:
        last_unix, self._last_unix = self._last_unix, at_unix
        if last_unix is None or at_unix <= last_unix:
            return
        if self._interval is None:
            self._interval = at_unix - last_unix
        else:
            newest = min(at_unix - last_unix, MAX_GROWTH * self._interval)
            self._interval += CORRECTION * (newest - self._interval)

    def _show(self, seconds: float) -> tuple[int, int]:
        begin = round(self._next * TIMESCALE)
        self._next += seconds
        return begin, round(self._next * TIMESCALE) - begin
