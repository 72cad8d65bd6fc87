"""The event log: begins, merges, updates and ends events. On the hub."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from server.capture.camera import Camera
from server.capture.frames.event_report import Box, EventReport
from server.loop import hub
from server.recording.disk.index import Event
from server.recording.disk.layout import event_id
from server.recording.disk.storage import Storage
from server.recording.disk.writer import Writer

__all__ = ["EventLog"]

MERGE_S = 5.0
"""An event this soon after one of the same camera and label continues that one."""

MAX_LABEL = 40
MAX_LABELS = 50
"""The most open labels of one camera, because processors may report any number."""

# Interval at which an event that keeps changing is announced and written.
SEND_INTERVAL_S = 1.0

LOST, BACK = "offline", "online"


class EventLog:
    """The events of this process's cameras.

    Args:
        storage: Stores them.
        writer: Writes them.

    Attributes:
        on_event: Called with each event that begins, changes or ends.
        on_motion: Called with the camera's name, whether motion began or ended, and when.
    """

    def __init__(self, storage: Storage, writer: Writer) -> None:
        self.on_event: Callable[[Event], None] = lambda event: None
        self.on_motion: Callable[[str, bool, float], None] = lambda camera, moving, at_unix: None
        self._storage = storage
        storage.is_known = self._is_known
        self._writer = writer
        self._open: dict[tuple[str, str], Event] = {}
        self._ended: dict[tuple[str, str], Event] = {}  # For MERGE_S.
        self._best: dict[str, float] = {}  # Scores of the current pictures, by event id.
        self._unsaved: dict[str, float] = {}  # Since when, by event id.

    def begin(
        self,
        camera: str,
        label: str,
        at_unix: float,
        score: float | None = None,
        box: Box | None = None,
        picture: bytes | None = None,
        film: str = "",
    ) -> str:
        """Begin an event, or continue a recent one of the same camera and label; return its id.

        Args:
            camera: The camera's name.
            label: Its kind.
            at_unix: When it began.
            score: Its certainty or extent.
            box: Its place in the picture.
            picture: A JPEG of it.
            film: The time-lapse film being made; only an event of the same film is continued.
        """
        key = camera, label[:MAX_LABEL]
        last = self._open.get(key) or self._ended.pop(key, None)
        if last is not None and last.end is not None and at_unix - last.end > MERGE_S:
            last = None
        if last is not None and last.film != film:
            last = None
        if last is None:
            new = self._free_id(camera, at_unix)
            event = Event(new, *key, at_unix, score=score, box=box, film=film)
        else:
            event = replace(last, end=None)
        self._open[key] = self._improve(event, score, box, picture)
        self._save(self._open[key], picture if self._open[key].picture else None)
        if label == "motion":
            self.on_motion(camera, True, at_unix)
        return event.id

    def resume(self, camera: str, label: str, film: str, since_unix: float) -> Event | None:
        """Reopen the event of a film that was interrupted by a restart.

        Args:
            camera: The camera's name.
            label: The label of films.
            film: The film.
            since_unix: When the film began; older events are of another film with that name.

        Returns:
            The event; None if there is none.
        """
        known = hub.run_native(self._storage.index.events, [camera], label)
        found = next((one for one in known if one.film == film and one.begin >= since_unix), None)
        if found is not None:
            found = self._open[camera, label] = replace(found, end=None)
            self._save(found)
        return found

    def update(
        self,
        key: str,
        score: float | None = None,
        box: Box | None = None,
        picture: bytes | None = None,
    ) -> None:
        """Update an open event; it keeps the picture with the highest score."""
        event = self._find(key)
        if event is None:
            return
        best = self._best.get(key)
        better = self._improve(event, score, box, picture)
        self._open[event.camera, event.label] = better
        if self._best.get(key) != best or better.picture != event.picture:
            self._save(better, picture)
        elif better != event:
            self._unsaved.setdefault(key, time.monotonic())

    def end(self, key: str, at_unix: float) -> None:
        """End an event if it is open."""
        event = self._find(key)
        if event is None:
            return
        del self._open[event.camera, event.label]
        ended = replace(event, end=max(at_unix, event.begin))
        self._ended[event.camera, event.label] = ended
        self._save(ended)
        if event.label == "motion":
            self.on_motion(event.camera, False, at_unix)

    def happen(self, camera: Camera, report: EventReport) -> None:
        """Begin, update or end an event as reported by a camera."""
        name, label = camera.name, report.label[:MAX_LABEL]
        now = self._open.get((name, label))
        if now is not None:
            self.update(now.id, report.score, report.box, report.jpeg)
        elif sum(one == name for one, _ in self._open) < MAX_LABELS and label:
            at, score, box = report.at_unix, report.score, report.box
            self.begin(name, label, at, score, box, report.jpeg)
        now = self._open.get((name, label))
        if report.ended and now is not None:
            self.end(now.id, report.at_unix)

    def follow(self, camera: Camera) -> None:
        """Log that a camera was lost or is back, according to its STATE."""
        name, state, now = camera.name, camera.state, time.time()
        lost = self._open.get((name, LOST))
        if state == "retrying" and lost is None:
            self.end_all(name, films=False)
            self.begin(name, LOST, now)
        elif lost is not None and state in ("live", "idle", "stopped", "ended"):
            self.end(lost.id, now)
            if state in ("live", "idle"):
                self.end(self.begin(name, BACK, now), now)

    def end_all(self, camera: str | None = None, films: bool = True) -> None:
        """End the open events of a camera, or of all; without ``films``, those stay open."""
        for event in [one for one in self._open.values() if camera in (None, one.camera)]:
            if films or not event.film:
                self.end(event.id, time.time())

    def flush(self) -> None:
        """Announce and write pending changes; forget ended events that can no longer continue."""
        now = time.monotonic()
        for key in [one for one, since in self._unsaved.items() if now - since >= SEND_INTERVAL_S]:
            if (event := self._find(key)) is not None:
                self._save(event)
            self._unsaved.pop(key, None)
        for kind, event in list(self._ended.items()):
            assert event.end is not None
            if abs(time.time() - event.end) > MERGE_S:
                del self._ended[kind]
                self._best.pop(event.id, None)

    def set_locked(self, event: Event, locked: bool) -> Event:
        """Lock or unlock an event; return it.

        Raises:
            OSError: If it cannot be written.
        """
        event = replace(self._find(event.id) or event, locked=locked)
        for known in (self._open, self._ended):
            if (mine := known.get((event.camera, event.label))) and mine.id == event.id:
                known[event.camera, event.label] = event
        hub.run_native(self._writer.call, partial(self._writer.write_event, event))
        self.on_event(event)
        return event

    def forget(self, event: Event) -> None:
        """Forget an event that is being deleted."""
        for known in (self._open, self._ended):
            if (mine := known.get((event.camera, event.label))) and mine.id == event.id:
                del known[event.camera, event.label]
        self._unsaved.pop(event.id, None)

    def _is_known(self, key: str) -> bool:
        """Return whether an event is open, may continue, or is still to be written."""
        known = (*list(self._open.values()), *list(self._ended.values()))
        return any(one.id == key for one in known) or self._writer.events.find(key) is not None

    def _find(self, key: str) -> Event | None:
        return next((one for one in list(self._open.values()) if one.id == key), None)

    def _free_id(self, camera: str, at_unix: float) -> str:
        taken = {one.id for one in (*self._open.values(), *self._ended.values())}
        number = 0
        while (key := event_id(camera, at_unix, number)) in taken:
            number += 1
        return key

    def _improve(
        self, event: Event, score: float | None, box: Box | None, picture: bytes | None
    ) -> Event:
        """Return an event with the better score, box and picture; record the picture's score."""
        known = event.score
        if score is not None and (known is None or score >= known):
            event = replace(event, score=score, box=box)
        elif known is None and box is not None:
            event = replace(event, box=box)
        if picture is not None and (score or 0.0) >= self._best.get(event.id, float("-inf")):
            self._best[event.id] = score or 0.0
            event = replace(event, picture=True)
        return event

    def _save(self, event: Event, picture: bytes | None = None) -> None:
        self._unsaved.pop(event.id, None)
        self._writer.keep_event(event, picture)
        self.on_event(event)
