"""Rebuild the index from the files, and repair files that were cut short.

Blocks on the disk: call it on native threads, or without a server.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from server.errors import PictureError
from server.recording.disk.event_file import read_events, remove_empty
from server.recording.disk.index import Event, Index, Recorded, recorded
from server.recording.disk.layout import days, events_file, picture_path, recordings
from server.recording.disk.recording_file import is_being_written, read_facts, repair

__all__ = ["Report", "check", "oldest_file"]

# A younger file without pictures may just have been created.
MIN_STUB_AGE_S = 60.0

# Changes to the index in one transaction.
BATCH = 100

Row = TypeVar("Row", Recorded, Event)


@dataclass(slots=True)
class Report:
    """The result of a check.

    Attributes:
        recordings: Number of recordings.
        events: Number of events.
        repaired: Ids of recordings whose incomplete end was cut off.
        unusable: Names of files that cannot be read or played; they are left alone.
        removed: Ids of deleted recordings that had no complete fragment.
        open: Number of recordings being written; their index entries stay.
        added: Number of entries that were missing from the index or different.
        dropped: Number of index entries without a file.
        index_was_broken: Whether the index could not be read and was set aside.
    """

    recordings: int = 0
    events: int = 0
    repaired: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    open: int = 0
    added: int = 0
    dropped: int = 0
    index_was_broken: bool = False

    def describe(self) -> dict[str, Any]:
        """Return the report as JSON-compatible values."""
        return asdict(self)


def check(media: Path, index: Index, thorough: bool = True) -> Report:
    """Make the index match the files, and cut off incomplete ends.

    Files being written, by any process, are left alone.

    Args:
        media: The media folder.
        index: The index.
        thorough: Whether to read the head of each file; otherwise only of files that are new or
            whose size differs from the index.

    Raises:
        OSError: If the index cannot be opened.
        sqlite3.Error: If it cannot be written.
    """
    report = Report()
    if not media.is_dir():
        return report
    if not index.verify():
        report.index_was_broken = index.set_aside() is not None
    known = {one.id: one for one in index.all_recordings()}
    found: set[str] = set()
    new: list[Recorded] = []
    for key, path in recordings(media):
        have = known.get(key)
        try:
            now = _check_file(key, path, have if not thorough else None, report)
        except OSError:
            report.unusable.append(str(path))
            now = have
        if now is None:
            continue
        found.add(key)
        report.recordings += 1
        if now.open:
            report.open += 1
            index.put(now, replace=False)  # Its writer's entry is newer.
        elif now != have:
            report.added += 1
            new.append(now)
            if len(new) >= BATCH:
                _put_unchanged(index, index.recordings_where, index.put, known, new)
                new.clear()
    _put_unchanged(index, index.recordings_where, index.put, known, new)
    gone = [key for key in known if key not in found]
    report.dropped += len(gone)
    index.remove(gone)
    _check_events(media, index, report)
    return report


def oldest_file(media: Path) -> str | None:
    """Return the id of the oldest deletable recording without using the index; or None.

    Raises:
        OSError: If the folder cannot be read.
    """
    for key, path in sorted(recordings(media), key=lambda one: one[0].partition("_")[2]):
        try:
            if not is_being_written(path) and not read_facts(path).locked:
                return key
        except (OSError, PictureError):
            continue
    return None


def _check_file(key: str, path: Path, known: Recorded | None, report: Report) -> Recorded | None:
    """Return the index entry for a file; None for no entry."""
    try:
        size = path.stat().st_size
        if known is not None and not known.open and known.bytes == size:
            return known
        if is_being_written(path):
            return recorded(key, read_facts(path), is_open=True)
        facts = read_facts(path)
        if not facts.whole:
            report.repaired.append(key)
            facts = repair(path)
        return recorded(key, facts)
    except FileNotFoundError:
        return None  # It was deleted meanwhile.
    except PictureError:
        if not _is_stub(path):
            report.unusable.append(str(path))
        elif path.stat().st_mtime < time.time() - MIN_STUB_AGE_S:
            report.removed.append(key)
            path.unlink(missing_ok=True)
            remove_empty(path.parent)
        return None


def _is_stub(path: Path) -> bool:
    """Return whether the process was killed before it wrote the first fragment of a file."""
    try:
        with open(path, "rb") as file:
            data = file.read(1 << 16)
    except OSError:
        return False
    return (not data or data[4:8] == b"ftyp") and b"moof" not in data


def _check_events(media: Path, index: Index, report: Report) -> None:
    known = {one.id: one for one in index.all_events()}
    found: dict[str, Event] = {}
    for _, day in days(media):
        file = day / "events.jsonl"
        try:
            found |= {event.id: event for event in read_events([file])}
        except OSError:
            report.unusable.append(str(file))
            found |= {key: event for key, event in known.items() if _is_in(file, media, key)}
    new = [event for event in found.values() if known.get(event.id) != event]
    report.added += len(new)
    for begin in range(0, len(new), BATCH):
        some = new[begin : begin + BATCH]
        _put_unchanged(index, index.events_where, index.put_event, known, some)
    gone = [key for key in known if key not in found]
    report.dropped += len(gone)
    index.remove_events(gone)
    report.events = len(found)


def _is_in(file: Path, media: Path, event: str) -> bool:
    picture = picture_path(media, event)
    return picture is not None and events_file(picture) == file


def _put_unchanged(
    index: Index,
    find: Callable[[str, Sequence[str]], list[Row]],
    put: Callable[..., None],
    known: Mapping[str, Row],
    new: Sequence[Row],
) -> None:
    """Put rows into the index, except those changed since the files were read: they are newer."""
    with index.changing():
        here = f"WHERE id IN ({', '.join('?' * len(new))})"
        now = {one.id: one for one in find(here, [one.id for one in new])}
        put(*(one for one in new if now.get(one.id) == known.get(one.id)))
