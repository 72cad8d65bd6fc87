"""Answers other nodes that look back at this node's cameras."""

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from typing import Any

from server.capture.frames.unit import Unit
from server.cluster.bus.bus import Bus
from server.cluster.bus.past_message import MAX_PART_BYTES, PastFacts, PastRequest, pack_part
from server.cluster.outgoing.answering import Answering
from server.errors import PictureError, RequestError
from server.loop import hub
from server.recording.library import Library
from server.recording.media.fragments import Kept, StoredUnit, loaded
from server.recording.memory import Memory
from server.recording.past import Past

__all__ = ["PastServer"]


class PastServer:
    """Reads from this node's memory and disk, and sends one answer at a time.

    Args:
        bus: The Redis server.
        node: This node's id.
        cameras: Names of this process's cameras; others are not served.
        memory_of: Returns a camera's memory; None if it has none.
        past: The past of all cameras, in memory and on disk.
        library: The recordings on disk.
    """

    def __init__(
        self,
        bus: Bus,
        node: str,
        cameras: Container[str],
        memory_of: Callable[[str], Memory | None],
        past: Past,
        library: Library,
    ) -> None:
        self._bus = bus
        self._node = node
        self._cameras = cameras
        self._memory_of = memory_of
        self._past = past
        self._library = library
        self._answering: Answering[PastRequest] = Answering(bus, self._publish, at_once=1)
        self.open, self.close = self._answering.open, self._answering.close
        self.on_request = self._answering.put

    def _publish(self, request: PastRequest) -> tuple[str, bytes]:
        return self._bus.name("past", request.node), self._answer(request)

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
        facts: dict[str, Any] = {"begin": span[0], "end": span[1], "gaps": tuple(memory.gaps)}
        if request.empty:
            units: list[Unit] = []
            facts["before"], facts["after"] = memory.neighbours(request.at)
        elif request.lead:
            lead = memory.decode_run(request.at)
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
        span = past.span(camera) if camera in self._cameras else None
        if span is None:
            return PastFacts(), []
        units: Sequence[Kept] = []
        if request.recording is not None:
            units = self._read_recording(request.recording, request.at)
        elif not request.empty:
            at, until = request.at, request.until
            units = past.find(camera, at) if until is None else past.between(camera, at, until)
        part, more = _first(_after(units, request.after_at))
        facts = PastFacts(begin=span[0], end=span[1], more=more)
        return facts, hub.run_native(lambda: [replace(loaded(one), seq=1) for one in part])

    def _read_recording(self, key: str, at_unix: float) -> Sequence[Kept]:
        found = self._library.recording(key)
        if found is None or found.camera not in self._cameras:
            return []
        return self._library.picture_units(found, at_unix)


def _after(units: Sequence[Kept], last_unix: float | None) -> Sequence[Kept]:
    """Return the units after the last one sent, of which only the time is known."""
    times = [one.shown_unix for one in units]
    if last_unix is None or not times or last_unix < min(times):
        return units
    nearest = min(range(len(times)), key=lambda at: abs(times[at] - last_unix))
    return units[nearest + 1 :]


def _first(units: Sequence[Kept]) -> tuple[Sequence[Kept], bool]:
    """Return as many units as fit into one part, and whether there are more."""
    size = 0
    for at, one in enumerate(units):
        size += one.nbytes if isinstance(one, StoredUnit) else len(one.data)
        if size > MAX_PART_BYTES and at:
            return units[:at], True
    return units, False
