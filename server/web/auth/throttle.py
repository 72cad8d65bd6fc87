"""How often passwords may be tried, per address and per name."""

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

# Every try counts, right or wrong: tries made at the same time must not all pass before the first
# is counted. One address alone stays below what locks a name, or anybody could lock anyone out.
PER_ADDRESS = limits.parse("10 per 5 minutes")
PER_NAME = limits.parse("30 per 10 minutes")

# A browser that has logged in before counts by itself, so that strangers who try its owner's name,
# or share its address, do not lock it out. See OWASP's "Slow down online guessing attacks with
# device cookies".
PER_DEVICE = limits.parse("10 per 5 minutes")


class TooManyAttempts(Exception):
    """Passwords were tried too often.

    Attributes:
        retry_after_s: In so many seconds it may be tried again.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many attempts; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class LoginThrottle:
    """The budget of tries, for the login form and HTTP Basic together.

    Args:
        application: Whose login it is.
        storage: Where Flask-Limiter counts; with Redis, several processes count together.
        options: Of the storage.
    """

    def __init__(
        self,
        application: flask.Flask,
        storage: str = "memory://",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        # Nothing but passwords is limited here, so it need not look at every request.
        self._limiter = Limiter(
            _nobody,
            app=application,
            storage_uri=storage,
            storage_options=dict(options or {}),
            strategy="moving-window",
            enabled=True,
        )
        # While the storage is away this process counts alone, which is better than not at all.
        self._alone = limits.strategies.MovingWindowRateLimiter(limits.storage.MemoryStorage())

    def count(self, address: str, name: str, known_there: bool = False) -> None:
        """Count a try before it is made.

        Args:
            address: Where it comes from.
            name: Whose password is tried.
            known_there: Whether the right password came from that network before. Then strangers
                who try the name elsewhere do not count against it.

        Raises:
            TooManyAttempts: If it must not be made.
        """
        self._spend(1, PER_ADDRESS, "address", network_of(address))
        if not known_there:
            self._spend(1, PER_NAME, "name", name.casefold()[:80])

    def count_device(self, device: str) -> None:
        """Count a try of a browser that its owner has logged in from before.

        Raises:
            TooManyAttempts: If it must not be made.
        """
        self._spend(1, PER_DEVICE, "device", device)

    def check(self, address: str) -> None:
        """Count nothing.

        Raises:
            TooManyAttempts: If an address has no try left.
        """
        self._spend(0, PER_ADDRESS, "address", network_of(address))

    def _spend(self, tries: int, limit: limits.RateLimitItem, *key: str) -> None:
        try:
            self._spend_at(self._limiter.limiter, tries, limit, *key)
        except limits.errors.StorageError:
            log.warning("tries are counted by this process alone: the bus is away")
            self._spend_at(self._alone, tries, limit, *key)

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
            raise TooManyAttempts(max(1, round(until - time.time() + 0.5)))


def _nobody() -> str:
    return ""
