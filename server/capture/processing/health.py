"""How one processor does, what people are told of it, and when it is left alone."""

from typing import Any, Literal, TypeAlias

from server.config.processors import Processor

__all__ = ["Health", "HealthState"]

HealthState: TypeAlias = Literal["ok", "slow", "failing", "skipped", "stuck"]

# After so many failures in a row it is skipped.
PATIENCE = 5

PAUSE_FIRST_S = 10.0
PAUSE_LONGEST_S = 300.0
PAUSE_GROWTH = 2.0

# One that fails now and then keeps being called so: it would be announced with every frame.
GOOD_FOR_S = 2.0

# Users read it on a tile.
MAX_TEXT = 300

# How much of each frame's time becomes the average.
WEIGHT = 0.1


class Health:
    """Judges one processor by what comes of it, frame by frame. Time is passed in, monotonic.

    Args:
        processor: Which.

    Attributes:
        state: ``ok``; ``slow``, it takes most of more time than there is; ``failing``, it failed
            within the last two seconds; ``skipped``, it failed again and again and is left out for
            a while; ``stuck``, the same because it did not return.
        message: What is wrong, for people; empty while nothing is.
        errors: How many frames it has failed on.
        ms: What it takes for a frame, in milliseconds, on average; None until known.
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
        self._again_at = 0.0

    def may_run(self, now: float) -> bool:
        """Return whether it is to be given the next frame."""
        return self.state not in ("skipped", "stuck") or now >= self._again_at

    @property
    def is_out(self) -> bool:
        """Whether it is left out at present."""
        return self.state in ("skipped", "stuck")

    def succeed(self, now: float, ms: float) -> None:
        """Note a frame that it has worked on."""
        # A plain mean at first: what the first frame took to load should not stay in it for long.
        self._worked += 1
        self.ms = (self.ms or 0.0) + max(WEIGHT, 1 / self._worked) * (ms - (self.ms or 0.0))
        self._failures = 0
        self._pause_s = 0.0
        if self.is_out:
            self.state = "failing"  # Until it has been good for a while.
            self._failed_at = now
        if self.state == "failing" and now - self._failed_at > GOOD_FOR_S:
            self.state, self.message = "ok", ""

    def fail(self, now: float, reason: str, stuck: bool = False) -> None:
        """Note a frame that it has failed on, and why."""
        # It is users' code that speaks: nothing of it may paint a terminal or break UTF-8.
        reason = "".join(sign if sign.isprintable() else "?" for sign in reason[:MAX_TEXT])
        # On trial after a pause, one failure is enough.
        out = self.is_out
        self._failures += 1
        self.errors += 1
        self._failed_at = now
        if stuck or out or self._failures >= PATIENCE:
            grown = self._pause_s * PAUSE_GROWTH
            self._pause_s = min(PAUSE_LONGEST_S, max(PAUSE_FIRST_S, grown))
            self._again_at = now + self._pause_s
            self.state = "stuck" if stuck else "skipped"
            self.message = f"{reason}; left out for {self._pause_s:g} s"
        else:
            self.state, self.message = "failing", reason

    def keep_pace(self, too_slow: bool, message: str) -> None:
        """Say whether it is what makes the camera late, and in which words."""
        if too_slow and self.state in ("ok", "slow"):
            self.state, self.message = "slow", message
        elif not too_slow and self.state == "slow":
            self.state, self.message = "ok", ""

    def forgive(self) -> None:
        """Let it try anew at once."""
        self.state, self.message = "ok", ""
        self._failures = 0
        self._pause_s = self._again_at = 0.0

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
