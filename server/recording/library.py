"""Recordings and events on the disk: list, read, lock and delete them. On the hub."""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from itertools import dropwhile
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from server.errors import PictureError, RequestError
from server.loop import hub
from server.recording.disk.index import INDEX_ERRORS, Event, Recorded
from server.recording.disk.layout import FILM, picture_path, recording_path
from server.recording.disk.storage import Storage
from server.recording.disk.writer import Writer
from server.recording.events import EventLog
from server.recording.media.fragments import Kept, StoredUnit, cut, read_units
from server.recording.media.moments import through
from server.recording.media.recent import Recent

__all__ = ["Days", "Found", "Library", "Missing", "Query"]

# Files store times in ticks.
ROUNDING_S = 0.0005

# Lists of units are cached, because someone looking for a moment requests many from one recording.
# A list has a few thousand units, for five minutes, of about UNIT_BYTES each.
CACHE_S = 20.0
CACHE_BYTES = 16 << 20
UNIT_BYTES = 200

Row = TypeVar("Row", bound=Recorded | Event)

Days: TypeAlias = dict[str, dict[str, dict[str, Any]]]
"""Counts of recordings, seconds and events: by date, then by camera."""


class Query(NamedTuple):
    """Selects recordings or events.

    Attributes:
        cameras: Only of these; None for all.
        since: Only those that end after it.
        before: Only those that begin before it.
        limit: The most to return; the newest are.
        label: Only events with this label.
    """

    cameras: Collection[str] | None = None
    since: float | None = None
    before: float | None = None
    limit: int = 100
    label: str | None = None


class Missing(NamedTuple):
    """A node that did not answer, and the cameras whose recordings and events it keeps."""

    node: str
    cameras: list[str]


class Found(NamedTuple, Generic[Row]):
    """The result of a query.

    Attributes:
        rows: Newest first.
        more: Whether there are more than the limit.
        paused: Why recording is paused; empty if it is not.
        missing: Nodes whose rows are missing.
    """

    rows: list[Row]
    more: bool
    paused: Collection[str] = ()
    missing: Collection[Missing] = ()


T = TypeVar("T")


