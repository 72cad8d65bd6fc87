"""Receives a node's small messages over one connection, reopened when lost."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping

from server.cluster.bus.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS, Bus, Subscription, reason_of
from server.cluster.bus.messages import Message, MessageError, parse_message
from server.loop import hub

__all__ = ["Listener", "handler_of"]

log = logging.getLogger(__name__)


class Listener:
    """Receives messages while open, and logs when the bus is lost and when it is back.

    Args:
        bus: The Redis server.
        handlers: One per channel; their exceptions are counted and do not stop the listener.
        on_connected: Called after every successful subscription.
    """

    def __init__(
        self,
        bus: Bus,
        handlers: Mapping[str, Callable[[bytes], None]],
        on_connected: Callable[[], None],
    ) -> None:
        self._bus = bus
        self._handlers = handlers
        self._on_connected = on_connected
        self._task: hub.Task | None = None
        self.connected = False
        """Whether the bus is connected."""
        self.junk: Counter[str] = Counter()
        """Invalid messages, by channel."""

    def open(self) -> None:
        """Start receiving."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Stop receiving."""
        if self._task:
            self._task.kill()

    def _run(self) -> None:
        backoff = Backoff()
        while True:
            try:
                self._receive(backoff)
            except BUS_ERRORS as error:
                if self.connected:
                    log.warning("bus at %s is lost: it %s", self._bus.place, reason_of(error))
                self.connected = False
            except Exception:
                log.exception("the bus listener failed")
                self.connected = False
            hub.sleep(backoff.next_s())

    def _receive(self, backoff: Backoff) -> None:
        subscription = Subscription(self._bus, *self._handlers)
        try:
            log.info("connected to the bus at %s", self._bus.place)
            self.connected = True
            self._on_connected()
            for message in subscription.messages():
                backoff.reset()
                if message is not None:
                    self._handle(*message)
        finally:
            subscription.close()

    def _handle(self, channel: str, data: bytes) -> None:
        handle = self._handlers.get(channel)
        if handle is None:
            return
        try:
            handle(data)
        except MessageError as error:
            self.junk[channel] += 1
            log.debug("channel=%s junk: %s", channel, error)
        except Exception:
            # A bad message must not stop the listener.
            self.junk[channel] += 1
            log.exception("channel=%s failed", channel)


def handler_of(kind: type[Message], handle: Callable[..., None]) -> Callable[[bytes], None]:
    """Return a handler that validates a message first; ``handle`` must not block."""
    return lambda data: handle(parse_message(kind, data))
