"""The audit log: who did what, from where, when, and whether it was let happen."""

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
"""At this size a file gets ``.1`` after its name, in place of the one before it."""

MAX_TEXT = 200

# What waits to be written to each file; beyond it entries are lost, and counted.
MAX_PENDING = 2000

# A refusal that repeats is written once in this time, with a count.
REPEAT_S = 30.0
MAX_REPEATS = 500

OTHERS = "others"
"""Where refusals came from that no longer fit into the table of repeats."""

Value = str | float | int | None

Entry = dict[str, Value]

# What makes a refusal the same as another one. Only the server's own words, the names of accounts
# and networks: whatever else callers write, they could write anew each time.
Kind = tuple[str | None, str, str, str, Value]


class Audit:
    """Appends one JSON object a line: what was done to ``audit.log``, refusals to ``refused.log``.

    Two files, because anybody can be refused as often as they like, and must not push out of the
    state folder what was done. Writing happens on a native thread, later, and a disk that refuses
    stops nothing: what is told of here has already been decided.

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
            what: An event's name, ``login`` or ``logout``, or an HTTP path's area.
            where: The address it came from.
            result: ``ok``, or why it was refused.
            more: The camera, the value, and so on; ``tried`` is the account somebody tried to use.
        """
        entry: Entry = {"who": who, "what": what, "from": where, "result": result}
        entry |= {key: value for key, value in more.items() if value is not None}
        now = self._clock()
        if result == "ok":
            self._done.take(entry, now)
        else:
            self._refuse(entry, now, who, what, where, result)
        self._arrived.set()

    def _refuse(
        self, entry: Entry, now: float, who: str | None, what: str, where: str, result: str
    ) -> None:
        self._settle(now)
        # Where nobody has a name, "who" is the address once more.
        kind = None if who == where else who, what, network_of(where), result, entry.get("tried")
        if kind not in self._repeats and len(self._repeats) >= MAX_REPEATS:
            entry = {"who": None, "what": what, "from": OTHERS, "result": result}
            kind = None, what, OTHERS, result, None
        if kind in self._repeats:
            since, times, first = self._repeats[kind]
            self._repeats[kind] = since, times + 1, first
            return
        self._repeats[kind] = now, 0, entry
        self._refused.take(entry, now)

    def _settle(self, now: float) -> None:
        """Tell how often what was refused has been refused again."""
        while self._repeats:
            kind, (since, times, entry) = next(iter(self._repeats.items()))
            if now - since < REPEAT_S:
                break  # They are in the order of their beginning.
            del self._repeats[kind]
            if times:
                self._refused.take(entry | {"repeated": times}, min(now, since + REPEAT_S))

    def _run(self) -> None:
        while True:
            self._arrived.wait(REPEAT_S)
            self._settle(self._clock())
            self._write()

    def _write(self) -> None:
        self._done.write()
        self._refused.write()


class _Log:
    """One file, and the lines that wait to be appended to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[str] = deque()
        self._lost = 0
        self._failing = False

    def take(self, entry: Entry, now: float) -> None:
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
    """Return an entry as one line of plain ASCII, in which nothing can end the line."""
    at = datetime.fromtimestamp(at_unix, UTC).isoformat(timespec="milliseconds")
    short = {
        key: value[:MAX_TEXT] if isinstance(value, str) else value for key, value in entry.items()
    }
    # JSON escapes all control characters but one.
    return json.dumps({"at": at} | short).replace("\x7f", "\\u007f") + "\n"


def _append(path: Path, data: bytes) -> None:
    """Append to a private file, moving it aside when it has grown large. Runs natively."""
    try:
        if os.stat(path).st_size + len(data) > MAX_BYTES:
            os.replace(path, path.with_name(path.name + ".1"))
    except FileNotFoundError:
        pass
    with open(open_private(path, os.O_WRONLY | os.O_APPEND), "ab") as file:
        file.write(data)
