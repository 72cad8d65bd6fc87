"""The log of events at the cameras."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.capture.frames.event_report import EventReport
from server.loop import native
from server.recording import events as module
from server.recording.disk.check import check
from server.recording.disk.event_file import read_events, remove_events
from server.recording.disk.index import Event
from server.recording.disk.layout import event_id
from server.recording.disk.retention import Policy
from server.recording.disk.storage import Storage
from server.recording.disk.writer import Writer
from server.recording.events import EventLog
from tests.support.fakes import offline_camera

AT = 1_795_000_000.0
BOX = (0.1, 0.2, 0.3, 0.4)


class Desk:
    """A log, and all that it announced."""

    def __init__(self, media: Path) -> None:
        self.storage = Storage(media)
        self.writer = Writer(self.storage)
        self.writer.start()
        for thread in native.threading.enumerate():
            if thread.name == "media check":
                thread.join()  # A late one would run what a test put into the index.
        self.log = EventLog(self.storage, self.writer)
        self.told: list[Event] = []
        self.moving: list[tuple[str, bool]] = []
        self.log.on_event = self.told.append
        self.log.on_motion = lambda camera, moving, at_unix: self.moving.append((camera, moving))

    def kept(self) -> list[Event]:
        """Return the stored events, oldest first."""
        self.writer.call(lambda: None)
        return self.storage.index.all_events()

    def picture(self, key: str) -> bytes | None:
        """Return an event's stored picture."""
        (path,) = self.storage.media.rglob(f"{key}.jpg")
        return path.read_bytes()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A log in a new folder."""
    desk = Desk(tmp_path / "state" / "media")
    yield desk
    assert desk.writer.stop(5.0)


def test_an_event_begins_and_ends(desk: Desk) -> None:
    """Both are announced and stored."""
    key = desk.log.begin("door", "motion", AT, 0.5, BOX, b"jpeg")
    desk.log.end(key, AT + 3)

    begun, ended = desk.told
    assert (begun.id, begun.begin, begun.end, begun.score, begun.box) == (key, AT, None, 0.5, BOX)
    assert ended == replace(begun, end=AT + 3)
    assert desk.kept() == [ended]
    assert desk.picture(key) == b"jpeg"
    assert desk.moving == [("door", True), ("door", False)]


def test_the_best_picture_is_kept(desk: Desk) -> None:
    """It is the one with the highest score, with its box."""
    key = desk.log.begin("door", "cat", AT, 0.5, BOX, b"first")
    desk.log.update(key, 0.9, (0, 0, 1, 1), b"best")
    desk.log.update(key, 0.7, BOX, b"worse")
    desk.log.end(key, AT + 3)

    (event,) = desk.kept()
    assert (event.score, event.box, event.picture) == (0.9, (0, 0, 1, 1), True)
    assert desk.picture(key) == b"best"


@pytest.mark.parametrize(("pause_s", "count"), [(4.9, 1), (5.1, 2)])
def test_events_in_quick_succession_are_merged(desk: Desk, pause_s: float, count: int) -> None:
    """An event within 5 s of the end of another with its label and camera continues it."""
    first = desk.log.begin("door", "motion", AT, 0.5)
    desk.log.end(first, AT + 3)
    second = desk.log.begin("door", "motion", AT + 3 + pause_s, 0.8)
    desk.log.end(second, AT + 20)

    assert (second == first) is (count == 1)
    kept = desk.kept()
    assert len(kept) == count
    assert kept[-1].end == AT + 20


def test_other_cameras_and_labels_are_not_merged(desk: Desk) -> None:
    """Each camera and label has events of its own."""
    keys = [
        desk.log.begin("door", "motion", AT),
        desk.log.begin("yard", "motion", AT),
        desk.log.begin("door", "cat", AT),
    ]

    assert len(set(keys)) == 3


def test_reports_become_events(desk: Desk) -> None:
    """The first report of a label begins one, others continue it, and the last one ends it."""
    camera = offline_camera()
    for at, score, ended in [(0, 0.2, False), (1, 0.6, False), (2, None, True)]:
        desk.log.happen(camera, EventReport("cat", AT + at, score, BOX, ended, None))

    (event,) = desk.kept()
    assert (event.camera, event.label) == (camera.name, "cat")
    assert (event.begin, event.end, event.score) == (AT, AT + 2, 0.6)


def test_processor_cannot_flood_the_log(desk: Desk) -> None:
    """The number of labels per camera and their lengths are limited."""
    camera = offline_camera()
    for number in range(module.MAX_LABELS + 10):
        desk.log.happen(camera, EventReport(f"{number}" + "x" * 100, AT))

    kept = desk.kept()
    assert len(kept) == module.MAX_LABELS
    assert {len(one.label) for one in kept} == {module.MAX_LABEL}


def test_changes_are_announced_at_intervals(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A score that grows with each picture is announced once a second."""
    key = desk.log.begin("door", "cat", AT, 0.1)
    for score in range(2, 9):
        desk.log.update(key, score / 10)
    desk.log.flush()
    before = len(desk.told)
    monkeypatch.setattr(module, "SEND_INTERVAL_S", 0.0)
    desk.log.flush()

    assert (before, len(desk.told)) == (1, 2)
    assert desk.told[-1].score == 0.8


