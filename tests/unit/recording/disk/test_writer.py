"""The writer thread: with files, a slow disk, and a full one."""

import errno
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from server.capture.frames.unit import Unit
from server.recording.disk import writer as module
from server.recording.disk.check import check
from server.recording.disk.index import Index
from server.recording.disk.layout import recording_path
from server.recording.disk.recording_file import RecordingFile, read_facts
from server.recording.disk.retention import Policy
from server.recording.disk.storage import Storage
from server.recording.disk.writer import Writer
from tests.support.servers.server import wait_until


def later(film: list[Unit], seconds: float) -> list[Unit]:
    """Return a film as if it was captured later."""
    return [replace(one, at_unix=one.at_unix + seconds) for one in film]


def record(writer: Writer, film: list[Unit], camera: str = "door") -> None:
    """Record a film as one file, and wait until it is written."""
    assert writer.put(camera, film, "always")
    writer.end(camera)
    writer.call(lambda: None)


def test_files_are_sorted_by_camera_and_day(
    writer: Writer, storage: Storage, film: list[Unit], media: Path
) -> None:
    """A file is in its camera's and day's folder and in the index; only its owner can read it."""
    record(writer, film)

    (one,) = storage.index.all_recordings()
    path = recording_path(media, one.id)

    assert path is not None
    assert path.parent.parent == media / "door"
    assert (one.camera, one.reason, one.open, one.locked) == ("door", "always", False, False)
    assert (one.begin, one.end) == (film[0].at_unix, film[0].at_unix + 4)
    assert one.bytes == path.stat().st_size
    assert media.stat().st_mode & 0o777 == path.parent.stat().st_mode & 0o777 == 0o700


def test_open_file_is_listed_while_it_is_written(writer: Writer, film: list[Unit]) -> None:
    """A file that is being written is as long as its fragments, and complete once it ends."""
    writer.put("door", film, "always")
    writer.call(lambda: None)

    one = writer.open["door"]
    assert one.open
    assert 3.0 <= one.end - one.begin < 4.0

    writer.end("door")
    writer.call(lambda: None)
    assert writer.open == {}


def test_files_begun_in_one_second_get_different_names(
    writer: Writer, storage: Storage, film: list[Unit]
) -> None:
    """A change of size within a second does not overwrite the previous file."""
    record(writer, film[:10])
    record(writer, film[10:20])

    first, second = sorted(one.id for one in storage.index.all_recordings())

    assert second == f"{first}-1"


def test_each_reason_gets_its_own_file(writer: Writer, storage: Storage, film: list[Unit]) -> None:
    """Motion recordings are kept apart from continuous ones."""
    writer.put("door", film[:50], "motion")
    writer.put("door", film[50:], "always")
    writer.end("door")
    writer.call(lambda: None)

    assert [one.reason for one in storage.index.all_recordings()] == ["motion", "always"]


