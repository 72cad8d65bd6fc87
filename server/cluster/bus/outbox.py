"""Sends a node's small messages in order, in one green thread."""

import logging
import time
from collections import deque
from collections.abc import Callable

from server.cluster.bus.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS, Bus
from server.cluster.bus.messages import Message
from server.loop import hub

__all__ = ["Outbox"]

log = logging.getLogger(__name__)

# When full, the oldest message is dropped and counted, so that memory is bounded without the bus.
MAX_PENDING = 256

# Older messages are dropped: they are outdated, or their sender no longer waits.
MAX_AGE_S = 1.5

CLOSE_TIMEOUT_S = 0.5


class Outbox:
    """Sends messages in order, drops those that are too old, and never blocks the sender.

    Args:
        bus: The Redis server.
        clock: Returns monotonic seconds.
    """

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._clock = clock
        self._pending: deque[tuple[float, str, bytes]] = deque()
        self._arrived = hub.Signal()
        self._task: hub.Task | None = None
        self._closing = False
        self.dropped = 0
        """Number of messages never sent."""

    def open(self) -> None:
        """Start sending."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Send pending messages within ``CLOSE_TIMEOUT_S``, and stop."""
        self._closing = True
        self._arrived.set()
        if self._task and not self._task.join(CLOSE_TIMEOUT_S):
            self._task.kill()

    def send(self, channel: str, message: Message) -> None:
        """Queue a message; does not block."""
        if len(self._pending) >= MAX_PENDING:
            self._pending.popleft()
            self.dropped += 1
        data = message.model_dump_json(exclude_none=False).encode()
        self._pending.append((self._clock(), channel, data))
        self._arrived.set()

    def _run(self) -> None:
        client = self._bus.client()
        backoff = Backoff()
        while True:
            if not self._pending:
                if self._closing:
                    return
                self._arrived.wait()
                continue
            since, channel, data = self._pending.popleft()
            if self._clock() - since > MAX_AGE_S:
                self.dropped += 1
                continue
            try:
                client.publish(channel, data)
                backoff.reset()
            except BUS_ERRORS as error:
                # Do not retry: the message may have arrived, and a command must not run twice.
                self.dropped += 1
                log.debug("message dropped: %s", type(error).__name__)
                if self._closing:
                    return
                hub.sleep(backoff.next_s())
