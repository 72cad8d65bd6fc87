"""How often passwords may be tried, per address and per name."""

import time

import flask
import limits
from flask_limiter import Limiter

from server.web.peer import network_of

__all__ = ["Guesses", "TooManyGuesses"]

# Every try counts, right or wrong: tries made at the same time must not all pass before the first
# is counted. One address alone stays below what locks a name, or anybody could lock anyone out.
PER_ADDRESS = limits.parse("10 per 5 minutes")
PER_NAME = limits.parse("30 per 10 minutes")


class TooManyGuesses(Exception):
    """Passwords were tried too often.

    Attributes:
        retry_after_s: In so many seconds it may be tried again.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many attempts; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Guesses:
    """The budget of tries, for the login form and HTTP Basic together.

    Args:
        application: Whose login it is.
        storage: Where Flask-Limiter counts; a Redis URL lets several processes count together.
    """

    def __init__(self, application: flask.Flask, storage: str = "memory://") -> None:
        # Nothing but passwords is limited here, so it need not look at every request.
        self._limiter = Limiter(
            _nobody,
            app=application,
            storage_uri=storage,
            strategy="moving-window",
            enabled=True,
        )

    def count(self, address: str, name: str) -> None:
        """Count a try before it is made.

        Raises:
            TooManyGuesses: If it must not be made.
        """
        self._hit(PER_ADDRESS, "address", network_of(address))
        self._hit(PER_NAME, "name", name[:80])

    def _hit(self, limit: limits.RateLimitItem, *key: str) -> None:
        counter = self._limiter.limiter
        if not counter.hit(limit, "password", *key):
            until = counter.get_window_stats(limit, "password", *key).reset_time
            raise TooManyGuesses(max(1, round(until - time.time() + 0.5)))


def _nobody() -> str:
    return ""
