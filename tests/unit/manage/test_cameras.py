"""Cameras that admins add, change and remove on a running node."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server.capture.frames.rendition import FULL
from server.config.load import load_settings
from server.delivery.mjpeg import FrameWaiter
from server.errors import RequestError
from server.manage import catalog
from server.manage.cameras import UNDO_S, Conflict, ManagedCameras
from server.manage.form import FormError
from server.runtime import Runtime

DOOR = "test:?size=160x90&fps=20"
YARD = {"name": "yard", "source": "test:?size=320x180&fps=20", "title": "Yard"}

Start = Callable[..., Runtime]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a node with the camera ``door`` of the command line, or with the given cameras."""
    started: list[Runtime] = []

    def start_one(*sources: str) -> Runtime:
        node = Runtime(load_settings(sources or (f"door={DOOR}",), None, tmp_path, {}, {}))
        node.prepare()
        for part in (node.sources, *node.fanouts.values()):
            part.open()
        started.append(node)
        return node

    yield start_one
    for node in started:
        for fanout in node.fanouts.values():
            fanout.close()
        assert all(camera.close(3.0) for camera in node.own.values())


def kept(folder: Path) -> Any:
    """Return the contents of ``cameras.json``."""
    return json.loads((folder / "cameras.json").read_text())


def test_an_added_camera_survives_a_restart(start: Start, tmp_path: Path) -> None:
    """The camera works immediately, is stored in a private file, and works after a restart."""
    node = start()

    added = node.managed.add(YARD, "ann")

    waiter = FrameWaiter(node.fanouts["yard"])
    frame = waiter.next(5.0)
    assert frame is not None
    assert (frame.width, frame.height) == (320, 180)
    waiter.leave()
    assert added["managed"] == "page"
    assert list(node.cameras) == ["door", "yard"]
    assert stat.S_IMODE((tmp_path / "cameras.json").stat().st_mode) == 0o600
    again = start()
    assert list(again.own) == ["door", "yard"]
    assert again.own["yard"].title == "Yard"


def test_a_changed_source_keeps_its_viewers(start: Start) -> None:
    """Viewers continue with the new source, and so do the frame numbers."""
    node = start()
    node.managed.add(YARD, "ann")
    other, waiter = FrameWaiter(node.fanouts["door"]), FrameWaiter(node.fanouts["yard"], "320")
    before, first = waiter.next(5.0), other.next(5.0)
    assert before is not None
    assert first is not None
    door = node.own["door"]

    changed = YARD | {"source": "test:?size=640x360&fps=20", "renditions": [160]}
    node.managed.change("yard", changed, None, "ann")

    after = waiter.next(5.0)
    while after is not None and after.width != 640:
        after = waiter.next(5.0)
    assert after is not None
    assert after.seq > before.seq
    assert after.rendition == FULL.name, "the width that it watched is no longer offered"
    assert node.own["door"] is door, "all others are left alone"
    waiter.leave()
    other.leave()


def test_title_changes_without_reopening_the_source(start: Start) -> None:
    """Title, group and frame rate change while the source stays open."""
    node = start()
    node.managed.add(YARD, "ann")
    camera = node.own["yard"]

    node.managed.change("yard", YARD | {"title": "Court", "group": "Out", "fps": 5}, None, "ann")

    assert node.own["yard"] is camera
    assert (camera.title, camera.group, camera.fps) == ("Court", "Out", 5)


def test_renamed_camera_keeps_its_place_and_state(start: Start, tmp_path: Path) -> None:
    """If it was stopped under its old name, it is stopped under the new one."""
    node = start()
    node.managed.add(YARD, "ann")
    node.managed.add(YARD | {"name": "lab"}, "ann")
    node.control._keep(node.own["yard"], "stopped", True)

    node.managed.change("yard", YARD | {"name": "court"}, None, "ann")

    assert list(node.cameras) == list(node.fanouts) == ["door", "court", "lab"]
    assert not node.own["court"].enabled
    assert [one["name"] for one in kept(tmp_path)["cameras"]] == ["court", "lab"]


