"""The recordings and events of this node and all others, merged into one library."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from server.errors import RequestError
from server.recording.disk.index import Event, Recorded
from server.recording.disk.layout import camera_of
from server.recording.library import Days, Found, Library, Missing, Query
from server.recording.media.fragments import Kept

__all__ = ["Held", "Libraries"]

Row = TypeVar("Row", bound=Recorded | Event)

NOTHING: Found[Any] = Found([], False)


class Elsewhere(Protocol):
    """The libraries of other nodes; requests to one that is unavailable raise RequestError."""

    def has(self, camera: str) -> bool: ...
    def recordings(self, query: Query) -> Found[Recorded]: ...
    def events(self, query: Query) -> Found[Event]: ...
    def days(
        self, month: str, cameras: Collection[str] | None
    ) -> tuple[Days, Collection[Missing]]: ...
    def recording(self, key: str) -> Recorded | None: ...
    def event(self, key: str) -> Event | None: ...
    def read(self, key: str, begin: int, end: int) -> Iterator[bytes]: ...
    def picture_of(self, event: Event) -> bytes | None: ...
    def picture_units(self, recording: Recorded, at_unix: float) -> Sequence[Kept]: ...
    def lock(self, key: str, locked: bool, who: str) -> Recorded | None: ...
    def lock_event(self, key: str, locked: bool, who: str) -> Event | None: ...
    def remove(self, key: str, who: str) -> Recorded | None: ...
    def remove_event(self, key: str, who: str) -> Event | None: ...


class Held(NamedTuple, Generic[Row]):
    """A recording or an event.

    Attributes:
        row: The recording or event.
        there: The library of the node that has it; None if it is on this node's disk.
    """

    row: Row
    there: Elsewhere | None


class Libraries:
    """All recordings and events. Its methods wait for the disk and for other nodes.

    The camera's node is asked first: this node may have older recordings, from before the camera
    moved there, or share the folder with it.

    Args:
        here: This node's library.
        elsewhere: The other nodes' libraries; None without a bus.
    """

    def __init__(self, here: Library, elsewhere: Elsewhere | None) -> None:
        self._here = here
        self._elsewhere = elsewhere

    def recordings(self, query: Query) -> Found[Recorded]:
        """Return recordings, newest first."""
        there = self._elsewhere.recordings(query) if self._elsewhere else NOTHING
        return merge(self._here.recordings(query), there, query.limit)

    def events(self, query: Query) -> Found[Event]:
        """Return events, newest first."""
        there = self._elsewhere.events(query) if self._elsewhere else NOTHING
        return merge(self._here.events(query), there, query.limit)

    def days(self, month: str, cameras: Collection[str] | None) -> tuple[Days, Collection[Missing]]:
        """Return each camera's counts per day of a month, and which nodes did not answer."""
        days = self._here.days(month, cameras)
        if self._elsewhere is None:
            return days, ()
        there, missing = self._elsewhere.days(month, cameras)
        for day, counts in there.items():
            days.setdefault(day, {}).update(counts)
        return dict(sorted(days.items())), missing

    def recording(self, key: str) -> Held[Recorded] | None:
        """Return a recording; None if there is none with that id."""
        return self._find(key, self._here.recording, lambda there: there.recording(key))

    def event(self, key: str) -> Held[Event] | None:
        """Return an event; None if there is none with that id."""
        return self._find(key, self._here.event, lambda there: there.event(key))

    def path_of(self, held: Held[Recorded]) -> Path | None:
        """Return the file's path; None if it is on another node, see :meth:`Elsewhere.read`."""
        return self._here.path_of(held.row) if held.there is None else None

    def picture_units(self, held: Held[Recorded], at_unix: float) -> Sequence[Kept]:
        """Return the units needed to decode the picture at a time; that picture's unit is last."""
        return (held.there or self._here).picture_units(held.row, at_unix)

    def picture_of(self, held: Held[Event]) -> bytes | None:
        """Return an event's best picture; None if it has none."""
        return (held.there or self._here).picture_of(held.row)

    def lock(self, held: Held[Recorded], locked: bool, who: str) -> Recorded | None:
        """Lock a recording against deletion, or unlock it; return it, or None if it is gone."""
        key = held.row.id
        return held.there.lock(key, locked, who) if held.there else self._here.lock(key, locked)

    def lock_event(self, held: Held[Event], locked: bool, who: str) -> Event | None:
        """Lock an event against deletion, or unlock it; return it, or None if it is gone."""
        key, there = held.row.id, held.there
        return there.lock_event(key, locked, who) if there else self._here.lock_event(key, locked)

    def remove(self, held: Held[Recorded], who: str) -> Recorded | None:
        """Delete a recording; return it, or None if it was gone."""
        return (held.there or self._here).remove(held.row.id, who)

    def remove_event(self, held: Held[Event], who: str) -> Event | None:
        """Delete an event; return it, or None if it was gone."""
        return (held.there or self._here).remove_event(held.row.id, who)

    def _find(
        self,
        key: str,
        here: Callable[[str], Row | None],
        there: Callable[[Elsewhere], Row | None],
    ) -> Held[Row] | None:
        elsewhere, camera = self._elsewhere, camera_of(key)
        failure = None
        if elsewhere is not None and camera is not None and elsewhere.has(camera):
            try:
                if (row := there(elsewhere)) is not None:
                    return Held(row, elsewhere)
            except RequestError as error:
                failure = error
        row = here(key)
        if row is None and failure is not None:
            raise failure
        return None if row is None else Held(row, None)


def merge(here: Found[Row], there: Found[Row], limit: int) -> Found[Row]:
    """Return the newest rows of both; of duplicates, the other node's."""
    rows = {one.id: one for one in (*here.rows, *there.rows)}
    newest = sorted(rows.values(), key=lambda one: (one.begin, one.id), reverse=True)
    more = here.more or there.more or len(newest) > limit
    return there._replace(rows=newest[:limit], more=more, paused=[*here.paused, *there.paused])
