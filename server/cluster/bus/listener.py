"""What a node hears: a connection for all small messages, kept up by a green thread of its own."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping

from server.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS, Bus, Subscription, reason_of
from server.cluster.bus.messages import Message, MessageError, parse_message
from server.loop import hub

__all__ = ["Listener", "handler_of"]

log = logging.getLogger(__name__)


class Listener:
    """Hears channels for as long as it is open, and says once when the bus is lost and back.

    Args:
        bus: What to hear.
        handlers: By channel; what they raise for junk is counted and goes no further.
        on_connected: Called whenever the channels are heard from now on.
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
        """Whether the bus is there."""
        self.junk: Counter[str] = Counter()
        """Messages that were none, by channel."""

    def open(self) -> None:
        """Begin to hear."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Hear no more."""
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
                log.exception("hearing failed")
                self.connected = False
            hub.sleep(backoff.next_s())

    def _receive(self, backoff: Backoff) -> None:
        subscription = Subscription(self._bus, *self._handlers)
        try:
            log.info("bus at %s is here", self._bus.place)
            self.connected = True
            self._on_connected()
            for message in subscription.messages():
                backoff.reset()
                if message is not None:
                    self._take(*message)
        finally:
            subscription.close()

    def _take(self, channel: str, data: bytes) -> None:
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
    """Return a handler that checks first; ``handle`` must be quick and must not wait."""
    return lambda data: handle(parse_message(kind, data))
