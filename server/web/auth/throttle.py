"""Limits password attempts per address, per name and per device."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import flask
import limits
import limits.errors
import limits.storage
import limits.strategies
from flask_limiter import Limiter

from server.addresses import network_of

__all__ = ["LoginThrottle", "TooManyAttempts"]

log = logging.getLogger(__name__)

# Every attempt counts, right or wrong: otherwise simultaneous attempts could all pass before the
# first is counted. The limit per address is lower than the one per name, so that a single address
# cannot lock a user out.
PER_ADDRESS = limits.parse("10 per 5 minutes")
PER_NAME = limits.parse("30 per 10 minutes")

# A browser that has logged in before is counted separately, so that others' attempts under its
# user's name or from its address do not lock it out. See OWASP's "Slow down online guessing
# attacks with device cookies".
PER_DEVICE = limits.parse("10 per 5 minutes")


class TooManyAttempts(Exception):
    """Passwords were tried too often.

    Attributes:
        retry_after_s: Seconds until the next attempt is allowed.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many attempts; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class LoginThrottle:
    """The limits on attempts, for the login form and HTTP Basic together.

    Args:
        application: The Flask application.
        storage: URL of Flask-Limiter's storage; with Redis, several processes count together.
        options: Options for the storage.
    """

    def __init__(
        self,
        application: flask.Flask,
        storage: str = "memory://",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        # The limiter is not applied to requests: the methods below count only password attempts.
        self._limiter = Limiter(
            _nobody,
            app=application,
            storage_uri=storage,
            storage_options=dict(options or {}),
            strategy="moving-window",
            enabled=True,
        )
        # Counts in this process while the storage is unreachable.
        self._local = limits.strategies.MovingWindowRateLimiter(limits.storage.MemoryStorage())

    def count(self, address: str, name: str, known_there: bool = False) -> None:
        """Count an attempt before it is made.

        Args:
            address: The client's address.
            name: The user name that is tried.
            known_there: Whether that network has sent the correct password before. If so, attempts
                under the same name from elsewhere do not lock it out.

        Raises:
            TooManyAttempts: If the attempt is not allowed.
        """
        self._spend(1, PER_ADDRESS, "address", network_of(address))
        if not known_there:
            self._spend(1, PER_NAME, "name", name.casefold()[:80])

    def count_device(self, device: str) -> None:
        """Count an attempt from a browser where the user has logged in before.

        Raises:
            TooManyAttempts: If the attempt is not allowed.
        """
        self._spend(1, PER_DEVICE, "device", device)

    def check(self, address: str) -> None:
        """Check an address without counting an attempt.

        Raises:
            TooManyAttempts: If the address has no attempts left.
        """
        self._spend(0, PER_ADDRESS, "address", network_of(address))

    def _spend(self, tries: int, limit: limits.RateLimitItem, *key: str) -> None:
        try:
            self._spend_at(self._limiter.limiter, tries, limit, *key)
        except limits.errors.StorageError:
            log.warning("login attempts are counted by this process alone: the bus is unavailable")
            self._spend_at(self._local, tries, limit, *key)

    def _spend_at(
        self,
        counter: limits.strategies.RateLimiter,
        tries: int,
        limit: limits.RateLimitItem,
        *key: str,
    ) -> None:
        spend = counter.hit if tries else counter.test
        if not spend(limit, "password", *key):
            until = counter.get_window_stats(limit, "password", *key).reset_time
            wait_s = until - time.time()
            if wait_s > 2 * limit.get_expiry():
                # The clock was set back, so these attempts would count for far too long.
                counter.clear(limit, "password", *key)
                self._spend_at(counter, tries, limit, *key)
                return
            raise TooManyAttempts(max(1, round(wait_s + 0.5)))


def _nobody() -> str:
    return ""
