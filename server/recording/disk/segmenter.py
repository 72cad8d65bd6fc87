"""Split a stream of units into files and fragments."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from server.capture.frames.unit import JPEG, Unit
from server.delivery.mp4.movie import TIMESCALE
from server.delivery.mp4.muxer import Muxer
from server.errors import PictureError

__all__ = ["FRAGMENT_S", "Begin", "End", "Fragment", "Segmenter", "completes_fragment"]

MAX_FILE_S = 300.0

FRAGMENT_S = 1.0
"""The most that is lost of the units handed over when the process is killed."""

# A fragment at least this long ends before a key frame, so that most begin with one.
MIN_FRAGMENT_S = 0.4

# Rounding error of times in Unix seconds.
TOLERANCE_S = 1e-4

# A picture older than the one before by more than this means that the clock was set, one newer by
# more than PAUSE_S that the camera paused. Both begin a new file, to keep the times in it right.
STEP_BACK_S = 1.0
PAUSE_S = 10.0

# Duration of a picture if the next one is unknown.
USUAL_S = 0.04


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a new file.

    Attributes:
        first: Its first picture.
        sets: The parameter sets of its video, in Annex B format.
        init_segment: The MP4 initialization segment.
        reason: Why it is recorded.
        film: The time-lapse film it belongs to; empty for none.
    """

    first: Unit
    sets: bytes
    init_segment: bytes
    reason: str
    film: str = ""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Append a fragment to the file.

    Attributes:
        parts: Its boxes, as a list of byte strings.
        ticks: Its duration.
        key: Whether it begins with a key frame.
        pictures: Number of pictures in it.
    """

    parts: Sequence[bytes]
    ticks: int
    key: bool
    pictures: int


@dataclass(frozen=True, slots=True)
class End:
    """Close the file: it is complete."""


def completes_fragment(first: Unit, unit: Unit, fragment_s: float = FRAGMENT_S) -> bool:
    """Return whether a unit begins the next fragment.

    Args:
        first: The first unit of the current fragment.
        unit: The next unit.
        fragment_s: Approximate duration of a fragment.
    """
    least_s = min(fragment_s, MIN_FRAGMENT_S) if unit.key else fragment_s
    # By display time, so that B-frames stay in the fragment of the picture they are shown before.
    return unit.shown_unix - first.shown_unix >= least_s - TOLERANCE_S


class Segmenter:
    """Splits one camera's video into files of at most five minutes without gaps.

    A file ends where the codec or size changes, pictures are missing, or the clock was set; the
    next one begins with the next key frame.

    Args:
        fragment_s: Approximate duration of a fragment.

    Attributes:
        reason: Why the camera is recorded; stored in the next file.
        film: The time-lapse film the units belong to; likewise.
        skipped: Number of pictures left out, because they had no key frame or do not fit into
            MP4.
    """

    def __init__(self, fragment_s: float = FRAGMENT_S) -> None:
        self._fragment_s = fragment_s
        self.reason = self.film = ""
        self.skipped = 0
        self._muxer: Muxer | None = None
        self._waiting: list[tuple[Unit, int]] = []  # With display times in the file, in ticks.
        self._begin_unix = 0.0
        self._first: Unit | None = None
        self._next = 0  # When the next fragment begins, in ticks.
        self._usual = round(USUAL_S * TIMESCALE)

    @property
    def is_open(self) -> bool:
        """Whether a file is open."""
        return self._muxer is not None

    def put(self, unit: Unit) -> Iterator[Begin | Fragment | End]:
        """Take the next picture; yield the steps that result."""
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
        """Yield the last fragment and the end of an open file; the next needs a key frame."""
        if self._muxer is None:
            return
        if self._waiting:
            yield self._fragment(None)
        self._muxer = self._first = None
        yield End()

    def abandon(self, lost: int = 0) -> None:
        """Discard the open file, which cannot be written; count ``lost`` more pictures."""
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
        """Return the waiting pictures as a fragment; ``following`` is the next one's time."""
        muxer, waiting, begin = self._muxer, self._waiting, self._next
        assert muxer is not None
        shown = [time for _, time in waiting]
        in_order = sorted(shown)
        if len(waiting) > 1:
            self._usual = max(1, (in_order[-1] - in_order[0]) // (len(waiting) - 1))
        # Pictures are in decoding order, which differs from display order with B-frames. Their
        # decoding times are the sorted display times, made to increase strictly.
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
