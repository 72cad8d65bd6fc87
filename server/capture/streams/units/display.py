"""When the pictures of a stream with B-frames were captured. No I/O.

Such a picture is encoded, and sent, after one that is shown after it. A camera may send it at once
then, or an interval later, so the time of its arrival says little; the stream's own clock does.
"""

from typing import NamedTuple

__all__ = ["LEAST_STEP_S", "MAX_EARLY_S", "Captured", "DisplayClock"]

MAX_EARLY_S = 5.0
"""A picture that was captured longer before it arrived: the stream's clock has jumped."""

# Clocks drift, and a stream's own may be corrected: what arrived before so many seconds, to twice
# as many, says nothing any more.
KNOWN_S = 5.0

LEAST_STEP_S = 2e-3
"""No two pictures have the same time, also to who counts in milliseconds."""


class Captured(NamedTuple):
    """What is known of a picture that has just arrived.

    Attributes:
        at: When that picture was captured, in monotonic seconds, which a decoder hands out as soon
            as it has had this one, and those that it had to keep. These times only grow.
        early_s: How much sooner than that its own picture was; less than 0 if later.
    """

    at: float
    early_s: float


class DisplayClock:
    """Compares one stream's clock with ours. For one thread.

    A picture cannot arrive before it was captured, so those that arrive the soonest after their
    time tell how far the clocks are apart: those that are not held back for others.

    Args:
        paced: Whether pictures come when they are to be decoded, as from a film.
    """

    def __init__(self, paced: bool = False) -> None:
        self._paced = paced
        # By how much ours is ahead at least: in this period, and in it and the one before.
        self._apart = self._apart_by_now = 0.0
        self._period_ends: float | None = None
        self._newest_s = 0.0  # Of what arrived, by the stream's clock.
        self.reordered = False
        """Whether pictures come in another order than they are shown in."""
        self._lead_s: float | None = None  # From when a key picture is decoded until it is shown.
        self._told = float("-inf")

    def see(self, now: float, shown_s: float, decoded_s: float | None, key: bool) -> Captured:
        """Return what is known of the picture that arrives now.

        As long as pictures come in the order in which they are shown, that is when they came; what
        came late because we did does not make those after it earlier.

        Args:
            now: When it came, in monotonic seconds.
            shown_s: When it is to be shown, by the stream's clock.
            decoded_s: When it is to be decoded; None if the stream does not say.
            key: Whether it can be decoded by itself.
        """
        # No key picture is shown before what was sent before it: the clock was set, or a film is
        # shown again.
        if key and shown_s < self._newest_s:
            self._period_ends = None
        self._learn(now, shown_s)
        self.reordered = self.reordered or shown_s < self._newest_s
        self._newest_s = max(self._newest_s, shown_s)
        if key:
            self._lead_s = None if decoded_s is None else shown_s - decoded_s
        out_s = None  # When what comes out with it is to be shown.
        if decoded_s is not None and self._lead_s is not None:
            out_s = decoded_s + self._lead_s
        if self._paced:
            early_s = 0.0 if out_s is None else out_s - shown_s
            return Captured(now, early_s if abs(early_s) < MAX_EARLY_S else 0.0)
        if not self.reordered:
            self._told = max(self._told + LEAST_STEP_S, now)
            return Captured(self._told, 0.0)
        comes_out = now if out_s is None else min(now, self._apart + out_s)
        self._told = comes_out = max(self._told + LEAST_STEP_S, comes_out)
        return Captured(comes_out, comes_out - (self._apart + shown_s))

    def _learn(self, now: float, shown_s: float) -> None:
        apart = now - shown_s
        if self._period_ends is None or abs(apart - self._apart) > MAX_EARLY_S:
            self._apart = self._apart_by_now = apart
            self._newest_s, self.reordered = shown_s, False
            self._period_ends = now + KNOWN_S
        elif now > self._period_ends:
            self._apart, self._apart_by_now = self._apart_by_now, apart
            self._period_ends = now + KNOWN_S
        self._apart, self._apart_by_now = min(self._apart, apart), min(self._apart_by_now, apart)
