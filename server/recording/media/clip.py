"""A part of a camera's video as a complete MP4, copied without encoding."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import TypeGuard

from server.capture.frames.unit import JPEG
from server.capture.streams.units.order import DisplayOrder, heads_of
from server.delivery.mp4.movie import TIMESCALE
from server.delivery.mp4.muxer import Muxer
from server.delivery.mp4.whole import SampleEntry, file_header
from server.loop import hub
from server.recording.media.fragments import Kept, StoredUnit, loaded

__all__ = ["Clip", "can_be_copied", "lay_out_clip", "read_clip", "shown_from"]

# Duration of a clip's only picture.
DEFAULT_INTERVAL_S = 0.04

# Units that are laid out between two pauses; they take less than a millisecond.
PAUSE_EVERY = 32

# The most units to lay out on the hub; more take long enough for a native thread.
MAX_ON_HUB = 2000

# The file is read in pieces of about this size.
PIECE_BYTES = 256 << 10


def can_be_copied(units: Sequence[Kept]) -> bool:
    """Return whether all units have one video codec and one size."""
    kinds = {(one.codec.partition(".")[0], one.width, one.height) for one in units}
    return len(kinds) == 1 and units[0].codec != JPEG


def shown_from(units: Sequence[Kept], from_unix: float) -> float:
    """Return the time of the picture of a moment: the newest that is not later, or the first."""
    times = [one.shown_unix for one in units]
    return max((one for one in times if one <= from_unix), default=min(times))


class Clip:
    """The clip's file, generated while it is read.

    Args:
        units: The first is a key frame; all have one codec and size.
        from_unix: The moment to show first; earlier pictures are only decoded.
        pause: Called often while the file is laid out, to yield to others.

    Attributes:
        nbytes: The file's size.
        tag: Identifies the file's content, for HTTP's ETag.
        from_unix: Capture time of the first picture shown.
        seconds: Its duration.
        on_disk: Whether any unit is read from the disk.

    Raises:
        PictureError: If the units cannot be put into MP4.
    """

    def __init__(
        self, units: Sequence[Kept], from_unix: float, pause: Callable[[], None] = lambda: None
    ) -> None:
        self._units = units
        self.on_disk = any(isinstance(unit, StoredUnit) for unit in units)
        self._muxer = Muxer(loaded(units[0]))
        self._with_sets: list[bool] = []
        order = DisplayOrder(units[0].codec)
        sizes, numbers = [], []
        for number, unit in enumerate(units):
            if number % PAUSE_EVERY == 0:
                pause()
            nbytes, with_sets, place = self._measure(unit, order)
            sizes.append(nbytes)
            numbers.append(place)
            self._with_sets.append(with_sets)
        self.from_unix = shown_from(units, from_unix)
        moments = sorted(one.shown_unix for one in units)
        times = _ticks(moments)
        shown_at, late = _display_times(times, numbers)
        listed = [
            SampleEntry(size, unit.key, end - begin, shown - begin)
            for unit, size, shown, (begin, end) in zip(
                units, sizes, shown_at, pairwise(times), strict=True
            )
        ]
        begin = times[moments.index(self.from_unix)] + late
        lasts = max(shown_at) - begin + times[-1] - times[-2]
        self.seconds = lasts / TIMESCALE
        self._head = file_header(self._muxer.video, listed, begin, lasts, self.from_unix)
        self._ends = list(accumulate(sizes, initial=len(self._head)))
        self.nbytes = self._ends[-1]
        self.tag = f"{moments[0]:.6f}-{self.from_unix:.6f}-{self.nbytes:x}"

    def read(self, begin: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from ``begin`` up to ``end``, in pieces of any size."""
        at = max(0, bisect_right(self._ends, begin) - 1)
        pieces = [self._head] if begin < len(self._head) else []
        position = 0 if pieces else self._ends[at]
        while True:
            while at < len(self._units) and sum(map(len, pieces)) < PIECE_BYTES:
                pieces.append(self._sample(at))
                at += 1
            piece = b"".join(pieces)
            yield piece[max(0, begin - position) : end - position]
            position += len(piece)
            if position >= end:
                return
            pieces = []

    def _measure(self, unit: Kept, order: DisplayOrder) -> tuple[int, bool, int]:
        """Return a unit's size in the file, whether it has parameter sets, and its place."""
        if _is_copyable(unit):
            return unit.nbytes, True, order.number(unit.heads)
        whole = loaded(unit)
        parts, with_sets = self._muxer.lay_out(whole)
        return sum(map(len, parts)), with_sets, order.number(heads_of(whole.data))

    def _sample(self, at: int) -> bytes:
        unit = self._units[at]
        if _is_copyable(unit):
            return unit.sample
        return b"".join(self._muxer.lay_out_again(loaded(unit), self._with_sets[at]))


def lay_out_clip(units: Sequence[Kept], from_unix: float) -> Clip:
    """Return the clip without blocking the hub for long; see :class:`Clip`."""
    on_disk = any(isinstance(unit, StoredUnit) for unit in units)
    if on_disk or len(units) > MAX_ON_HUB:
        return hub.run_native(Clip, units, from_unix)
    return Clip(units, from_unix, lambda: hub.sleep(0))


def read_clip(clip: Clip, begin: int, end: int) -> Iterator[bytes]:
    """Yield the bytes from ``begin`` up to ``end``; the disk is read on native threads."""
    pieces = clip.read(begin, end)
    if not clip.on_disk:
        yield from pieces
        return
    while piece := hub.run_native(next, pieces, b""):
        yield piece


def _is_copyable(unit: Kept) -> TypeGuard[StoredUnit]:
    """Return whether a unit's sample can be copied as it is stored."""
    return isinstance(unit, StoredUnit) and not unit.key


def _ticks(moments: Sequence[float]) -> list[int]:
    """Return when each picture begins, and when the last one ends, in ticks from the first."""
    times = [0]
    for moment in moments[1:]:
        ticks = round((moment - moments[0]) * TIMESCALE)
        times.append(max(ticks, times[-1] + 1))
    durations = sorted(end - begin for begin, end in pairwise(times))
    last = durations[len(durations) // 2] if durations else round(DEFAULT_INTERVAL_S * TIMESCALE)
    return [*times, times[-1] + last]


def _display_times(times: Sequence[int], numbers: Sequence[int]) -> tuple[list[int], int]:
    """Return when each picture is shown, in ticks, and by how much all are delayed.

    With B-frames, all are delayed so that none is shown before it is decoded.

    Args:
        times: The display times in order, which are also the decoding times; then the end.
        numbers: Each picture's position in display order; only the order matters.
    """
    in_order = sorted(range(len(numbers)), key=numbers.__getitem__)
    shown = [0] * len(numbers)
    for place, at in enumerate(in_order):
        shown[at] = times[place]
    late = max(decoded - one for decoded, one in zip(times, shown, strict=False))
    return [one + late for one in shown], late