class Library:
    """The recordings and events of this node. Its methods wait for the disk.

    Unless they say otherwise, those that need the index raise RequestError if it is unreadable.

    Args:
        storage: Stores them.
        writer: Makes all changes.
        events: The event log.
        notify: Shows a notice: level, message, camera, and who did it.
    """

    def __init__(
        self, storage: Storage, writer: Writer, events: EventLog, notify: Callable[..., None]
    ) -> None:
        self._events = events
        self._storage = storage
        self._writer = writer
        self._notify = notify
        self._unit_lists: Recent[list[StoredUnit]] = Recent(CACHE_S, CACHE_BYTES)

    @property
    def problem(self) -> str:
        """Why recording is paused; empty if it is not."""
        return self._writer.problem

    def recordings(self, query: Query) -> Found[Recorded]:
        """Return recordings, newest first."""
        cameras, since, before, limit, _ = query
        found = _query_index(self._storage.index.recordings, cameras, since, before, limit + 1)
        paused = [self.problem] if self.problem else []
        return Found([self._current(one) for one in found[:limit]], len(found) > limit, paused)

    def recording(self, key: str) -> Recorded | None:
        """Return a recording; None if there is none with that id."""
        found = _query_index(self._storage.index.recording, key)
        return None if found is None else self._current(found)

    def units(self, camera: str, from_unix: float, to_unix: float) -> list[Kept]:
        """Return all units from one moment to another, preceded by those needed to decode them.

        Empty if the index cannot be read. If recordings overlap because the clock was set back, the
        one that began earlier by the clock wins, so that times only increase.
        """
        units: list[Kept] = []
        until, last = to_unix + ROUNDING_S, 0.0
        for one in reversed(self._overlapping(camera, from_unix, until)):
            some = self._try_to_read(one, from_unix, until)
            if units:
                some = list(dropwhile(lambda unit: not unit.key or unit.at_unix <= last, some))  # noqa: B023
            units += some
            last = max((unit.at_unix for unit in some), default=last)
        return units

    def find(self, camera: str, at_unix: float) -> list[Kept]:
        """Return the newest picture that is not later, preceded by the units that it needs.

        Empty if there is none, or if the index cannot be read.
        """
        units = self.units(camera, at_unix, at_unix)
        if not units:  # Nothing was recorded at that moment, so take the last picture before.
            for one in self._overlapping(camera, None, at_unix, 1):
                units = [*self._try_to_read(one, at_unix, at_unix)]
        return [*through(units, at_unix)] if units else []

    def _overlapping(
        self, camera: str, since: float | None, before: float, limit: int = -1
    ) -> list[Recorded]:
        try:
            found = _query_index(self._storage.index.recordings, [camera], since, before, limit)
        except RequestError:
            return []
        return [self._current(one) for one in found]

    def _try_to_read(
        self, recording: Recorded, from_unix: float, to_unix: float
    ) -> list[StoredUnit]:
        try:
            return hub.run_native(self._read, recording, from_unix, to_unix)
        except (OSError, PictureError):
            return []  # It has just been deleted, or is damaged.

    def picture_units(self, recording: Recorded, at_unix: float) -> list[StoredUnit]:
        """Return the picture of a moment, preceded by the units needed to decode it.

        Raises:
            PictureError: If the file is damaged.
            OSError: If it cannot be read.
        """
        at_unix += ROUNDING_S
        units = hub.run_native(self._read, recording, at_unix, at_unix)
        return through(units, at_unix) if units else []

    def _read(self, recording: Recorded, from_unix: float, to_unix: float) -> list[StoredUnit]:
        key = recording.id, recording.bytes
        units = self._unit_lists.get(key)
        if units is None:
            units = read_units(self.path_of(recording), recording.begin)
            self._unit_lists.put(key, units, len(units) * UNIT_BYTES)
        return cut(units, from_unix, to_unix)

    def span(self, camera: str) -> tuple[float, float] | None:
        """Return the first begin and last end of a camera's recordings; None without any.

        Also None if the index cannot be read.
        """
        try:
            found = _query_index(self._storage.index.span, camera)
        except RequestError:
            return None
        open_ = self._writer.open.get(camera)
        return (found[0], max(found[1], open_.end)) if found and open_ else found

    def path_of(self, recording: Recorded) -> Path:
        """Return the path of a recording's file."""
        path = recording_path(self._storage.media, recording.id)
        assert path is not None
        return path

    def lock(self, key: str, locked: bool) -> Recorded | None:
        """Lock or unlock a recording; return it, or None if there is none.

        Raises:
            OSError: If it cannot be written.
        """
        return self._change(partial(self._writer.set_locked, key, locked))

    def remove(self, key: str, who: str | None) -> Recorded | None:
        """Delete a recording and show a notice; return its entry, or None if there was none.

        Raises:
            OSError: If it cannot be deleted.
        """
        removed = self._change(partial(self._writer.remove, key))
        if removed is not None:
            camera = removed.camera
            self._notify("info", f"A recording of {camera} was deleted", camera, who)
        return removed

    def events(self, query: Query) -> Found[Event]:
        """Return events, newest first."""
        cameras, since, before, limit, label = query
        found = _query_index(self._storage.index.events, cameras, label, since, before, limit + 1)
        return Found(found[:limit], len(found) > limit)

    def event(self, key: str) -> Event | None:
        """Return an event, even if it is not written yet; None if there is none."""
        waiting = self._writer.events.find(key)
        return waiting[0] if waiting is not None else _query_index(self._storage.index.event, key)

    def picture_of(self, event: Event) -> bytes | None:
        """Return an event's best picture; None without one.

        Raises:
            OSError: If it cannot be read.
        """
        waiting = self._writer.events.find(event.id)
        if waiting is not None and waiting[1] is not None:
            return waiting[1]
        path = picture_path(self._storage.media, event.id)
        if path is None or not event.picture:
            return None
        return hub.run_native(path.read_bytes)

    def lock_event(self, key: str, locked: bool) -> Event | None:
        """Lock or unlock an event; return it, or None if there is none.

        Raises:
            OSError: If it cannot be written.
        """
        event = self.event(key)
        return None if event is None else self._events.set_locked(event, locked)

    def remove_event(self, key: str, who: str | None) -> Event | None:
        """Delete an event and show a notice; return its entry, or None if there was none.

        Raises:
            OSError: If it cannot be deleted.
        """
        event = self.event(key)
        if event is not None:
            self._events.forget(event)
            self._change(partial(self._writer.remove_event, key))
            self._notify("info", f"An event of {event.camera} was deleted", event.camera, who)
        return event

    def days(self, month: str, cameras: Collection[str] | None) -> Days:
        """Return the counts for each day of a month, such as ``2026-11``, by camera."""
        return _query_index(self._storage.index.days, month, cameras)

    def _change(self, change: Callable[[], T]) -> T:
        try:
            return hub.run_native(lambda: self._writer.call(change))
        except OSError:
            raise
        except INDEX_ERRORS as error:
            raise _unreadable(error) from error

    def _current(self, recording: Recorded) -> Recorded:
        """Return a recording's current state, if it is being written, or else as ended."""
        for name in (recording.camera, recording.camera + FILM):
            open_ = self._writer.open.get(name)
            if open_ is not None and open_.id == recording.id:
                return open_
        return replace(recording, open=False)


def _query_index(function: Callable[..., T], *arguments: Any) -> T:
    """Call a method of the index on a native thread; raise RequestError if it cannot be read."""
    try:
        return hub.run_native(function, *arguments)
    except INDEX_ERRORS as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> RequestError:
    return RequestError("unavailable", f"the index cannot be read: {error}")
