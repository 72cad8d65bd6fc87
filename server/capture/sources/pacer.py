"""Paces a source that could otherwise run ahead of its frame rate."""

import time

from server.loop import native

__all__ = ["Pacer"]

# With longer waits, a camera at 0.1 fps could take ten seconds to stop.
MAX_WAIT_S = 0.2

# If it is further behind than this, the schedule restarts instead of catching up in a burst.
TOLERATED_DELAY_S = 0.25


class Pacer:
    """Waits until the next picture is due. Used by one native thread at a time."""

    def __init__(self) -> None:
        self._due = time.monotonic()

    def schedule(self, interval_s: float) -> None:
        """Make the next picture due ``interval_s`` after the previous one."""
        now = time.monotonic()
        self._due += interval_s
        if now - self._due > TOLERATED_DELAY_S:
            self._due = now

    def wait(self) -> bool:
        """Block briefly, at most until the picture is due; return whether it is."""
        remaining = self._due - time.monotonic()
        if remaining > 0:
            native.sleep(min(remaining, MAX_WAIT_S))
        return remaining <= MAX_WAIT_S
