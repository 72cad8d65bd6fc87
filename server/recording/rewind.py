"""The last seconds of one camera, in memory."""

import itertools
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from server.capture.frames.unit import JPEG, Unit
from server.capture.streams.units.order import DisplayOrder, heads_of
from server.recording.media.moments import through, until
from server.recording.memory import Lead

__all__ = ["Rewind"]

# A unit that is older than the newest by more than this: the clock was set. B-frames are, by less.
STEP_BACK_S = 1.0

THINNED_AT_ONCE = 128

# Pictures that are further apart, and so many times as far as those before: in between, nothing was
# kept, because nobody watched or the camera was lost.
GAP_S = 5.0
GAP_TIMES = 4.0

# How many units a decoder may keep with B-frames, and among how many there is such a frame.
PUSHED = 2
LOOKED_AT = 10


class Rewind:
    """Keeps the encoded pictures of one camera, in the order in which they came.

    They are kept in groups: a picture that can be decoded by itself, and those that need it. With
    B-frames these are shown in another order; of a lead, which is decoded one unit after the other,
    each unit has the time of the picture that comes out with it. It is a
    :class:`server.recording.memory.Memory` that never blocks. Used by green threads only.

    Args:
        seconds: How long they are kept.
        on_bytes: Called with how many bytes more they take, or less; may call what forgets some.

    Attributes:
        nbytes: How many bytes they take.
        takes_video: Whether video that is made for viewers is kept while there is some; otherwise
            the JPEG of such a camera is.
    """

    def __init__(
        self, seconds: float, on_bytes: Callable[[int], None] = lambda nbytes: None
    ) -> None:
        self.seconds = seconds
        self.nbytes = 0
        self.takes_video = True
        self._on_bytes = on_bytes
        self._groups: deque[list[Unit]] = deque()
        self._open = False  # Whether the last group goes on.
        # For B-frames: how many units of which group, and whether there are any.
        self._looked_at: tuple[int, Unit | None, bool] = 0, None, False
        self._apart_s = 0.0  # The newest unit from the one before it.
        self._gaps: deque[tuple[float, float]] = deque()
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
        return self._groups[0][0].shown_unix, self._times(self._groups[-1])[-1]

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Between which times, in Unix seconds, nothing was kept, the oldest first."""
        return list(self._gaps)

    def put(self, unit: Unit) -> None:
        """Take the next unit; without the ones that it needs, it is ignored."""
        if unit.key:
            self._broken = False
        elif self._broken:
            return
        newest = self._groups[-1][-1] if self._groups else None
        if newest is not None and unit.at_unix < newest.at_unix - STEP_BACK_S:
            self.clear()
        elif newest is not None:
            self._note_gap(newest.at_unix, unit.at_unix)
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

    def lead(self, at_unix: float, toward_s: float = 0.0) -> Lead:
        """Return what shows the picture of a moment to who decodes one unit after the other.

        All others are as near, so ``toward_s`` says nothing here.
        """
        if not self._groups:
            return Lead([], [])
        at, place = self._place(at_unix)
        group = self._groups[at]
        if not self._is_reordered(group):
            units = through(group, at_unix)
            return Lead(units, [], at + 1 == len(self._groups) and len(units) == len(group))
        times = self._times(group)
        group = [
            replace(one, at_unix=time, early_s=0.0) for one, time in zip(group, times, strict=True)
        ]
        following = group[place + 1 : place + 1 + PUSHED]
        for later in itertools.islice(self._groups, at + 1, at + 1 + PUSHED):
            following += later[: PUSHED - len(following)]
        lacking = PUSHED - len(following)
        if lacking and place >= lacking:
            place -= lacking
            following = group[place + 1 : place + 1 + PUSHED]
        elif lacking and at:
            return self.lead(self._times(self._groups[at - 1])[-1])
        after = group[place + 1 + PUSHED :] or at + 1 < len(self._groups)
        return Lead(group[: place + 1], following, not after)

    def find(self, at_unix: float) -> list[Unit]:
        """Return the picture of a moment, after those that are needed to decode it.

        It is the newest that is not later, or the first of all; nothing if there is none.
        """
        if not self._groups:
            return []
        at, _ = self._place(at_unix)
        return through(self._groups[at], at_unix)

    def between(self, from_unix: float, to_unix: float) -> list[Unit]:
        """Return all from one moment to another, after what is needed to decode the first.

        With B-frames a few later ones may be among them, and those that are shown before these.
        """
        if not self._groups or to_unix < self._groups[0][0].shown_unix:
            return []
        first, _ = self._place(from_unix)
        last, _ = self._place(to_unix)
        whole = [unit for at in range(first, last) for unit in self._groups[at]]
        return whole + until(self._groups[last], to_unix)

    def neighbours(self, at_unix: float) -> tuple[float | None, float | None]:
        """Return the times of the pictures before and after that of a moment; None for none."""
        if not self._groups:
            return None, None
        at, place = self._place(at_unix)
        groups, times = self._groups, self._times(self._groups[at])
        before = after = None
        if place:
            before = times[place - 1]
        elif at:
            before = self._times(groups[at - 1])[-1]
        if place + 1 < len(times):
            after = times[place + 1]
        elif at + 1 < len(groups):
            after = groups[at + 1][0].shown_unix
        return before, after

    def _place(self, at_unix: float) -> tuple[int, int]:
        """Return the group of a moment's picture and its place, as shown; there must be some."""
        at = max(0, bisect_right(self._groups, at_unix, key=lambda group: group[0].shown_unix) - 1)
        return at, max(0, bisect_right(self._times(self._groups[at]), at_unix) - 1)

    def _times(self, group: list[Unit]) -> list[float]:
        """Return when a group's pictures were captured, in the order in which they are shown."""
        return sorted(one.shown_unix for one in group)

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
        """Drop the oldest picture that can be decoded by itself, and those that need it.

        Of the last group that picture stays; then nothing is kept before the next one.
        """
        if len(self._groups) == 1 and self._open and len(self._groups[0]) > 1:
            first, *rest = self._groups[0]
            self._groups[0], self._open = [first], False
            self._count(-_size(rest))
            return
        if len(self._groups) > 1:
            self._dropped += 1
            self._count(-_size(self._groups.popleft()))
            while self._gaps and self._gaps[0][1] <= self._groups[0][0].at_unix:
                self._gaps.popleft()
        else:
            self.clear()

    def clear(self) -> None:
        """Drop everything; keep nothing before the next key picture."""
        self._dropped += len(self._groups)
        self._groups.clear()
        self._gaps.clear()
        self._apart_s = 0.0
        self._open = False
        self._count(-self.nbytes)

    def _is_reordered(self, group: list[Unit]) -> bool:
        """Return whether a group has B-frames; if so, they come early."""
        if len(group) == 1 or group[0].codec == JPEG:
            return False
        begin = group[:LOOKED_AT]
        if self._looked_at[0] != len(begin) or self._looked_at[1] is not group[0]:
            order = DisplayOrder(group[0].codec)
            numbers = [order.number(heads_of(one.data)) for one in begin]
            self._looked_at = len(begin), group[0], numbers != sorted(numbers)
        return self._looked_at[2]

    def _note_gap(self, end_unix: float, begin_unix: float) -> None:
        apart_s = begin_unix - end_unix
        if self._apart_s and apart_s > max(GAP_S, GAP_TIMES * self._apart_s):
            self._gaps.append((end_unix, begin_unix))
        self._apart_s = apart_s

    def _trim(self, before_unix: float) -> None:
        """Drop whole groups that are older.

        The last picture before a moment stands for that moment, but not if a gap follows it.
        """
        groups = self._groups
        while len(groups) > 1 and groups[1][0].at_unix <= before_unix:
            self.drop_group()
        gaps = self._gaps
        while gaps and groups[0][-1].at_unix <= gaps[0][0] < before_unix:
            self.drop_group()

    def _count(self, nbytes: int) -> None:
        self.nbytes += nbytes
        self._on_bytes(nbytes)


def _size(group: list[Unit]) -> int:
    return sum(len(unit.data) for unit in group)
