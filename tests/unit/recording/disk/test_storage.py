"""The folder of recordings and its index, which others may be changing."""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from server.recording.disk import check as check_module
from server.recording.disk.check import check
from server.recording.disk.event_file import read_events
from server.recording.disk.index import Event
from server.recording.disk.layout import event_id
from server.recording.disk.retention import Policy
from server.recording.disk.storage import Storage
from tests.support.servers.server import wait_until

AT = 1_795_000_000.0
KEY = event_id("door", AT)
EVENT = Event(KEY, "door", "motion", AT, AT + 5)


def test_a_check_that_was_impossible_is_done_again(storage: Storage) -> None:
    """As on a full disk, or while another process holds the index: until the next start, half
    of what there is was not listed, and what is deleted was chosen from the rest.
    """
    storage.write_event(EVENT)
    storage.index.remove_events([KEY])
    other = sqlite3.connect(storage.index.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    storage.check_now()
    assert storage.index.all_events() == []
    other.close()
    storage.tidy(Policy(), lambda one: one)

    wait_until(lambda: storage.index.all_events() == [EVENT], every_s=0.01)


def test_an_index_that_is_locked_keeps_nobody_waiting(storage: Storage) -> None:
    """What is written meanwhile is in the files, and in the index afterwards."""
    storage.write_event(EVENT)
    other = sqlite3.connect(storage.index.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    later = replace(EVENT, score=0.7)

    storage.write_event(later)

    assert storage.index.all_events() == [EVENT], "it can be read"
    other.close()
    storage.settle()
    assert storage.index.all_events() == [later]


def test_a_check_undoes_nothing_that_changed_meanwhile(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event ended just after its file was read: the index had it go on, and by the next check it
    had ended when the server was last seen.
    """
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
