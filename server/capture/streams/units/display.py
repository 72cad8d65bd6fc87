"""Estimates when the pictures of a stream with B-frames were captured. No I/O.

A B-frame is encoded and sent after a picture displayed after it. A camera may send it immediately
or an interval later, so its time of arrival says little; the stream's clock says more.
"""

from typing import NamedTuple

__all__ = ["LEAST_STEP_S", "MAX_EARLY_S", "Captured", "DisplayClock"]

MAX_EARLY_S = 5.0
"""A picture captured longer than this before it arrived means that the stream's clock jumped."""

# Clocks drift, and a stream's own may be corrected, so arrivals are forgotten after this time, or
# up to twice as long.
KNOWN_S = 5.0

LEAST_STEP_S = 2e-3
"""The smallest step between the times of two pictures, so that they differ in milliseconds."""


class Captured(NamedTuple):
    """The capture times for a picture that has just arrived.

    Attributes:
        at: When the picture was captured that a decoder outputs after this one, in monotonic
            seconds. These times always grow.
        early_s: How long before that the picture itself was captured; negative if after.
    """

    at: float
    early_s: float


class DisplayClock:
    """Compares one stream's clock with ours. For one thread.

    A picture cannot arrive before it was captured. So those that arrive soonest after their display
    time, because they are not held back for others, give the offset between the clocks.

    Args:
        paced: Whether pictures are taken when they are due for decoding, as from a file.
    """

    def __init__(self, paced: bool = False) -> None:
        self._paced = paced
        # The smallest offset of our clock: in this period and the one before, and in this one.
        self._offset = self._period_offset = 0.0
        self._period_ends: float | None = None
        self._newest_s = 0.0  # The latest display time so far.
        self.reordered = False
        """Whether pictures arrive in another order than they are displayed in."""
        self._lead_s: float | None = None  # From a key frame's decoding to its display.
        self._last_at = float("-inf")

    def see(self, now: float, shown_s: float, decoded_s: float | None, key: bool) -> Captured:
        """Return the capture times for the picture that arrives now.

        As long as pictures arrive in display order, they count as captured when they arrive; one
        that we read late does not make the next ones appear earlier.

        Args:
            now: When it arrived, in monotonic seconds.
            shown_s: Its display time, by the stream's clock.
            decoded_s: Its decoding time; None if the stream has none.
            key: Whether it can be decoded by itself.
        """
        # No key frame is displayed before one that was sent earlier: the clock was set, or a file
        # has restarted.
        if key and shown_s < self._newest_s:
            self._period_ends = None
        self._learn(now, shown_s)
        self.reordered = self.reordered or shown_s < self._newest_s
        self._newest_s = max(self._newest_s, shown_s)
        if key:
            self._lead_s = None if decoded_s is None else shown_s - decoded_s
        out_s = None  # The display time of the picture that a decoder outputs after this one.
        if decoded_s is not None and self._lead_s is not None:
            out_s = decoded_s + self._lead_s
        if self._paced:
            early_s = 0.0 if out_s is None else out_s - shown_s
            return Captured(now, early_s if abs(early_s) < MAX_EARLY_S else 0.0)
        if not self.reordered:
            self._last_at = max(self._last_at + LEAST_STEP_S, now)
            return Captured(self._last_at, 0.0)
        out_at = now if out_s is None else min(now, self._offset + out_s)
        self._last_at = out_at = max(self._last_at + LEAST_STEP_S, out_at)
        return Captured(out_at, out_at - (self._offset + shown_s))

    def _learn(self, now: float, shown_s: float) -> None:
        offset = now - shown_s
        if self._period_ends is None or abs(offset - self._offset) > MAX_EARLY_S:
            self._offset = self._period_offset = offset
            self._newest_s, self.reordered = shown_s, False
            self._period_ends = now + KNOWN_S
        elif now > self._period_ends:
            self._offset, self._period_offset = self._period_offset, offset
            self._period_ends = now + KNOWN_S
        self._offset = min(self._offset, offset)
        self._period_offset = min(self._period_offset, offset)
