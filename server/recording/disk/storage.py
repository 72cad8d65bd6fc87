"""The media folder and its index: add and delete entries, keep space free, check consistency.

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
from server.recording.disk.age_clock import (
    ClockReading,
    ClockState,
    initial_state,
    parse,
    to_bytes,
    update_state,
)
from server.recording.disk.check import Report, check, oldest_file
from server.recording.disk.event_file import remove_empty, remove_events, write_event
from server.recording.disk.index import INDEX_ERRORS, Event, Index, Recorded
from server.recording.disk.layout import add_folders, recording_path
from server.recording.disk.orphaned_events import estimate_end
from server.recording.disk.retention import Policy, newest_unix, overdue, overdue_events
from server.users.private import PrivateFile, open_private

__all__ = ["FreeSpace", "Storage", "free_space", "read_clocks", "trust_clock"]

# Space to leave free on the file system: the smaller of the two.
FREE_BYTES = 200_000_000
FREE_SHARE = 0.02

PROBE_BYTES = 1 << 20

# The node's sign of life: the file's mtime is the latest one, its content the state of the clock.
ALIVE = ".alive"

BOOT = Path("/proc/sys/kernel/random/boot_id")

FreeSpace = Callable[[Path], tuple[int, int]]
Clocks = Callable[[], ClockReading]


def free_space(folder: Path) -> tuple[int, int]:
    """Return a file system's free bytes and its size."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def read_clocks() -> ClockReading:
    """Read this machine's clocks."""
    try:
        boot = BOOT.read_text().strip()
    except OSError:
        boot = ""
    return ClockReading(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), boot)


def trust_clock(media: Path, clocks: Clocks = read_clocks) -> None:
    """Trust the system clock as it is, to compute ages from; a running server picks this up.

    Raises:
        OSError: If the folder does not exist or cannot be written.
    """
    _write_alive(media / ALIVE, initial_state(clocks()))


