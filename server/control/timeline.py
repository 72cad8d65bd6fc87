"""What has happened in the last day: every notice, kept on disk so that a restart keeps it."""

import json
import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.loop import hub
from server.users.private import PrivateFile, open_private

__all__ = ["MAX_SENT", "Notice", "Timeline"]

log = logging.getLogger(__name__)

KEPT_S = 24 * 3600.0

MAX_KEPT = 2000

MAX_SENT = 200
"""Notices in one answer: more would take the hub over a millisecond to write down."""

MAX_TEXT = 500
MAX_WHO = 80

SOMEBODY = "an operator"
"""Who did something, for viewers: an operator's name is half of what a guesser needs."""

# A slider being dragged tells of a dozen values a second; what follows the same within this time
# takes its place.
SAME_WITHIN_S = 5.0

# The file is appended to until it has so many lines more than are kept, and then written anew.
MAX_OUTDATED = 2000

# What is read at the start, at most: room for every line that may be there, at its longest.
MAX_BYTES = 8_000_000

# When the disk has refused, the file is tried again with the next notice after this time.
RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened.

    Attributes:
        at: When, in Unix seconds.
        level: ``info``, ``warning`` or ``error``.
        message: What, for people, without who did it.
        camera: To which camera; None if it concerns the whole server.
        who: Did it; None for what happened by itself.
    """

    at: float
    level: str
    message: str
    camera: str | None = None
    who: str | None = None

    def payload(self, names: bool = True) -> dict[str, Any]:
        """Return the ``notice`` event's payload.

        Args:
            names: Whether it says who; otherwise that it was an operator.
        """
        who = self.who if names or self.who is None else SOMEBODY
        message = f"{self.message} by {who}" if who else self.message
        payload = {"level": self.level, "message": message, "at": self.at}
        more = {"camera": self.camera, "by": who}
        return payload | {key: value for key, value in more.items() if value}

    def repeats(self, other: "Notice") -> bool:
        """Return whether this says what the other one just said, but for the numbers in it."""
        return (
            abs(self.at - other.at) < SAME_WITHIN_S
            and (self.level, self.camera, self.who) == (other.level, other.camera, other.who)
            and kind_of(self.message) == kind_of(other.message)
        )


class _Entry(BaseModel):
    """A line of the file."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    at: Annotated[float, Field(ge=0)]
    level: Literal["info", "warning", "error"]
    message: str
    camera: Annotated[str | None, Field(min_length=1, max_length=40)] = None
    who: Annotated[str | None, Field(min_length=1, max_length=MAX_WHO)] = None


