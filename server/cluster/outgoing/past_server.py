"""Answers other nodes that look back at cameras of this one."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from server.backoff import Backoff
from server.capture.frames.unit import Unit
from server.cluster.bus.bus import BUS_ERRORS, Bus
from server.cluster.bus.past_message import MAX_PART_BYTES, PastFacts, PastRequest, pack_part
from server.errors import PictureError, RequestError
from server.loop import hub
from server.recording.media.fragments import Kept, StoredUnit, loaded
from server.recording.memory import Memory
from server.recording.past import Past

__all__ = ["PastServer"]

log = logging.getLogger(__name__)

# When full, the oldest request is dropped: whoever asked has given up, or asks again.
MAX_WAITING = 64


class PastServer:
    """Reads from this node's buffers and sends what it finds, one request after the other.

    Args:
        bus: The Redis server.
        node: This node's id.
        memory_of: Returns what is remembered of one of our cameras; None for nothing.
        past: All that is kept of them.
    """

    def __init__(
        self, bus: Bus, node: str, memory_of: Callable[[str], Memory | None], past: Past
    ) -> None:
        self._bus = bus
        self._node = node
        self._memory_of = memory_of
        self._past = past
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
            facts, units = self._read_deep(request) if request.deep else self._read(request)
        except (RequestError, PictureError, OSError) as error:
            code = error.code if isinstance(error, RequestError) else "unavailable"
            facts, units = PastFacts(error=code, message=str(error)[:400]), []
        return pack_part(request.id, self._node, facts, units)

    def _read(self, request: PastRequest) -> tuple[PastFacts, list[Unit]]:
        memory = self._memory_of(request.camera)
        span = memory.span if memory is not None else None
        if memory is None or span is None:
            return PastFacts(), []
        facts: dict[str, Any] = {"begin": span[0], "end": span[1]}
        if request.empty:
            units: list[Unit] = []
            facts["before"], facts["after"] = memory.neighbours(request.at)
        elif request.lead:
            lead = memory.lead(request.at)
            units = [*lead.units, *lead.push]
            facts |= {"pushed": len(lead.push), "newest": lead.newest}
            facts["before"], facts["after"] = memory.neighbours(lead.units[-1].at_unix)
        else:
            until = request.at if request.until is None else max(request.at, request.until)
            units = memory.between(request.at, until) or memory.find(request.at)
            times = [one.shown_unix for one in units]
            facts["before"], _ = memory.neighbours(min(times))
            _, facts["after"] = memory.neighbours(max(times))
        part, more = _first([one for one in units if one.seq > request.after])
        return PastFacts(**facts, more=more), [loaded(one) for one in part]

    def _read_deep(self, request: PastRequest) -> tuple[PastFacts, list[Unit]]:
        camera, past = request.camera, self._past
        span = past.span(camera)
        if span is None or self._memory_of(camera) is None:
            return PastFacts(), []
        units: Sequence[Kept] = []
        if not request.empty:
            at, until = request.at, request.until
            units = past.find(camera, at) if until is None else past.between(camera, at, until)
        part, more = _first(_after(units, request.after_at))
        facts = PastFacts(begin=span[0], end=span[1], more=more)
        return facts, hub.run_native(lambda: [replace(loaded(one), seq=1) for one in part])


def _after(units: Sequence[Kept], last_unix: float | None) -> Sequence[Kept]:
    """Return the units after the last one that was sent, of which only the time is known."""
    times = [one.shown_unix for one in units]
    if last_unix is None or not times or last_unix < min(times):
        return units
    nearest = min(range(len(times)), key=lambda at: abs(times[at] - last_unix))
    return units[nearest + 1 :]


def _first(units: Sequence[Kept]) -> tuple[Sequence[Kept], bool]:
    """Return as many as one part holds, and whether there are more."""
    size = 0
    for at, one in enumerate(units):
        size += one.nbytes if isinstance(one, StoredUnit) else len(one.data)
        if size > MAX_PART_BYTES and at:
            return units[:at], True
    return units, False
