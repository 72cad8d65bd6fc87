"""Hundreds of files, as after a day: indexed again, deleted when due, and read as one past."""

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from server.capture.frames.unit import Unit
from server.recording.disk.check import check
from server.recording.disk.layout import recordings
from server.recording.disk.retention import Limits, Policy
from server.recording.disk.storage import Storage
from tests.support.recordings.day import Template, add_day
from tests.support.recordings.small_disk import assert_plays, rebuilt, rows_of

FILES, EVENTS = 150, 20
CAMERAS = ("door", "yard")
FILE_S = 4.0
SECONDS = FILES * FILE_S


@pytest.fixture
def begin(storage: Storage, film: list[Unit], tmp_path: Path) -> float:
    """Create what two cameras have recorded until now; return the start."""
    begin = float(round(time.time() - SECONDS))
    template = Template(film, tmp_path)
    add_day(storage.media, template, CAMERAS, begin, SECONDS, EVENTS, b"jpeg")
    return begin


def test_index_is_built_from_file_headers(
    storage: Storage, begin: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each header is read once, however long the file, and not at all if the index has it."""
    read = os.pread
    sizes: list[int] = []

    def counted(descriptor: int, size: int, at: int) -> bytes:
        sizes.append(len(found := read(descriptor, size, at)))
        return found

    monkeypatch.setattr(os, "pread", counted)
    report = check(storage.media, storage.index)
    reads, sizes = sizes, []
    again = check(storage.media, storage.index, thorough=False)

    assert (report.recordings, report.events) == (FILES * len(CAMERAS), EVENTS * len(CAMERAS))
    assert (report.repaired, report.unusable) == ([], [])
    assert len(reads) == report.recordings
    assert sizes == []
    assert (again.recordings, again.added, again.dropped) == (report.recordings, 0, 0)
    door = [one for one in storage.index.all_recordings() if one.camera == "door"]
    assert door[0].begin == begin
    assert all(one.end == other.begin for one, other in pairwise(door))
    for _, path in list(recordings(storage.media))[::100]:
        assert assert_plays(path) == pytest.approx(FILE_S)


def test_overdue_files_are_deleted_with_their_events(
    storage: Storage, begin: float, tmp_path: Path
) -> None:
    """All others stay, and the index matches the files."""
    check(storage.media, storage.index)
    half_day = SECONDS / 2 / 86400
    policy = Policy(0.0, Limits(), {"door": Limits(half_day)})

    overdue = storage.tidy(policy, lambda one: one)
    for key in overdue:
        storage.delete_overdue(key)

    assert len(overdue) == pytest.approx(FILES / 2, abs=2)
    kept, events = rows_of(storage.index)
    assert len(kept) == FILES * len(CAMERAS) - len(overdue)
    assert len(events) == pytest.approx(EVENTS * 1.5, abs=1)
    assert min(one.end for one in kept if one.camera == "door") >= begin + SECONDS / 2 - 1
    assert (kept, events) == rebuilt(storage.media, tmp_path / "aside")
