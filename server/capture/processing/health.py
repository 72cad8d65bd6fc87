"""Tracks the health of one processor: its state, its message, and when it is skipped."""

from typing import Any, Literal, TypeAlias

from server.config.processors import Processor

__all__ = ["Health", "HealthState"]

HealthState: TypeAlias = Literal["ok", "slow", "failing", "skipped", "stuck"]

# After this many failures in a row it is skipped.
MAX_FAILURES = 5

FIRST_PAUSE_S = 10.0
MAX_PAUSE_S = 300.0
PAUSE_GROWTH = 2.0

# A failing processor must work for this long to be ok again; otherwise one that fails occasionally
# would be announced with every frame.
GOOD_FOR_S = 2.0

# The message is shown on a tile.
MAX_TEXT = 300

# The weight of each frame's time in the moving average.
WEIGHT = 0.1


class Health:
    """Rates one processor by its outcome on each frame. Times are passed in, monotonic seconds.

    Args:
        processor: The processor.

    Attributes:
        state: ``ok``; ``slow``, the slowest while all of them together are too slow for the frame
            rate; ``failing``, it failed within the last two seconds; ``skipped``, it failed
            repeatedly and is left out for a while; ``stuck``, likewise because it did not return.
        message: What is wrong, for people; empty if nothing is.
        errors: The number of frames it has failed on.
        ms: Its average time for a frame, in milliseconds; None until known.
    """

    def __init__(self, processor: Processor) -> None:
        self.name = processor.name
        self.required = processor.required
        self.state: HealthState = "ok"
        self.message = ""
        self.errors = 0
        self.ms: float | None = None
        self._worked = 0
        self._failures = 0
        self._failed_at = 0.0
        self._pause_s = 0.0
        self._retry_at = 0.0

    def may_run(self, now: float) -> bool:
        """Return whether it may process the next frame."""
        return self.state not in ("skipped", "stuck") or now >= self._retry_at

    @property
    def is_out(self) -> bool:
        """Whether it is currently left out."""
        return self.state in ("skipped", "stuck")

    def succeed(self, now: float, ms: float) -> None:
        """Record a frame that it has processed."""
        # A plain mean at first, so that the slow first frame does not dominate for long.
        self._worked += 1
        self.ms = (self.ms or 0.0) + max(WEIGHT, 1 / self._worked) * (ms - (self.ms or 0.0))
        self._failures = 0
        self._pause_s = 0.0
        if self.is_out:
            self.state = "failing"  # Until it has worked for a while.
            self._failed_at = now
        if self.state == "failing" and now - self._failed_at > GOOD_FOR_S:
            self.state, self.message = "ok", ""

    def fail(self, now: float, reason: str, stuck: bool = False) -> None:
        """Record a frame that it has failed on, and why."""
        # The text may come from users' code: no control characters, no broken UTF-8.
        reason = "".join(char if char.isprintable() else "?" for char in reason[:MAX_TEXT])
        # After a pause, one failure is enough.
        out = self.is_out
        self._failures += 1
        self.errors += 1
        self._failed_at = now
        if stuck or out or self._failures >= MAX_FAILURES:
            grown = self._pause_s * PAUSE_GROWTH
            self._pause_s = min(MAX_PAUSE_S, max(FIRST_PAUSE_S, grown))
            self._retry_at = now + self._pause_s
            self.state = "stuck" if stuck else "skipped"
            self.message = f"{reason}; left out for {self._pause_s:g} s"
        else:
            self.state, self.message = "failing", reason

    def keep_pace(self, too_slow: bool, message: str) -> None:
        """Set whether it is too slow for the frame rate, and the message to show."""
        if too_slow and self.state in ("ok", "slow"):
            self.state, self.message = "slow", message
        elif not too_slow and self.state == "slow":
            self.state, self.message = "ok", ""

    def reset(self) -> None:
        """Let it run again now, and forget its failures."""
        self.state, self.message = "ok", ""
        self._failures = 0
        self._pause_s = self._retry_at = 0.0

    def describe(self) -> dict[str, Any]:
        """Return its entry of STATE's ``process``."""
        ms = None if self.ms is None else round(self.ms, 1)
        return {
            "name": self.name,
            "state": self.state,
            "message": self.message,
            "ms": ms,
            "errors": self.errors,
        }
