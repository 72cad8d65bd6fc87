"""Decides when a packet that arrived early is due. No I/O: the caller passes the time in."""

from collections import deque

__all__ = ["Playout"]

# A live stream whose packets are all early by at least MAX_SPARE_S skips ahead, until only
# KEPT_SPARE_S remain. Networks are rarely late by more than that.
MAX_SPARE_S = 0.4
KEPT_SPARE_S = 0.15

# How long a stream is observed before that.
WATCHED_S = 3.0

# Weight of a new step in the moving average.
SMOOTHING = 0.1


class Playout:
    """Plays packets at the pace of their timestamps.

    Only the steps between timestamps count: timestamps themselves jump when a camera sets its
    clock, wrap after 26 hours in MPEG-TS, and restart when a file is repeated. A late packet is due
    immediately, and all that follow are due that much later, so that a source that is sometimes
    late does not stutter each time.

    Args:
        usual_step_s: The step from one packet to the next where there is no timestamp.
        longest_step_s: Longer steps are damage, not a pause.
    """

    def __init__(self, usual_step_s: float, longest_step_s: float) -> None:
        self._usual_s = usual_step_s
        self._longest_s = longest_step_s
        self._timestamp_s: float | None = None
        self._due: float | None = None
        # When packets arrived, and how long before they were due.
        self._early: deque[tuple[float, float]] = deque()
        self._watched_since = 0.0

    def due(self, timestamp_s: float | None, arrived_at: float) -> float:
        """Return when the next packet is due, by the clock of ``arrived_at``.

        Args:
            timestamp_s: Its timestamp; None if it has none.
            arrived_at: When it arrived.
        """
        step_s = self._step(timestamp_s)
        if self._due is None:
            self._watched_since = arrived_at
        self._due = arrived_at if self._due is None else max(self._due + step_s, arrived_at)
        self._early.append((arrived_at, self._due - arrived_at))
        while arrived_at - self._early[0][0] > WATCHED_S:
            self._early.popleft()
        return self._due

    def restart(self) -> None:
        """Start over with the next packet, as after a pause or from the beginning of a file."""
        self._timestamp_s = None

    def held_back(self, at: float) -> None:
        """Note that until ``at`` the source was read more slowly than it could have been.

        Packets that were early until then do not show how far behind we are.
        """
        self._early.clear()
        self._watched_since = at

    def catch_up(self) -> float:
        """Return by how many seconds all packets are due earlier from now on.

        More than 0 for a live stream that began with old packets: it would stay behind forever.
        """
        early = self._early
        if self._due is None or not early or early[-1][0] - self._watched_since < WATCHED_S:
            return 0.0
        spare_s = min(early_s for _, early_s in early)
        if spare_s < MAX_SPARE_S:
            return 0.0
        gained_s = spare_s - KEPT_SPARE_S
        self._due -= gained_s
        self._early = deque((at, early_s - gained_s) for at, early_s in early)
        return gained_s

    def _step(self, timestamp_s: float | None) -> float:
        before, self._timestamp_s = self._timestamp_s, timestamp_s
        if timestamp_s is None or before is None:
            return self._usual_s
        step_s = timestamp_s - before
        if not 0 <= step_s <= self._longest_s:
            return self._usual_s
        self._usual_s += SMOOTHING * (step_s - self._usual_s)
        return step_s
