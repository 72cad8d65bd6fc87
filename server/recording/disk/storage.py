"""The folder of recordings together with its index: what is noted, how much fits, what has to go.

Blocks on the disk: on native threads only.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from server.loop import native
from server.recording.disk.age_clock import Moment, Sight, first_sight, look, parse, to_bytes
from server.recording.disk.check import Report, check, oldest_file
from server.recording.disk.event_file import remove_empty, remove_events, write_event
from server.recording.disk.index import INDEX_ERRORS, Event, Index, Recorded
from server.recording.disk.last_sign import last_sign
from server.recording.disk.layout import add_folders, recording_path
from server.recording.disk.retention import Policy, newest_unix, overdue, overdue_events
from server.users.private import PrivateFile, open_private

__all__ = ["FreeSpace", "Storage", "free_space", "read_clocks", "trust_clock"]

# So much of the file system is left free, whichever is less.
FREE_BYTES = 200_000_000
FREE_SHARE = 0.02

PROBE_BYTES = 1 << 20

# The last sign of life. Its time is when that was, and it says what is known of the clock.
ALIVE = ".alive"

BOOT = Path("/proc/sys/kernel/random/boot_id")

FreeSpace = Callable[[Path], tuple[int, int]]
Clocks = Callable[[], Moment]


def free_space(folder: Path) -> tuple[int, int]:
    """Return how many bytes of a file system are free, and how many there are."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def read_clocks() -> Moment:
    """Return what this machine's clocks say now."""
    try:
        boot = BOOT.read_text().strip()
    except OSError:
        boot = ""
    return Moment(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), boot)


def trust_clock(media: Path, clocks: Clocks = read_clocks) -> None:
    """Have ages told by the clock as it is, also by a server that runs.

    Raises:
        OSError: If the folder is not there, or cannot be written.
    """
    _write_sign(media / ALIVE, first_sight(clocks()))


