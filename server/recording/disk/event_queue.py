"""Events waiting to be written: the latest values and picture of each."""

from collections.abc import Callable

from server.loop import native
from server.recording.disk.index import Event

__all__ = ["MAX_EVENTS", "EventQueue"]

MAX_EVENTS = 200
"""The most that wait while the disk is full; then the oldest is dropped."""


class EventQueue:
    """Filled by the hub, emptied by the writer's thread."""

    def __init__(self) -> None:
        self._lock = native.threading.Lock()
        self._waiting: dict[str, tuple[Event, bytes | None]] = {}

    def put(self, event: Event, jpeg: bytes | None) -> None:
        """Queue an event's latest values, and its best picture if there is a new one."""
        with self._lock:
            _, before = self._waiting.pop(event.id, (None, None))
            self._waiting[event.id] = event, jpeg or before
            if len(self._waiting) > MAX_EVENTS:
                del self._waiting[next(iter(self._waiting))]

    def update(self, event: Event) -> None:
        """Update an event that is waiting; otherwise do nothing."""
        with self._lock:
            if (before := self._waiting.get(event.id)) is not None:
                self._waiting[event.id] = event, before[1]

    def find(self, key: str) -> tuple[Event, bytes | None] | None:
        """Return a waiting event and its new picture, if any; None if it is not waiting."""
        with self._lock:
            return self._waiting.get(key)

    def remove(self, key: str) -> None:
        """Remove an event from the queue."""
        with self._lock:
            self._waiting.pop(key, None)

    def drain(self, write: Callable[[Event, bytes | None], None]) -> None:
        """Write each in turn; if ``write`` raises, that one and the rest stay queued."""
        while True:
            with self._lock:
                waiting = next(iter(self._waiting.values()), None)
            if waiting is None:
                return
            write(*waiting)
            with self._lock:
                if self._waiting.get(waiting[0].id) is waiting:
                    del self._waiting[waiting[0].id]
