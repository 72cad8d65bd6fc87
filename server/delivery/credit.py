"""What one viewer may still be sent.

A viewer owes an acknowledgement for every frame it was sent; while it owes a whole *window* of
them it gets no more. So nothing can pile up between the server and the eye: not in the kernel's
buffers, not in a proxy, not in a phone that decodes slowly.

The window is as wide as it pays. On a long link two frames in flight are too few to keep the frame
rate, so it is widened by one and kept so only if frames then come through faster. On a narrow link
they do not, and a wider window would only hold older pictures. This is hill climbing on the
delivered rate, which needs no idea of the link's base delay, unlike TCP Vegas (Brakmo & Peterson,
1995) or BBR (Cardwell et al., 2016), whose estimates a camera's steady stream would spoil.
"""

from collections import deque

__all__ = ["Credit"]

# However long the link, no more than this much time may be in flight.
MAX_FLIGHT_S = 0.25

# A link on which frame after frame takes this long is starved: one at a time is all it can carry in
# time. A single late acknowledgement proves nothing; people put their phones away.
STARVED_S = 0.6
STARVED_FRAMES = 3

# How long a window is tried before its rate is believed, and a failed one is not tried again.
TRIAL_S = 1.0
REST_S = 10.0

# One more frame in flight should speed a long link up by 1/window; less than half of that is noise.
WORTHWHILE = 0.5


class Credit:
    """One viewer's frames in flight, by ``seq``, oldest first.

    Counting frames *sent* and not the distance of numbers matters: a viewer that skipped frames
    would be locked out for ever by the gap.

    Args:
        window: Frames it may owe to begin with, and the least it gets on a healthy link.
        now: Monotonic seconds, as everywhere here.
    """

    def __init__(self, window: int, now: float) -> None:
        self._base = window
        self._window = window
        self._flight: deque[tuple[int, float]] = deque()
        self._round_trip_s: float | None = None
        self._slow_frames = 0

        self._begin_trial(now)
        self._rate_before: float | None = None  # Set while a wider window is on trial.
        self._rest_until = now

    @property
    def window(self) -> int:
        """How many frames may be in flight."""
        return 1 if self._slow_frames >= STARVED_FRAMES else self._window

    @property
    def in_flight(self) -> int:
        """How many frames were sent and not yet acknowledged."""
        return len(self._flight)

    @property
    def round_trip_s(self) -> float | None:
        """How long the newest acknowledged frame took there and back; None before the first."""
        return self._round_trip_s

    @property
    def ready(self) -> bool:
        """Whether one more frame may be sent."""
        # Asked for every viewer and frame: `window`, written out.
        return len(self._flight) < (1 if self._slow_frames >= STARVED_FRAMES else self._window)

    def waiting_s(self, now: float) -> float:
        """Return for how long the oldest frame in flight has been; 0 if there is none."""
        return now - self._flight[0][1] if self._flight else 0.0

    def spend(self, seq: int, now: float) -> None:
        """Note that frame ``seq`` was sent."""
        self._flight.append((seq, now))

    def miss(self) -> None:
        """Note that a frame went by because there was no credit."""
        self._trial_misses += 1

    def acknowledge(self, seq: int, now: float, fps: float) -> int:
        """Clear every frame up to ``seq``; return how many there were.

        Acknowledgements are cumulative, so one that repeats or comes late does no harm.

        Args:
            seq: The newest frame that the viewer has painted.
            now: Monotonic seconds.
            fps: The camera's frame rate, which bounds how wide the window may get.
        """
        flight = self._flight
        owed = len(flight)
        sent_at = now
        while flight and flight[0][0] <= seq:
            _, sent_at = flight.popleft()
        frames = owed - len(flight)
        if not frames:
            return 0
        self._trial_acks += frames
        round_trip_s = self._round_trip_s = now - sent_at
        if round_trip_s > STARVED_S:
            # Never try more on such a link: while one tries, pictures would be older still.
            self._slow_frames += 1
            self._window = self._base
            self._rate_before = None
            self._begin_trial(now)
            return frames
        self._slow_frames = 0
        if now - self._trial_at >= TRIAL_S:
            self._judge(now, fps)
            self._begin_trial(now)
        return frames

    def _judge(self, now: float, fps: float) -> None:
        """End a trial: keep, widen or narrow the window."""
        rate = self._trial_acks / (now - self._trial_at)
        misses = self._trial_misses
        widest = max(self._base, int(MAX_FLIGHT_S * fps))
        if self._rate_before is not None:
            gain = rate / self._rate_before - 1
            if gain < WORTHWHILE / (self._window - 1):
                self._window -= 1
                self._rest_until = now + REST_S
            self._rate_before = None
        elif self._window > widest:
            self._window -= 1
        elif misses and self._window < widest and now >= self._rest_until:
            self._rate_before = rate
            self._window += 1

    def _begin_trial(self, now: float) -> None:
        self._trial_at, self._trial_acks, self._trial_misses = now, 0, 0
