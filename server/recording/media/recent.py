"""A small cache for results that are often requested again soon."""

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Recent"]

T = TypeVar("T")


class Recent(Generic[T]):
    """A cache limited in time and size.

    Args:
        seconds: How long a value is kept.
        max_bytes: The most that all values take together.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self, seconds: float, max_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._clock = clock
        # Oldest first.
        self._kept: dict[Hashable, tuple[T, int, float]] = {}
        self._nbytes = 0

    def get(self, key: Hashable) -> T | None:
        """Return a value; None if it is not kept."""
        self._drop_old()
        found = self._kept.get(key)
        return found[0] if found else None

    def put(self, key: Hashable, value: T, nbytes: int) -> None:
        """Keep a value of ``nbytes``, and drop the oldest if they are too many."""
        self._drop(key)
        if nbytes > self._max_bytes:
            return
        self._kept[key] = value, nbytes, self._clock()
        self._nbytes += nbytes
        self._drop_old()

    def _drop_old(self) -> None:
        before = self._clock() - self._seconds
        for key, (_, _, at) in list(self._kept.items()):
            if at > before and self._nbytes <= self._max_bytes:
                return
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        found = self._kept.pop(key, None)
        if found:
            self._nbytes -= found[1]