def test_removed_camera_can_be_restored(start: Start) -> None:
    """Its place, operators' settings and frame numbers come back, within a time limit."""
    node = start()
    clock = [0.0]
    node.managed._clock = lambda: clock[0]
    node.managed.add(YARD, "ann")
    node.managed.order(["yard", "door"], "ann")
    node.own["yard"].numbering.continue_from(500)
    node.control._keep(node.own["yard"], "stopped", True)

    first = node.managed.remove("yard", None, "ann")
    assert list(node.cameras) == list(node.fanouts) == ["door"]
    assert [one["name"] for one in node.managed.removed()] == ["yard"]
    node.managed.undo(first, "ann")

    assert list(node.cameras) == ["yard", "door"]
    assert node.own["yard"].seq == 500
    assert not node.own["yard"].enabled
    second = node.managed.remove("yard", None, "ann")
    clock[0] += UNDO_S
    assert node.managed.removed() == []
    with pytest.raises(RequestError, match="too long ago"):
        node.managed.undo(second, "ann")


def test_cameras_from_the_settings_are_mostly_read_only(start: Start, tmp_path: Path) -> None:
    """The page can change their title and group; the rest is changed in the settings."""
    node = start()
    node.managed.change("door", {"title": "The door", "group": "House"}, None, "ann")

    with pytest.raises(FormError) as caught:
        node.managed.change("door", {"name": "gate", "fps": 3}, None, "ann")
    assert caught.value.fields.keys() == {"name", "fps"}
    with pytest.raises(RequestError, match="command line"):
        node.managed.remove("door", None, "ann")
    assert node.managed.catalog.describe("door")["place"] == "command line"
    assert kept(tmp_path)["changes"] == {"door": {"title": "The door", "group": "House"}}
    again = start().own["door"]
    assert (again.title, again.group) == ("The door", "House")


def test_settings_win_over_an_added_camera_of_the_same_name(start: Start, tmp_path: Path) -> None:
    """The added camera is kept, reported, and used again once it is renamed."""
    start().managed.add(YARD | {"source": "test:?size=640x360"}, "ann")
    node = start(f"yard={DOOR}")

    assert node.own["yard"]._address.public == DOOR
    assert [one["managed"] for one in node.managed.catalog.describe_all()] == ["file", "page"]
    node.managed.change("yard", YARD | {"name": "court"}, None, "ann")

    assert list(node.own) == ["yard", "court"]
    assert [one["name"] for one in kept(tmp_path)["cameras"]] == ["court"]


def test_unused_camera_is_reported_at_start(start: Start, tmp_path: Path) -> None:
    """A notice reports it, since nobody reads the log."""
    start().managed.add(YARD, "ann")
    node = Runtime(load_settings([f"yard={DOOR}"], None, tmp_path, {}, {}))
    told: list[str] = []
    node.on_notice = lambda level, message, camera, who: told.append(f"{level}: {message}")
    node.shut_down()

    node.run()

    assert (
        "warning: Camera yard, added on the page, is not used: the command line has a camera of "
        "the same name" in told
    )


def test_unusable_camera_entries_are_kept(tmp_path: Path, start: Start) -> None:
    """A file that was edited, or written by a newer version, loses nothing."""
    entry = {"name": "old", "source": "gopher://pigeon"}
    (tmp_path / "cameras.json").write_text(json.dumps({"version": 1, "cameras": [entry]}))
    node = start()

    assert list(node.own) == ["door"]
    assert "not a source" in node.managed.catalog.problems["old"]
    node.managed.add(YARD, "ann")
    assert entry in kept(tmp_path)["cameras"]
    shown = node.managed.catalog.describe_all()[-1]["settings"]["source"]
    with pytest.raises(FormError):
        node.managed.change("old", {"name": "old", "source": shown}, None, "ann")
    node.managed.change("old", {"name": "old", "source": "test:"}, None, "ann")
    assert list(node.own) == ["door", "yard", "old"]
    assert node.managed.catalog.problems == {}


