"""What one viewer's link carries, measured by its acknowledgements.

Each one gives the round trip of a frame, without the time that the viewer took to decode and paint
it. What exceeds the link's bare round trip was spent on the bytes that were in flight when the
frame was sent, with its own. On a link with room to spare that is mostly noise, which makes the
rate look too small; so the largest of the last few samples counts. A frame that took longer than
noise can explain is believed at once: the link has become narrower.
"""

from collections import deque

__all__ = ["Link"]

# Taken for the rate of a link of which nothing is known yet.
UNKNOWN_BPS = 40e6

SAMPLES = 4

# No noise takes longer.
NOISE_S = 0.1

# How long bytes in flight may take.
MAX_FLIGHT_S = 0.25

# Clocks and threads are no more precise than this.
LEAST_S = 0.001

# A link that is long but not narrow: beyond this the round trip is taken for a queue.
MAX_BARE_S = 0.5


class Link:
    """Measures one link. Takes times as parameters, in seconds.

    Attributes:
        bare_s: The round trip without load, as far as is known; at most half a second.
        max_bytes: How many may be in flight so that nothing behind them gets old.
    """

    def __init__(self) -> None:
        self.bare_s = 0.0
        self.max_bytes = UNKNOWN_BPS * MAX_FLIGHT_S / 8
        self._rates: deque[float] = deque(maxlen=SAMPLES)
        self._min_transit_s = float("inf")

    @property
    def measured(self) -> bool:
        """Whether anything has been acknowledged."""
        return bool(self._rates)

    @property
    def rate_bps(self) -> float:
        """Bits a second that it carries."""
        return max(self._rates, default=UNKNOWN_BPS)

    def take(self, size: int, transit_s: float, bare_s: float) -> None:
        """Record an acknowledgement.

        Args:
            size: The bytes that were in flight when its newest frame was sent, with that frame's.
            transit_s: The frame's round trip, without the time for which the viewer held it.
            bare_s: The round trip of a message on the unloaded link; 0 if unknown.
        """
        # Of the first frame it cannot be told how much of its time was the link's length.
        load_s = transit_s - (bare_s or self.bare_s)
        if load_s > NOISE_S:
            self._rates.clear()
        self._rates.append(size * 8 / (load_s if load_s > LEAST_S else LEAST_S))
        if transit_s < self._min_transit_s:
            self._min_transit_s = transit_s
        self.bare_s = min(bare_s or self._min_transit_s, MAX_BARE_S)
        self.max_bytes = self.rate_bps * MAX_FLIGHT_S / 8

    def send_s(self, size: int) -> float:
        """Return how long so many bytes take."""
        return size * 8 / self.rate_bps
