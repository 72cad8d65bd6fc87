"""The hub that this program runs on: eventlet's, with less overhead per round.

A server that passes pictures on spends most of its time on small messages with cold caches. Then
every function call counts, and eventlet makes twenty per round before any work is done.
"""

import heapq
import select
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

from eventlet.hubs import epolls
from eventlet.hubs.epolls import is_available  # eventlet asks for it here.
from eventlet.hubs.timer import Timer
from greenlet import getcurrent  # type: ignore[import-untyped]

__all__ = ["Hub", "is_available"]

# The longest poll, without any timer.
IDLE_S = 60.0

# How long a due chore waits for a round that runs anyway.
SLACK_S = 0.05

# The events for which a descriptor's reader is called, and its writer.
ENDED = select.EPOLLERR | select.EPOLLHUP
READING = select.EPOLLIN | select.EPOLLPRI | ENDED
WRITING = select.EPOLLOUT | ENDED


class Hub(epolls.Hub):  # type: ignore[misc]
    """Polls and runs everything that is due, one round after the other.

    Attributes:
        soon: Functions to call at the end of this round, or of the next one if those are already
            being called; like timers of 0 seconds, at a tenth of the cost.
        on_round: Called after each round that took longer than a millisecond, with its end and its
            length, in seconds.
    """

    LONG_S = 0.001
    running: bool

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        super().__init__(clock)
        self.soon: deque[Callable[[], object]] = deque()
        self._chores: list[tuple[float, Any]] = []  # When each is due; a heap.
        self.on_round: Callable[[float, float], None] = lambda end, length_s: None

    def run(self, *_args: object, **_options: object) -> None:
        """Run rounds until aborted."""
        if self.running:
            raise RuntimeError("the hub is running already")
        self.running, self.stopping = True, False
        clock, poll = self.clock, self.poll.poll
        began = clock()
        try:
            while not self.stopping:
                while self.closed:
                    self.close_one()
                if self.next_timers:
                    self.prepare_timers()
                if self.timers and self.timers[0][0] <= (now := clock()):
                    self.fire_timers(now)
                if self.soon:
                    self._run_soon()
                now = clock()
                while self._chores and self._chores[0][0] <= now:
                    self._attempt(heapq.heappop(self._chores)[1])
                    now = clock()
                    if now - began > self.LONG_S:
                        break  # Leave the other chores to the next round.
                if now - began > self.LONG_S:
                    self.on_round(now, now - began)
                ready = poll(self._idle_s(now))
                began = clock()
                self._dispatch(ready)
            self.timers_canceled = 0
            self.timers.clear()
            self.next_timers.clear()
            self._chores.clear()
        finally:
            self.running = self.stopping = False

    def switch(self) -> Any:
        """Let the hub run until it switches back to the caller."""
        if self.greenlet.dead:
            self.ensure_greenlet()
        return self.greenlet.switch()

    def rest(self, seconds: float) -> None:
        """Pause the caller for this long, or up to :data:`SLACK_S` longer; see ``hub.rest``."""
        chore = Timer(seconds, getcurrent().switch)
        heapq.heappush(self._chores, (self.clock() + seconds, chore))
        try:
            self.switch()
        finally:
            chore.called = True  # Even if this green thread was killed.

    def _dispatch(self, ready: list[tuple[int, int]]) -> None:
        """Call these descriptors' listeners; collect them first, as one may remove another."""
        readers, writers = self.listeners[self.READ], self.listeners[self.WRITE]
        due = []
        for fd, event in ready:
            if event & READING and fd in readers:
                due.append((readers, fd, readers[fd]))
            if event & WRITING and fd in writers:
                due.append((writers, fd, writers[fd]))
        for waiting, fd, listener in due:
            if waiting.get(fd) is not listener:
                continue
            try:
                listener.cb(fd)
            except self.SYSTEM_EXCEPTIONS:
                raise
            except BaseException:  # noqa: BLE001  a greenlet may end with anything
                self.squelch_exception(fd, sys.exc_info())

    def _run_soon(self) -> None:
        for _ in range(len(self.soon)):
            self._attempt(self.soon.popleft())

    def _attempt(self, function: Callable[[], object]) -> None:
        try:
            function()
        except self.SYSTEM_EXCEPTIONS:
            raise
        except BaseException:  # noqa: BLE001  a greenlet may end with anything
            self.squelch_generic_exception(sys.exc_info())

    def _idle_s(self, now: float) -> float:
        """Return how long the next poll may block, in seconds."""
        if self.next_timers:
            self.prepare_timers()
        timers = self.timers
        while timers and timers[0][1].called:  # Cancelled: nothing to wake up for.
            heapq.heappop(timers)
            self.timers_canceled -= 1
        if self.soon:
            return 0.0
        idle_s = timers[0][0] - now if timers else IDLE_S
        if self._chores and (wait_s := self._chores[0][0] + SLACK_S - now) < idle_s:
            idle_s = wait_s
        return idle_s if idle_s > 0 else 0.0
