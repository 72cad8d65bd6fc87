"""A part of a camera's video as one complete MP4, whose pictures are copied as they are."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise

from server.capture.frames.unit import JPEG, Unit
from server.delivery.mp4.movie import TIMESCALE
from server.delivery.mp4.muxer import Muxer
from server.delivery.mp4.whole import Listed, whole_head

__all__ = ["Clip", "can_be_copied", "first_shown"]

# How long a clip's last picture is shown, if nothing else is known.
USUAL_INTERVAL_S = 0.04

# As many units are laid out in less than a millisecond.
AT_ONCE = 32

# The file is read in pieces of about this size.
PIECE_BYTES = 256 << 10


def can_be_copied(units: Sequence[Unit]) -> bool:
    """Return whether units are all of one video codec and one size."""
    kinds = {(one.codec.partition(".")[0], one.width, one.height) for one in units}
    return len(kinds) == 1 and units[0].codec != JPEG


def first_shown(units: Sequence[Unit], from_unix: float) -> int:
    """Return which picture is that of a moment: the newest that is not later, or the first."""
    return max(0, bisect_right(units, from_unix, key=lambda unit: unit.at_unix) - 1)


class Clip:
    """The file, which is made while it is read.

    Args:
        units: The first is a key picture; all are of one codec and size.
        from_unix: From when on they are shown.
        pause: Called often while the file is laid out, to let others work.

    Attributes:
        nbytes: The file's size.
        tag: The same for the same file only.
        from_unix: When the first picture that is shown was captured.
        seconds: How long it plays.

    Raises:
        PictureError: If the units cannot be put into MP4.
    """

    def __init__(
        self, units: Sequence[Unit], from_unix: float, pause: Callable[[], None] = lambda: None
    ) -> None:
        self._units = units
        self._muxer = Muxer(units[0])
        self._with_sets: list[bool] = []
        sizes = []
        for number, unit in enumerate(units):
            if number % AT_ONCE == 0:
                pause()
            parts, with_sets = self._muxer.lay_out(unit)
            sizes.append(sum(map(len, parts)))
            self._with_sets.append(with_sets)
        first = first_shown(units, from_unix)
        self.from_unix = units[first].at_unix
        times = _ticks(units)
        listed = [
            Listed(size, unit.key, end - begin)
            for unit, size, (begin, end) in zip(units, sizes, pairwise(times), strict=True)
        ]
        shown = times[-1] - times[first]
        self.seconds = shown / TIMESCALE
        self._head = whole_head(self._muxer.video, listed, times[first], shown, self.from_unix)
        self._ends = list(accumulate(sizes, initial=len(self._head)))
        self.nbytes = self._ends[-1]
        self.tag = f"{units[0].at_unix:.6f}-{self.from_unix:.6f}-{self.nbytes:x}"

    def read(self, begin: int, end: int) -> Iterator[bytes]:
        """Yield the file from one byte up to another, in pieces of any size."""
        at = max(0, bisect_right(self._ends, begin) - 1)
        pieces = [self._head] if begin < len(self._head) else []
        position = 0 if pieces else self._ends[at]
        while True:
            while at < len(self._units) and sum(map(len, pieces)) < PIECE_BYTES:
                unit, with_sets = self._units[at], self._with_sets[at]
                pieces.append(b"".join(self._muxer.lay_out_again(unit, with_sets)))
                at += 1
            piece = b"".join(pieces)
            yield piece[max(0, begin - position) : end - position]
            position += len(piece)
            if position >= end:
                return
            pieces = []


def _ticks(units: Sequence[Unit]) -> list[int]:
    """Return when each picture begins, and the last one ends, in ticks from the first on."""
    times = [0]
    for unit in units[1:]:
        ticks = round((unit.at_unix - units[0].at_unix) * TIMESCALE)
        times.append(max(ticks, times[-1] + 1))
    usual = sorted(end - begin for begin, end in pairwise(times))
    last = usual[len(usual) // 2] if usual else round(USUAL_INTERVAL_S * TIMESCALE)
    return [*times, times[-1] + last]
