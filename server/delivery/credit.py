"""Limits how many frames one viewer may be sent ahead of its acknowledgements.

A viewer owes an acknowledgement for every frame it was sent, and gets no more while it owes a whole
*window* of them. So frames cannot pile up on the way: not in the kernel's buffers, not in a proxy,
not in a phone that decodes slowly.

The window widens only while that pays. On a link with a long round trip two frames in flight cannot
sustain the frame rate, so one more is tried, and kept if frames then arrive faster. On a narrow
link they do not: a wider window would only hold older pictures. This is hill climbing on the
delivered rate. It needs no estimate of the link's base delay, unlike TCP Vegas (Brakmo & Peterson,
1995) or BBR (Cardwell et al., 2016), whose estimates a camera's steady stream would spoil.

A viewer may announce that it covers several frames with one acknowledgement while all is well. Its
window is then twice what the last one covered, but at most two frames more. An acknowledgement that
covers less than the one before means that the viewer waited in vain for a frame, so the window
immediately returns to its initial size.

Frames of video are small and many, and skipping one loses all up to the next key frame. They are
limited by time instead: none is sent while the oldest one in flight is overdue.
"""

from server.delivery.link import Delivery

__all__ = ["Credit"]

# Upper limit of the frames in flight, as a duration.
MAX_FLIGHT_S = 0.25

# A link on which several frames in a row take this long is starved, and gets only one frame at a
# time. A single late acknowledgement proves nothing: people put their phones away.
STARVED_S = 0.6
STARVED_FRAMES = 3

# How many more frames may be in flight than one acknowledgement covers.
SPARE = 2

# How long a window is measured before its rate counts, and the pause after a failed attempt.
TRIAL_S = 1.0
PAUSE_S = 10.0

# One more frame in flight should speed a long link up by 1/window; less than half of that is noise.
MIN_GAIN = 0.5


class Credit:
    """One viewer's frames in flight, by ``seq``, oldest first.

    It counts frames *sent*, not the distance between sequence numbers: after a gap a viewer that
    skipped frames would never get credit again.

    Args:
        window: Frames that may be in flight at first, and the minimum on a healthy link.
        now: Monotonic seconds.
        acks: The most frames that the viewer covers with one acknowledgement.

    Attributes:
        ready: Whether one more frame may be sent.
        round_trip_s: The round trip of the newest acknowledged frame; None before the first.
    """

    def __init__(self, window: int, now: float, acks: int = 1) -> None:
        self._base = window
        self._window = window
        self._acks = acks
        self._covered = 1
        self._gap = False  # The last acknowledgement covered less than the one before.
        # The inputs of the last _set_limit(), which hardly ever change.
        self._limited_by: tuple[int, float, int, int] | None = None
        self._flight: list[tuple[int, float, int]] = []
        self._bytes = 0
        self._delivered = 0, 0, now, now
        self.round_trip_s: float | None = None
        self._slow_frames = 0
        self._limit = window  # Frames that may be in flight now.
        self.ready = True

        self._begin_trial(now)
        self._rate_before: float | None = None  # Set while a wider window is tried.
        self._paused_until = now

    @property
    def window(self) -> int:
        """How many frames may be in flight."""
        return self._limit

    @property
    def widest(self) -> int:
        """How many frames may be in flight while the viewer covers as many as it announced."""
        return max(self._base, self._acks + SPARE) if self._acks > 1 else self._base

    @property
    def in_flight(self) -> int:
        """How many frames were sent but not yet acknowledged."""
        return len(self._flight)

    @property
    def delivery(self) -> Delivery:
        """The frames that the newest acknowledgement covered."""
        return Delivery(*self._delivered)

    def waiting_s(self, now: float) -> float:
        """Return how long ago the oldest frame in flight was sent; 0 if there is none."""
        return now - self._flight[0][1] if self._flight else 0.0

    def may_flow(self, now: float, bare_s: float, max_bytes: float) -> bool:
        """Return whether one more frame of video may be sent.

        Args:
            now: Monotonic seconds.
            bare_s: The round trip of a message on the unloaded link.
            max_bytes: How many bytes may be in flight.
        """
        flight = self._flight
        if not flight:
            return True
        if self._bytes > max_bytes or (self._gap and len(flight) >= self._base):
            return False
        return now - flight[0][1] < MAX_FLIGHT_S + bare_s

    def spend(self, seq: int, now: float, size: int = 0) -> None:
        """Record that frame ``seq`` of ``size`` bytes was sent."""
        self._bytes += size
        self._flight.append((seq, now, size))
        self.ready = len(self._flight) < self._limit

    def miss(self) -> None:
        """Record that a frame was skipped for lack of credit."""
        self._trial_misses += 1

    def acknowledge(self, seq: int, now: float, fps: float) -> int:
        """Clear every frame up to ``seq``; return how many there were.

        Acknowledgements are cumulative, so a repeated or late one does no harm.

        Args:
            seq: The newest frame that the viewer has painted.
            now: Monotonic seconds.
            fps: The camera's frame rate, which bounds how wide the window may get.
        """
        flight = self._flight
        frames = total = 0
        for number, _, size in flight:
            if number > seq:
                break
            frames += 1
            total += size
        if not frames:
            return 0
        _, first_at, _ = flight[0]
        _, sent_at, size = flight[frames - 1]
        del flight[:frames]
        self._bytes -= total
        self._delivered = size, total, first_at, sent_at
        self._trial_acks += frames
        round_trip_s = self.round_trip_s = now - sent_at
        if round_trip_s > STARVED_S:
            # Do not try a wider window on such a link: it would only make pictures older.
            self._slow_frames += 1
            self._window = self._base
            self._rate_before = None
            self._begin_trial(now)
        else:
            self._slow_frames = 0
            if now - self._trial_at >= TRIAL_S:
                self._evaluate(now, fps)
                self._begin_trial(now)
        limited_by = frames, fps, self._window, self._slow_frames
        if limited_by != self._limited_by or self._gap:
            self._limited_by = limited_by
            self._set_limit(frames, fps)
        self.ready = len(flight) < self._limit
        return frames

    def _set_limit(self, frames: int, fps: float) -> None:
        """Set how many frames may be in flight after an acknowledgement of ``frames``."""
        if self._slow_frames >= STARVED_FRAMES:
            self._limit = 1
            return
        self._limit = self._window
        if self._acks > 1:
            covered = min(frames, self._acks)
            self._gap = covered < self._covered
            self._covered = 1 if self._gap else covered
            # Two frames are always allowed if they are less than MAX_FLIGHT_S apart.
            most = max(2, int(MAX_FLIGHT_S * fps)) if MAX_FLIGHT_S * fps > 1 else 1
            wide = min(2 * self._covered, self._covered + SPARE, most)
            self._limit = max(self._window, wide)

    def _evaluate(self, now: float, fps: float) -> None:
        """End a trial: keep, widen or narrow the window."""
        rate = self._trial_acks / (now - self._trial_at)
        misses = self._trial_misses
        widest = max(self._base, int(MAX_FLIGHT_S * fps))
        if self._rate_before is not None:
            gain = rate / self._rate_before - 1
            if gain < MIN_GAIN / (self._window - 1):
                self._window -= 1
                self._paused_until = now + PAUSE_S
            self._rate_before = None
        elif self._window > widest:
            self._window -= 1
        elif misses and self._window < widest and now >= self._paused_until:
            self._rate_before = rate
            self._window += 1

    def _begin_trial(self, now: float) -> None:
        self._trial_at, self._trial_acks, self._trial_misses = now, 0, 0
