"""The file of one camera's events of a day: one line per change, the last one of an event counts.

Blocks on the disk: call it on native threads only.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from server.recording.disk.index import Event
from server.recording.disk.layout import add_folders, events_file, picture_path
from server.users.private import open_private, write_private

__all__ = ["read_events", "remove_empty", "remove_events", "write_event"]


def write_event(media: Path, event: Event, jpeg: bytes | None = None) -> None:
    """Append an event's current values, and store its best picture if there is a new one.

    Raises:
        OSError: If it cannot be written.
    """
    picture = picture_path(media, event.id)
    assert picture is not None
    if jpeg is not None:
        add_folders(media, picture.parent)
        write_private(picture, jpeg)
    file = events_file(picture)
    add_folders(media, file.parent)
    noted = asdict(event)
    if not event.film:
        del noted["film"]  # Earlier versions reject this key.
    _append(file, noted)


def remove_events(media: Path, keys: Iterable[str]) -> None:
    """Delete events, and the day's files along with its last event.

    Raises:
        OSError: If they cannot be deleted.
    """
    days: dict[Path, dict[str, Path]] = {}
    for key in keys:
        picture = picture_path(media, key)
        assert picture is not None
        days.setdefault(events_file(picture), {})[key] = picture
    for file, gone in days.items():
        # First, so that events and pictures both stay if this fails, as on a full disk.
        if file.exists():
            _append(file, *({"id": key, "removed": True} for key in gone))
        for picture in gone.values():
            picture.unlink(missing_ok=True)
        if file.exists() and not read_events([file]):
            file.unlink(missing_ok=True)
            folder = file.parent / "events"
            for left in folder.glob(".*.new"):  # Left half-written by a killed process.
                left.unlink(missing_ok=True)
            remove_empty(folder)


def remove_empty(folder: Path) -> None:
    """Delete a folder within the media folder if it is empty, then its parents likewise."""
    for one in (folder, *folder.parents[:2]):
        try:
            one.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return


def read_events(files: Iterable[Path]) -> list[Event]:
    """Return the events in some files; damaged lines are skipped.

    Raises:
        OSError: If a file cannot be read.
    """
    events: dict[str, Event] = {}
    for file in files:
        try:
            lines = file.read_bytes().splitlines()
        except FileNotFoundError:
            continue
        for line in lines:
            _apply_line(line, events)
    return list(events.values())


def _apply_line(line: bytes, events: dict[str, Event]) -> None:
    try:
        values = json.loads(line)
        if values.pop("removed", False):
            events.pop(values["id"], None)
            return
        if values["box"] is not None:
            left, top, width, height = map(float, values["box"])
            values["box"] = left, top, width, height
        event = Event(**values)
    except (ValueError, TypeError, LookupError, AttributeError):
        return  # Incomplete, as after a power cut.
    events[event.id] = event


def _append(file: Path, *entries: dict[str, Any]) -> None:
    with open(open_private(file, os.O_RDWR | os.O_APPEND), "ab") as opened:
        size = os.fstat(opened.fileno()).st_size
        # A killed process may have left half a line.
        whole = size == 0 or os.pread(opened.fileno(), 1, size - 1) == b"\n"
        lines = "".join(f"{json.dumps(one)}\n" for one in entries)
        opened.write((b"" if whole else b"\n") + lines.encode())
