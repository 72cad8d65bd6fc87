"""The index of recordings and events: a SQLite copy of the data in the files.

Blocks on the disk and on other threads: call it on native threads only.
"""

import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.capture.frames.event_report import Box
from server.loop import native
from server.recording.disk.recording_file import Facts
from server.users.private import add_folder, open_private

__all__ = ["INDEX_ERRORS", "Event", "Index", "Recorded", "recorded"]

INDEX_ERRORS = OSError, sqlite3.Error
"""Raised if the index cannot be used: it is damaged, or the disk is full or read-only."""

SCHEMA = 2

TABLES = f"""
CREATE TABLE IF NOT EXISTS recordings (
    id TEXT PRIMARY KEY, camera TEXT NOT NULL, begin REAL NOT NULL, end REAL NOT NULL,
    bytes INTEGER NOT NULL, locked INTEGER NOT NULL, reason TEXT NOT NULL, open INTEGER NOT NULL,
    film TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS recordings_begin ON recordings (begin);
CREATE INDEX IF NOT EXISTS recordings_of ON recordings (camera, begin);
CREATE INDEX IF NOT EXISTS recordings_until ON recordings (camera, end);
CREATE INDEX IF NOT EXISTS recordings_length ON recordings (end - begin);
CREATE INDEX IF NOT EXISTS recordings_open ON recordings (begin) WHERE open;
CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY, camera TEXT NOT NULL, label TEXT NOT NULL, score REAL, box TEXT,
    begin REAL NOT NULL, end REAL, picture INTEGER NOT NULL, locked INTEGER NOT NULL,
    film TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS events_begin ON events (begin);
CREATE INDEX IF NOT EXISTS events_of ON events (camera, begin);
CREATE INDEX IF NOT EXISTS events_length ON events (end - begin);
CREATE INDEX IF NOT EXISTS events_open ON events (begin) WHERE end IS NULL;
PRAGMA user_version = {SCHEMA};
"""

# Migration from version 1, which has no films.
TO_SECOND = """
BEGIN;
ALTER TABLE recordings ADD COLUMN film TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN film TEXT NOT NULL DEFAULT '';
PRAGMA user_version = 2;
COMMIT;
"""

# Wait for another process that is writing, such as ``manage.py media check``. Short, because all
# other users of the index wait, too; a change that fails is made later.
BUSY_TIMEOUT_S = 0.5

COLUMNS = "id", "camera", "begin", "end", "bytes", "locked", "reason", "open", "film"
DAY_S = 86400.0

