"""Decides what goes into which file: units in, files and their fragments out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from server.capture.frames.unit import JPEG, Unit
from server.delivery.mp4.movie import TIMESCALE
from server.delivery.mp4.muxer import Muxer
from server.errors import PictureError

__all__ = ["FRAGMENT_S", "Begin", "End", "Fragment", "Segmenter", "completes_fragment"]

MAX_FILE_S = 300.0

FRAGMENT_S = 1.0
"""As much is lost at most of what was handed over, when the process is killed."""

# A fragment ends before a key picture if it is at least so long, so that most begin with one.
MIN_FRAGMENT_S = 0.4

# Times in Unix seconds are not as exact as the steps between pictures.
TOLERANCE_S = 1e-4

# The clock was set, if a picture is older than the one before it by more than this. Or the camera
# paused, if it is newer by more than that: a file tells no wrong times.
STEP_BACK_S = 1.0
PAUSE_S = 10.0

# How long a picture is shown if the next is not known.
USUAL_S = 0.04


@dataclass(frozen=True, slots=True)
class Begin:
    """A new file begins.

    Attributes:
        first: Its first picture.
        sets: The parameter sets of its video, in Annex B format.
        init_segment: Of its video.
        reason: Why it is recorded.
        film: Which time-lapse film it is of; empty for none.
    """

    first: Unit
    sets: bytes
    init_segment: bytes
    reason: str
    film: str = ""


@dataclass(frozen=True, slots=True)
class Fragment:
    """The file goes on.

    Attributes:
        parts: Its boxes, in parts.
        ticks: How long it is.
        key: Whether it begins with a key picture.
        pictures: How many are in it.
    """

    parts: Sequence[bytes]
    ticks: int
    key: bool
    pictures: int


@dataclass(frozen=True, slots=True)
class End:
    """The file is complete."""


def completes_fragment(first: Unit, unit: Unit, fragment_s: float = FRAGMENT_S) -> bool:
    """Return whether a fragment is complete before a unit, which begins the next one.

    Args:
        first: What the fragment begins with.
        unit: What follows.
        fragment_s: How long a fragment is, about.
    """
    least_s = min(fragment_s, MIN_FRAGMENT_S) if unit.key else fragment_s
    # By when they are shown, so that what is shown before a picture is in its own fragment.
    return unit.shown_unix - first.shown_unix >= least_s - TOLERANCE_S


class Segmenter:
    """Makes the files of one camera, each of at most five minutes of one video without a gap.

    A file ends where its codec or size changes, where pictures are missing, and where the clock was
    set; the next begins with the next key picture.

    Args:
        fragment_s: How long a fragment is, about.

    Attributes:
        reason: Why what comes is recorded; noted in the next file.
        film: Which time-lapse film it is of; likewise.
        skipped: How many pictures were left out, because the key picture before them was missing
            or they cannot be put into MP4.
    """

    def __init__(self, fragment_s: float = FRAGMENT_S) -> None:
        self._fragment_s = fragment_s
        self.reason = self.film = ""
        self.skipped = 0
        self._muxer: Muxer | None = None
        self._waiting: list[tuple[Unit, int]] = []  # With their times in the file, in ticks.
        self._begin_unix = 0.0
        self._first: Unit | None = None
        self._next = 0  # When the next fragment begins, in ticks.
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
        time = max(0, round((unit.shown_unix - self._begin_unix) * TIMESCALE))
        if completes_fragment(self._waiting[0][0], unit, self._fragment_s):
            yield self._fragment(time)
        self._waiting.append((unit, time))

    def end(self) -> Iterator[Fragment | End]:
        """Yield what is left of the file, if one is open, and its end; the next needs a key."""
        if self._muxer is None:
            return
        if self._waiting:
            yield self._fragment(None)
        self._muxer = self._first = None
        yield End()

    def abandon(self, lost: int = 0) -> None:
        """Forget the file that is open: it cannot be written, nor could so many pictures."""
        self.skipped += lost + len(self._waiting)
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
        self._first, self._begin_unix, self._next = unit, unit.shown_unix, 0
        self._waiting.append((unit, 0))
        sets, init = self._muxer.sets, self._muxer.init_segment
        return (Begin(unit, sets, init, self.reason, self.film),)

    def _ends_before(self, unit: Unit) -> bool:
        first, last = self._first, self._waiting[-1][0]
        assert first is not None
        if (unit.codec, unit.width, unit.height) != (first.codec, first.width, first.height):
            return True
        if not last.at_unix - STEP_BACK_S <= unit.at_unix <= last.at_unix + PAUSE_S:
            return True
        return unit.key and unit.at_unix - self._begin_unix >= MAX_FILE_S

    def _fragment(self, following: int | None) -> Fragment:
        """Return what waits as a fragment, up to a picture that follows, if one does."""
        muxer, waiting, begin = self._muxer, self._waiting, self._next
        assert muxer is not None
        shown = [time for _, time in waiting]
        in_order = sorted(shown)
        if len(waiting) > 1:
            self._usual = max(1, (in_order[-1] - in_order[0]) // (len(waiting) - 1))
        # Decoded in the order in which they are there, and at the pace at which they are shown:
        # with B-frames those differ. Decoding times only grow, also where times of capture do not.
        decoded = [begin]
        for time in in_order[1:]:
            decoded.append(max(decoded[-1] + 1, time))
        is_next = following is not None and shown == in_order and following > decoded[-1]
        until = following if is_next else decoded[-1] + self._usual
        assert until is not None
        ends = [*decoded[1:], until]
        samples = [
            muxer.sample(unit, end - at, time - at)
            for (unit, time), at, end in zip(waiting, decoded, ends, strict=True)
        ]
        parts = muxer.fragment_parts(samples, begin)
        self._waiting, self._next = [], until
        return Fragment(parts, until - begin, samples[0].key, len(samples))
