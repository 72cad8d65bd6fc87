"""Measures the bandwidth of one viewer's link from its acknowledgements.

Each gives the round trip of a frame, without the time that the viewer took to decode and paint it.
The excess over the link's unloaded round trip was spent waiting behind other frames and sending the
frame's own bytes. So the link carries at least the frame's bytes in that time, and while frames
queue, at least all bytes acknowledged between two acknowledgements. Both underestimate a link with
room to spare, where the times are mostly noise, so the largest of the last few samples counts. If a
frame took longer than noise can explain, the older samples are discarded.
"""

from collections import deque
from typing import NamedTuple

__all__ = ["Delivery", "Link"]

# Assumed rate of a link that has not been measured yet.
UNKNOWN_BPS = 40e6

SAMPLES = 16

# Longer delays are not noise.
NOISE_S = 0.1

# How long the bytes in flight may take to arrive.
MAX_FLIGHT_S = 0.25

# Shorter times are indistinguishable from noise, which must not make a small frame look like a wide
# link.
MIN_LOAD_S = 0.01
# Acknowledgements may arrive together although the frames did not, so a busy link is measured over
# at least this time.
MIN_BUSY_S = 0.1

# The longest round trip that is attributed to distance; more is taken for a queue.
MAX_BARE_S = 0.5


class Delivery(NamedTuple):
    """The frames that an acknowledgement covers.

    Attributes:
        size: The newest frame's size in bytes.
        total: The size of all frames in bytes.
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
        bare_s: The estimated round trip without load; at most half a second.
        rate_bps: Its estimated bandwidth in bits per second.
        max_bytes: How many bytes may be in flight without delaying later frames too much.
    """

    def __init__(self) -> None:
        self.bare_s = 0.0
        self.rate_bps = UNKNOWN_BPS
        self.max_bytes = UNKNOWN_BPS * MAX_FLIGHT_S / 8
        self._rates: deque[float] = deque(maxlen=SAMPLES)
        self._min_transit_s = float("inf")
        self._passed_at = 0.0  # When the last acknowledged byte left the bottleneck.
        self._busy_from = 0.0  # Since when frames have been queueing there.
        self._busy_bytes = 0  # How many bytes have passed since then.

    def copy(self) -> "Link":
        """Return a new link that starts with this one's estimates."""
        copy = Link()
        copy.bare_s, copy.rate_bps, copy.max_bytes = self.bare_s, self.rate_bps, self.max_bytes
        copy._rates.extend(self._rates)
        copy._min_transit_s = self._min_transit_s
        return copy

    @property
    def is_known(self) -> bool:
        """Whether the link has been measured yet."""
        return bool(self._rates)

    def take(self, delivery: Delivery, transit_s: float, given_s: float) -> None:
        """Record an acknowledgement.

        Args:
            delivery: The acknowledged frames.
            transit_s: The newest frame's round trip, without the time to decode and paint it.
            given_s: The round trip of a message on the unloaded link; 0 if unknown.
        """
        # The first frame alone does not separate the unloaded round trip from the load.
        load_s = max(0.0, transit_s - (self.bare_s if self._rates else given_s))
        passed_at = delivery.sent_at + load_s
        rate_bps = delivery.size * 8 / max(load_s, MIN_LOAD_S)
        if delivery.first_at >= self._passed_at:
            self._busy_from, self._busy_bytes = delivery.first_at, 0
        self._passed_at = passed_at
        self._busy_bytes += delivery.total
        busy_s = passed_at - self._busy_from
        if busy_s >= MIN_BUSY_S:
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
        """Return how long this many bytes take, in seconds."""
        return size * 8 / self.rate_bps
