"""The rewind buffer: the last seconds of one camera, in memory."""

import itertools
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from server.capture.frames.unit import JPEG, Unit
from server.capture.streams.units.order import DisplayOrder, heads_of
from server.recording.media.moments import through, until
from server.recording.memory import DecodeRun

__all__ = ["Rewind"]

# A unit older than the newest by more means that the clock was set; B-frames are older by less.
MAX_BACKSTEP_S = 1.0

THIN_BATCH = 128

# An interval between pictures that exceeds GAP_S and GAP_FACTOR times the previous one is a gap:
# nothing was kept, because nobody watched or the camera was lost.
GAP_S = 5.0
GAP_FACTOR = 4.0

# With B-frames, a decoder may hold back this many pictures, and at least one of the first
# ORDER_SAMPLE units of a group is out of order.
MAX_REORDERED = 2
ORDER_SAMPLE = 10


class Rewind:
    """Keeps the encoded pictures of one camera, in decoding order.

    They are kept in groups: a key frame, and those that need it. With B-frames, display order
    differs; :meth:`decode_run` then gives each unit the time of the picture that the decoder
    outputs for it. A :class:`server.recording.memory.Memory` that never blocks. Used by green
    threads only.

    Args:
        seconds: How long pictures are kept.
        on_bytes: Called with each change of ``nbytes``; may drop groups.

    Attributes:
        nbytes: Bytes kept.
        takes_video: Whether to keep video that is encoded for viewers, if there is any; otherwise
            the camera's JPEG is kept.
    """

    def __init__(
        self, seconds: float, on_bytes: Callable[[int], None] = lambda nbytes: None
    ) -> None:
        self.seconds = seconds
        self.nbytes = 0
        self.takes_video = True
        self._on_bytes = on_bytes
        self._groups: deque[list[Unit]] = deque()
        self._open = False  # Whether the last group may grow.
        # The latest check for B-frames: units checked, first unit of the group, result.
        self._order_cache: tuple[int, Unit | None, bool] = 0, None, False
        self._interval_s = 0.0  # Between the two newest units.
        self._gaps: deque[tuple[float, float]] = deque()
        self._dropped = 0  # Number of groups dropped from the beginning.
        self._broken = True  # Whether to wait for the next key frame.
        self._listeners: list[Callable[[Unit | None], None]] = []

    def listen(self, on_unit: Callable[[Unit | None], None]) -> Callable[[], None]:
        """Call ``on_unit``, which must not block, with each new unit, and with None for a loss.

        Returns:
            A function that ends the calls.
        """
        self._listeners.append(on_unit)
        return lambda: self._listeners.remove(on_unit)

    @property
    def units(self) -> list[Unit]:
        """All units, in decoding order."""
        return [unit for group in self._groups for unit in group]

    @property
    def newest(self) -> Unit | None:
        """The newest unit; None if empty."""
        return self._groups[-1][-1] if self._groups else None

    @property
    def span(self) -> tuple[float, float] | None:
        """The times of the first and the last picture, in Unix seconds; None if empty."""
        if not self._groups:
            return None
        return self._groups[0][0].shown_unix, self._times(self._groups[-1])[-1]

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Begin and end of each gap, in Unix seconds, oldest first."""
        return list(self._gaps)

    def put(self, unit: Unit) -> None:
        """Add the next unit; ignore it if units that it needs are missing."""
        if unit.key:
            self._broken = False
        elif self._broken:
            return
        newest = self._groups[-1][-1] if self._groups else None
        if newest is not None and unit.at_unix < newest.at_unix - MAX_BACKSTEP_S:
            self.clear()
        elif newest is not None:
            self._add_gap(newest.at_unix, unit.at_unix)
        if unit.key:
            self._groups.append([unit])
            self._open = True
        elif self._open:
            self._groups[-1].append(unit)
        if self._open:
            self._trim(unit.at_unix - self.seconds)
            self._add_bytes(len(unit.data))
        for on_unit in list(self._listeners):
            on_unit(unit)

    def lose(self) -> None:
        """Note that units are missing; everything up to the next key frame is ignored."""
        if not self._broken:
            self._broken = True
            for on_unit in list(self._listeners):
                on_unit(None)

    def decode_run(self, at_unix: float, toward_s: float = 0.0) -> DecodeRun:
        """Return the units that a decoder needs to show the picture at a given moment.

        All pictures are in memory, so ``toward_s`` makes no difference.
        """
        if not self._groups:
            return DecodeRun([], [])
        at, place = self._place(at_unix)
        group = self._groups[at]
        if not self._has_b_frames(group):
            units = through(group, at_unix)
            return DecodeRun(units, [], at + 1 == len(self._groups) and len(units) == len(group))
        times = self._times(group)
        group = [
            replace(one, at_unix=time, early_s=0.0) for one, time in zip(group, times, strict=True)
        ]
        following = group[place + 1 : place + 1 + MAX_REORDERED]
        for later in itertools.islice(self._groups, at + 1, at + 1 + MAX_REORDERED):
            following += later[: MAX_REORDERED - len(following)]
        lacking = MAX_REORDERED - len(following)
        if lacking and place >= lacking:
            place -= lacking
            following = group[place + 1 : place + 1 + MAX_REORDERED]
        elif lacking and at:
            return self.decode_run(self._times(self._groups[at - 1])[-1])
        after = group[place + 1 + MAX_REORDERED :] or at + 1 < len(self._groups)
        return DecodeRun(group[: place + 1], following, not after)

    def find(self, at_unix: float) -> list[Unit]:
        """Return the picture at a given moment, preceded by the units needed to decode it.

        It is the newest one that is not later, or else the first; empty if there are none.
        """
        if not self._groups:
            return []
        at, _ = self._place(at_unix)
        return through(self._groups[at], at_unix)

    def between(self, from_unix: float, to_unix: float) -> list[Unit]:
        """Return all units from one moment to another, preceded by those needed to decode them.

        With B-frames, a few later units may be among them.
        """
        if not self._groups or to_unix < self._groups[0][0].shown_unix:
            return []
        first, _ = self._place(from_unix)
        last, _ = self._place(to_unix)
        whole = [unit for at in range(first, last) for unit in self._groups[at]]
        return whole + until(self._groups[last], to_unix)

    def neighbours(self, at_unix: float) -> tuple[float | None, float | None]:
        """Return the times of the pictures before and after a moment's; None if there is none."""
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
        """Return a moment's group and its picture's place in display order. Must not be empty."""
        at = max(0, bisect_right(self._groups, at_unix, key=lambda group: group[0].shown_unix) - 1)
        return at, max(0, bisect_right(self._times(self._groups[at]), at_unix) - 1)

    def _times(self, group: list[Unit]) -> list[float]:
        """Return the capture times of a group's pictures, in display order."""
        return sorted(one.shown_unix for one in group)

    def thin(self, share: float) -> Iterator[None]:
        """Drop pictures while the intervals that remain stay within a share of their age.

        A group is kept whole, reduced to its key frame, or dropped. The last group stays as it
        is. A generator, so that the work can be done in steps; units may be added in between.
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
                self._add_bytes(-_size(group[1:]))
                group = groups[place] = group[:1]
            if len(group) == 1 and following - last_unix <= allowed_s:
                del groups[place]
                self._add_bytes(-len(group[0].data))
            else:
                at, last_unix = place + self._dropped + 1, group[-1].at_unix
            if count % THIN_BATCH == 0:
                yield

    def drop_group(self) -> None:
        """Drop the oldest group.

        If it is the only one and still growing, its key frame stays, and it stops growing.
        """
        if len(self._groups) == 1 and self._open and len(self._groups[0]) > 1:
            first, *rest = self._groups[0]
            self._groups[0], self._open = [first], False
            self._add_bytes(-_size(rest))
            return
        if len(self._groups) > 1:
            self._dropped += 1
            self._add_bytes(-_size(self._groups.popleft()))
            while self._gaps and self._gaps[0][1] <= self._groups[0][0].at_unix:
                self._gaps.popleft()
        else:
            self.clear()

    def clear(self) -> None:
        """Drop everything, and keep nothing until the next key frame."""
        self._dropped += len(self._groups)
        self._groups.clear()
        self._gaps.clear()
        self._interval_s = 0.0
        self._open = False
        self._add_bytes(-self.nbytes)

    def _has_b_frames(self, group: list[Unit]) -> bool:
        """Return whether a group has B-frames, judging by its first units."""
        if len(group) == 1 or group[0].codec == JPEG:
            return False
        begin = group[:ORDER_SAMPLE]
        if self._order_cache[0] != len(begin) or self._order_cache[1] is not group[0]:
            order = DisplayOrder(group[0].codec)
            numbers = [order.number(heads_of(one.data)) for one in begin]
            self._order_cache = len(begin), group[0], numbers != sorted(numbers)
        return self._order_cache[2]

    def _add_gap(self, end_unix: float, begin_unix: float) -> None:
        interval_s = begin_unix - end_unix
        if self._interval_s and interval_s > max(GAP_S, GAP_FACTOR * self._interval_s):
            self._gaps.append((end_unix, begin_unix))
        self._interval_s = interval_s

    def _trim(self, before_unix: float) -> None:
        """Drop groups older than a moment.

        The last picture before the moment is kept to show it, unless a gap follows.
        """
        groups = self._groups
        while len(groups) > 1 and groups[1][0].at_unix <= before_unix:
            self.drop_group()
        gaps = self._gaps
        while gaps and groups[0][-1].at_unix <= gaps[0][0] < before_unix:
            self.drop_group()

    def _add_bytes(self, nbytes: int) -> None:
        self.nbytes += nbytes
        self._on_bytes(nbytes)


def _size(group: list[Unit]) -> int:
    return sum(len(unit.data) for unit in group)
