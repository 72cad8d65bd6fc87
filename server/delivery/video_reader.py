"""Reads a video's units in order, at the pace of one consumer."""

import time
from collections import deque
from collections.abc import Callable

from server.capture.frames.unit import Unit
from server.capture.frames.video_track import VideoTrack
from server.loop import hub
from server.metrics import Meter

__all__ = ["VideoReader", "count_sent"]

# If a unit has waited longer than this, skip to the next key frame.
MAX_WAIT_S = 0.5

# A reader that joins within a group may take this long to catch up with it.
MAX_CATCH_UP_S = 2.0


class VideoReader:
    """Reads one video from a key frame on: in order, complete, and never far behind.

    The track is the only buffer. A slow reader skips to the next key frame.

    Args:
        find: Returns the track; a new one after its camera was replaced, None without one.
        clock: Monotonic seconds.

    Attributes:
        cuts: How many times it had to skip.
    """

    def __init__(
        self,
        find: Callable[[], VideoTrack | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cuts = 0
        self._find = find
        self._clock = clock
        self._arrived = hub.Signal()
        self._track: VideoTrack | None = None
        self._unlisten: Callable[[], None] = lambda: None
        self._last_seq = 0  # The last unit returned; 0 while waiting for a key frame.
        self._skipped_seq = 0  # The key frame of the group that was given up.
        self._newest_seq = 0  # The track's newest unit when it last changed.
        self._waiting: deque[tuple[int, float]] = deque()  # Unread units and their arrival times.
        self._joined_at = 0.0  # Monotonic seconds.
        self._catching_up = True
        self._highest_seq = 0

    def close(self) -> None:
        """Stop reading."""
        self._use(None)
        self._arrived.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for another unit, or :meth:`wake`; return False if none came in time."""
        self._use(self._find())
        return self._arrived.wait(timeout_s)

    def wake(self) -> None:
        """End :meth:`wait`."""
        self._arrived.set()

    def next(self) -> tuple[Unit, bool] | None:
        """Return the next unit and whether it only serves to decode a newer one; None if none.

        That flag is also set for units returned before, when reading restarts after a loss.
        """
        track = self._find()
        self._use(track)
        unit = self._follow(track) if track is not None else None
        if track is None or unit is None:
            return None
        while self._waiting and self._waiting[0][0] < unit.seq:
            self._waiting.popleft()
        if unit is track.newest:
            self._catching_up = False
        elif self._is_late(unit):
            self._skipped_seq = track.units[0].seq
            self._last_seq = 0
            self.cuts += 1
            return None
        self._last_seq = unit.seq
        again, self._highest_seq = unit.seq <= self._highest_seq, max(unit.seq, self._highest_seq)
        return unit, self._catching_up or again

    def rejoin(self) -> None:
        """Start again with the current group, like a new reader."""
        self._last_seq = self._skipped_seq = 0
        self._joined_at = self._clock()
        self._catching_up = True

    def _follow(self, track: VideoTrack) -> Unit | None:
        """Return the unit after the last one, or the key frame to start with."""
        if not track.units:
            self._last_seq = 0
            return None
        first = track.units[0]
        if self._last_seq < first.seq:
            return None if track.cut or first.seq == self._skipped_seq else first
        following = None
        for unit in reversed(track.units):
            if unit.seq <= self._last_seq:
                break
            following = unit
        return following

    def _is_late(self, unit: Unit) -> bool:
        # Units that were there before the reader joined count from when it joined.
        known = self._waiting and self._waiting[0][0] == unit.seq
        since = self._waiting[0][1] if known else self._joined_at
        limit_s = MAX_CATCH_UP_S if self._catching_up else MAX_WAIT_S
        return self._clock() - since > limit_s

    def _use(self, track: VideoTrack | None) -> None:
        if track is self._track:
            return
        self._unlisten()
        self._track = track
        self._last_seq = self._skipped_seq = self._newest_seq = 0
        self._waiting.clear()
        self._joined_at = self._clock()
        self._unlisten = track.listen(self._on_change) if track is not None else lambda: None

    def _on_change(self) -> None:
        newest = self._track.newest if self._track is not None else None
        if newest is not None and newest.key and 0 < self._last_seq < self._newest_seq:
            self._last_seq = 0
            self.cuts += 1  # The unread rest of the last group is gone.
        self._newest_seq = 0
        if newest is None or newest.key:
            self._waiting.clear()
        if newest is not None:
            self._newest_seq = newest.seq
            self._waiting.append((newest.seq, self._clock()))
        self._arrived.set()


def count_sent(meter: Meter, unit: Unit, catch_up: bool) -> None:
    """Count a unit that was sent to one viewer; catch-up units do not count as frames."""
    meter.sent_bytes += len(unit.data)
    if not catch_up:
        meter.sent += 1
        meter.sent_age_s += time.time() - unit.at_unix
