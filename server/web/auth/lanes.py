"""Lanes to something dear: a few at a time, first come, first served."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from server.loop import hub

__all__ = ["Lanes", "NoLane"]


class NoLane(Exception):
    """None was free in time."""


class Lanes:
    """As many green threads as there are lanes work at a time; others wait, but not for long.

    Args:
        most: How many there are.
        longest_s: How long one waits, by the clock, in seconds.
    """

    def __init__(self, most: int, longest_s: float) -> None:
        self._free = most
        self._longest_s = longest_s
        self._waiting: deque[hub.Signal] = deque()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for a lane, and have it while the block runs.

        Raises:
            NoLane: If none was free in time.
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
        came = False
        try:
            came = turn.wait(self._longest_s)
        finally:
            if not came:  # Also when this green thread was killed.
                if turn in self._waiting:
                    self._waiting.remove(turn)
                else:
                    self._pass_on()
        if not came:
            raise NoLane

    def _pass_on(self) -> None:
        """Give a lane that is free to who has waited longest."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._free += 1
