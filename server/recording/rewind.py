"""The last seconds of one camera, in memory."""

import itertools
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator

from server.capture.frames.unit import Unit

__all__ = ["Rewind"]

# A unit that is older than the newest by more than this: the clock was set. B-frames are, by less.
STEP_BACK_S = 1.0

THINNED_AT_ONCE = 128


class Rewind:
    """Keeps the encoded pictures of one camera, in the order in which they came.

    They are kept in groups: a picture that can be decoded by itself, and those that need it. It
    is a :class:`server.recording.memory.Memory` that never blocks. Used by green threads only.

    Args:
        seconds: How long they are kept.
        on_bytes: Called with how many bytes more they take, or less; may call what forgets some.

    Attributes:
        nbytes: How many bytes they take.
    """

    def __init__(
        self, seconds: float, on_bytes: Callable[[int], None] = lambda nbytes: None
    ) -> None:
        self.seconds = seconds
        self.nbytes = 0
        self._on_bytes = on_bytes
        self._groups: deque[list[Unit]] = deque()
        self._open = False  # Whether the last group goes on.
        self._dropped = 0  # How many groups were dropped from the beginning.
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
    def units(self) -> list[Unit]:
        """All of them, in order."""
        return [unit for group in self._groups for unit in group]

    @property
    def newest(self) -> Unit | None:
        """The newest unit; None with nothing."""
        return self._groups[-1][-1] if self._groups else None

    @property
    def span(self) -> tuple[float, float] | None:
        """The times of the first and the last unit in Unix seconds; None with nothing."""
        if not self._groups:
            return None
        return self._groups[0][0].at_unix, self._groups[-1][-1].at_unix

    def put(self, unit: Unit) -> None:
        """Take the next unit; without the ones that it needs, it is ignored."""
        if unit.key:
            self._broken = False
        elif self._broken:
            return
        newest = self.newest
        if newest is not None and unit.at_unix < newest.at_unix - STEP_BACK_S:
            self.clear()
        if unit.key:
            self._groups.append([unit])
            self._open = True
        elif self._open:
            self._groups[-1].append(unit)
        if self._open:
            self._trim(unit.at_unix - self.seconds)
            self._count(len(unit.data))
        for on_unit in list(self._listeners):
            on_unit(unit)

    def lose(self) -> None:
        """Note that units are missing: what follows can be decoded from the next key picture on."""
        if not self._broken:
            self._broken = True
            for on_unit in list(self._listeners):
                on_unit(None)

    def find(self, at_unix: float, toward_s: float = 0.0) -> list[Unit]:
        """Return the picture of a moment, after those that are needed to decode it.

        It is the newest that is not later, or the first of all; nothing if there is none. All
        others are as near, so ``toward_s`` says nothing here.
        """
        if not self._groups:
            return []
        group, place = self._place(at_unix)
        return self._groups[group][: place + 1]

    def between(self, from_unix: float, to_unix: float) -> list[Unit]:
        """Return all from one moment to another, after what is needed to decode the first."""
        if not self._groups or to_unix < self._groups[0][0].at_unix:
            return []
        first, _ = self._place(from_unix)
        last, place = self._place(to_unix)
        whole = [unit for at in range(first, last) for unit in self._groups[at]]
        return whole + self._groups[last][: place + 1]

    def neighbours(self, at_unix: float) -> tuple[float | None, float | None]:
        """Return the times of the pictures before and after that of a moment; None for none."""
        if not self._groups:
            return None, None
        at, place = self._place(at_unix)
        groups, group = self._groups, self._groups[at]
        before = group[place - 1] if place else groups[at - 1][-1] if at else None
        if place + 1 < len(group):
            after: Unit | None = group[place + 1]
        else:
            after = groups[at + 1][0] if at + 1 < len(groups) else None
        return before.at_unix if before else None, after.at_unix if after else None

    def _place(self, at_unix: float) -> tuple[int, int]:
        """Return the group of a moment's picture and its place in it; there must be some."""
        at = max(0, bisect_right(self._groups, at_unix, key=lambda group: group[0].at_unix) - 1)
        group = self._groups[at]
        # With B-frames the units of a group are not in the order of their times.
        early = (place for place, unit in enumerate(group) if unit.at_unix <= at_unix)
        return at, max(early, key=lambda place: group[place].at_unix, default=0)

    def thin(self, share: float) -> Iterator[None]:
        """Drop pictures that are closer to each other than by a share of their age.

        Of a group, only its first picture can be kept alone. The last group stays as it is. A
        generator, so that it can be done a little at a time: units may come in between.
        """
        groups = self._groups
        at, last_unix = self._dropped, float("-inf")
        for count in itertools.count(1):
            place = max(0, at - self._dropped)
            if place + 1 >= len(groups):
                return
            group, following = groups[place], groups[place + 1][0].at_unix
            at_unix = group[0].at_unix
            allowed_s = share * (groups[-1][-1].at_unix - at_unix)
            if len(group) > 1 and following - at_unix <= allowed_s:
                self._count(-_size(group[1:]))
                group = groups[place] = group[:1]
            if len(group) == 1 and following - last_unix <= allowed_s:
                del groups[place]
                self._count(-len(group[0].data))
            else:
                at, last_unix = place + self._dropped + 1, group[-1].at_unix
            if count % THINNED_AT_ONCE == 0:
                yield

    def drop_group(self) -> None:
        """Drop the oldest picture that can be decoded by itself, and those that need it."""
        if len(self._groups) > 1:
            self._dropped += 1
            self._count(-_size(self._groups.popleft()))
        else:
            self.clear()

    def clear(self) -> None:
        """Drop everything; keep nothing before the next key picture."""
        self._dropped += len(self._groups)
        self._groups.clear()
        self._open = False
        self._count(-self.nbytes)

    def _trim(self, before_unix: float) -> None:
        """Drop whole groups that are older."""
        groups = self._groups
        while len(groups) > 1 and groups[1][0].at_unix <= before_unix:
            self.drop_group()

    def _count(self, nbytes: int) -> None:
        self.nbytes += nbytes
        self._on_bytes(nbytes)


def _size(group: list[Unit]) -> int:
    return sum(len(unit.data) for unit in group)
