"""Holds a source that could run ahead to the pace of its own clock."""

import time

from server.loop import native

__all__ = ["Pacer"]

# A wait in one piece would keep a camera at 0.1 fps from being stopped for ten seconds.
MAX_WAIT_S = 0.2

# Further behind than this the schedule starts anew, instead of catching up in a burst.
TOLERATED_DELAY_S = 0.25


class Pacer:
    """Says when the next picture is due. Used by one native thread at a time."""

    def __init__(self) -> None:
        self._due = time.monotonic()

    def schedule(self, interval_s: float) -> None:
        """Make the next picture due ``interval_s`` after the one before it."""
        now = time.monotonic()
        self._due += interval_s
        if now - self._due > TOLERATED_DELAY_S:
            self._due = now

    def wait(self) -> bool:
        """Block until the picture is due, but not for long; return whether it is."""
        remaining = self._due - time.monotonic()
        if remaining > 0:
            native.sleep(min(remaining, MAX_WAIT_S))
        return remaining <= MAX_WAIT_S