class Storage:
    """Stores recordings and events.

    Args:
        media: The folder; created when there is something to write.
        free: Returns a file system's free bytes and its size.
        clocks: Reads the machine's clocks.

    Attributes:
        index: The index of the folder.
        ahead_s: How far the clock has jumped ahead; 0 while it is trusted.
        removed: How many recordings were deleted because the disk was full.
        report: The result of the latest check; None before the first.
        is_known: Returns whether this process may still write the event with this id; called on
            another thread.
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
        self._clock: ClockState | None = None
        self._started_unix = time.time()
        self._checking: Any = native.threading.Lock()
        self._unchecked = False  # Whether the latest check failed.
        self._alive_path = media / ALIVE
        self._alive_unix = self._read_alive()
        # Changes still to be made to the index, by the id of the recording or event.
        self._pending: dict[str, Callable[[], None]] = {}

    def make_room(self) -> bool:
        """Delete the oldest recordings until enough space is free; return False if it never is."""
        while not self._has_room():
            if not self.remove_oldest():
                return False
        return True

    def _has_room(self) -> bool:
        there = next(one for one in (self.media, *self.media.parents) if one.exists())
        free, total = self._free(there)
        return free >= min(FREE_BYTES, FREE_SHARE * total)

    def try_to_write(self) -> None:
        """Write a probe file and delete it, because the free space does not reveal a quota.

        Raises:
            OSError: If it cannot be written.
        """
        add_folders(self.media, self.media)
        path = self.media / ".probe"
        try:
            with open(open_private(path, os.O_WRONLY), "wb") as file:
                file.write(bytes(PROBE_BYTES))
        finally:
            path.unlink(missing_ok=True)

    def remove_oldest(self) -> bool:
        """Delete the oldest deletable recording; return False if there is none."""
        try:
            # While the disk is full, the index may still list recordings already deleted.
            oldest = self.index.oldest(self._pending)
            key = None if oldest is None else oldest.id
        except INDEX_ERRORS:
            # On a full disk the index cannot even be opened; a damaged one is still being rebuilt.
            self.rebuild_if_damaged()
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
        self.unindex_recording(key)

    def tidy(self, policy: Policy, now_of: Callable[[Recorded], Recorded]) -> list[str]:
        """Delete expired events, and return the recordings that are expired or over a limit.

        Called periodically; also leaves a sign of life.

        Args:
            policy: How much is kept.
            now_of: Returns the current state of a recording that is being written.
        """
        if not self.media.is_dir():
            return []
        clock = self._update_clock()
        if self._unchecked:
            self._unchecked = False
            self.check_soon()
        self.remove_events(overdue_events(self.index, policy, clock))
        return overdue(self.index, policy, clock, now_of)

    def _read_alive(self) -> float:
        """Return the last sign of life of an earlier process; 0 if unknown."""
        try:
            return self._alive_path.stat().st_mtime
        except OSError:
            return 0.0

    def _update_clock(self) -> ClockState:
        """Return the state of the clock, and leave a sign of life with it.

        If this process is killed, its open events are taken to have lasted until now.
        """
        now, newest, last = self._clocks(), None, self._clock
        with suppress(*INDEX_ERRORS):
            newest = newest_unix(self.index)
        with suppress(OSError):
            last = parse(PrivateFile(self._alive_path).read() or b"") or last
        if last is None:
            # Earlier versions stored only the file's mtime.
            state = initial_state(now, self._read_alive() or newest)
        else:
            state = update_state(last, now, newest)
        self._clock, self.ahead_s = state, state.ahead_s
        with suppress(OSError):  # The next write of a recording will report it.
            _write_alive(self._alive_path, state)
        return state

    def delete_overdue(self, key: str) -> None:
        """Delete a recording, unless it has since been locked or deleted."""
        recording = self.index.recording(key)
        if recording is not None and not recording.locked:
            self.delete(key)

    def write_event(self, event: Event, jpeg: bytes | None = None) -> None:
        """Write an event, and its best picture if there is a new one.

        Raises:
            OSError: If it cannot be written.
        """
        write_event(self.media, event, jpeg)
        self._apply({event.id: partial(self.index.put_event, event)})

    def remove_events(self, keys: Sequence[str]) -> None:
        """Delete events.

        Raises:
            OSError: If they cannot be deleted.
        """
        remove_events(self.media, keys)
        self._apply({key: partial(self.index.remove_events, [key]) for key in keys})

    # The index is only a copy, so a change that fails (index damaged, disk full) is made later.

    def index_recording(self, recording: Recorded) -> None:
        """Put a recording into the index, now or as soon as possible."""
        self._apply({recording.id: partial(self.index.put, recording)})

    def unindex_recording(self, key: str) -> None:
        """Remove a recording from the index, now or as soon as possible."""
        self._apply({key: partial(self.index.remove, [key])})

    def _apply(self, changes: Mapping[str, Callable[[], None]]) -> None:
        self._pending.update(changes)
        self.settle()

    def settle(self) -> None:
        """Apply the pending changes to the index."""
        try:
            for key, change in list(self._pending.items()):
                change()
                self._pending.pop(key, None)
        except INDEX_ERRORS:
            self.rebuild_if_damaged()

    def rebuild_if_damaged(self) -> None:
        """Rebuild the index if it is damaged; a full or busy disk does not count."""
        try:
            if self.index.verify():
                return
            self.index.set_aside()
        except INDEX_ERRORS:
            return
        self.check_soon()

    def check_soon(self) -> None:
        """Check the index against the files, in a new thread."""
        native.threading.Thread(target=self.check_now, name="media check", daemon=True).start()

    def check_now(self) -> None:
        """Check the index against the files, and end events left open by a killed process."""
        with self._checking:
            try:
                self.report = check(self.media, self.index, thorough=False)
                for event in self.index.events_where("WHERE end IS NULL", ()):
                    if not self.is_known(event.id):
                        self._end_orphan(event.id)
            except INDEX_ERRORS:
                # The disk may be full: tidy() tries again.
                self._unchecked = True

    def _end_orphan(self, key: str) -> None:
        """End an event that was open when a process was killed."""
        event = self.index.event(key)  # Read again: it may just have ended.
        if event is None or event.end is not None or key in self._pending:
            return
        recordings = self.index.recordings([event.camera], since=event.begin, limit=-1)
        others = self.index.events([event.camera], event.label, since=event.begin, limit=-1)
        later = [one.begin for one in others if one.begin > event.begin]
        latest_unix = min([self._started_unix, *later])
        ended = replace(event, end=estimate_end(event, recordings, self._alive_unix, latest_unix))
        self._put_event(ended)
        if self.is_known(key):  # An interrupted film was resumed in the meantime.
            self._put_event(event)

    def _put_event(self, event: Event) -> None:
        write_event(self.media, event)
        self.index.put_event(event)


def _write_alive(path: Path, state: ClockState) -> None:
    descriptor = open_private(path, os.O_WRONLY)
    try:
        os.pwrite(descriptor, to_bytes(state), 0)
        os.utime(descriptor)
    finally:
        os.close(descriptor)
