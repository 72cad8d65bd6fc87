"""Delays between retries."""

import random

__all__ = ["Backoff"]

FIRST_S = 0.05
MAX_DELAY_S = 0.6
GROWTH = 2.0


class Backoff:
    """Delays that grow with every failure, stay below a second, and are jittered."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def next_s(self) -> float:
        """Return how long to wait before the next attempt, in seconds."""
        wait_s, self._next_s = self._next_s, min(MAX_DELAY_S, self._next_s * GROWTH)
        return wait_s * random.uniform(0.7, 1.3)

    def reset(self) -> None:
        """Start over after a success."""
        self._next_s = FIRST_S
