"""Decides when to retry a source that has failed."""

import random
import time

__all__ = ["REFUSED_S", "Retry"]

# A source that never worked, or has been gone for long.
FIRST_S = 1.0
MAX_S = 10.0
GROWTH = 1.6

# A source that worked a moment ago is retried more often for a while: it may be back any time.
EAGER_FIRST_S = 0.4
EAGER_MAX_S = 1.2
EAGER_FOR_S = 180.0

# Shortest pause between two tries, however long the first of them took.
PAUSE_S = 0.25

REFUSED_S = 300.0
"""How long a source that refuses the login is left alone: more tries could lock the account."""

# The first wait if the login has worked before: a restarting camera may refuse it for a moment.
REFUSED_ONCE_S = 10.0


class Retry:
    """Decides when to retry one source.

    Waits count from the beginning of a try, and vary a little so that many cameras are not tried
    in step. They continue while nobody watches, so that viewers who come and go do not hammer a
    dead camera.

    Attributes:
        refused: Whether the source has refused the login, so that even checks must wait.
    """

    def __init__(self) -> None:
        self.refused = False
        self._began = 0.0
        self._at = 0.0
        self._failures = 0
        self._refusals = 0
        self._well_at = float("-inf")
        self._has_worked = False

    @property
    def left_s(self) -> float:
        """Seconds until the source may be tried; 0 for now."""
        return max(0.0, self._at - time.monotonic())

    def begin(self) -> None:
        """Note that a try begins."""
        self._began = time.monotonic()

    def succeed(self) -> None:
        """Note that the source delivers pictures."""
        self._has_worked = True
        self._refusals = 0
        self.refused = False

    def fail(self, well: bool) -> None:
        """Note that the source failed.

        Args:
            well: Whether it had delivered pictures for a while; then it may be retried now.
        """
        now = time.monotonic()
        if well:
            self._well_at, self._failures, self._at = now, 0, 0.0
            return
        eager = now - self._well_at < EAGER_FOR_S
        first_s, max_s = (EAGER_FIRST_S, EAGER_MAX_S) if eager else (FIRST_S, MAX_S)
        # Bound the exponent; the maximum wait is reached long before.
        wait_s = min(max_s, first_s * GROWTH ** min(self._failures, 10))
        self._failures += 1
        self._at = max(self._began + wait_s * random.uniform(0.8, 1.2), now + PAUSE_S)

    def refuse(self) -> None:
        """Note that the source refused the login."""
        once = self._has_worked and not self._refusals
        wait_s = REFUSED_ONCE_S if once else REFUSED_S
        self._refusals += 1
        self.refused = True
        self._at = time.monotonic() + wait_s

    def reset(self) -> None:
        """Allow a try now, and forget earlier failures."""
        self.refused = False
        self._at = 0.0
        self._failures = self._refusals = 0
