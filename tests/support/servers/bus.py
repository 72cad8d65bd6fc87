"""A fake bus that the test controls."""

import queue
from collections.abc import Iterator

import redis

from server.loop import hub


class FakeClient:
    """Records what is published, fails, or hangs."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes]] = []
        self.failures = 0
        """How many of the next messages it rejects."""
        self.hangs = False
        self.connection_pool = self

    def publish(self, channel: str, data: bytes) -> int:
        while self.hangs:
            hub.sleep(0.001)
        if self.failures:
            self.failures -= 1
            raise redis.ConnectionError("gone")
        self.published.append((channel, data))
        return 1

    def disconnect(self) -> None:
        """Do nothing."""


class FakeBus:
    """Hands out one shared client."""

    place = "nowhere:6379"

    def __init__(self) -> None:
        self.commands = FakeClient()

    def client(self) -> FakeClient:
        return self.commands

    def name(self, *parts: str) -> str:
        return ":".join(("test", *parts))


class FakeSubscription:
    """Delivers the messages that the test gives it; replaces ``Subscription``."""

    def __init__(self) -> None:
        self.connected = 0
        self.closed = 0
        self._coming: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()

    def __call__(self, _bus: object, channel: str) -> "FakeSubscription":
        self.connected += 1
        self.channel = channel
        return self

    def give(self, *items: bytes | Exception) -> None:
        """Deliver these messages immediately; an exception is raised instead."""
        for item in items:
            self._coming.put(item)

    def messages(self) -> Iterator[tuple[str, bytes] | None]:
        while True:
            message = self.more()
            if message is not None:
                yield message
            hub.sleep(0.001)

    def more(self) -> tuple[str, bytes] | None:
        if self._coming.empty():
            return None
        item = self._coming.get()
        if isinstance(item, Exception):
            raise item
        return self.channel, item

    def more_count(self) -> int:
        """Return how many messages are still waiting."""
        return self._coming.qsize()

    def close(self) -> None:
        self.closed += 1
