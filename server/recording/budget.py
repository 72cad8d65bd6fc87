"""Limit the memory that all rewind buffers take together."""

from collections.abc import Callable, Collection, Iterator

from server.recording.rewind import Rewind

__all__ = ["Budget"]

# Largest interval between pictures, as a share of their age. The first that frees enough is used.
# After a minute, the first leaves four frames per second, the last one every 15 seconds.
SHARES = tuple(1 / 2**power for power in range(8, 1, -1))

# Shares of the limit: begin thinning at the first, a little with each new unit, and stop at the
# second. Above the limit itself, the oldest groups are dropped immediately.
HIGH_WATER, LOW_WATER = 15 / 16, 14 / 16


class Budget:
    """Thins out the rewind buffers when they take too much, and if necessary drops the oldest.

    Args:
        limit: In bytes.
        rewinds: Returns the buffers that share it.
    """

    def __init__(self, limit: int, rewinds: Callable[[], Collection[Rewind]]) -> None:
        self._limit = limit
        self._rewinds = rewinds
        self._spent = 0
        self._level = 0  # Index of the share that was enough the last time.
        self._thinning: Iterator[None] | None = None

    def spend(self, nbytes: int) -> None:
        """Count bytes added or, if negative, dropped; free some if there are too many."""
        self._spent += nbytes
        if nbytes <= 0:
            return
        if self._thinning is None and self._spent > HIGH_WATER * self._limit:
            # Counted again, because buffers of removed cameras are no longer included.
            self._spent = sum(one.nbytes for one in self._rewinds())
            self._thinning = self._thin()
        if self._thinning is not None and next(self._thinning, self) is self:
            self._thinning = None
        if self._spent > self._limit:
            self._drop(self._limit)

    def _thin(self) -> Iterator[None]:
        """Free memory, in steps of a tenth of a millisecond."""
        for level in range(max(0, self._level - 1), len(SHARES)):
            self._level = level
            for rewind in list(self._rewinds()):
                yield from rewind.thin(SHARES[level])
            if self._spent <= LOW_WATER * self._limit:
                return
        self._drop(LOW_WATER * self._limit)

    def _drop(self, limit: float) -> None:
        while self._spent > limit:
            kept = [one for one in self._rewinds() if one.nbytes]
            if not kept:
                return
            min(kept, key=lambda one: one.span or (0.0, 0.0)).drop_group()
