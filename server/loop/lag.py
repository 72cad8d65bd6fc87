"""How late the hub runs what is due."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from eventlet import hubs

__all__ = ["LagMeter"]


class LagMeter:
    """Measures how late the hub runs what is due: the drift of a 20 ms timer.

    Args:
        busy: Whether anything goes on that could hold the hub up. An idle server would do little
            else but measure, so then it does so less often.
    """

    PERIOD_S = 0.02
    IDLE_PERIOD_S = 0.2

    RECENT = 250
    """How many measurements a quantile is of: five seconds of a busy server."""

    def __init__(self, busy: Callable[[], bool] = lambda: True) -> None:
        self._busy = busy
        self.worst_s = 0.0
        """The largest lag since the last :meth:`take`, in seconds."""
        self.beat = time.monotonic()
        """When the hub last ran, in monotonic seconds; read by the watchdog's native thread."""
        self._recent: deque[float] = deque(maxlen=self.RECENT)
        self._due = 0.0
        self._timer: Any = None

    def open(self) -> None:
        """Begin to measure."""
        self.beat = time.monotonic()
        self._schedule()

    def close(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()

    def take(self) -> float:
        """Return the worst lag since the last call, in seconds, and start anew."""
        worst, self.worst_s = self.worst_s, 0.0
        return worst

    def quantile(self, share: float) -> float:
        """Return the lag that this share of the last five seconds' did not exceed, in seconds."""
        ordered = sorted(self._recent)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def _schedule(self) -> None:
        # A timer of the hub's own: a green thread that sleeps would cost twice as much, and this
        # is most of what an idle server does.
        period_s = self.PERIOD_S if self._busy() else self.IDLE_PERIOD_S
        self._due = self.beat + period_s
        self._timer = hubs.get_hub().schedule_call_global(period_s, self._tick)

    def _tick(self) -> None:
        self.beat = time.monotonic()
        lag_s = max(0.0, self.beat - self._due)
        self.worst_s = max(self.worst_s, lag_s)
        self._recent.append(lag_s)
        self._schedule()
