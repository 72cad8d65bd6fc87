"""Measures how late the hub runs due work."""

import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from eventlet import hubs

__all__ = ["LagMeter", "lag_quantile"]


class LagMeter:
    """Measures how late the hub runs due work, by the length of its turns.

    A turn is the hub's work between two polls; anything that becomes due meanwhile waits for its
    end. A timer that measures its own delay would have to run so often to see short turns that it
    would cost more than the server's other work per picture. Turns of less than a millisecond count
    as no lag.
    """

    BEAT_S = 0.5

    RECENT_S = 5.0
    """How far back a quantile looks."""

    MAX_TURNS = 5000

    def __init__(self) -> None:
        self.worst_s = 0.0
        """The largest lag since the last :meth:`take`, in seconds."""
        self.beat = time.monotonic()
        """When the hub last ran, in monotonic seconds; read by the watchdog's native thread."""
        self._turns: deque[tuple[float, float]] = deque(maxlen=self.MAX_TURNS)  # End and length.
        self._opened = self._due = self.beat
        self._timer: Any = None

    def open(self) -> None:
        """Start measuring."""
        self._opened = self.beat = time.monotonic()
        hubs.get_hub().on_round = self._note
        self._schedule()

    def close(self) -> None:
        """Stop measuring."""
        if self._timer is not None:
            self._timer.cancel()
            hubs.get_hub().on_round = lambda end, length_s: None
            self._timer = None

    def take(self) -> float:
        """Return the worst lag since the last call, in seconds, and reset it."""
        worst, self.worst_s = self.worst_s, 0.0
        return worst

    def quantile(self, share: float) -> float:
        """Return the lag that this share of the last five seconds did not exceed, in seconds."""
        now = time.monotonic()
        since = max(self._opened, now - self.RECENT_S)
        recent = [length_s for end, length_s in self._turns if end > since]
        return lag_quantile(recent, now - since, share)

    def _note(self, now: float, turn_s: float) -> None:
        self._turns.append((now, turn_s))
        self.worst_s = max(self.worst_s, turn_s)

    def _schedule(self) -> None:
        # A bare timer: a sleeping green thread would cost twice as much.
        self._due = self.beat + self.BEAT_S
        self._timer = hubs.get_hub().schedule_call_global(self.BEAT_S, self._tick)

    def _tick(self) -> None:
        self.beat = time.monotonic()
        # The operating system may also wake the hub late.
        self.worst_s = max(self.worst_s, self.beat - self._due)
        self._schedule()


def lag_quantile(turns_s: Iterable[float], window_s: float, share: float) -> float:
    """Return the lag that this share of all moments in a window did not exceed, in seconds.

    Work that becomes due during a turn is late by the rest of that turn; between turns it is not.

    Args:
        turns_s: The lengths of the turns in the window, in seconds.
        window_s: The length of the window, in seconds.
        share: From 0 to 1.
    """
    allowed_s = (1 - share) * window_s
    longest_first = sorted(turns_s, reverse=True)
    total_s = 0.0
    for count, turn_s in enumerate(longest_first, 1):
        total_s += turn_s
        lag_s = (total_s - allowed_s) / count
        if count == len(longest_first) or lag_s >= longest_first[count]:
            return max(0.0, lag_s)
    return 0.0
