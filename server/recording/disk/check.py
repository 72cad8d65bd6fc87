"""Makes the index anew from the files, and mends files that were torn.

Blocks on the disk: on native threads, or without a server.
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

# A file without a picture that is younger may just have been created.
MIN_STUB_AGE_S = 60.0

# So many changes of the index are one transaction.
BATCH = 100

Row = TypeVar("Row", Recorded, Event)


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes:
        recordings: How many there are.
        events: How many there are.
        repaired: Recordings whose end was torn, by id.
        unusable: Files that cannot be read, or without anything that can be played, by name; they
            are left alone.
        removed: Recordings of which there was only the beginning; deleted.
        open: Recordings that are being written; what the index says of them stays.
        added: How many the index did not have, or had otherwise.
        dropped: How many the index had that are not there.
        index_was_broken: Whether it could not be read, and was set aside.
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
        """Return it for programs."""
        return asdict(self)


def check(media: Path, index: Index, thorough: bool = True) -> Report:
    """Have the index say what the files do, and cut off what is torn at their ends.

    Files that are being written, by whichever process, are left alone.

    Args:
        media: The folder of recordings.
        index: The index.
        thorough: Whether to read each file's beginning; otherwise only of those that the index
            does not know, or knows otherwise.

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
            now = _look(key, path, have if not thorough else None, report)
        except OSError:
            report.unusable.append(str(path))
            now = have
        if now is None:
            continue
        found.add(key)
        report.recordings += 1
        if now.open:
            report.open += 1
            index.put(now, renew=False)  # Its writer knows better.
        elif now != have:
            report.added += 1
            new.append(now)
            if len(new) >= BATCH:
                _renew(index, index.recordings_where, index.put, known, new)
                new.clear()
    _renew(index, index.recordings_where, index.put, known, new)
    gone = [key for key in known if key not in found]
    report.dropped += len(gone)
    index.remove(gone)
    _check_events(media, index, report)
    return report


def oldest_file(media: Path) -> str | None:
    """Return the id of the oldest recording that may be deleted, by the files alone; or None.

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


def _look(key: str, path: Path, known: Recorded | None, report: Report) -> Recorded | None:
    """Return what is to be in the index of a file; None for nothing."""
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
    """Return whether a file was created as a recording, and the process killed before it wrote."""
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
        _renew(index, index.events_where, index.put_event, known, some)
    gone = [key for key in known if key not in found]
    report.dropped += len(gone)
    index.remove_events(gone)
    report.events = len(found)


def _is_in(file: Path, media: Path, event: str) -> bool:
    picture = picture_path(media, event)
    return picture is not None and events_file(picture) == file


def _renew(
    index: Index,
    find: Callable[[str, Sequence[str]], list[Row]],
    put: Callable[..., None],
    known: Mapping[str, Row],
    new: Sequence[Row],
) -> None:
    """Put rows into the index, unless what was known of them has changed since: files were read
    before, and who has changed it knows better.
    """
    with index.changing():
        here = f"WHERE id IN ({', '.join('?' * len(new))})"
        now = {one.id: one for one in find(here, [one.id for one in new])}
        put(*(one for one in new if now.get(one.id) == known.get(one.id)))
