"""The audit log: who did what, from where, when, and whether it was allowed."""

import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from server.addresses import network_of
from server.loop import hub
from server.users.private import open_private

__all__ = ["Audit", "line_of"]

log = logging.getLogger(__name__)

MAX_BYTES = 5_000_000
"""At this size a file is renamed to end in ``.1``, replacing the previous one."""

MAX_TEXT = 200

# Entries waiting to be written to each file; any more are dropped and counted.
MAX_PENDING = 2000

# A repeated refusal is written once per this time, with a count.
REPEAT_S = 30.0
MAX_REPEATS = 500

OTHERS = "others"
"""Replaces the address of refusals that do not fit into the table of repeats."""

Value = str | float | int | None

Entry = dict[str, Value]

# Refusals with the same key count as repeats. The key has only the server's own words, account
# names and networks, because a caller could vary anything else.
Kind = tuple[str | None, str, str, str, Value]


class Audit:
    """Appends JSON lines: actions to ``audit.log``, refusals to ``refused.log``.

    Two files, because anybody can cause any number of refusals, and those must not push actions out
    of the log. Entries are written later, on a native thread. A disk error stops nothing:
    everything logged here has already been decided.

    Args:
        folder: The state folder.
        clock: Unix seconds.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._arrived = hub.Signal()
        self._done = _Log(folder / "audit.log")
        self._refused = _Log(folder / "refused.log")
        self._repeats: dict[Kind, tuple[float, int, Entry]] = {}
        self._task: hub.Task | None = None

    def open(self) -> None:
        """Start writing."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Write what is pending, and stop."""
        if self._task:
            self._task.kill()
        self._log_repeats(float("inf"))
        self._write()

    def note(
        self, who: str | None, what: str, where: str, result: str = "ok", **more: Value
    ) -> None:
        """Log an entry; does not block.

        Args:
            who: The person's name; None if unknown.
            what: An event's name, ``login`` or ``logout``, or an HTTP path's area.
            where: The client's address.
            result: ``ok``, or why it was refused.
            more: Further fields, such as the camera and the value; ``tried`` is the account of a
                failed login.
        """
        entry: Entry = {"who": who, "what": what, "from": where, "result": result}
        entry |= {key: value for key, value in more.items() if value is not None}
        now = self._clock()
        if result == "ok":
            self._done.add(entry, now)
        else:
            self._refuse(entry, now, who, what, where, result)
        self._arrived.set()

    def _refuse(
        self, entry: Entry, now: float, who: str | None, what: str, where: str, result: str
    ) -> None:
        self._log_repeats(now)
        # Without users, "who" is also the address.
        kind = None if who == where else who, what, network_of(where), result, entry.get("tried")
        if kind not in self._repeats and len(self._repeats) >= MAX_REPEATS:
            entry = {"who": None, "what": what, "from": OTHERS, "result": result}
            kind = None, what, OTHERS, result, None
        if kind in self._repeats:
            since, times, first = self._repeats[kind]
            self._repeats[kind] = since, times + 1, first
            return
        self._repeats[kind] = now, 0, entry
        self._refused.add(entry, now)

    def _log_repeats(self, now: float) -> None:
        """Log how often each refusal was repeated, REPEAT_S after the first."""
        while self._repeats:
            kind, (since, times, entry) = next(iter(self._repeats.items()))
            if now - since < REPEAT_S:
                break  # Ordered by first occurrence.
            del self._repeats[kind]
            if times:
                self._refused.add(entry | {"repeated": times}, min(now, since + REPEAT_S))

    def _run(self) -> None:
        while True:
            self._arrived.wait(REPEAT_S)
            self._log_repeats(self._clock())
            self._write()

    def _write(self) -> None:
        self._done.write()
        self._refused.write()


class _Log:
    """One file, and the lines waiting to be appended to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[str] = deque()
        self._lost = 0
        self._failing = False

    def add(self, entry: Entry, now: float) -> None:
        if len(self._waiting) >= MAX_PENDING:
            self._lost += 1
            return
        if self._lost:
            entry = entry | {"lost_before": self._lost}
            self._lost = 0
        self._waiting.append(line_of(entry, now))

    def write(self) -> None:
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
                log.error("%s cannot be written: %s", self._path, error)
            self._failing = True


def line_of(entry: Entry, at_unix: float) -> str:
    """Return an entry as one line of plain ASCII, with all line breaks and controls escaped."""
    at = datetime.fromtimestamp(at_unix, UTC).isoformat(timespec="milliseconds")
    short = {
        key: value[:MAX_TEXT] if isinstance(value, str) else value for key, value in entry.items()
    }
    # JSON escapes every control character except DEL.
    return json.dumps({"at": at} | short).replace("\x7f", "\\u007f") + "\n"


def _append(path: Path, data: bytes) -> None:
    """Append to a private file, rotating it when it has grown too large. Runs natively."""
    try:
        if os.stat(path).st_size + len(data) > MAX_BYTES:
            os.replace(path, path.with_name(path.name + ".1"))
    except FileNotFoundError:
        pass
    with open(open_private(path, os.O_WRONLY | os.O_APPEND), "ab") as file:
        file.write(data)