def test_lost_index_recovers_its_events(desk: Desk) -> None:
    """The files hold all about them, also which are locked or deleted."""
    keys = [desk.log.begin("door", f"l{at}", AT + at, 0.5, BOX, b"jpeg") for at in range(3)]
    for key in keys:
        desk.log.end(key, AT + 10)
    desk.writer.call(lambda: remove_events(desk.storage.media, keys[:1]))
    desk.storage.index.remove_events(keys[:1])
    desk.log.set_locked(desk.kept()[0], True)
    before = desk.kept()

    desk.storage.index.set_aside()
    check(desk.storage.media, desk.storage.index)

    assert [one.id for one in before] == keys[1:]
    assert before[0].locked
    assert desk.storage.index.all_events() == before


def test_a_torn_line_costs_one_change(desk: Desk) -> None:
    """A power cut may leave half a line; the next one starts on its own, and the others count."""
    key = desk.log.begin("door", "motion", AT)
    desk.kept()
    (file,) = desk.storage.media.rglob("events.jsonl")
    with open(file, "ab") as torn:
        torn.write(b'{"id": "door_2026')
    desk.log.end(key, AT + 3)
    desk.kept()

    (event,) = read_events([file])
    assert event.end == AT + 3


def test_deleting_the_last_event_removes_its_folder(desk: Desk) -> None:
    """Nothing is left of an empty day, not even a file that a killed server left half written."""
    key = desk.log.begin("door", "motion", AT, picture=b"jpeg")
    desk.kept()
    (picture,) = desk.storage.media.rglob(f"{key}.jpg")
    picture.with_name(f".{picture.name}.0123456789abcdef.new").write_bytes(b"jp")

    desk.writer.call(lambda: remove_events(desk.storage.media, [key]))

    assert not (desk.storage.media / "door").exists()


def left_open(media: Path, *begins: tuple[str, float]) -> Storage:
    """Return what the next server finds of one that was killed after a sign of life."""
    killed = Storage(media)
    for camera, begin_unix in begins:
        key = event_id(camera, begin_unix)
        killed.write_event(Event(key, camera, "motion", begin_unix))
    killed.tidy(Policy(), lambda one: one)
    killed.index.close()
    return Storage(media)


def test_events_left_open_by_a_killed_server_are_ended(tmp_path: Path) -> None:
    """Nothing else would end them. The end is the server's last sign of life, or the time when the
    camera's next event began."""
    now, media = time.time(), tmp_path / "media"
    left_open(media, ("door", now - 900), ("shed", now - 900))
    os.utime(media / ".alive", (now - 50, now - 50))
    again = Storage(media)
    later = Event(event_id("shed", now - 300), "shed", "motion", now - 300, end=now - 200)
    again.write_event(later)

    again.check_now()

    ends = [(one.camera, one.end) for one in again.index.all_events() if one != later]
    assert sorted(ends) == [("door", pytest.approx(now - 50, abs=1)), ("shed", now - 300)]
    assert check(media, again.index).added == 0, "the files say the same"
    again.index.close()


