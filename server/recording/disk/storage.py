"""The folder of recordings together with its index: what is noted, how much fits, what has to go.

Blocks on the disk: on native threads only.
"""

import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from server.loop import native
from server.recording.disk.check import Report, check
from server.recording.disk.event_file import remove_empty, remove_events, write_event
from server.recording.disk.index import Index, Recorded
from server.recording.disk.layout import add_folders, recording_path
from server.recording.disk.retention import Policy, overdue, overdue_events
from server.users.private import open_private

__all__ = ["FreeSpace", "Storage", "free_space"]

# So much of the file system is left free, whichever is less.
FREE_BYTES = 200_000_000
FREE_SHARE = 0.02

PROBE_BYTES = 1 << 20

FreeSpace = Callable[[Path], tuple[int, int]]


def free_space(folder: Path) -> tuple[int, int]:
    """Return how many bytes of a file system are free, and how many there are."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


class Storage:
    """Where recordings and events are.

    Args:
        media: The folder; made when there is something to write.
        free: Returns how much of a file system is free, and how large it is.

    Attributes:
        index: Of what is in the folder.
        removed: How many recordings had to go because the disk was full.
        report: What the newest check has found; None before the first.
        goes_on: Returns whether an event of this id goes on; called on another thread.
    """

    def __init__(self, media: Path, free: FreeSpace = free_space) -> None:
        self.media = media
        self.index = Index(media)
        self.removed = 0
        self.report: Report | None = None
        self.goes_on: Callable[[str], bool] = lambda key: False
        self._free = free
        self._started_unix = time.time()
        self._owed: dict[str, Recorded] = {}  # What could not be put into the index.

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
        oldest = next(
            (one for one in self.index.all_recordings() if not one.locked and not one.open), None
        )
        if oldest is None:
            return False
        self.delete(oldest.id)
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

    def tidy(self, policy: Policy, now_of: Callable[[Recorded], Recorded]) -> None:
        """Delete what is too old, or too much.

        Args:
            policy: How much is kept.
            now_of: Returns a recording as it is now, if it is being written.
        """
        if not self.media.is_dir():
            return
        recordings = [now_of(one) for one in self.index.all_recordings()]
        for one in overdue(recordings, policy, time.time()):
            self.delete(one.id)
        old = [one.id for one in overdue_events(self.index.all_events(), policy, time.time())]
        remove_events(self.media, old)
        self.index.remove_events(old)

    # The index, which may be missing or damaged: it is only a copy.

    def note(self, recording: Recorded) -> None:
        """Put a recording into the index, now or when that is possible."""
        self._owed[recording.id] = recording
        self.settle()

    def forget(self, key: str) -> None:
        """Take a recording out of the index."""
        self._owed.pop(key, None)
        self.index.remove([key])

    def settle(self) -> None:
        """Put into the index what could not be put there before."""
        try:
            for key, recording in list(self._owed.items()):
                self.index.put(recording)
                self._owed.pop(key, None)
        except (OSError, sqlite3.Error):
            self.mend()

    def mend(self) -> None:
        """Have the index made anew if it is damaged; a full or busy disk damages nothing."""
        try:
            if self.index.verify():
                return
            self.index.set_aside()
        except (OSError, sqlite3.Error):
            return
        self.check_soon()

    def check_soon(self) -> None:
        """Compare the index with the files, on a thread of its own."""
        native.threading.Thread(target=self.check_now, name="media check", daemon=True).start()

    def check_now(self) -> None:
        """Compare the index with the files, and end the events that no process knows any more."""
        try:
            self.report = check(self.media, self.index, thorough=False)
            for event in self.index.all_events():
                began_before = event.end is None and event.begin < self._started_unix
                if began_before and not self.goes_on(event.id):
                    # What goes on is known to the process that has ended, and to nobody else.
                    ended = replace(event, end=event.begin)
                    write_event(self.media, ended)
                    self.index.put_event(ended)
        except (OSError, sqlite3.Error):
            return  # It is tried again at the next start, or by hand.
