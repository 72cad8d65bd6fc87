"""What a node says: small messages, sent one after the other by a green thread of its own."""

import logging
import time
from collections import deque
from collections.abc import Callable

from server.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS, Bus
from server.cluster.bus.messages import Message
from server.loop import hub

__all__ = ["Outbox"]

log = logging.getLogger(__name__)

# Full, the oldest makes room, and is counted: while the bus is away nothing may grow.
MAX_PENDING = 256

# What could not be said in this time is no longer true, or nobody waits for it any more.
FRESH_S = 1.5

FAREWELL_S = 0.5


class Outbox:
    """Sends messages in order, drops what has grown old, and never makes anyone wait.

    Args:
        bus: Where to send.
        clock: Monotonic seconds.
    """

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._clock = clock
        self._waiting: deque[tuple[float, str, bytes]] = deque()
        self._arrived = hub.Signal()
        self._task: hub.Task | None = None
        self._closing = False
        self.dropped = 0
        """How many messages were never sent."""

    def open(self) -> None:
        """Begin to send."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Send what waits, if that can be done at once, and end."""
        self._closing = True
        self._arrived.set()
        if self._task and not self._task.join(FAREWELL_S):
            self._task.kill()

    def send(self, channel: str, message: Message) -> None:
        """Have a message sent; returns at once."""
        if len(self._waiting) >= MAX_PENDING:
            self._waiting.popleft()
            self.dropped += 1
        data = message.model_dump_json(exclude_none=False).encode()
        self._waiting.append((self._clock(), channel, data))
        self._arrived.set()

    def _run(self) -> None:
        client = self._bus.client()
        backoff = Backoff()
        while True:
            if not self._waiting:
                if self._closing:
                    return
                self._arrived.wait()
                continue
            since, channel, data = self._waiting.popleft()
            if self._clock() - since > FRESH_S:
                self.dropped += 1
                continue
            try:
                client.publish(channel, data)
                backoff.reset()
            except BUS_ERRORS as error:
                # Whether it was heard is not known; said twice would be worse for a request.
                self.dropped += 1
                log.debug("not said: %s", type(error).__name__)
                if self._closing:
                    return
                hub.sleep(backoff.next_s())
