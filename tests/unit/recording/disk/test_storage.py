"""The folder of recordings and its index, which other processes may be changing."""

import errno
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from server.capture.frames.unit import Unit
from server.recording.disk import check as check_module
from server.recording.disk.check import check
from server.recording.disk.event_file import read_events
from server.recording.disk.index import Event
from server.recording.disk.layout import event_id, recording_path, recordings
from server.recording.disk.recording_file import Facts
from server.recording.disk.retention import Policy
from server.recording.disk.storage import Storage
from server.recording.disk.writer import Writer
from tests.support.recordings.small_disk import assert_plays, rebuilt, rows_of
from tests.support.servers.server import wait_until
from tests.unit.recording.disk.conftest import BEGIN_UNIX

AT = BEGIN_UNIX
KEY = event_id("door", AT)
EVENT = Event(KEY, "door", "motion", AT, AT + 5)


def test_failed_check_is_retried(storage: Storage) -> None:
    """A full disk, or another process holding the index, may prevent a check. Until the next start,
    half of the recordings used to be unlisted, and only the others were candidates for deletion."""
    storage.write_event(EVENT)
    storage.index.remove_events([KEY])
    other = sqlite3.connect(storage.index.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    storage.check_now()
    assert storage.index.all_events() == []
    other.close()
    storage.tidy(Policy(), lambda one: one)

    wait_until(lambda: storage.index.all_events() == [EVENT], every_s=0.01)


def test_locked_index_blocks_no_write(storage: Storage) -> None:
    """Events written meanwhile are in the files, and enter the index afterwards."""
    storage.write_event(EVENT)
    other = sqlite3.connect(storage.index.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    later = replace(EVENT, score=0.7)

    storage.write_event(later)

    assert storage.index.all_events() == [EVENT], "it can be read"
    other.close()
    storage.settle()
    assert storage.index.all_events() == [later]


def test_check_does_not_undo_concurrent_changes(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event ended just after its file was read: the index had it as going on. The next check
    then set its end to the server's last sign of life."""
    going = replace(EVENT, end=None)
    storage.write_event(going)
    storage.index.remove_events([KEY])

    def read_and_end(files: Iterable[Path]) -> list[Event]:
        found = read_events(files)
        storage.write_event(EVENT)
        return found

    monkeypatch.setattr(check_module, "read_events", read_and_end)
    check(storage.media, storage.index)

    assert storage.index.all_events() == [EVENT]


def test_unreadable_file_hides_no_others(
    storage: Storage, writer: Writer, film: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad sector silently ended the whole check: no later file was in the index."""
    for camera in ("door", "shed", "yard"):
        writer.put(camera, film, "always")
        writer.end(camera)
    writer.call(lambda: None)
    before = rows_of(storage.index)
    for one in before[0][1:]:
        storage.index.remove([one.id])
    bad = recording_path(storage.media, before[0][1].id)
    read = check_module.read_facts

    def fail(path: Path) -> Facts:
        if path == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(path)

    monkeypatch.setattr(check_module, "read_facts", fail)
    torn = storage.media / "shed" / bad.parent.name / "events.jsonl"
    torn.mkdir()

    report = check(storage.media, storage.index)

    assert sorted(report.unusable) == sorted([str(bad), str(torn)])
    assert [one.camera for one in storage.index.all_recordings()] == ["door", "yard"]


def test_clock_set_forward_and_back_loses_nothing(
    storage: Storage, writer: Writer, film: list[Unit], tmp_path: Path
) -> None:
    """Each step of the clock begins a file with its own wall-clock time, and all play."""
    steps = (0, 3604, 8, 12)
    for step in steps:
        writer.put("door", [replace(one, at_unix=one.at_unix + step) for one in film], "always")
    writer.end("door")
    writer.call(lambda: None)

    kept, events = rows_of(storage.index)
    assert sorted(one.begin - BEGIN_UNIX for one in kept) == [0, 8, 3604]
    assert [round(one.end - one.begin) for one in sorted(kept, key=lambda one: one.begin)] == [
        *(4, 8, 4),
    ]
    for _, path in recordings(storage.media):
        assert_plays(path)
    assert (kept, events) == rebuilt(storage.media, tmp_path / "aside")
