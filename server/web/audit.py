"""The audit log: who did what, from where, when, and whether it was let happen."""

import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from server import hub
from server.private import open_private

__all__ = ["Audit", "line_of"]

log = logging.getLogger(__name__)

LARGEST_BYTES = 5_000_000
"""At this size the file becomes ``audit.log.1``, in place of the one before it."""

LONGEST_TEXT = 200

# What waits to be written; beyond it entries are lost, and counted.
MOST_WAITING = 2000

# Somebody who is refused the same thing again and again is told of once in this time, with a count,
# so that no guesser can push everything else out of the file.
REPEAT_S = 30.0
MOST_REPEATS = 500

Value = str | float | int | None


class Audit:
    """Appends one JSON object a line to the state folder's ``audit.log``.

    Writing happens on a native thread, later, and a disk that refuses stops nothing: what is told
    of here has already been decided.

    Args:
        folder: The state folder.
        clock: Unix seconds.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = folder / "audit.log"
        self._clock = clock
        self._waiting: deque[str] = deque()
        self._repeats: dict[tuple[Value, ...], tuple[float, int, dict[str, Value]]] = {}
        self._lost = 0
        self._failing = False
        self._arrived = hub.Signal()
        self._task: hub.Task | None = None

    def open(self) -> None:
        """Begin to write."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Write what waits, and end."""
        if self._task:
            self._task.kill()
        self._settle(float("inf"))
        self._write()

    def note(
        self, who: str | None, what: str, where: str, result: str = "ok", **more: Value
    ) -> None:
        """Take an entry; returns at once.

        Args:
            who: The person; None for nobody known.
            what: An event's name, ``login`` or ``logout``, or an HTTP path.
            where: The address it came from.
            result: ``ok``, or why it was refused.
            more: The camera, the value, and so on.
        """
        entry: dict[str, Value] = {"who": who, "what": what, "from": where, "result": result}
        entry |= {key: value for key, value in more.items() if value is not None}
        now = self._clock()
        if result != "ok":
            self._settle(now)
            key = tuple(entry.values())
            if key in self._repeats:
                since, times, first = self._repeats[key]
                self._repeats[key] = since, times + 1, first
                return
            if len(self._repeats) < MOST_REPEATS:
                self._repeats[key] = now, 0, entry
        self._take(entry, now)

    def _take(self, entry: dict[str, Value], now: float) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._lost += 1
            return
        if self._lost:
            entry = entry | {"lost_before": self._lost}
            self._lost = 0
        self._waiting.append(line_of(entry, now))
        self._arrived.set()

    def _settle(self, now: float) -> None:
        """Tell how often what was refused has been refused again."""
        for key, (since, times, entry) in list(self._repeats.items()):
            if now - since < REPEAT_S:
                break  # They are in the order of their beginning.
            del self._repeats[key]
            if times:
                self._take(entry | {"repeated": times}, min(now, since + REPEAT_S))

    def _run(self) -> None:
        while True:
            self._arrived.wait(REPEAT_S)
            self._settle(self._clock())
            self._write()

    def _write(self) -> None:
        lines = list(self._waiting)
        self._waiting.clear()
        if not lines:
            return
        try:
            hub.run_native(_append, self._path, "".join(lines).encode("ascii"))
            self._failing = False
        except OSError as error:
            self._lost += len(lines)
            if not self._failing:
                log.error("the audit log cannot be written: %s", error)
            self._failing = True


def line_of(entry: dict[str, Value], at_unix: float) -> str:
    """Return an entry as one line of plain ASCII, in which nothing can end the line."""
    at = datetime.fromtimestamp(at_unix, UTC).isoformat(timespec="milliseconds")
    short = {
        key: value[:LONGEST_TEXT] if isinstance(value, str) else value
        for key, value in entry.items()
    }
    # JSON escapes all control characters but one.
    return json.dumps({"at": at} | short).replace("\x7f", "\\u007f") + "\n"


def _append(path: Path, data: bytes) -> None:
    """Append to a private file, moving it aside when it has grown large. Runs natively."""
    try:
        if os.stat(path).st_size + len(data) > LARGEST_BYTES:
            os.replace(path, path.with_name(path.name + ".1"))
    except FileNotFoundError:
        pass
    with open(open_private(path, os.O_WRONLY | os.O_APPEND), "ab") as file:
        file.write(data)
