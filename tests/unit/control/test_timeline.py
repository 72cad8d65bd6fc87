"""The notices of the last day."""

import json
import os
import stat
from pathlib import Path

import pytest

from server.control import timeline as timeline_module
from server.control.timeline import Notice, Timeline
from tests.support.fakes import UNIX_EPOCH_OF_TESTS, FakeClock, settle, until


def anybody(camera: str) -> bool:
    return True


def told(timeline: Timeline, **which: float | str) -> list[str]:
    notices, _ = timeline.newest(anybody, **which)  # type: ignore[arg-type]
    return [notice.message for notice in notices]


def restarted(folder: Path, clock: FakeClock) -> Timeline:
    timeline = Timeline(folder, clock.time)
    timeline.restore()
    return timeline


def fill(timeline: Timeline, clock: FakeClock, camera: str, count: int) -> None:
    for _ in range(count // 2):
        for word in ("lost", "back"):
            clock.advance(1)
            timeline.add("info", f"{camera} is {word}", camera)


def test_notices_survive_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    """Each notice keeps its text, camera, user, time and level."""
    timeline = Timeline(tmp_path, clock.time)
    timeline.add("warning", "Door went offline: the cable is out", "door")
    clock.advance(2)
    timeline.add("info", "The server is being shut down", None, "ada")
    timeline.close()

    notices, more = restarted(tmp_path, clock).newest(anybody)

    at = UNIX_EPOCH_OF_TESTS + 1000
    assert not more
    assert [notice.payload() for notice in notices] == [
        {
            "level": "warning",
            "message": "Door went offline: the cable is out",
            "at": at,
            "camera": "door",
        },
        {
            "level": "info",
            "message": "The server is being shut down by ada",
            "at": at + 2,
            "by": "ada",
        },
    ]


def test_only_operators_see_who_acted(tmp_path: Path, clock: FakeClock) -> None:
    """Operators see names, viewers do not, also after a restart."""
    timeline = Timeline(tmp_path, clock.time)
    timeline.add("info", "Door was stopped", "door", "ada")
    timeline.add("info", "Door was stopped", "door", "bob")
    timeline.close()

    notices, _ = restarted(tmp_path, clock).newest(anybody)

    told = [(notice.payload(True)["message"], notice.payload(False)) for notice in notices]
    assert [named for named, _ in told] == ["Door was stopped by ada", "Door was stopped by bob"]
    assert {unnamed["message"] for _, unnamed in told} == {"Door was stopped by an operator"}
    assert "ada" not in str([unnamed for _, unnamed in told])


def test_notices_expire_after_a_day(tmp_path: Path, clock: FakeClock) -> None:
    """Notices are kept for 24 hours, in memory and across a restart."""
    timeline = Timeline(tmp_path, clock.time)
    timeline.add("info", "first", "door")
    clock.advance(3600)
    timeline.add("info", "second", "door")
    timeline.close()

    clock.advance(23.5 * 3600)

    assert told(timeline) == ["second"]
    assert told(restarted(tmp_path, clock)) == ["second"]


def test_clock_that_was_ahead_deletes_nothing(tmp_path: Path, clock: FakeClock) -> None:
    """Opening the page while the clock was a week ahead used to delete the day's notices."""
    timeline = Timeline(tmp_path, clock.time)
    timeline.add("info", "first", "door")

    clock.advance(7 * 24 * 3600)
    assert told(timeline) == []
    clock.advance(-7 * 24 * 3600)

    assert told(timeline) == ["first"]


def test_busiest_camera_loses_its_notices_first(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera that comes and goes all day does not push out other cameras' notices."""
    monkeypatch.setattr(timeline_module, "MAX_KEPT", 20)
    timeline = Timeline(tmp_path, clock.time)
    timeline.add("error", "Yard is on fire", "yard")

    fill(timeline, clock, "door", 100)

    assert "Yard is on fire" in told(timeline)
    assert len(told(timeline)) == 20


def test_timeline_file_is_bounded(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is rewritten when most of it has expired, and stays private."""
    monkeypatch.setattr(timeline_module, "MAX_KEPT", 20)
    monkeypatch.setattr(timeline_module, "MAX_OUTDATED", 20)
    timeline = Timeline(tmp_path, clock.time)

    for _ in range(100):
        fill(timeline, clock, "door", 2)
        timeline.close()

    path = tmp_path / "timeline.jsonl"
    assert len(path.read_text().splitlines()) <= 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert told(restarted(tmp_path, clock)) == told(timeline)


def test_answer_is_limited_to_the_newest_notices(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest come first; the answer says that there are more, and ``before`` gets them."""
    monkeypatch.setattr(timeline_module, "MAX_SENT", 4)
    timeline = Timeline(tmp_path, clock.time)
    fill(timeline, clock, "door", 10)

    newest, more = timeline.newest(anybody)
    earlier, _ = timeline.newest(anybody, before=newest[0].at)

    assert more
    assert [notice.at - UNIX_EPOCH_OF_TESTS for notice in newest] == [1007, 1008, 1009, 1010]
    assert [notice.at - UNIX_EPOCH_OF_TESTS for notice in earlier] == [1003, 1004, 1005, 1006]


def test_notices_of_hidden_cameras_are_left_out(tmp_path: Path, clock: FakeClock) -> None:
    """A user who may see some cameras gets their notices and the server's."""
    timeline = Timeline(tmp_path, clock.time)
    for camera in ("door", "yard", None):
        timeline.add("info", f"about {camera}", camera)

    def sees_door(camera: str) -> bool:
        return camera == "door"

    assert [n.message for n in timeline.newest(sees_door)[0]] == ["about door", "about None"]
    assert timeline.newest(sees_door, camera="yard") == ([], False)


def test_notices_are_filtered_by_camera_and_time(tmp_path: Path, clock: FakeClock) -> None:
    """A client can ask for what is new to it, also for one camera."""
    timeline = Timeline(tmp_path, clock.time)
    seen = timeline.add("info", "first", "door").at
    clock.advance(1)
    timeline.add("info", "second", "door")
    timeline.add("info", "other", "yard")

    assert told(timeline, since=seen) == ["second", "other"]
    assert told(timeline, since=seen, camera="door") == ["second"]


def test_a_dragged_slider_is_one_notice(tmp_path: Path, clock: FakeClock) -> None:
    """The same notice with other numbers, shortly after, replaces the first; later it does not."""
    timeline = Timeline(tmp_path, clock.time)
    for fps in (5, 7.5, 12):
        clock.advance(1)
        timeline.add("info", f"ada set Door to {fps} fps", "door")
    clock.advance(60)
    timeline.add("info", "ada set Door to 30 fps", "door")
    timeline.close()

    expected = ["ada set Door to 12 fps", "ada set Door to 30 fps"]
    assert told(timeline) == expected
    assert told(restarted(tmp_path, clock)) == expected


def test_damaged_lines_are_skipped(tmp_path: Path, clock: FakeClock) -> None:
    """Half lines, junk, wrong types and future days are skipped; the rest is kept."""
    good = {"at": UNIX_EPOCH_OF_TESTS + 999, "level": "info", "message": "good"}
    bad: list[object] = [
        [],
        {},
        good | {"at": "now"},
        good | {"at": True},
        good | {"at": 10**400},
        good | {"at": float("nan")},
        good | {"at": UNIX_EPOCH_OF_TESTS + 9999},
        good | {"level": []},
        good | {"level": "loud"},
        good | {"message": 1},
        good | {"camera": 1},
        good | {"camera": "x" * 41},
    ]
    lines = [*map(json.dumps, bad), "\xff\x00", "[" * 100_000, json.dumps(good), '{"at": 17']
    (tmp_path / "timeline.jsonl").write_text("\n".join(lines), encoding="latin-1")

    timeline = restarted(tmp_path, clock)
    assert told(timeline) == ["good"]

    # The new notice is not appended to the half line at the end.
    timeline.add("info", "new", None)
    timeline.close()
    assert told(restarted(tmp_path, clock)) == ["good", "new"]


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "missing folder"])
def test_unusable_file_does_not_stop_the_timeline(
    tmp_path: Path, clock: FakeClock, kind: str
) -> None:
    """Whatever is in the file's place, notices are collected and shown."""
    folder = tmp_path / "state"
    if kind != "missing folder":
        folder.mkdir()
    path, target = folder / "timeline.jsonl", tmp_path / "target"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        target.write_text("")
        path.symlink_to(target)
    timeline = restarted(folder, clock)

    timeline.add("info", "first", None)
    timeline.close()
    timeline.close()

    assert told(timeline) == ["first"]
    assert kind != "link" or target.read_text() == ""


def test_unwritten_notices_are_written_later(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notices that could not be written are written with later ones."""
    monkeypatch.setattr(timeline_module, "RETRY_S", 0.0)
    folder = tmp_path / "missing"
    timeline = Timeline(folder, clock.time)
    timeline.open()
    timeline.add("info", "first", None)
    settle()
    until(lambda: timeline._failing)

    folder.mkdir()
    timeline.add("info", "second", None)
    until(lambda: (folder / "timeline.jsonl").exists())
    timeline.close()

    assert told(restarted(folder, clock)) == ["first", "second"]


def test_full_timeline_sends_a_limited_answer(tmp_path: Path, clock: FakeClock) -> None:
    """An answer never holds more than its limit, however much is kept."""
    timeline = Timeline(tmp_path, clock.time)
    fill(timeline, clock, "door", timeline_module.MAX_KEPT + 100)

    notices, more = timeline.newest(anybody)

    assert more
    assert len(notices) == timeline_module.MAX_SENT
    assert isinstance(notices[0], Notice)
