"""What one viewer's link carries, measured by its acknowledgements.

Each one gives the round trip of a frame, without the time that the viewer took to decode and paint
it. What exceeds the link's bare round trip was spent on waiting behind other frames and on the
frame's own bytes. So the link carries at least the frame's bytes in that time; and while frames
wait for each other, at least all that was acknowledged in the time between two acknowledgements.
Both are too small on a link with room to spare, where the times are mostly noise, so the largest of
the last few samples counts. A frame that took longer than noise can explain is believed at once.
"""

from collections import deque
from typing import NamedTuple

__all__ = ["Delivery", "Link"]

# Taken for the rate of a link of which nothing is known yet.
UNKNOWN_BPS = 40e6

SAMPLES = 16

# No noise takes longer.
NOISE_S = 0.1

# How long bytes in flight may take.
MAX_FLIGHT_S = 0.25

# Less cannot be told from noise, which must not make a small frame look like a wide link.
LEAST_S = 0.01
# Acknowledgements may arrive together although the frames did not, so that a link on which frames
# wait is measured over this time at least.
LEAST_BUSY_S = 0.1

# A link that is long but not narrow: beyond this the round trip is taken for a queue.
MAX_BARE_S = 0.5


class Delivery(NamedTuple):
    """What an acknowledgement was for.

    Attributes:
        size: The bytes of the newest frame.
        total: The bytes of all its frames.
        first_at: When the first was sent, in monotonic seconds.
        sent_at: When the newest was sent, in monotonic seconds.
    """

    size: int
    total: int
    first_at: float
    sent_at: float


class Link:
    """Measures one link. Takes times as parameters, in seconds.

    Attributes:
        bare_s: The round trip without load, as far as is known; at most half a second.
        rate_bps: Bits a second that it carries.
        max_bytes: How many may be in flight so that nothing behind them gets old.
    """

    def __init__(self) -> None:
        self.bare_s = 0.0
        self.rate_bps = UNKNOWN_BPS
        self.max_bytes = UNKNOWN_BPS * MAX_FLIGHT_S / 8
        self._rates: deque[float] = deque(maxlen=SAMPLES)
        self._min_transit_s = float("inf")
        self._passed_at = 0.0  # When the last acknowledged byte had left the narrowest place,
        self._busy_from = 0.0  # since when something waited for it there,
        self._busy_bytes = 0  # and how much has passed since.

    def copy(self) -> "Link":
        """Return one that begins with what is known of this one."""
        copy = Link()
        copy.bare_s, copy.rate_bps, copy.max_bytes = self.bare_s, self.rate_bps, self.max_bytes
        copy._rates.extend(self._rates)
        copy._min_transit_s = self._min_transit_s
        return copy

    @property
    def is_known(self) -> bool:
        """Whether anything was measured yet."""
        return bool(self._rates)

    def take(self, delivery: Delivery, transit_s: float, given_s: float) -> None:
        """Record an acknowledgement.

        Args:
            delivery: What was acknowledged.
            transit_s: The newest frame's round trip, without the time for which it was held.
            given_s: The round trip of a message on the unloaded link; 0 if unknown.
        """
        # Of the first frame it cannot be told how much of its time was the link's length.
        load_s = max(0.0, transit_s - (self.bare_s if self._rates else given_s))
        passed_at = delivery.sent_at + load_s
        rate_bps = delivery.size * 8 / max(load_s, LEAST_S)
        if delivery.first_at >= self._passed_at:
            self._busy_from, self._busy_bytes = delivery.first_at, 0
        self._passed_at = passed_at
        self._busy_bytes += delivery.total
        busy_s = passed_at - self._busy_from
        if busy_s >= LEAST_BUSY_S:
            rate_bps = max(rate_bps, self._busy_bytes * 8 / busy_s)
            self._busy_from, self._busy_bytes = passed_at, 0
            if load_s > NOISE_S:
                self._rates.clear()
        self._rates.append(rate_bps)
        self.rate_bps = max(self._rates)
        self._min_transit_s = min(self._min_transit_s, transit_s)
        self.bare_s = min(given_s or MAX_BARE_S, self._min_transit_s, MAX_BARE_S)
        self.max_bytes = self.rate_bps * (MAX_FLIGHT_S + self.bare_s) / 8

    def send_s(self, size: int) -> float:
        """Return how long so many bytes take."""
        return size * 8 / self.rate_bps
