"""Paths and ids of recordings and events in the folder ``media``.

An id consists of the camera's name and the local date and time of the beginning, so the file is
found without the index: ``door_20261126_090507`` is ``door/2026-11-26/09-05-07.mp4``.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from server.users.private import add_folder

__all__ = [
    "FILM",
    "camera_of",
    "event_id",
    "events_file",
    "picture_path",
    "recording_id",
    "recording_path",
    "recordings",
]

ID = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9-]{0,39})_(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)(-\d{1,3})?"
)
EVENT_ID = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,39})_(\d{4})(\d\d)(\d\d)_\d{9}(?:-\d{1,4})?")

DAY = re.compile(r"\d{4}-\d\d-\d\d")
TIME = re.compile(r"\d\d-\d\d-\d\d(?:-\d{1,3})?")
CAMERA = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")

FILM = "/film"
"""Suffix to a camera's name for the track of its time-lapse film."""


def camera_of(key: str) -> str | None:
    """Return the camera's name in the id of a recording or event; None if it is not such an id."""
    found = ID.fullmatch(key) or EVENT_ID.fullmatch(key)
    return found[1] if found else None


def recording_id(camera: str, begin_unix: float, number: int = 0) -> str:
    """Return the id of a recording; ``number`` tells apart those that began in one second."""
    at = time.strftime("%Y%m%d_%H%M%S", time.localtime(begin_unix))
    return f"{camera}_{at}" + (f"-{number}" if number else "")


def recording_path(media: Path, recording: str) -> Path | None:
    """Return the path of a recording, which need not exist; None if the id is invalid."""
    found = ID.fullmatch(recording)
    if found is None:
        return None
    camera, year, month, day, hour, minute, second, number = found.groups("")
    return media / camera / f"{year}-{month}-{day}" / f"{hour}-{minute}-{second}{number}.mp4"


def event_id(camera: str, at_unix: float, number: int = 0) -> str:
    """Return the id of an event; ``number`` tells apart those of one millisecond."""
    at = time.strftime("%Y%m%d_%H%M%S", time.localtime(at_unix))
    return f"{camera}_{at}{int(at_unix * 1000) % 1000:03}" + (f"-{number}" if number else "")


def picture_path(media: Path, event: str) -> Path | None:
    """Return the path of an event's picture, which need not exist; None if the id is invalid."""
    found = EVENT_ID.fullmatch(event)
    if found is None:
        return None
    camera, year, month, day = found.groups()
    return media / camera / f"{year}-{month}-{day}" / "events" / f"{event}.jpg"


def events_file(picture: Path) -> Path:
    """Return the file that describes all events of a day, given the picture of one."""
    return picture.parent.with_name("events.jsonl")


def add_folders(media: Path, folder: Path) -> None:
    """Create a folder within the media folder, readable by the server's account only.

    Raises:
        OSError: If it cannot be created.
    """
    for one in reversed((folder, *folder.parents)):
        if one.is_relative_to(media):
            add_folder(one)


def days(media: Path) -> Iterator[tuple[str, Path]]:
    """Yield each camera's name with each of its day folders."""
    for camera in _folders(media, CAMERA):
        for day in _folders(camera, DAY):
            yield camera.name, day


def recordings(media: Path) -> Iterator[tuple[str, Path]]:
    """Yield the id and path of every recording."""
    for camera, day in days(media):
        for path in sorted(day.glob("*.mp4")):
            if TIME.fullmatch(path.stem) and path.is_file() and not path.is_symlink():
                clock = path.stem.split("-", 3)
                number = f"-{clock[3]}" if len(clock) > 3 else ""
                yield f"{camera}_{day.name.replace('-', '')}_{''.join(clock[:3])}{number}", path


def _folders(folder: Path, name: re.Pattern[str]) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if name.fullmatch(one.name) and one.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