def test_open_event_from_the_future_ends_at_a_restart(tmp_path: Path) -> None:
    """After the clock was set back it began in the future, and so went on forever: "now"."""
    began = time.time() + 3600
    again = left_open(tmp_path / "media", ("door", began))

    again.check_now()

    (event,) = again.index.all_events()
    assert event.end == began
    again.index.close()


def test_check_does_not_end_a_running_event(desk: Desk) -> None:
    """Nor does it end one whose end is not yet written. A check also runs to repair an index."""
    for began in (time.time() - 60, time.time() + 3600):
        key = desk.log.begin("door", "motion", began)
        desk.kept()
        desk.storage.check_now()
        assert desk.kept()[-1].end is None

        written, asked = threading.Event(), threading.Event()
        desk.writer.do(lambda: (asked.set(), written.wait(10)))  # noqa: B023
        asked.wait(10)
        desk.log.end(key, began + 3)
        desk.log.flush()
        desk.storage.check_now()
        assert desk.storage.index.all_events()[-1].end is None
        written.set()
        assert desk.kept()[-1].end == began + 3


def test_film_resumed_during_a_check_is_not_ended(desk: Desk) -> None:
    """The check had found its event unknown, and then recorded that it had ended."""
    began = time.time() - 60
    key = event_id("door", began)
    desk.storage.write_event(Event(key, "door", "timelapse", began, film="benchy"))
    real = desk.storage.index.recordings

    def resume_meanwhile(*args: Any, **named: Any) -> Any:
        desk.log.resume("door", "timelapse", "benchy", began)
        desk.kept()
        return real(*args, **named)

    desk.storage.index.recordings = resume_meanwhile  # type: ignore[method-assign]
    desk.storage.check_now()

    (event,) = desk.kept()
    assert event.end is None
    assert check(desk.storage.media, desk.storage.index).added == 0, "the files say the same"


def test_film_event_continues_after_a_restart(desk: Desk) -> None:
    """It stays the same event, whether the server exited or was killed, despite the check. A film
    of that name from before its job began is another event."""
    old = desk.log.begin("printer", "timelapse", AT - 900, film="benchy")
    desk.log.end(old, AT - 600)
    key = desk.log.begin("printer", "timelapse", AT, film="benchy")
    desk.kept()

    for ended_at in (None, AT + 60):
        if ended_at is not None:
            desk.log.end(key, ended_at)
            desk.kept()
        again = EventLog(desk.storage, desk.writer)
        assert again.resume("printer", "timelapse", "cube", AT - 1) is None
        going = again.resume("printer", "timelapse", "benchy", AT - 1)
        assert going is not None
        assert (going.id, going.begin, going.end) == (key, AT, None)
        desk.kept()
        desk.storage.check_now()
        assert desk.kept()[-1].end is None
        again.end(key, AT + 90)

    first, second = desk.kept()
    assert [(one.id, one.end, one.film) for one in (first, second)] == [
        (old, AT - 600, "benchy"),
        (key, AT + 90, "benchy"),
    ]


def test_film_ends_only_with_its_job(desk: Desk) -> None:
    """The next job is a new event, however soon; losing a camera ends no film."""
    benchy = desk.log.begin("printer", "timelapse", AT, film="benchy")
    desk.log.end(benchy, AT + 1)
    cube = desk.log.begin("printer", "timelapse", AT + 2, film="cube")
    assert cube != benchy

    desk.log.begin("printer", "motion", AT + 3)
    desk.log.end_all("printer", films=False)

    ended = {one.label: one.end for one in desk.kept() if one.id != benchy}
    assert ended["timelapse"] is None
    assert ended["motion"] is not None


def test_index_of_an_older_version_is_extended(desk: Desk) -> None:
    """Nothing has to be read from the files again."""
    key = desk.log.begin("door", "motion", AT)
    desk.kept()
    with desk.storage.index.changing() as connection:
        connection.executescript(
            "ALTER TABLE events DROP COLUMN film; ALTER TABLE recordings DROP COLUMN film;"
            "PRAGMA user_version = 1;"
        )
    desk.storage.index.close()

    (event,) = desk.kept()

    assert (event.id, event.film) == (key, "")
    assert desk.storage.index.verify()
    assert desk.storage.index.all_recordings() == []
