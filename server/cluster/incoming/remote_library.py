"""The recordings and events of other nodes, with the interface of a local library."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from server.capture.frames.unit import Unit
from server.cluster.bus.bus import Bus
from server.cluster.bus.library_message import (
    PIECE_BYTES,
    LibraryAnswer,
    LibraryFacts,
    Question,
    unpack_answer,
)
from server.cluster.bus.outbox import Outbox
from server.cluster.incoming.answers import Answers
from server.cluster.incoming.remote import RemoteCamera, shown
from server.errors import RequestError
from server.recording.disk.index import Event, Recorded
from server.recording.disk.layout import camera_of
from server.recording.library import Days, Found, Missing, Query

__all__ = ["RemoteLibraries"]

DEADLINE_S = 2.0

MAX_PENDING = 64


class RemoteLibraries:
    """Asks other nodes, several at the same time where needed. Blocks the calling green thread.

    Args:
        bus: Names the channels.
        node: This node's id.
        outbox: Sends the questions.
        cameras: Returns the cameras of other nodes.
        units_of: Returns the units needed to decode a recording's picture, given the camera, the
            recording's id and the time.
    """

    def __init__(
        self,
        bus: Bus,
        node: str,
        outbox: Outbox,
        cameras: Callable[[], Collection[RemoteCamera]],
        units_of: Callable[[RemoteCamera, str, float], list[Unit]],
    ) -> None:
        self._bus = bus
        self._node = node
        self._outbox = outbox
        self._cameras = cameras
        self._units_of = units_of
        self._answers: Answers[LibraryAnswer] = Answers(MAX_PENDING, DEADLINE_S)

    def on_answer(self, data: bytes) -> None:
        """Deliver an answer to its pending question."""
        answer = unpack_answer(data)
        self._answers.take(answer.id, answer.node, answer)

    def has(self, camera: str) -> bool:
        """Return whether another node has this camera."""
        return any(one.name == camera for one in self._cameras())

    def recordings(self, query: Query) -> Found[Recorded]:
        """Return the newest recordings of each node, and which nodes did not answer."""
        found, missing = self._ask_all(query.cameras, do="list", **_fields(query))
        rows = [row for _, facts in found for row in facts.recordings]
        more = any(facts.more for _, facts in found)
        paused = [f"{facts.paused} (on {host})" for host, facts in found if facts.paused]
        return Found(rows, more, paused, missing)

    def events(self, query: Query) -> Found[Event]:
        """Return the newest events of each node, and which nodes did not answer."""
        found, missing = self._ask_all(query.cameras, do="list", kind="event", **_fields(query))
        rows = [row for _, facts in found for row in facts.events]
        return Found(rows, any(facts.more for _, facts in found), [], missing)

    def days(self, month: str, cameras: Collection[str] | None) -> tuple[Days, list[Missing]]:
        """Return each camera's counts per day of a month, and which nodes did not answer."""
        found, missing = self._ask_all(cameras, do="count", month=month)
        days: Days = {}
        for row in (one for _, facts in found for one in facts.days):
            counts = row.model_dump(exclude={"day", "camera"})
            days.setdefault(row.day, {})[row.camera] = counts
        return days, missing

    def recording(self, key: str) -> Recorded | None:
        """Return a recording; None if its node has none with that id."""
        return next(iter(self._ask(key, do="find").facts.recordings), None)

    def event(self, key: str) -> Event | None:
        """Return an event; None if its node has none with that id."""
        return next(iter(self._ask(key, do="find", kind="event").facts.events), None)

    def read(self, key: str, begin: int, end: int) -> Iterator[bytes]:
        """Yield a recording's bytes from a start up to an end; stop early if its node fails."""
        while begin < end:
            nbytes = min(PIECE_BYTES, end - begin)
            try:
                piece = self._ask(key, do="read", begin=begin, nbytes=nbytes).piece
            except RequestError:
                return
            if not piece:
                return  # The recording was deleted meanwhile.
            begin += len(piece)
            yield piece

    def picture_of(self, event: Event) -> bytes | None:
        """Return an event's best picture; None if it has none."""
        return self._ask(event.id, do="read", kind="event").piece or None

    def picture_units(self, recording: Recorded, at_unix: float) -> list[Unit]:
        """Return the units needed to decode the picture at a time; that picture's unit is last."""
        return self._units_of(self._camera(recording.id), recording.id, at_unix)

    def lock(self, key: str, locked: bool, who: str) -> Recorded | None:
        """Lock a recording against deletion, or unlock it; return it, or None if it is gone."""
        answer = self._ask(key, do="lock" if locked else "unlock", who=who[:80])
        return next(iter(answer.facts.recordings), None)

    def lock_event(self, key: str, locked: bool, who: str) -> Event | None:
        """Lock an event against deletion, or unlock it; return it, or None if it is gone."""
        answer = self._ask(key, do="lock" if locked else "unlock", kind="event", who=who[:80])
        return next(iter(answer.facts.events), None)

    def remove(self, key: str, who: str) -> Recorded | None:
        """Delete a recording; return it, or None if it was gone."""
        return next(iter(self._ask(key, do="delete", who=who[:80]).facts.recordings), None)

    def remove_event(self, key: str, who: str) -> Event | None:
        """Delete an event; return it, or None if it was gone."""
        answer = self._ask(key, do="delete", kind="event", who=who[:80])
        return next(iter(answer.facts.events), None)

    def _camera(self, key: str) -> RemoteCamera:
        name = camera_of(key)
        camera = next((one for one in self._cameras() if one.name == name), None)
        if camera is None:
            raise RequestError("unavailable", "its node is unavailable")
        return camera

    def _ask(self, key: str, **fields: Any) -> LibraryAnswer:
        """Ask the node of a recording or an event about it.

        Raises:
            RequestError: The node's error, or ``unavailable`` if it does not answer in time.
        """
        camera = self._camera(key)
        if camera.away is not None:
            raise RequestError("unavailable", camera.away)
        if not camera.has_library:
            raise RequestError("unavailable", "its node runs a version without recordings")
        answer = self._answers.wait(
            camera.owner_id, lambda one: self._send(camera.owner_id, id=one, key=key, **fields)
        )
        if answer.facts.error is not None:
            raise RequestError(answer.facts.error, answer.facts.message)
        if any(row.id != key for row in answer.facts.rows):
            raise RequestError("unavailable", "its node gave a wrong answer")
        return answer

    def _ask_all(
        self, cameras: Collection[str] | None, **fields: Any
    ) -> tuple[list[tuple[str, LibraryFacts]], list[Missing]]:
        """Ask the nodes of some cameras; return hosts with facts, and nodes without an answer."""
        nodes: dict[str, list[RemoteCamera]] = {}
        for camera in self._cameras():
            if cameras is None or camera.name in cameras:
                nodes.setdefault(camera.owner_id, []).append(camera)
        names = {owner: [one.name for one in its] for owner, its in nodes.items()}
        able = [
            owner
            for owner, its in nodes.items()
            if any(one.away is None and one.has_library for one in its)
        ]

        def send(key: str) -> None:
            for owner in able:
                self._send(owner, id=key, cameras=names[owner], **fields)

        answers = self._answers.gather(able, send)
        found: list[tuple[str, LibraryFacts]] = []
        missing: list[Missing] = []
        for owner, its in nodes.items():
            facts = answers[owner].facts if owner in answers else None
            if facts is not None and facts.error is None and _is_of(facts, names[owner]):
                found.append((shown(its[0].host), facts))
            else:
                missing.append(Missing(shown(its[0].host), names[owner]))
        return found, missing

    def _send(self, owner_id: str, **fields: Any) -> None:
        question = Question.model_validate({"node": self._node} | fields)
        self._outbox.send(self._bus.name("library", owner_id), question)


def _fields(query: Query) -> dict[str, Any]:
    return {
        "label": query.label,
        "since": query.since,
        "before": query.before,
        "limit": query.limit,
    }


def _is_of(facts: LibraryFacts, cameras: Collection[str]) -> bool:
    """Return whether all rows belong to these cameras."""
    named = [row.camera for row in facts.rows] + [row.camera for row in facts.days]
    return all(name in cameras for name in named)
