"""Answers requests from other nodes in order, over separate connections."""

import logging
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from server.cluster.bus.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS, Bus
from server.loop import hub

__all__ = ["Answering"]

log = logging.getLogger(__name__)

# When full, the oldest request is dropped: its sender has given up, or will ask again.
MAX_WAITING = 64

T = TypeVar("T")


class Answering(Generic[T]):
    """Publishes answers, a limited number at a time.

    Args:
        bus: The Redis server.
        answer: Returns the channel and bytes of an answer; may block its green thread.
        at_once: Number of requests answered at the same time.
    """

    def __init__(self, bus: Bus, answer: Callable[[T], tuple[str, bytes]], at_once: int) -> None:
        self._bus = bus
        self._answer = answer
        self._waiting: deque[T] = deque(maxlen=MAX_WAITING)
        self._idle: list[hub.Signal] = []
        self._at_once = at_once
        self._tasks: list[hub.Task] = []

    def open(self) -> None:
        """Start answering."""
        self._tasks = [hub.spawn(self._run) for _ in range(self._at_once)]

    def close(self) -> None:
        """Stop answering."""
        for task in self._tasks:
            task.kill()

    def put(self, request: T) -> None:
        """Queue a request to be answered; does not block."""
        self._waiting.append(request)
        if self._idle:
            self._idle.pop().set()

    def _run(self) -> None:
        client = self._bus.client()
        backoff = Backoff()
        arrived = hub.Signal()
        while True:
            while not self._waiting:
                self._idle.append(arrived)
                arrived.wait()
            request = self._waiting.popleft()
            try:
                client.publish(*self._answer(request))
                backoff.reset()
            except BUS_ERRORS as error:
                log.debug("an answer was not sent: %s", type(error).__name__)
                hub.sleep(backoff.next_s())
            except Exception:
                log.exception("%s failed", type(request).__name__)