class Timeline:
    """Keeps the notices of the last 24 hours, and appends them to ``timeline.jsonl``.

    Where there are more than fit, the camera with the most loses its oldest, so that one which
    comes and goes all day hides nothing of the others. Writing happens on a native thread, later; a
    disk that refuses, or a file that cannot be read, stops nothing.

    Args:
        folder: The state folder.
        clock: Unix seconds.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = PrivateFile(folder / "timeline.jsonl")
        self._clock = clock
        self._kept: dict[str | None, deque[Notice]] = {}
        self._count = 0
        self._lines = 0
        """Of the file."""
        self._unwritten: deque[Notice] = deque(maxlen=MAX_KEPT)
        self._failing = False
        self._arrived = hub.Signal()
        self._task: hub.Task | None = None

    def restore(self) -> None:
        """Read what an earlier run has kept. Blocks on the disk: before anything runs."""
        lines, damaged = self._read(), 0
        for line in lines:
            notice = _parse(line)
            if notice is None:
                damaged += 1
            elif notice.at <= self._clock():  # A clock that was wrong once must not fill the list.
                self._keep(notice)
        self._lines = len(lines)
        if damaged:
            log.warning("%s: %d lines cannot be read and are left out", self._file.path, damaged)

    def _read(self) -> list[bytes]:
        """Return the newest lines of the file; none if there is no such file that can be read."""
        try:
            text = self._file.read(MAX_BYTES) or b""
        except OSError as error:
            log.warning("%s cannot be read (%s); the timeline begins anew", self._file.path, error)
            return []
        lines = text.split(b"\n")
        whole = len(text) < MAX_BYTES
        return [line for line in lines[0 if whole else 1 :] if line]

    def open(self) -> None:
        """Begin to write."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Write what waits, and end."""
        if self._task:
            self._task.kill()
        self._write()

    def add(self, level: str, message: str, camera: str | None, who: str | None = None) -> Notice:
        """Keep a notice, and return it; returns at once."""
        at, text = round(self._clock(), 3), message[:MAX_TEXT]
        notice = Notice(at, level, text, camera, who[:MAX_WHO] if who else None)
        self._keep(notice)
        self._unwritten.append(notice)
        self._arrived.set()
        return notice

    def newest(
        self,
        sees: Callable[[str], bool],
        since: float | None = None,
        before: float | None = None,
        camera: str | None = None,
    ) -> tuple[list[Notice], bool]:
        """Return the newest notices, oldest first, and whether there are earlier ones.

        Args:
            sees: Whether whoever asks may know of a camera.
            since: Only those later than this, in Unix seconds.
            before: Only those earlier than this.
            camera: Only those of this camera; None for all, and for what concerns the server.
        """
        self._expire()
        earliest = since if since is not None else 0.0
        latest = before if before is not None else float("inf")
        found = sorted(
            (
                notice
                for name, notices in self._kept.items()
                if (camera is None or name == camera) and (name is None or sees(name))
                for notice in notices
                if earliest < notice.at < latest
            ),
            key=attrgetter("at"),
        )
        return found[-MAX_SENT:], len(found) > MAX_SENT

    def _keep(self, notice: Notice) -> None:
        notices = self._kept.setdefault(notice.camera, deque())
        if notices and notice.repeats(notices[-1]):
            notices[-1] = notice
            return
        notices.append(notice)
        self._count += 1
        if self._count > MAX_KEPT:
            self._expire()
        if self._count > MAX_KEPT:
            self._drop_oldest(max(self._kept, key=lambda name: len(self._kept[name])))

    def _expire(self) -> None:
        earliest = self._clock() - KEPT_S
        for name in list(self._kept):
            while name in self._kept and self._kept[name][0].at < earliest:
                self._drop_oldest(name)

    def _drop_oldest(self, name: str | None) -> None:
        self._kept[name].popleft()
        self._count -= 1
        if not self._kept[name]:
            del self._kept[name]

    def _all(self) -> Iterator[Notice]:
        return (notice for notices in self._kept.values() for notice in notices)

    def _run(self) -> None:
        while True:
            self._arrived.wait()
            self._write()
            if self._failing:
                hub.sleep(RETRY_S)

    def _write(self) -> None:
        if not self._unwritten:
            return
        waiting = list(self._unwritten)
        self._unwritten.clear()
        try:
            # What could not be written is kept all the same, and comes with the next new file.
            if self._failing or self._lines + len(waiting) > self._count + MAX_OUTDATED:
                self._expire()
                kept = sorted(self._all(), key=attrgetter("at"))
                hub.run_native(_replace, self._file, kept)
                self._lines = len(kept)
            else:
                hub.run_native(_append, self._file.path, waiting)
                self._lines += len(waiting)
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.error("the timeline cannot be written: %s", error)
            self._failing = True


def kind_of(message: str) -> str:
    """Return a message without its numbers: what it says, whatever the value."""
    return re.sub(r"\d+(?:\.\d+)?", "#", message)


def _parse(line: bytes) -> Notice | None:
    """Return a line's notice; None if there is none in it, as after a power cut."""
    try:
        entry = _Entry.model_validate_json(line)
    except ValidationError:
        return None
    return Notice(entry.at, entry.level, entry.message[:MAX_TEXT], entry.camera, entry.who)


def _lines_of(notices: list[Notice]) -> bytes:
    entries = (
        {key: value for key, value in asdict(notice).items() if value is not None}
        for notice in notices
    )
    return "".join(json.dumps(entry) + "\n" for entry in entries).encode("ascii")


def _append(path: Path, notices: list[Notice]) -> None:
    with open(open_private(path, os.O_RDWR | os.O_APPEND), "ab") as file:
        size = os.fstat(file.fileno()).st_size
        # A power cut may have left half a line, to which nothing must be added.
        whole = size == 0 or os.pread(file.fileno(), 1, size - 1) == b"\n"
        file.write((b"" if whole else b"\n") + _lines_of(notices))


def _replace(file: PrivateFile, notices: list[Notice]) -> None:
    file.replace(_lines_of(notices))
