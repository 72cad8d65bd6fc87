"""Estimates when buffered pictures arrived, from their timestamps. No I/O: times are passed in."""

__all__ = ["TimestampClock"]

# How long the timestamps must have followed our clock before they are trusted.
WATCHED_S = 3.0

# Largest error before the two clocks count as out of step. Late pictures may only mean that the
# network stalled, so they must stay late for MAX_LATE_S.
TOLERANCE_S = 0.1
MAX_LATE_S = 1.0

# A longer step between two timestamps means that the camera's clock was set.
MAX_STEP_S = 2.0

# How fast the offset follows late pictures, in seconds per second: clocks drift by less.
DRIFT = 0.002

# Weight of a new step in the moving average.
SMOOTHING = 0.1

# Arrival times always increase, even from a measured one to an estimated one.
LEAST_STEP_S = 0.001


class TimestampClock:
    """Estimates when a stream's pictures arrived, even if they waited to be read.

    The picture with the shortest delay gives the offset between the stream's clock and ours, which
    is corrected slowly, as no two clocks run at the same rate. All times are in seconds.
    """

    def __init__(self) -> None:
        self._offset = 0.0  # Added to a timestamp, it gives the time by our clock.
        self._timestamp_s: float | None = None
        self._step_s = 0.0
        self._since = 0.0  # When the offset was last restarted, and its value then.
        self._begun = 0.0
        self._awaited_at = 0.0
        self._late_since: float | None = None
        self._came_at = float("-inf")

    def see(
        self, timestamp_s: float | None, at: float, awaited: bool, measured: bool = False
    ) -> float:
        """Return when the next picture arrived, judged by its timestamp or by when it was read.

        Args:
            timestamp_s: Its timestamp; None if it has none.
            at: When it was read.
            awaited: Whether the reader was waiting for it, so that it arrived just then.
            measured: Whether to prefer the time of reading, but at most half a step after the
                estimate, to keep pictures in order: a busy machine may wake the reader much later.
        """
        self._follow(timestamp_s, at, awaited)
        if awaited:
            self._awaited_at = at
        came_at = self._offset + timestamp_s if timestamp_s is not None and self.is_steady else at
        came_at = max(came_at, self._came_at + LEAST_STEP_S)
        self._came_at = min(at, came_at + self._step_s / 2 if measured else came_at)
        return self._came_at

    @property
    def is_steady(self) -> bool:
        """Whether the timestamps have proved trustworthy."""
        return self._timestamp_s is not None and self._awaited_at - self._since >= WATCHED_S

    @property
    def measured_at(self) -> float:
        """When an awaited picture last arrived on time; 0 while they are late."""
        return self._awaited_at if self._late_since is None else 0.0

    @property
    def next_at(self) -> float:
        """When the next picture is expected."""
        return self._offset + (self._timestamp_s or 0.0) + self._step_s

    def _follow(self, timestamp_s: float | None, at: float, awaited: bool) -> None:
        before, self._timestamp_s = self._timestamp_s, timestamp_s
        if timestamp_s is None:
            return
        offset = at - timestamp_s
        step_s = 0.0 if before is None else timestamp_s - before
        late_s = offset - self._offset
        fallen_s = self._begun - offset - DRIFT * (at - self._since)
        if not 0 < step_s <= MAX_STEP_S:
            self._step_s = 0.0
            self._begin(offset, at)
            return
        self._step_s += (SMOOTHING if self._step_s else 1.0) * (step_s - self._step_s)
        if fallen_s > TOLERANCE_S or self._is_late_for_long(late_s, at, awaited):
            self._begin(offset, at)
        elif late_s < 0:
            self._offset = offset
        elif awaited and late_s <= TOLERANCE_S:
            self._offset += min(late_s, DRIFT * (at - self._awaited_at))

    def _is_late_for_long(self, late_s: float, at: float, awaited: bool) -> bool:
        if late_s <= TOLERANCE_S:
            self._late_since = None
        elif awaited and self._late_since is None:
            self._late_since = at
        return self._late_since is not None and at - self._late_since > MAX_LATE_S

    def _begin(self, offset: float, at: float) -> None:
        self._late_since = None
        self._offset = self._begun = offset
        self._since = at
