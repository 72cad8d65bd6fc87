"""Decides what goes into which file: units in, files and their fragments out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from server.capture.frames.unit import JPEG, Unit
from server.delivery.mp4.muxer import TIMESCALE, Muxer, Sample
from server.errors import PictureError

__all__ = ["FRAGMENT_S", "Begin", "End", "Fragment", "Segmenter"]

MAX_FILE_S = 300.0

FRAGMENT_S = 1.0
"""As much is lost at most of what was handed over, when the process is killed."""

# A fragment ends before a key picture if it is at least so long, so that most begin with one.
MIN_FRAGMENT_S = 0.4

# The clock was set, if a picture is older than the one before it by more than this; B-frames are,
# by less. Or the camera paused, if it is newer by more than that: a file tells no wrong times.
STEP_BACK_S = 1.0
PAUSE_S = 5.0

# How long a picture is shown if the next is not known.
USUAL_S = 0.04


@dataclass(frozen=True, slots=True)
class Begin:
    """A new file begins.

    Attributes:
        init_segment: Of its video.
        begin_unix: When its first picture was captured.
        reason: Why it is recorded.
    """

    init_segment: bytes
    begin_unix: float
    reason: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """The file goes on.

    Attributes:
        data: Its boxes.
        ticks: How long it is.
        key: Whether it begins with a key picture.
        pictures: How many are in it.
    """

    data: bytes
    ticks: int
    key: bool
    pictures: int


@dataclass(frozen=True, slots=True)
class End:
    """The file is complete."""


class Segmenter:
    """Makes the files of one camera, each of at most five minutes of one video without a gap.

    A file ends where its codec or size changes, where pictures are missing, and where the clock was
    set; the next begins with the next key picture.

    Args:
        fragment_s: How long a fragment is, about.

    Attributes:
        reason: Why what comes is recorded; noted in the next file.
        skipped: How many pictures were left out, because the key picture before them was missing
            or they cannot be put into MP4.
    """

    def __init__(self, fragment_s: float = FRAGMENT_S) -> None:
        self._fragment_ticks = round(fragment_s * TIMESCALE)
        self._least_ticks = min(self._fragment_ticks, round(MIN_FRAGMENT_S * TIMESCALE))
        self.reason = ""
        self.skipped = 0
        self._muxer: Muxer | None = None
        self._waiting: list[tuple[Unit, int]] = []  # With their times in the file, in ticks.
        self._begin_unix = 0.0
        self._first: Unit | None = None
        self._usual = round(USUAL_S * TIMESCALE)

    @property
    def is_open(self) -> bool:
        """Whether a file has begun and not ended."""
        return self._muxer is not None

    def put(self, unit: Unit) -> Iterator[Begin | Fragment | End]:
        """Yield what follows from the next picture."""
        if self._muxer is not None and self._ends_before(unit):
            yield from self.end()
        if self._muxer is None:
            yield from self._begin(unit)
            return
        time = self._time_of(unit)
        begun = time - self._waiting[0][1]
        if begun >= (self._least_ticks if unit.key else self._fragment_ticks):
            yield self._fragment(time)
        self._waiting.append((unit, time))

    def end(self) -> Iterator[Fragment | End]:
        """Yield what is left of the file, if one is open, and its end; the next needs a key."""
        if self._muxer is None:
            return
        if self._waiting:
            yield self._fragment(self._waiting[-1][1] + self._usual)
        self._muxer = self._first = None
        yield End()

    def abandon(self) -> None:
        """Forget the file that is open: it cannot be written."""
        self.skipped += len(self._waiting)
        self._waiting.clear()
        self._muxer = self._first = None

    def _begin(self, unit: Unit) -> Iterable[Begin]:
        if not unit.key or unit.codec == JPEG:
            self.skipped += 1
            return ()
        try:
            self._muxer = Muxer(unit)
        except PictureError:
            self.skipped += 1
            return ()
        self._first, self._begin_unix = unit, unit.at_unix
        self._waiting.append((unit, 0))
        return (Begin(self._muxer.init_segment, unit.at_unix, self.reason),)

    def _ends_before(self, unit: Unit) -> bool:
        first, last = self._first, self._waiting[-1][0]
        assert first is not None
        if (unit.codec, unit.width, unit.height) != (first.codec, first.width, first.height):
            return True
        if not last.at_unix - STEP_BACK_S <= unit.at_unix <= last.at_unix + PAUSE_S:
            return True
        return unit.key and unit.at_unix - self._begin_unix >= MAX_FILE_S

    def _time_of(self, unit: Unit) -> int:
        """Return when a picture is shown in the file, after the one before it in any case."""
        before = self._waiting[-1][1]
        return max(before + 1, round((unit.at_unix - self._begin_unix) * TIMESCALE))

    def _fragment(self, until: int) -> Fragment:
        muxer, waiting = self._muxer, self._waiting
        assert muxer is not None
        times = [*(time for _, time in waiting[1:]), until]
        samples: list[Sample] = []
        for (unit, time), following in zip(waiting, times, strict=True):
            samples.append(muxer.sample(unit, following - time))
        self._usual = samples[-1].duration
        begin = waiting[0][1]
        data = muxer.fragment(samples, begin)
        self._waiting = []
        return Fragment(data, until - begin, samples[0].key, len(samples))