# Largest error of a difference of times that SQLite computes.
ROUNDING_S = 0.001


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording's entry in the index.

    Attributes:
        id: As in :mod:`server.recording.disk.layout`.
        camera: The camera's name.
        begin: When it begins, in Unix seconds.
        end: When it ends.
        bytes: Its size.
        locked: Whether it is kept forever.
        reason: Why it was recorded.
        open: Whether it is being written.
        film: The time-lapse film it belongs to: a job or a date; empty for none.
    """

    id: str
    camera: str
    begin: float
    end: float
    bytes: int
    locked: bool
    reason: str
    open: bool = False
    film: str = ""

    def describe(self) -> dict[str, Any]:
        """Return the recording as in the API."""
        entry: dict[str, Any] = {"id": self.id, "camera": self.camera}
        entry |= {"from": self.begin, "to": self.end, "bytes": self.bytes, "locked": self.locked}
        return entry | {"reason": self.reason, "open": self.open, "film": self.film or None}


@dataclass(frozen=True, slots=True)
class Event:
    """An event at a camera.

    Attributes:
        id: As in :mod:`server.recording.disk.layout`.
        camera: The camera's name.
        label: Its kind, such as ``motion``.
        begin: When it began, in Unix seconds.
        end: When it ended; None while it is open.
        score: The highest score reported; None without any.
        box: Its place in the picture; None if unknown.
        picture: Whether it has a picture.
        locked: Whether it is kept forever.
        film: The time-lapse film being made: a job or a date; empty for none.
    """

    id: str
    camera: str
    label: str
    begin: float
    end: float | None = None
    score: float | None = None
    box: Box | None = None
    picture: bool = False
    locked: bool = False
    film: str = ""

    def describe(self) -> dict[str, Any]:
        """Return the event as in the API."""
        return {
            "id": self.id,
            "camera": self.camera,
            "label": self.label,
            "score": self.score,
            "box": None if self.box is None else list(self.box),
            "from": self.begin,
            "to": self.end,
            "picture": self.picture,
            "locked": self.locked,
            "film": self.film or None,
        }


class Index:
    """The index, in the file ``index.sqlite`` of the media folder.

    Opened, or created, on first use.

    Args:
        media: The media folder.
    """

    def __init__(self, media: Path) -> None:
        self.path = media / "index.sqlite"
        self._lock: Any = native.threading.RLock()
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection within a transaction; other threads wait.

        Raises:
            sqlite3.Error: If the index is damaged, or the disk is full.
            OSError: If it cannot be opened.
        """
        with self._lock:
            connection = self._open()
            with connection:
                yield connection

    def close(self) -> None:
        """Close the index if it is open."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def set_aside(self) -> Path | None:
        """Rename a damaged index, so that the next use creates a new one; return its new name."""
        with self._lock:
            self.close()
            aside = self.path.with_suffix(".broken")
            for end in ("-wal", "-shm"):
                Path(f"{self.path}{end}").unlink(missing_ok=True)
            try:
                os.replace(self.path, aside)
            except FileNotFoundError:
                return None
            return aside

    def verify(self) -> bool:
        """Return whether the index exists and is intact.

        Raises:
            sqlite3.OperationalError: If that is unknown, as on a full or busy disk.
            OSError: If it cannot be opened.
        """
        with self._lock:
            if not self.path.exists():
                return False
            try:
                (found,) = self._open().execute("PRAGMA quick_check(1)").fetchone()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self.close()
                return False
            return bool(found == "ok")

    # Recordings.

    def put(self, *recordings: Recorded, replace: bool = True) -> None:
        """Add recordings; replace existing entries, or with ``replace=False`` leave them."""
        values = [[getattr(one, name) for name in COLUMNS] for one in recordings]
        known = "REPLACE" if replace else "IGNORE"
        with self.changing() as connection:
            connection.executemany(
                f"INSERT OR {known} INTO recordings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values
            )

    def remove(self, ids: Iterable[str]) -> None:
        """Remove recordings."""
        with self.changing() as connection:
            connection.executemany("DELETE FROM recordings WHERE id = ?", ((one,) for one in ids))

    def recording(self, key: str) -> Recorded | None:
        """Return one recording; None if there is none with that id."""
        return next(iter(self.recordings_where("WHERE id = ?", (key,))), None)

    def all_recordings(self) -> list[Recorded]:
        """Return all recordings, the oldest first."""
        return self.recordings_where("ORDER BY begin", ())

    def oldest(self, but: Collection[str] = ()) -> Recorded | None:
        """Return the oldest deletable recording, except those in ``but``; None if there is none."""
        others = f"id NOT IN ({', '.join('?' * len(but))})"
        where = f"WHERE NOT locked AND NOT open AND {others} ORDER BY begin LIMIT 1"
        return next(iter(self.recordings_where(where, but)), None)

    def recordings(
        self,
        cameras: Collection[str] | None,
        since: float | None = None,
        before: float | None = None,
        limit: int = 500,
    ) -> list[Recorded]:
        """Return recordings, the newest first.

        Args:
            cameras: Only of these; None for all.
            since: Only those that end after it.
            before: Only those that begin before it.
            limit: The most to return; negative for all.
        """
        # The index has no end of a recording that is being written.
        end = "CASE WHEN open THEN 1e15 ELSE end END"
        earliest = self._earliest("recordings", "open", since)
        where, values = _where(cameras, since, before, earliest, end=end)
        return self.recordings_where(
            f"{where} ORDER BY begin DESC, id DESC LIMIT ?", (*values, limit)
        )

    def span(self, camera: str) -> tuple[float, float] | None:
        """Return the first begin and last end of a camera's recordings; None without any."""
        ends = [
            f"(SELECT {one} FROM recordings WHERE camera = ?)" for one in ("min(begin)", "max(end)")
        ]
        rows = self.rows(f"SELECT {', '.join(ends)}", (camera, camera))
        return (rows[0][0], rows[0][1]) if rows and rows[0][0] is not None else None

    def _earliest(self, table: str, is_open: str, since: float | None) -> float | None:
        """Return the earliest time at which an entry that ends after ``since`` can begin.

        Without this bound, SQLite would scan all older entries.
        """
        if since is None:
            return None
        ((longest, oldest),) = self.rows(
            f"SELECT (SELECT max(end - begin) FROM {table}),"
            f" (SELECT min(begin) FROM {table} WHERE {is_open})",
            (),
        ) or ((None, None),)
        earliest = since - (longest or 0.0) - ROUNDING_S
        return earliest if oldest is None else min(earliest, oldest)

    def recordings_where(self, rest: str, values: Iterable[Any]) -> list[Recorded]:
        """Return the recordings selected by the rest of an SQL query."""
        rows = self.rows(f"SELECT * FROM recordings {rest}", values)
        return [
            Recorded(
                *(row[0], row[1], row[2], row[3], row[4], bool(row[5]), row[6], bool(row[7])),
                film=row[8],
            )
            for row in rows
        ]

    # Events.

    def put_event(self, *events: Event) -> None:
        """Add or replace events."""
        values = [
            (
                *(one.id, one.camera, one.label, one.score),
                None if one.box is None else json.dumps(one.box),
                *(one.begin, one.end, one.picture, one.locked, one.film),
            )
            for one in events
        ]
        with self.changing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values
            )

    def remove_events(self, ids: Iterable[str]) -> None:
        """Remove events."""
        with self.changing() as connection:
            connection.executemany("DELETE FROM events WHERE id = ?", ((one,) for one in ids))

    def event(self, key: str) -> Event | None:
        """Return one event; None if there is none with that id."""
        return next(iter(self.events_where("WHERE id = ?", (key,))), None)

    def all_events(self) -> list[Event]:
        """Return all events, the oldest first."""
        return self.events_where("ORDER BY begin", ())

    def events(
        self,
        cameras: Collection[str] | None,
        label: str | None = None,
        since: float | None = None,
        before: float | None = None,
        limit: int = 500,
    ) -> list[Event]:
        """Return events, the newest first; see :meth:`recordings`."""
        earliest = self._earliest("events", "end IS NULL", since)
        where, values = _where(cameras, since, before, earliest, label)
        return self.events_where(f"{where} ORDER BY begin DESC, id DESC LIMIT ?", (*values, limit))

    def events_where(self, rest: str, values: Iterable[Any]) -> list[Event]:
        """Return the events selected by the rest of an SQL query."""
        return [
            Event(
                *(row[0], row[1], row[2], row[5], row[6], row[3]),
                None if row[4] is None else tuple(json.loads(row[4])),
                *(bool(row[7]), bool(row[8]), row[9]),
            )
            for row in self.rows(f"SELECT * FROM events {rest}", values)
        ]

    def days(self, month: str, cameras: Collection[str] | None) -> dict[str, Any]:
        """Return the number of recordings, seconds and events of each day of a month, by camera.

        Args:
            month: Such as ``2026-11``, in the server's time zone.
            cameras: Only of these; None for all.
        """
        day = "date(begin, 'unixepoch', 'localtime')"
        year, number = map(int, month.split("-"))
        first, last = (
            time.mktime((year, one, 1, 0, 0, 0, 0, 0, -1)) for one in (number, number + 1)
        )
        # A coarse range, with a day to spare, for the SQL index; the LIKE below is exact.
        where, values = _where(cameras, None, last + DAY_S, first - DAY_S)
        where += f" AND {day} LIKE ?"
        days: dict[str, Any] = {}

        def cell(date: str, camera: str) -> dict[str, Any]:
            empty = {"recordings": 0, "events": 0, "seconds": 0.0}
            return days.setdefault(date, {}).setdefault(camera, empty)  # type: ignore[no-any-return]

        wanted = (*values, f"{month}-%")
        for date, camera, count, seconds in self.rows(
            f"SELECT {day}, camera, count(*), sum(end - begin) FROM recordings {where}"
            " GROUP BY 1, 2 ORDER BY 1, 2",
            wanted,
        ):
            cell(date, camera).update(recordings=count, seconds=round(seconds, 1))
        for date, camera, count in self.rows(
            f"SELECT {day}, camera, count(*) FROM events {where} GROUP BY 1, 2", wanted
        ):
            cell(date, camera)["events"] = count
        return dict(sorted(days.items()))

    def rows(self, query: str, values: Iterable[Any] = ()) -> list[Any]:
        """Return the rows of an SQL query; none if there is no index yet."""
        with self._lock:
            if self._connection is None and not self.path.exists():
                return []
            return self._open().execute(query, tuple(values)).fetchall()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            add_folder(self.path.parent)
            os.close(open_private(self.path, os.O_RDWR))
            connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                # A power cut may lose the latest changes, but the files have them.
                connection.execute("PRAGMA synchronous = NORMAL")
                (found,) = connection.execute("PRAGMA user_version").fetchone()
                if found == 1:
                    connection.executescript(TO_SECOND)
                elif found not in (0, SCHEMA):
                    raise sqlite3.DatabaseError(f"an index of another version, {found}")
                if found != SCHEMA:  # Not needed otherwise, and impossible on a full disk.
                    connection.executescript(TABLES)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def recorded(key: str, facts: Facts, is_open: bool = False) -> Recorded:
    """Convert the values stored in a file to its index entry."""
    return Recorded(
        *(key, facts.camera, facts.begin_unix, facts.end_unix, facts.nbytes),
        *(facts.locked, facts.reason, is_open, facts.film),
    )


def _where(
    cameras: Collection[str] | None,
    since: float | None,
    before: float | None,
    earliest: float | None = None,
    label: str | None = None,
    end: str = "coalesce(end, 1e15)",
) -> tuple[str, list[Any]]:
    """Return a WHERE clause and its values."""
    conditions: list[str] = ["1"]
    values: list[Any] = []
    if cameras is not None:
        conditions.append(f"camera IN ({', '.join('?' * len(cameras))})")
        values += cameras
    for condition, value in (
        (f"{end} > ?", since),
        ("begin < ?", before),
        ("begin >= ?", earliest),
        ("label = ?", label),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    return f"WHERE {' AND '.join(conditions)}", values
