"""When to try again."""

import random

__all__ = ["Backoff"]

FIRST_S = 0.05
MAX_DELAY_S = 0.6
GROWTH = 2.0


class Backoff:
    """Waits that grow with every failure and never exceed a second, out of step with others'."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def next_s(self) -> float:
        """Return for how long to wait now, in seconds."""
        wait_s, self._next_s = self._next_s, min(MAX_DELAY_S, self._next_s * GROWTH)
        return wait_s * random.uniform(0.7, 1.3)

    def reset(self) -> None:
        """Begin anew: it works."""
        self._next_s = FIRST_S