class Storage:
    """Where recordings and events are.

    Args:
        media: The folder; made when there is something to write.
        free: Returns how much of a file system is free, and how large it is.
        clocks: Returns what the machine's clocks say.

    Attributes:
        index: Of what is in the folder.
        ahead_s: By how much the clock has jumped ahead, while ages are still told as before that.
        removed: How many recordings had to go because the disk was full.
        report: What the newest check has found; None before the first.
        is_known: Returns whether this process knows an event of this id, or has still to write it;
            called on another thread.
    """

    def __init__(
        self,
        media: Path,
        free: FreeSpace = free_space,
        clocks: Clocks = read_clocks,
    ) -> None:
        self.media = media
        self.index = Index(media)
        self.ahead_s = 0.0
        self.removed = 0
        self.report: Report | None = None
        self.is_known: Callable[[str], bool] = lambda key: False
        self._free = free
        self._clocks = clocks
        self._clock: Sight | None = None
        self._started_unix = time.time()
        self._checking: Any = native.threading.Lock()
        self._unchecked = False  # Whether the newest check could not be done.
        self._alive_path = media / ALIVE
        self._alive_unix = self._read_alive()
        # Changes of the index that could not be made yet, by the id of what they are about.
        self._owed: dict[str, Callable[[], None]] = {}

    def make_room(self) -> bool:
        """Delete the oldest until enough is free; return False if it never is."""
        while not self._has_room():
            if not self.remove_oldest():
                return False
        return True

    def _has_room(self) -> bool:
        there = next(one for one in (self.media, *self.media.parents) if one.exists())
        free, total = self._free(there)
        return free >= min(FREE_BYTES, FREE_SHARE * total)

    def try_to_write(self) -> None:
        """Write something and delete it, because a quota is not to be seen in advance.

        Raises:
            OSError: If that is impossible.
        """
        add_folders(self.media, self.media)
        path = self.media / ".probe"
        try:
            with open(open_private(path, os.O_WRONLY), "wb") as file:
                file.write(bytes(PROBE_BYTES))
        finally:
            path.unlink(missing_ok=True)

    def remove_oldest(self) -> bool:
        """Delete the oldest recording that may go; return False if there is none."""
        try:
            # On a full disk the index may still have what is deleted already.
            oldest = self.index.oldest(self._owed)
            key = None if oldest is None else oldest.id
        except INDEX_ERRORS:
            # Without any room it cannot even be opened, nor before the check has made it anew.
            self.mend()
            key = oldest_file(self.media)
        if key is None:
            return False
        self.delete(key)
        self.removed += 1
        return True

    def delete(self, key: str) -> None:
        """Delete a recording that is not being written.

        Raises:
            OSError: If it cannot be deleted.
        """
        path = recording_path(self.media, key)
        if path is not None:
            path.unlink(missing_ok=True)
            remove_empty(path.parent)
        self.forget(key)

    def tidy(self, policy: Policy, now_of: Callable[[Recorded], Recorded]) -> list[str]:
        """Delete events that are too old, and return which recordings are, or too much.

        Called now and then, it leaves a sign of life as well.

        Args:
            policy: How much is kept.
            now_of: Returns a recording as it is now, if it is being written.
        """
        if not self.media.is_dir():
            return []
        clock = self._look_at_clock()
        if self._unchecked:
            self._unchecked = False
            self.check_soon()
        self.remove_events(overdue_events(self.index, policy, clock))
        return overdue(self.index, policy, clock, now_of)

    def _read_alive(self) -> float:
        """Return until when a process before this one lived at least; 0 if that is not known."""
        try:
            return self._alive_path.stat().st_mtime
        except OSError:
            return 0.0

    def _look_at_clock(self) -> Sight:
        """Return what is known of the clock, and leave a sign of life with it.

        If this process is killed, what goes on did so until now.
        """
        now, newest, last = self._clocks(), None, self._clock
        with suppress(*INDEX_ERRORS):
            newest = newest_unix(self.index)
        with suppress(OSError):
            last = parse(PrivateFile(self._alive_path).read() or b"") or last
        if last is None:
            # An earlier version has left nothing but the time.
            sight = first_sight(now, self._read_alive() or newest)
        else:
            sight = look(last, now, newest)
        self._clock, self.ahead_s = sight, sight.ahead_s
        with suppress(OSError):  # A disk that cannot be written shows elsewhere.
            _write_sign(self._alive_path, sight)
        return sight

    def delete_overdue(self, key: str) -> None:
        """Delete a recording, unless it was locked meanwhile, or is gone."""
        recording = self.index.recording(key)
        if recording is not None and not recording.locked:
            self.delete(key)

    def write_event(self, event: Event, jpeg: bytes | None = None) -> None:
        """Note what is known of an event, and its best picture if there is a new one.

        Raises:
            OSError: If it cannot be written.
        """
        write_event(self.media, event, jpeg)
        self._owe({event.id: partial(self.index.put_event, event)})

    def remove_events(self, keys: Sequence[str]) -> None:
        """Delete events.

        Raises:
            OSError: If they cannot be deleted.
        """
        remove_events(self.media, keys)
        self._owe({key: partial(self.index.remove_events, [key]) for key in keys})

    # The index, which may be missing or damaged, or on a full disk: it is only a copy.

    def note(self, recording: Recorded) -> None:
        """Put a recording into the index, now or when that is possible."""
        self._owe({recording.id: partial(self.index.put, recording)})

    def forget(self, key: str) -> None:
        """Take a recording out of the index, now or when that is possible."""
        self._owe({key: partial(self.index.remove, [key])})

    def _owe(self, changes: Mapping[str, Callable[[], None]]) -> None:
        self._owed.update(changes)
        self.settle()

    def settle(self) -> None:
        """Change in the index what could not be changed before."""
        try:
            for key, change in list(self._owed.items()):
                change()
                self._owed.pop(key, None)
        except INDEX_ERRORS:
            self.mend()

    def mend(self) -> None:
        """Have the index made anew if it is damaged; a full or busy disk damages nothing."""
        try:
            if self.index.verify():
                return
            self.index.set_aside()
        except INDEX_ERRORS:
            return
        self.check_soon()

    def check_soon(self) -> None:
        """Compare the index with the files, on a thread of its own."""
        native.threading.Thread(target=self.check_now, name="media check", daemon=True).start()

    def check_now(self) -> None:
        """Compare the index with the files, and end the events that no process knows any more."""
        with self._checking:
            try:
                self.report = check(self.media, self.index, thorough=False)
                for event in self.index.events_where("WHERE end IS NULL", ()):
                    if not self.is_known(event.id):
                        self._end_forgotten(event.id)
            except INDEX_ERRORS:
                # The disk may be full: it is tried again with the next tidying.
                self._unchecked = True

    def _end_forgotten(self, key: str) -> None:
        """End an event that went on when a process was killed."""
        event = self.index.event(key)  # As it is now: it may have ended just before.
        if event is None or event.end is not None or key in self._owed:
            return
        recordings = self.index.recordings([event.camera], since=event.begin, limit=-1)
        others = self.index.events([event.camera], event.label, since=event.begin, limit=-1)
        later = [one.begin for one in others if one.begin > event.begin]
        latest_unix = min([self._started_unix, *later])
        ended = replace(event, end=last_sign(event, recordings, self._alive_unix, latest_unix))
        self._put_event(ended)
        if self.is_known(key):  # A film that was interrupted has gone on meanwhile.
            self._put_event(event)

    def _put_event(self, event: Event) -> None:
        write_event(self.media, event)
        self.index.put_event(event)


def _write_sign(path: Path, sight: Sight) -> None:
    descriptor = open_private(path, os.O_WRONLY)
    try:
        os.pwrite(descriptor, to_bytes(sight), 0)
        os.utime(descriptor)
    finally:
        os.close(descriptor)
