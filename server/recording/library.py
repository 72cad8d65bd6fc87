"""What is on the disk, for those who ask: lists, files, locking and deleting. On the hub."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from server.errors import PictureError
from server.loop import hub
from server.recording.disk.event_file import remove_events
from server.recording.disk.index import Event, Recorded
from server.recording.disk.layout import picture_path, recording_path
from server.recording.disk.storage import Storage
from server.recording.disk.writer import FILM, Writer
from server.recording.events import EventLog
from server.recording.media.fragments import Kept, StoredUnit, cut, read_units
from server.recording.media.moments import through
from server.recording.media.recent import Recent

__all__ = ["Library"]

# Times are rounded to ticks in a file.
ROUNDING_S = 0.0005

# Who looks for a moment in a recording asks for many. One of five minutes has a few thousand
# pictures, each of which takes about so many bytes to be listed.
LISTED_S = 20.0
LISTED_BYTES = 16 << 20
UNIT_BYTES = 200


class Library:
    """The recordings and events of this node. Its functions wait for the disk.

    Args:
        storage: Where they are.
        writer: Makes all changes.
        events: The log of what happens.
    """

    def __init__(self, storage: Storage, writer: Writer, events: EventLog) -> None:
        self.events = events
        self._storage = storage
        self._writer = writer
        self._listed: Recent[list[StoredUnit]] = Recent(LISTED_S, LISTED_BYTES)

    @property
    def problem(self) -> str:
        """Why nothing can be recorded now; empty if it can."""
        return self._writer.problem

    def recordings(
        self,
        cameras: Collection[str] | None,
        since: float | None,
        before: float | None,
        limit: int,
    ) -> tuple[list[Recorded], bool]:
        """Return recordings, the newest first, and whether there are more.

        Args:
            cameras: Of which; None for all.
            since: Only those that end after it.
            before: Only those that begin before it.
            limit: At most so many.
        """
        found = hub.run_native(self._storage.index.recordings, cameras, since, before, limit + 1)
        return [self._now(one) for one in found[:limit]], len(found) > limit

    def recording(self, key: str) -> Recorded | None:
        """Return a recording; None if there is none with that id."""
        found = hub.run_native(self._storage.index.recording, key)
        return None if found is None else self._now(found)

    def units(self, camera: str, from_unix: float, to_unix: float) -> list[Kept]:
        """Return what is recorded from one moment to another, after what is needed to decode it."""
        until = to_unix + ROUNDING_S
        found = hub.run_native(self._storage.index.recordings, [camera], from_unix, until)
        units: list[Kept] = []
        for one in map(self._now, reversed(found)):
            try:
                units += hub.run_native(self._read, one, from_unix, to_unix)
            except (OSError, PictureError):
                continue  # It was deleted meanwhile, or is damaged.
        return units

    def picture_units(self, recording: Recorded, at_unix: float) -> list[StoredUnit]:
        """Return the picture of a moment, after those that are needed to decode it.

        Raises:
            PictureError: If the file is damaged.
            OSError: If it cannot be read.
        """
        at_unix += ROUNDING_S
        units = hub.run_native(self._read, recording, at_unix, at_unix)
        return through(units, at_unix) if units else []

    def _read(self, recording: Recorded, from_unix: float, to_unix: float) -> list[StoredUnit]:
        key = recording.id, recording.bytes
        units = self._listed.get(key)
        if units is None:
            units = read_units(self.path_of(recording), recording.begin)
            self._listed.put(key, units, len(units) * UNIT_BYTES)
        return cut(units, from_unix, to_unix)

    def span(self, camera: str) -> tuple[float, float] | None:
        """Return from when to when there are recordings of a camera; None without any."""
        found = hub.run_native(self._storage.index.span, camera)
        open_ = self._writer.open.get(camera)
        return (found[0], max(found[1], open_.end)) if found and open_ else found

    def path_of(self, recording: Recorded) -> Path:
        """Return where a recording's file is."""
        path = recording_path(self._storage.media, recording.id)
        assert path is not None
        return path

    def lock(self, key: str, locked: bool) -> Recorded | None:
        """Keep a recording for ever, or no longer; return it, or None if there is none.

        Raises:
            OSError: If it cannot be written.
        """
        lock = partial(self._writer.set_locked, key, locked)
        return hub.run_native(lambda: self._writer.call(lock))

    def remove(self, key: str) -> Recorded | None:
        """Delete a recording; return what it was, or None if there was none.

        Raises:
            OSError: If it cannot be deleted.
        """
        return hub.run_native(lambda: self._writer.call(partial(self._writer.remove, key)))

    def event_list(
        self,
        cameras: Collection[str] | None,
        label: str | None,
        since: float | None,
        before: float | None,
        limit: int,
    ) -> tuple[list[Event], bool]:
        """Return events, the newest first, and whether there are more; see :meth:`recordings`."""
        found = hub.run_native(self._storage.index.events, cameras, label, since, before, limit + 1)
        return found[:limit], len(found) > limit

    def event(self, key: str) -> Event | None:
        """Return an event; None if there is none with that id."""
        return hub.run_native(self._storage.index.event, key)

    def picture_of(self, event: Event) -> bytes | None:
        """Return an event's best picture; None without one.

        Raises:
            OSError: If it cannot be read.
        """
        path = picture_path(self._storage.media, event.id)
        if path is None or not event.picture:
            return None
        return hub.run_native(path.read_bytes)

    def lock_event(self, key: str, locked: bool) -> Event | None:
        """Keep an event for ever, or no longer; return it, or None if there is none.

        Raises:
            OSError: If it cannot be written.
        """
        return self.events.set_locked(key, locked)

    def remove_event(self, key: str) -> Event | None:
        """Delete an event; return what it was, or None if there was none.

        Raises:
            OSError: If it cannot be deleted.
        """
        event = self.event(key)
        if event is not None:
            self.events.forget(event)

            def remove() -> None:
                remove_events(self._storage.media, [key])
                self._storage.index.remove_events([key])

            hub.run_native(self._writer.call, remove)
        return event

    def days(self, month: str, cameras: Collection[str] | None) -> dict[str, Any]:
        """Return what there is on each day of a month, such as ``2026-11``, by camera."""
        return hub.run_native(self._storage.index.days, month, cameras)

    def _now(self, recording: Recorded) -> Recorded:
        """Return a recording as it is now."""
        for name in (recording.camera, recording.camera + FILM):
            open_ = self._writer.open.get(name)
            if open_ is not None and open_.id == recording.id:
                return open_
        return replace(recording, open=False)
