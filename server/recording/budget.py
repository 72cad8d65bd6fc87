"""Keeps what is remembered of all cameras within a number of bytes."""

from collections.abc import Callable, Collection, Iterator

from server.recording.rewind import Rewind

__all__ = ["Budget"]

# How far apart pictures may become, as shares of their age. The first that frees enough is taken:
# what is a minute old is then kept four times a second, or every fifteen seconds with the last.
SHARES = tuple(1 / 2**power for power in range(8, 1, -1))

# Shares of the limit: from where on to thin out, a little with each unit that comes, and until
# where. The limit itself is held at once, by dropping the oldest.
BEGIN, END = 15 / 16, 14 / 16


class Budget:
    """Thins out what is remembered when it takes too much, and then drops the oldest of it.

    Args:
        limit: In bytes.
        rewinds: Returns those that share it.
    """

    def __init__(self, limit: int, rewinds: Callable[[], Collection[Rewind]]) -> None:
        self._limit = limit
        self._rewinds = rewinds
        self._spent = 0
        self._level = 0  # Of the shares, the one that was enough the last time.
        self._work: Iterator[None] | None = None

    def spend(self, nbytes: int) -> None:
        """Note that so many bytes more are kept, or less; forget some if they are too many."""
        self._spent += nbytes
        if nbytes <= 0:
            return
        if self._work is None and self._spent > BEGIN * self._limit:
            # Those of a removed camera are no longer among them.
            self._spent = sum(one.nbytes for one in self._rewinds())
            self._work = self._thin()
        if self._work is not None and next(self._work, self) is self:
            self._work = None
        if self._spent > self._limit:
            self._drop(self._limit)

    def _thin(self) -> Iterator[None]:
        """Free memory; each step takes a tenth of a millisecond."""
        for level in range(max(0, self._level - 1), len(SHARES)):
            self._level = level
            for rewind in list(self._rewinds()):
                yield from rewind.thin(SHARES[level])
            if self._spent <= END * self._limit:
                return
        self._drop(END * self._limit)

    def _drop(self, limit: float) -> None:
        while self._spent > limit:
            kept = [one for one in self._rewinds() if one.nbytes]
            if not kept:
                return
            min(kept, key=lambda one: one.span or (0.0, 0.0)).drop_group()
