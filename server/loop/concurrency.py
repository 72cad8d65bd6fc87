"""A limit for expensive work: a few at a time, first come, first served."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from server.loop import hub

__all__ = ["ConcurrencyLimit", "LimitBusy"]


class LimitBusy(Exception):
    """The limit was reached for too long."""


class ConcurrencyLimit:
    """Limits how many green threads work at a time; others wait in order, up to a limit.

    Args:
        count: How many may work at a time.
        max_wait_s: Longest wait for a turn, in seconds.
    """

    def __init__(self, count: int, max_wait_s: float) -> None:
        self._free = count
        self._max_wait_s = max_wait_s
        self._waiting: deque[hub.Signal] = deque()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for a turn, which lasts while the block runs.

        Raises:
            LimitBusy: If none came in time.
        """
        if self._free:
            self._free -= 1
        else:
            self._wait()
        try:
            yield
        finally:
            self._pass_on()

    def _wait(self) -> None:
        turn = hub.Signal()
        self._waiting.append(turn)
        granted = False
        try:
            granted = turn.wait(self._max_wait_s)
        finally:
            if not granted:  # Even if this green thread was killed.
                if turn in self._waiting:
                    self._waiting.remove(turn)
                else:
                    self._pass_on()
        if not granted:
            raise LimitBusy

    def _pass_on(self) -> None:
        """Give the turn to the green thread that has waited longest."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._free += 1
