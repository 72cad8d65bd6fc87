"""The notices of the last day, kept on disk so that they survive a restart."""

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
"""Notices per answer: encoding more would block the hub for over a millisecond."""

MAX_TEXT = 500
MAX_WHO = 80

SOMEBODY = "an operator"
"""Replaces operators' names for viewers: a name is half of a login."""

# A dragged slider causes a dozen notices a second. A notice that repeats the one before it within
# this time replaces it.
SAME_WITHIN_S = 5.0

# The file is rewritten once it has this many lines more than are kept.
MAX_OUTDATED = 2000

# Read at most this much at the start: enough for all lines at their longest.
MAX_BYTES = 8_000_000

# Shortest pause between a disk error and the next write.
RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened.

    Attributes:
        at: When, in Unix seconds.
        level: ``info``, ``warning`` or ``error``.
        message: What happened, for people, without who did it.
        camera: The camera; None if it concerns the whole server.
        who: The user who did it; None if it happened by itself.
    """

    at: float
    level: str
    message: str
    camera: str | None = None
    who: str | None = None

    def payload(self, names: bool = True) -> dict[str, Any]:
        """Return the ``notice`` event's payload.

        Args:
            names: Whether to name the user; otherwise it says "an operator".
        """
        who = self.who if names or self.who is None else SOMEBODY
        message = f"{self.message} by {who}" if who else self.message
        payload = {"level": self.level, "message": message, "at": self.at}
        more = {"camera": self.camera, "by": who}
        return payload | {key: value for key, value in more.items() if value}

    def repeats(self, other: "Notice") -> bool:
        """Return whether the other one said the same a moment ago, apart from numbers."""
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

    When it is full, the camera with the most notices loses its oldest, so that a camera that comes
    and goes all day does not displace the others' notices. They are written later, on a native
    thread. Neither a disk error nor an unreadable file stops the server.

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
        """How many lines the file has."""
        self._unwritten: deque[Notice] = deque(maxlen=MAX_KEPT)
        self._failing = False
        self._arrived = hub.Signal()
        self._task: hub.Task | None = None

    def restore(self) -> None:
        """Read the notices of earlier runs. Blocks on the disk: call it before anything runs."""
        lines, damaged = self._read(), 0
        for line in lines:
            notice = _parse(line)
            if notice is None:
                damaged += 1
            elif notice.at <= self._clock():  # Skip times in the future, from a wrong clock.
                self._keep(notice)
        self._lines = len(lines)
        if damaged:
            log.warning("%s: %d lines cannot be read and are skipped", self._file.path, damaged)

    def _read(self) -> list[bytes]:
        """Return the newest lines of the file, or none if it cannot be read."""
        try:
            text = self._file.read(MAX_BYTES) or b""
        except OSError as error:
            log.warning("%s cannot be read (%s); the timeline starts empty", self._file.path, error)
            return []
        lines = text.split(b"\n")
        whole = len(text) < MAX_BYTES
        return [line for line in lines[0 if whole else 1 :] if line]

    def open(self) -> None:
        """Start writing."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Write what is waiting, and stop."""
        if self._task:
            self._task.kill()
        self._write()

    def add(self, level: str, message: str, camera: str | None, who: str | None = None) -> Notice:
        """Keep a notice and return it; does not block."""
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
            sees: Whether the client may see a camera.
            since: Only those later than this, in Unix seconds.
            before: Only those earlier than this.
            camera: Only those of this camera; None for all, and those of the whole server.
        """
        # Skip older notices, but keep them: the clock may be set back.
        earliest = max(since if since is not None else 0.0, self._clock() - KEPT_S)
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
            # After a failure, rewrite the file from memory, which has the notices not appended.
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
    """Return a message without its numbers."""
    return re.sub(r"\d+(?:\.\d+)?", "#", message)


def _parse(line: bytes) -> Notice | None:
    """Return a line's notice, or None if it is damaged, for example by a power cut."""
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
        # A power cut may have left half a line: start a new one.
        whole = size == 0 or os.pread(file.fileno(), 1, size - 1) == b"\n"
        file.write((b"" if whole else b"\n") + _lines_of(notices))


def _replace(file: PrivateFile, notices: list[Notice]) -> None:
    file.replace(_lines_of(notices))
