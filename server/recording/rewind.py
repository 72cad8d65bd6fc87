"""The last seconds of one camera, in memory."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from itertools import islice

from server.capture.frames.unit import Unit

__all__ = ["Rewind"]

# A unit that is older than the newest by more than this: the clock was set. B-frames are, by less.
STEP_BACK_S = 1.0


class Rewind:
    """Keeps the encoded pictures of one camera, in the order in which they came.

    It begins with a picture that can be decoded by itself. Used by green threads only.

    Args:
        seconds: How long they are kept.

    Attributes:
        units: In order.
        nbytes: How many bytes they take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.units: deque[Unit] = deque()
        self.nbytes = 0
        self._broken = True  # Whether the next key picture is waited for.
        self._listeners: list[Callable[[Unit | None], None]] = []

    def listen(self, on_unit: Callable[[Unit | None], None]) -> Callable[[], None]:
        """Call ``on_unit``, which must not block, with each unit that comes, and None for a loss.

        Returns:
            What ends that.
        """
        self._listeners.append(on_unit)
        return lambda: self._listeners.remove(on_unit)

    @property
    def newest(self) -> Unit | None:
        """The newest unit; None with nothing."""
        return self.units[-1] if self.units else None

    @property
    def span(self) -> tuple[float, float] | None:
        """The times of the first and the last unit, in Unix seconds; None with nothing."""
        return (self.units[0].at_unix, self.units[-1].at_unix) if self.units else None

    def put(self, unit: Unit) -> None:
        """Take the next unit; without the ones that it needs, it is not kept."""
        if self._broken and not unit.key:
            return
        self._broken = False
        newest = self.newest
        if newest is not None and unit.at_unix < newest.at_unix - STEP_BACK_S:
            self._clear()
            self._broken = not unit.key
            if self._broken:
                return
        self.units.append(unit)
        self.nbytes += len(unit.data)
        self._trim(unit.at_unix - self.seconds)
        for on_unit in list(self._listeners):
            on_unit(unit)

    def lose(self) -> None:
        """Note that units are missing: what follows can be decoded from the next key picture on."""
        if not self._broken:
            self._broken = True
            for on_unit in list(self._listeners):
                on_unit(None)

    def find(self, at_unix: float) -> list[Unit]:
        """Return the picture of a moment, after those that are needed to decode it.

        It is the newest that is not later, or the first of all; nothing if there is none.
        """
        at = self._index(at_unix)
        return self._slice(self._key_before(at), at + 1) if at >= 0 else []

    def between(self, from_unix: float, to_unix: float) -> list[Unit]:
        """Return all from one moment to another, after what is needed to decode the first."""
        first, last = self._index(from_unix), self._index(to_unix)
        if last < 0 or to_unix < self.units[0].at_unix:
            return []
        return self._slice(self._key_before(first), last + 1)

    def _index(self, at_unix: float) -> int:
        """Return where the picture of a moment is, 0 for before the first; -1 with nothing."""
        if not self.units:
            return -1
        return max(0, bisect_right(self.units, at_unix, key=lambda unit: unit.at_unix) - 1)

    def _key_before(self, at: int) -> int:
        while at > 0 and not self.units[at].key:
            at -= 1
        return at

    def _slice(self, begin: int, end: int) -> list[Unit]:
        return list(islice(self.units, begin, end))

    def _trim(self, before_unix: float) -> None:
        """Drop whole groups that are older."""
        while len(self.units) > 1 and self.units[0].at_unix < before_unix:
            following = next((at for at, one in enumerate(self.units) if at and one.key), None)
            if following is None or self.units[following].at_unix > before_unix:
                return
            for _ in range(following):
                self.nbytes -= len(self.units.popleft().data)

    def _clear(self) -> None:
        self.units.clear()
        self.nbytes = 0