def test_slow_disk_drops_units_and_recovers(
    writer: Writer, storage: Storage, film: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Units that do not fit into the queue are dropped and counted; nobody waits for the disk."""
    monkeypatch.setattr(module, "MAX_QUEUED_BYTES", sum(len(one.data) for one in film[:50]))
    goes_on = threading.Event()
    writer.do(lambda: goes_on.wait(10))

    taken = [writer.put("door", film[at : at + 10], "always") for at in range(0, 100, 10)]
    other = writer.put("yard", film[:10], "always")
    goes_on.set()
    writer.call(lambda: None)
    writer.end("door")
    record(writer, later(film[:20], 10))

    assert taken[0]
    assert not taken[-1]
    assert other
    assert writer.dropped["door"] == 10 * taken.count(False)
    assert storage.index.all_recordings()[-1].begin == film[0].at_unix + 10


def full_after(monkeypatch: pytest.MonkeyPatch, nbytes: list[int]) -> None:
    """Leave a file system with this many bytes for fragments."""
    append = RecordingFile.append

    def limited(self: RecordingFile, fragment: Sequence[bytes], ticks: int, key: bool) -> None:
        size = sum(map(len, fragment))
        if size > nbytes[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        nbytes[0] -= size
        append(self, fragment, ticks, key)

    monkeypatch.setattr(RecordingFile, "append", limited)


def test_full_disk_deletes_the_oldest_first(
    writer: Writer, storage: Storage, film: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older of two recordings makes room, and the new one is whole; a locked one stays."""
    for at in (0, 10, 20):
        record(writer, later(film, at))
    locked, oldest, newer = storage.index.all_recordings()
    writer.call(lambda: writer.set_locked(locked.id, True))
    nbytes = [0]
    full_after(monkeypatch, nbytes)
    delete = storage.delete

    def delete_and_free(key: str) -> None:
        delete(key)
        nbytes[0] += oldest.bytes

    monkeypatch.setattr(storage, "delete", delete_and_free)
    record(writer, later(film, 30))

    left = storage.index.all_recordings()
    assert [one.id for one in left][:2] == [locked.id, newer.id]
    assert left[-1].end - left[-1].begin == pytest.approx(4.0)
    assert (storage.removed, writer.problem, writer.dropped) == (1, "", {})


def test_full_disk_pauses_recording_until_there_is_space(
    writer: Writer, storage: Storage, film: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If nothing may be deleted, recording pauses and says so, and resumes by itself."""
    monkeypatch.setattr(module, "RETRY_S", 1.0)
    nbytes = [30_000]
    full_after(monkeypatch, nbytes)
    writer.put("door", film, "always")
    writer.call(lambda: None)
    problem = writer.problem
    (begun,) = storage.index.all_recordings()
    path = recording_path(storage.media, begun.id)
    assert path is not None

    assert problem == "the disk is full"
    assert writer.open == {}
    assert writer.dropped["door"] > 0
    assert read_facts(path).whole
    assert begun.bytes == path.stat().st_size

    nbytes[0] = 1 << 30
    wait_until(lambda: not writer.problem)
    record(writer, later(film, 10))
    assert writer.problem == ""
    assert storage.index.all_recordings()[-1].end == film[0].at_unix + 14


def test_space_is_left_for_other_programs(media: Path, film: list[Unit]) -> None:
    """Recording stops before the disk is full: with 200 MB or 2 % left, whichever is less."""
    for free, total, fits in [
        (199_000_000, 1 << 40, False),
        (201_000_000, 1 << 40, True),
        (900_000, 50_000_000, False),
        (1_100_000, 50_000_000, True),
    ]:
        storage = Storage(media, lambda folder, found=(free, total): found)  # type: ignore[misc]
        assert storage.make_room() is fits


def test_bulk_deletion_does_not_block_writing(
    writer: Writer, storage: Storage, film: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Overdue files go one by one, and new data is written in between.

    A file locked meanwhile stays.
    """
    for at in range(0, 60, 10):
        record(writer, later(film[:20], at))
    order: list[str] = []
    delete, locked = storage.delete_overdue, storage.index.all_recordings()[-1].id

    def delete_and_go_on(key: str) -> None:
        if not order:
            writer.do(lambda: order.append(str(writer.set_locked(locked, True) is not None)))
        delete(key)
        order.append("deleted")

    monkeypatch.setattr(storage, "delete_overdue", delete_and_go_on)
    writer.policy = Policy(gb=1e-9)
    writer.call(writer._tidy)
    wait_until(lambda: order.count("deleted") == 6)

    assert order[:3] == ["deleted", "True", "deleted"]
    assert [one.id for one in storage.index.all_recordings()] == [locked]


def test_open_file_can_be_locked_and_deleted(
    writer: Writer, storage: Storage, film: list[Unit], media: Path
) -> None:
    """The lock is stored in the file; after it is deleted, recording continues in a new one."""
    writer.put("door", film, "always")
    key = writer.call(lambda: writer.open["door"].id)
    path = recording_path(media, key)
    assert path is not None

    locked = writer.call(lambda: writer.set_locked(key, True))
    assert locked is not None
    assert locked.locked
    assert read_facts(path).locked
    removed = writer.call(lambda: writer.remove(key))
    assert removed is not None
    assert not path.exists()
    assert not path.parent.exists()
    record(writer, later(film, 10))

    (left,) = storage.index.all_recordings()
    assert left.begin == film[0].at_unix + 10
    assert writer.call(lambda: writer.remove("door_20200101_000000")) is None


def test_lost_index_is_rebuilt(writer: Writer, storage: Storage, film: list[Unit]) -> None:
    """A missing, damaged or outdated index is rebuilt from the files exactly as it was."""
    for at in (0, 10, 20):
        record(writer, later(film, at), "door" if at else "yard")
    key = storage.index.all_recordings()[1].id
    writer.call(lambda: writer.set_locked(key, True))
    before = storage.index.all_recordings()
    index = storage.index

    index.set_aside()
    check(storage.media, index)
    assert index.all_recordings() == before

    index.close()
    index.path.write_bytes(b"no index" * 1000)
    report = check(storage.media, index)
    assert report.index_was_broken
    assert index.all_recordings() == before

    index.remove([key])
    index.put(replace(before[0], id="door_20200101_000000"))
    report = check(storage.media, index, thorough=False)
    assert (report.added, report.dropped) == (1, 1)
    assert index.all_recordings() == before


def test_check_leaves_the_open_file_alone(
    writer: Writer, storage: Storage, film: list[Unit]
) -> None:
    """The open file is neither truncated nor marked complete, even by another process."""
    writer.put("door", film, "always")
    writer.call(lambda: None)
    one = writer.open["door"]
    other = Index(storage.media)

    report = check(storage.media, other)
    other.close()

    assert (report.open, report.repaired, report.recordings) == (1, [], 1)
    writer.end("door")
    writer.call(lambda: None)
    (left,) = storage.index.all_recordings()
    assert (left.id, left.open) == (one.id, False)
    assert left.end == film[0].at_unix + 4
