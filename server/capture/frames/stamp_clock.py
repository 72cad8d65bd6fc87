"""When pictures came that nobody waited for, by their stamps. No I/O: times are passed in."""

__all__ = ["StampClock"]

# How long the time stamps must have followed our clock before they are relied on.
WATCHED_S = 3.0

# By how much a picture may come before or after its time. More is a clock that does not fit; or, of
# one that comes late, a network that stands still, until that has lasted for so long.
TOLERANCE_S = 0.1
MAX_LATE_S = 1.0

# A longer step from one time stamp to the next is a clock that was set.
MAX_STEP_S = 2.0

# By how much later pictures are expected in a second, if they are late: clocks differ by less.
DRIFT = 0.002

# How much a single step counts in the usual one.
SMOOTHING = 0.1

# Times only grow, also where one was measured and the next one follows from its stamp.
LEAST_STEP_S = 0.001


class StampClock:
    """Knows when the pictures of a stream came, also of those that have waited to be read.

    The one that took the shortest way says how its clock and ours go together; that is corrected
    slowly, as no two clocks run alike. All times are in seconds.
    """

    def __init__(self) -> None:
        self._offset = 0.0  # Of our clock: what is to be added to a time stamp.
        self._stamp: float | None = None
        self._step_s = 0.0
        self._since = 0.0  # When the offset was last found anew, and what it was.
        self._begun = 0.0
        self._awaited_at = 0.0
        self._late_since: float | None = None
        self._came_at = float("-inf")

    def see(self, stamp_s: float | None, at: float, awaited: bool, measured: bool = False) -> float:
        """Return when the next picture came: when it was read, unless the stamps tell better.

        Args:
            stamp_s: Its time stamp; None if it has none.
            at: When it was read.
            awaited: Whether it was waited for, so that it came just then.
            measured: Whether to tell when that was, by as much as pictures keep their order with:
                a busy machine wakes who waits for one long after it came.
        """
        self._follow(stamp_s, at, awaited)
        if awaited:
            self._awaited_at = at
        came_at = self._offset + stamp_s if stamp_s is not None and self.is_steady else at
        came_at = max(came_at, self._came_at + LEAST_STEP_S)
        self._came_at = min(at, came_at + self._step_s / 2 if measured else came_at)
        return self._came_at

    @property
    def is_steady(self) -> bool:
        """Whether the stamps can be relied on by now."""
        return self._stamp is not None and self._awaited_at - self._since >= WATCHED_S

    @property
    def measured_at(self) -> float:
        """When a picture last came in its time, and was waited for; 0 while they come late."""
        return self._awaited_at if self._late_since is None else 0.0

    @property
    def next_at(self) -> float:
        """When the next picture is expected."""
        return self._offset + (self._stamp or 0.0) + self._step_s

    def _follow(self, stamp_s: float | None, at: float, awaited: bool) -> None:
        before, self._stamp = self._stamp, stamp_s
        if stamp_s is None:
            return
        offset = at - stamp_s
        step_s = 0.0 if before is None else stamp_s - before
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
