"""Answers other nodes' questions about this node's recordings and events."""

from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

from server.cluster.bus.bus import Bus
from server.cluster.bus.library_message import (
    MAX_PICTURE_BYTES,
    DayRow,
    LibraryFacts,
    Question,
    pack_answer,
)
from server.cluster.outgoing.answering import Answering
from server.errors import RequestError
from server.loop import hub
from server.recording.disk.index import Event, Recorded
from server.recording.disk.layout import camera_of
from server.recording.library import Library, Query

__all__ = ["LibraryServer"]

# Several, so that one waiting for a slow disk does not delay all others.
AT_ONCE = 3


class LibraryServer:
    """Answers questions about this node's library, and makes the changes operators request.

    Args:
        bus: The Redis server.
        node: This node's id.
        cameras: Names of this process's cameras; others are not served.
        library: The recordings and events.
        note: Writes each change, made or refused, to the audit log.
    """

    def __init__(
        self,
        bus: Bus,
        node: str,
        cameras: Container[str],
        library: Library,
        note: Callable[..., None],
    ) -> None:
        self._bus = bus
        self._node = node
        self._cameras = cameras
        self._library = library
        self._note = note
        self._answering: Answering[Question] = Answering(bus, self._publish, AT_ONCE)
        self.open, self.close = self._answering.open, self._answering.close
        self.on_question = self._answering.put

    def _publish(self, question: Question) -> tuple[str, bytes]:
        try:
            facts, piece = self._answer(question)
        except RequestError as error:
            facts, piece = LibraryFacts(error=error.code, message=str(error)[:400]), b""
        except OSError as error:
            why = error.strerror or type(error).__name__
            facts, piece = LibraryFacts(error="unavailable", message=why), b""
        if question.do in ("lock", "unlock", "delete"):
            self._audit(question, facts)
        answer = pack_answer(question.id, self._node, facts, piece)
        return self._bus.name("kept", question.node), answer

    def _audit(self, question: Question, facts: LibraryFacts) -> None:
        who, where = question.who or "somebody", f"node {question.node}"
        result = facts.error or ("ok" if facts.recordings or facts.events else "missing")
        about: dict[str, Any] = {"camera": camera_of(question.key), "id": question.key}
        self._note(who, f"{question.kind} {question.do}", where, result, by="bus", **about)

    def _answer(self, question: Question) -> tuple[LibraryFacts, bytes]:
        if question.do == "list":
            return self._list(question), b""
        if question.do == "count":
            return self._count(question), b""
        if camera_of(question.key) not in self._cameras:
            return LibraryFacts(), b""
        if question.do == "read":
            return LibraryFacts(), self._read(question)
        return _facts(self._change(question)), b""

    def _list(self, question: Question) -> LibraryFacts:
        cameras = self._ours(question)
        query = Query(cameras, question.since, question.before, question.limit, question.label)
        paused = self._library.problem[:400]
        if question.kind == "event":
            events = self._library.events(query)
            return LibraryFacts(events=events.rows, more=events.more, paused=paused)
        found = self._library.recordings(query)
        return LibraryFacts(recordings=found.rows, more=found.more, paused=paused)

    def _count(self, question: Question) -> LibraryFacts:
        days = self._library.days(question.month, self._ours(question))
        rows = [
            DayRow(day=day, camera=camera, **counts)
            for day, cameras in days.items()
            for camera, counts in cameras.items()
        ]
        return LibraryFacts(days=rows)

    def _ours(self, question: Question) -> list[str]:
        return [one for one in question.cameras if one in self._cameras]

    def _read(self, question: Question) -> bytes:
        key, library = question.key, self._library
        if question.kind == "event":
            event = library.event(key)
            picture = library.picture_of(event) if event is not None else None
            if picture is not None and len(picture) > MAX_PICTURE_BYTES:
                raise RequestError("unavailable", "the picture is too large for the bus")
            return picture or b""
        found = library.recording(key)
        if found is None:
            return b""
        return hub.run_native(_read, library.path_of(found), question.begin, question.nbytes)

    def _change(self, question: Question) -> Recorded | Event | None:
        key, library = question.key, self._library
        is_event = question.kind == "event"
        if question.do == "find":
            return library.event(key) if is_event else library.recording(key)
        if question.do == "delete":
            remove = library.remove_event if is_event else library.remove
            return remove(key, question.who or None)
        lock = library.lock_event if is_event else library.lock
        return lock(key, question.do == "lock")


def _facts(row: Recorded | Event | None) -> LibraryFacts:
    if row is None:
        return LibraryFacts()
    return LibraryFacts(events=[row]) if isinstance(row, Event) else LibraryFacts(recordings=[row])


def _read(path: Path, begin: int, nbytes: int) -> bytes:
    with path.open("rb") as file:
        file.seek(begin)
        return file.read(nbytes)
