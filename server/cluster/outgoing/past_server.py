"""Answers other nodes that look back at cameras of this one."""

import logging
from collections import deque
from collections.abc import Callable

from server.backoff import Backoff
from server.capture.frames.unit import Unit
from server.cluster.bus.bus import BUS_ERRORS, Bus
from server.cluster.bus.past_message import MAX_PART_BYTES, PastFacts, PastRequest, pack_part
from server.errors import RequestError
from server.loop import hub
from server.recording.memory import Memory

__all__ = ["PastServer"]

log = logging.getLogger(__name__)

# When full, the oldest request is dropped: whoever asked has given up, or asks again.
MAX_WAITING = 64


class PastServer:
    """Reads from this node's buffers and sends what it finds, one request after the other.

    Args:
        bus: The Redis server.
        node: This node's id.
        memory_of: Returns what is kept of one of our cameras; None for nothing.
    """

    def __init__(self, bus: Bus, node: str, memory_of: Callable[[str], Memory | None]) -> None:
        self._bus = bus
        self._node = node
        self._memory_of = memory_of
        self._waiting: deque[PastRequest] = deque(maxlen=MAX_WAITING)
        self._arrived = hub.Signal()
        self._task: hub.Task | None = None

    def open(self) -> None:
        """Start answering."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Stop answering."""
        if self._task:
            self._task.kill()

    def on_request(self, request: PastRequest) -> None:
        """Have a request answered; returns at once."""
        self._waiting.append(request)
        self._arrived.set()

    def _run(self) -> None:
        client = self._bus.client()
        backoff = Backoff()
        while True:
            while not self._waiting:
                self._arrived.wait()
            request = self._waiting.popleft()
            try:
                client.publish(self._bus.name("past", request.node), self._answer(request))
                backoff.reset()
            except BUS_ERRORS as error:
                log.debug("past not sent: %s", type(error).__name__)
                hub.sleep(backoff.next_s())
            except Exception:
                log.exception("camera=%s past failed", request.camera)

    def _answer(self, request: PastRequest) -> bytes:
        try:
            facts, units = self._read(request)
        except RequestError as error:
            facts, units = PastFacts(error=error.code, message=str(error)[:400]), []
        return pack_part(request.id, self._node, facts, units)

    def _read(self, request: PastRequest) -> tuple[PastFacts, list[Unit]]:
        memory = self._memory_of(request.camera)
        span = memory.span if memory is not None else None
        if memory is None or span is None:
            return PastFacts(), []
        before, after = memory.neighbours(request.at)
        units: list[Unit] = []
        more = False
        if not request.empty:
            until = request.at if request.until is None else max(request.at, request.until)
            whole = memory.between(request.at, until) or memory.find(request.at)
            units, more = _first([one for one in whole if one.seq > request.after])
        if units:
            before, _ = memory.neighbours(units[0].at_unix)
            _, after = memory.neighbours(units[-1].at_unix)
        begin, end = span
        return PastFacts(begin=begin, end=end, before=before, after=after, more=more), units


def _first(units: list[Unit]) -> tuple[list[Unit], bool]:
    """Return as many as one part holds, and whether there are more."""
    size = 0
    for at, one in enumerate(units):
        size += len(one.data)
        if size > MAX_PART_BYTES and at:
            return units[:at], True
    return units, False
