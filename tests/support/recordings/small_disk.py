"""A small, real file system to fill, and checks that recordings on it are intact."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.recording.disk.check import check
from server.recording.disk.index import Event, Index, Recorded

__all__ = ["SmallDisk", "assert_plays", "rebuilt", "rows_of", "small_disk"]

PIECE = bytes(1 << 16)

Rows = tuple[list[Recorded], list[Event]]


class SmallDisk:
    """A tmpfs of some MB.

    Args:
        folder: Where it is mounted; made if it is missing.
        megabytes: Its size.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"
        self._keeps_full: threading.Thread | None = None
        self._emptied = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        # Private to its owner; tmpfs would let everybody write.
        options = f"size={megabytes}m,mode=0700"
        self._run("mount", "-t", "tmpfs", "-o", options, "porthole-test", str(folder))

    def fill(self, leaving: int = 0) -> None:
        """Fill the disk with a foreign file, leaving this many bytes free."""
        with open(self._ballast, "ab", buffering=0) as file:
            for size in (len(PIECE), 1):
                try:
                    while True:
                        found = os.statvfs(self.folder)
                        free = found.f_bavail * found.f_frsize - leaving
                        if free <= 0 or not file.write(PIECE[: min(size, free)]):
                            break
                except OSError:
                    continue  # Not that much room; try less.

    def keep_full(self) -> None:
        """Keep the disk full, whatever is deleted, until :meth:`empty`."""

        def run() -> None:
            while not self._emptied.wait(0.005):
                self.fill()

        self.fill()
        self._emptied.clear()
        self._keeps_full = threading.Thread(target=run, daemon=True)
        self._keeps_full.start()

    def empty(self) -> None:
        """Delete the foreign file."""
        self._leave()
        self._ballast.unlink(missing_ok=True)

    def _leave(self) -> None:
        self._emptied.set()
        if self._keeps_full is not None:
            self._keeps_full.join(10)

    def remount(self, how: str) -> None:
        """Remount with an option such as ``ro``, which fails while a file is open for writing."""
        self._run("mount", "-o", f"remount,{how}", str(self.folder))

    def close(self) -> None:
        """Unmount it."""
        self._leave()
        self._run("umount", "--lazy", str(self.folder))

    def _run(self, *command: str) -> None:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
        if ended.returncode:
            raise PermissionError(ended.stderr.strip())


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, int], SmallDisk]]:
    """Mount file systems of a few MB; requires root."""
    disks: list[SmallDisk] = []

    def mount(folder: Path, megabytes: int) -> SmallDisk:
        try:
            disks.append(SmallDisk(folder, megabytes))
        except PermissionError as error:
            pytest.skip(f"a file system can only be mounted by root: {error}")
        return disks[-1]

    yield mount
    for disk in disks:
        disk.close()


def assert_plays(path: Path) -> float:
    """Decode a whole file with FFmpeg, without any error; return its duration in seconds."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-of", "csv=p=0"]
    wanted = ["-show_entries", "stream=nb_read_frames:format=duration", str(path)]
    ended = subprocess.run([*command, *wanted], capture_output=True, timeout=60, text=True)
    assert (ended.returncode, ended.stderr) == (0, ""), path
    frames, duration = ended.stdout.split()
    assert int(frames) > 0
    return float(duration)


def rows_of(index: Index) -> Rows:
    """Return all rows of an index, sorted."""
    recordings = sorted(index.all_recordings(), key=lambda one: one.id)
    return recordings, sorted(index.all_events(), key=lambda one: one.id)


def rebuilt(media: Path, aside: Path) -> Rows:
    """Return the rows of an index rebuilt from the files alone, each of which must be intact.

    Args:
        media: The folder of recordings; its own index stays as it is.
        aside: A folder for the other index.
    """
    index = Index(aside)
    report = check(media, index)
    rows = rows_of(index)
    index.set_aside()
    index.close()
    assert (report.unusable, report.repaired, report.removed) == ([], [], [])
    return rows
