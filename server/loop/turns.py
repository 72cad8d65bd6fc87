"""Turns for green threads, so that many small jobs do not monopolize the hub."""

import time
from collections import deque

import greenlet  # type: ignore[import-untyped]
from eventlet import event, hubs

__all__ = ["Turns"]


class Turns:
    """Limits how much of the hub its users take together; the others wait in line.

    A round of the hub runs everything that is due or readable. If 32 requests of 3 ms began in one
    round, viewers would wait 0.1 s for a picture. So each round starts only about :data:`ROUND_S`
    of work, and after a burst (:data:`BURST_S`, about one page load) turns are limited to
    :data:`SHARE` of a core.
    """

    SHARE = 0.5
    BURST_S = 0.25
    ROUND_S = 0.003

    MAX_SHARED_S = 0.005
    """The most that a turn is charged if other work may have run meanwhile: otherwise requests
    would pay for pictures sent in the same round, and starve on a busy server."""

    def __init__(self) -> None:
        self._line: deque[event.Event] = deque()
        self._credit_s = self.BURST_S
        self._refilled_at = 0.0
        self._average_s = self.ROUND_S  # Moving average of a turn's cost.
        self._spent_s = 0.0
        self._holder: object = None
        self._began_cpu_s = 0.0
        self._scheduled = False

    def take(self) -> None:
        """Wait for the caller's turn; returns immediately while there are few others."""
        self._charge()
        if self._line or self._spent_s >= self.ROUND_S or not self._has_credit():
            turn = event.Event()
            self._line.append(turn)
            self._schedule(0)
            try:
                turn.wait()
            finally:
                if not turn.ready():
                    self._line.remove(turn)  # A deadline has passed.
            self._charge()
        self._holder = greenlet.getcurrent()
        self._began_cpu_s = time.thread_time()
        self._schedule(0)

    def give(self) -> None:
        """End the caller's turn if it still has one; otherwise it ends with the round."""
        if self._holder is greenlet.getcurrent():
            self._charge()

    def _charge(self) -> None:
        """Deduct the last turn's cost from the credit."""
        if self._holder is None:
            return
        cost_s = time.thread_time() - self._began_cpu_s
        if self._holder is not greenlet.getcurrent():
            cost_s = min(self.MAX_SHARED_S, cost_s)
        self._holder = None
        self._average_s += (cost_s - self._average_s) / 8
        self._spent_s += cost_s
        self._credit_s -= cost_s

    def _has_credit(self) -> bool:
        now = time.monotonic()
        gained_s = (now - self._refilled_at) * self.SHARE
        self._credit_s = min(self.BURST_S, self._credit_s + gained_s)
        self._refilled_at = now
        return self._credit_s > 0

    def _schedule(self, delay_s: float) -> None:
        if not self._scheduled:
            self._scheduled = True
            hubs.get_hub().schedule_call_global(delay_s, self._begin_round)

    def _begin_round(self) -> None:
        self._scheduled = False
        self._charge()
        self._spent_s = 0.0
        if not self._line:
            return
        if self._has_credit():
            for _ in range(max(1, min(len(self._line), int(self.ROUND_S / self._average_s)))):
                self._line.popleft().send(None)
            self._schedule(0)
        else:
            self._schedule(-self._credit_s / self.SHARE)
