"""A full disk and a read-only one: real ones, small enough to fill."""

import itertools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from server.capture.frames.unit import Unit
from server.loop import native
from server.recording.disk import writer as module
from server.recording.disk.index import Event
from server.recording.disk.layout import picture_path, recordings
from server.recording.disk.storage import Storage
from server.recording.disk.writer import Writer
from tests.support.recordings.small_disk import SmallDisk, assert_plays, rebuilt, rows_of
from tests.support.servers.server import wait_until

MEGABYTES = 3

Mount = Callable[[Path, int], SmallDisk]


@pytest.fixture
def disk(media: Path, small_disk: Mount, monkeypatch: pytest.MonkeyPatch) -> SmallDisk:
    """The folder of recordings on its own file system, and shorter waits than usual."""
    monkeypatch.setattr(module, "RETRY_S", 0.2)
    return small_disk(media, MEGABYTES)


@pytest.fixture
def writer(disk: SmallDisk, storage: Storage) -> Iterator[Writer]:
    """A writer to that disk."""
    writer = start_writer(storage)
    yield writer
    assert writer.stop(5.0)


def start_writer(storage: Storage) -> Writer:
    """Return a running writer, once the check of the index, which opens it, has ended."""
    writer = Writer(storage)
    writer.start()
    wait_until(lambda: "media check" not in [one.name for one in native.threading.enumerate()])
    return writer


def films(film: Sequence[Unit]) -> Iterator[list[Unit]]:
    """Yield a film again and again, each later than the previous one."""
    for number in itertools.count():
        yield [replace(one, at_unix=one.at_unix + 10 * number) for one in film]


def record(writer: Writer, film: Sequence[Unit]) -> None:
    """Record a film as one file, in pieces as they come from a camera."""
    for at in range(0, len(film), 5):
        assert writer.put("door", film[at : at + 5], "always")
    writer.end("door")
    writer.call(lambda: None)


def assert_intact(storage: Storage, aside: Path) -> None:
    """Check that every file plays, and that the index matches the files."""
    for _, path in recordings(storage.media):
        assert_plays(path)
    storage.settle()
    assert rows_of(storage.index) == rebuilt(storage.media, aside)


def test_disk_filled_by_other_programs_damages_no_file(
    writer: Writer, storage: Storage, disk: SmallDisk, film: list[Unit], tmp_path: Path
) -> None:
    """The oldest files go, then recording pauses and resumes by itself; finished files stay whole.

    Another program takes any freed space immediately, which leaves none for the index either: it
    once lost what the files had, and a fragment was lost in the middle of a file.
    """
    coming = films(film)
    for _ in range(4):
        record(writer, next(coming))
    locked = storage.index.all_recordings()[0]
    writer.call(lambda: writer.set_locked(locked.id, True))
    event = Event("door_20261118_013320000", "door", "motion", film[0].at_unix)
    writer.keep_event(event, b"first")
    writer.call(lambda: None)

    disk.keep_full()
    while not writer.problem:
        record(writer, next(coming))
    paused = writer.problem
    writer.keep_event(replace(event, score=0.5, picture=True), b"x" * 70_000)
    writer.keep_event(replace(event, score=0.5, picture=True, end=event.begin + 3), None)
    changed = writer.call(lambda: writer.set_locked(locked.id, False))
    for _ in range(20):
        record(writer, next(coming))
    disk.empty()
    wait_until(lambda: not writer.problem)
    while writer.dropped["door"] < 20 * len(film):
        record(writer, next(coming))
    record(writer, next(coming))

    assert paused == "the disk is full"
    assert changed is not None
    assert storage.removed >= 3
    kept = storage.index.all_recordings()
    assert kept[-1].end - kept[-1].begin == 4.0
    (known,) = storage.index.all_events()
    assert known == replace(event, score=0.5, picture=True, end=event.begin + 3)
    picture = picture_path(storage.media, event.id)
    assert picture is not None
    assert picture.read_bytes() == b"x" * 70_000
    assert_intact(storage, tmp_path / "aside")


def test_index_on_a_full_disk_is_not_discarded(
    writer: Writer, storage: Storage, disk: SmallDisk, film: list[Unit], tmp_path: Path
) -> None:
    """After a restart it cannot even be opened: it was once discarded, and nothing freed space."""
    coming = films(film)
    for _ in range(3):
        record(writer, next(coming))
    locked = storage.index.all_recordings()[0]
    writer.call(lambda: writer.set_locked(locked.id, True))
    storage.index.close()
    disk.keep_full()

    again = Storage(storage.media)
    with pytest.raises(sqlite3.Error):
        again.index.all_recordings()
    again.rebuild_if_damaged()
    removed = [again.remove_oldest() for _ in range(3)]
    disk.empty()
    again.settle()

    assert removed == [True, True, False]
    assert [one.id for one in again.index.all_recordings()] == [locked.id]
    assert not storage.index.path.with_suffix(".broken").exists()
    assert_intact(again, tmp_path / "aside")
    again.index.close()


def test_deletion_ends_if_the_index_cannot_be_written(
    writer: Writer, storage: Storage, disk: SmallDisk, film: list[Unit], tmp_path: Path
) -> None:
    """A deleted file counts as gone, though the full disk keeps it in the index."""
    coming = films(film)
    for _ in range(3):
        record(writer, next(coming))
    disk.keep_full()

    removed = [writer.call(storage.remove_oldest) for _ in range(4)]
    disk.empty()

    assert removed == [True, True, True, False]
    assert list(recordings(storage.media)) == []
    assert_intact(storage, tmp_path / "aside")


def test_read_only_disk_pauses_recording_until_it_is_writable(
    media: Path, disk: SmallDisk, film: list[Unit], tmp_path: Path
) -> None:
    """A disk may become read-only after an error; recording says so, and resumes when that ends."""
    storage = Storage(media)
    writer = start_writer(storage)
    coming = films(film)
    record(writer, next(coming))
    assert writer.stop(5.0)
    disk.remount("ro")

    writer = Writer(storage)
    writer.start()
    record(writer, next(coming))
    writer.keep_event(Event("door_20261118_013320000", "door", "motion", film[0].at_unix))
    problem = writer.call(lambda: writer.problem)
    with pytest.raises(OSError, match="Read-only"):
        storage.index.all_recordings()
    disk.remount("rw")
    wait_until(lambda: not writer.problem)
    record(writer, next(coming))
    assert writer.stop(5.0)

    assert problem == "Read-only file system"
    assert writer.dropped["door"] == len(film)
    assert len(storage.index.all_recordings()) == 2
    assert len(storage.index.all_events()) == 1
    assert_intact(storage, tmp_path / "aside")