def test_file_of_another_version_is_not_overwritten(tmp_path: Path, start: Start) -> None:
    """Such a file is read as far as possible, and never overwritten."""
    text = json.dumps({"version": 9, "cameras": [YARD]})
    (tmp_path / "cameras.json").write_text(text)
    node = start()

    assert list(node.own) == ["door", "yard"]
    with pytest.raises(RequestError, match="another version"):
        node.managed.remove("yard", None, "ann")
    assert (tmp_path / "cameras.json").read_text() == text
    assert list(node.own) == ["door", "yard"]


def test_change_that_cannot_be_saved_is_not_made(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk is full, the admin gets the error, and the cameras stay as they were."""
    node = start()

    def fail(document: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(node.managed.catalog.store._file, "save", fail)

    with pytest.raises(RequestError, match="No space left on device"):
        node.managed.add(YARD, "ann")
    assert list(node.own) == ["door"]
    assert [one["name"] for one in node.managed.catalog.describe_all()] == ["door"]


def test_two_admins_do_not_overwrite_each_other(start: Start) -> None:
    """The second one gets an error and the first one's result."""
    node = start()
    seen = node.managed.add(YARD, "ann")["revision"]
    node.managed.change("yard", YARD | {"title": "Court"}, seen, "ann")

    with pytest.raises(Conflict) as caught:
        node.managed.change("yard", YARD | {"title": "Lawn"}, seen, "ben")
    assert caught.value.current is not None
    assert caught.value.current["settings"]["title"] == "Court"
    with pytest.raises(Conflict):
        node.managed.remove("yard", seen, "ben")
    with pytest.raises(Conflict):
        node.managed.order(["door"], "ben")


def test_number_of_added_cameras_is_limited(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each camera costs threads, processes and memory."""
    monkeypatch.setattr(catalog, "MAX_ADDED", 1)
    node = start()
    node.managed.add(YARD, "ann")

    with pytest.raises(RequestError, match="the maximum"):
        node.managed.add(YARD | {"name": "lab"}, "ann")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": "door", "source": "test:"}, "name"),
        ({"name": "a b", "source": "test:"}, "name"),
        ({"source": "test:"}, "name"),
        ({"name": "x", "source": "exec:cat /dev/video0"}, "source"),
        ({"name": "x", "source": "rtsp:nonsense"}, "source"),
        ({"name": "x", "source": "test:", "fps": 1000}, "fps"),
        ({"name": "x", "source": "test:", "process": ["os:system"]}, "process"),
        ({"name": "x", "source": "test:", "colour": "red"}, "colour"),
    ],
)
def test_invalid_form_names_the_field(start: Start, values: dict[str, Any], field: str) -> None:
    """Each error belongs to the field whose value is invalid."""
    with pytest.raises(FormError) as caught:
        start().managed.add(values, "ann")

    assert caught.value.fields.keys() == {field}


def test_default_test_pattern_can_be_removed(tmp_path: Path) -> None:
    """It is shown on a fresh install until other cameras are added."""
    settings = load_settings([], None, tmp_path, {}, {})
    node = Runtime(settings)
    assert list(node.own) == ["test"]

    node.managed.remove("test", None, "ann")

    assert list(Runtime(settings).own) == []


def test_dashboard_of_other_nodes_rejects_new_cameras(tmp_path: Path) -> None:
    """The error says to add the camera on one of the other nodes."""
    settings = load_settings([], None, tmp_path, {}, {})
    node = Runtime(type(settings)(settings.server, (), tmp_path))

    assert isinstance(node.managed, ManagedCameras)
    with pytest.raises(RequestError, match="other nodes"):
        node.managed.add(YARD, "ann")
