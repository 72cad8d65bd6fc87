"""What operators change: at once, for everybody, and over a restart."""

import json
import re
import time
from collections.abc import Callable
from functools import singledispatchmethod
from pathlib import Path
from typing import Any

import pytest

from server import commands
from server.capture.camera import Camera
from server.capture.processing.transform import Transform
from server.commands import (
    COMMANDS,
    CameraCommand,
    Command,
    Preset,
    Quit,
    Reset,
    SetControl,
    SetFps,
    SetMotion,
    SetQuality,
    Start,
    Stop,
)
from server.control import control as control_module
from server.control.control import Control
from server.errors import RequestError
from server.loop import hub
from server.state import StateFile
from tests.support.fakes import offline_camera, until

ROOT = Path(__file__).resolve().parents[3]

Notices = list[tuple[str, str, str | None]]


@pytest.fixture
def camera() -> Camera:
    """The one camera."""
    return offline_camera()


@pytest.fixture
def notices() -> Notices:
    """What everybody was told."""
    return []


@pytest.fixture
def make(tmp_path: Path, notices: Notices) -> Callable[..., Control]:
    """A function that makes a control over cameras, with its file in the test's folder."""

    def make(*cameras: Camera, shut_down: Callable[[], None] = lambda: None) -> Control:
        def notify(level: str, message: str, camera: str | None, who: str | None) -> None:
            notices.append((level, f"{message} by {who}" if who else message, camera))

        named = {camera.name: camera for camera in cameras}
        return Control(named, StateFile(tmp_path), notify, shut_down)

    return make


def test_changes_survive_a_restart(make: Callable[..., Control], camera: Camera) -> None:
    """Frame rate, quality and being stopped are what the next run begins with."""
    control = make(camera)
    control.restore()
    control.execute("ann", SetFps(camera="door", fps=12.5))
    control.execute("ann", SetQuality(camera="door", quality=40))
    control.execute("ann", Stop(camera="door"))
    control.close()

    again = offline_camera()
    make(again).restore()

    assert (again.fps, again.quality, again.enabled) == (12.5, 40, False)


def test_the_way_back_to_the_sources_own_survives_a_restart(
    make: Callable[..., Control], camera: Camera
) -> None:
    """A rate set once is taken back, also one from the settings, and stays so in the next run."""
    control = make(camera)
    control.restore()
    control.execute("ann", SetFps(camera="door", fps=12.5))
    control.execute("ann", SetFps(camera="door", fps="source"))
    control.execute("ann", SetQuality(camera="door", quality="source"))
    now = (camera.fps, camera.quality)
    control.close()

    again = offline_camera()
    again.fps, again.quality = 5.0, 70  # As its settings say.
    make(again).restore()

    assert now == (None, None)
    assert again.describe()["set"] == {"fps": None, "quality": None}


def test_looking_for_motion_survives_a_restart(
    make: Callable[..., Control], camera: Camera, notices: Notices
) -> None:
    """What was left out stays as it was; what the command sets comes before the settings."""
    zone = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0]]
    control = make(camera)
    control.restore()
    control.execute("ann", SetMotion(camera="door", on=True, zones=[zone]))
    control.execute("ann", SetMotion(camera="door", sensitivity=80))
    control.execute("ann", SetMotion(camera="door", sensitivity=80))
    control.close()

    again = offline_camera()
    make(again).restore()

    assert again.motion.keep() == {
        "on": True,
        "sensitivity": 80,
        "min_size": 0.5,
        "min_s": 0.4,
        "zones": [zone],
    }
    assert [message for _, message, _ in notices] == [
        "Door: looking for motion was turned on by ann",
        "Door: looking for motion was set up by ann",
    ]


def test_started_camera_stays_so(make: Callable[..., Control], camera: Camera) -> None:
    """What was stopped and started again is not stopped in the next run."""
    control = make(camera)
    control.restore()
    control.execute("ann", Stop(camera="door"))
    control.execute("ann", Start(camera="door"))
    control.close()

    again = offline_camera()
    make(again).restore()

    assert again.enabled


def test_changes_are_written_by_themselves(
    make: Callable[..., Control], camera: Camera, tmp_path: Path
) -> None:
    """A crash loses nothing: each change is on disk a moment later."""
    control = make(camera)
    control.restore()
    control.open()

    control.execute("ann", SetQuality(camera="door", quality=33))

    until(lambda: (tmp_path / "state.json").exists())
    kept = json.loads((tmp_path / "state.json").read_text())
    control.close()
    assert kept == {"cameras": {"door": {"quality": 33}}}


def test_changes_are_told_with_who_and_what(
    make: Callable[..., Control], camera: Camera, notices: Notices
) -> None:
    """Everybody hears who changed what; a change to what already is, is none."""
    control = make(camera)

    for _ in range(2):
        control.execute("ann", SetFps(camera="door", fps=5))
        control.execute("ann", SetQuality(camera="door", quality=70))
        control.execute("ann", Stop(camera="door"))
    for _ in range(2):
        control.execute("ann", Start(camera="door"))

    assert notices == [
        ("info", "Door set to 5 fps by ann", "door"),
        ("info", "Door set to quality 70 by ann", "door"),
        ("info", "Door was stopped by ann", "door"),
        ("info", "Door was started by ann", "door"),
    ]


def test_unknown_camera_is_refused(make: Callable[..., Control], camera: Camera) -> None:
    """A camera that is not there is told by its code, and its long name is cut."""
    control = make(camera)

    with pytest.raises(RequestError) as caught:
        control.camera("x" * 9999)

    assert caught.value.code == "unknown_camera"
    assert len(str(caught.value)) < 100
    assert control.camera("door") is camera


@pytest.mark.parametrize(
    "kept",
    [
        [],
        {"cameras": []},
        {"cameras": {"door": 1}},
        {"cameras": {"door": {"fps": "5", "quality": True, "stopped": 1}}},
        {"cameras": {"door": {"fps": 0, "quality": 101, "stopped": "yes"}}},
        {"cameras": {"door": {"fps": 1e999, "quality": None}}},
        {"cameras": {"door": {"motion": {"on": True, "zones": [[[0, 0], [1, 1]]]}}}},
        {"cameras": {"door": {"motion": {"on": True, "sensitivity": 0}}}},
        {"cameras": {"door": {"fps": 10**400, "quality": -(10**400)}}},
    ],
)
def test_kept_nonsense_is_passed_over(
    make: Callable[..., Control], camera: Camera, tmp_path: Path, kept: object
) -> None:
    """What the file should not hold does not reach the camera and does not stop the start."""
    (tmp_path / "state.json").write_text(json.dumps(kept))

    make(camera).restore()

    assert (camera.fps, camera.quality, camera.enabled) == (None, 80, True)
    assert not camera.motion.on


def test_absent_camera_is_remembered(
    make: Callable[..., Control], camera: Camera, tmp_path: Path
) -> None:
    """What is kept of a camera that is not in the settings today is there tomorrow."""
    kept = {"cameras": {"yard": {"quality": 12}}}
    (tmp_path / "state.json").write_text(json.dumps(kept))
    control = make(camera)
    control.restore()

    control.execute("ann", SetQuality(camera="door", quality=50))
    control.close()

    kept["cameras"]["door"] = {"quality": 50}
    assert json.loads((tmp_path / "state.json").read_text()) == kept


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), RecursionError("maximum recursion depth exceeded")],
)
def test_disk_that_refuses_is_told(
    make: Callable[..., Control],
    camera: Camera,
    notices: Notices,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    """A change that cannot be kept holds all the same, and people are told."""

    def full(self: StateFile, document: object) -> None:
        raise error

    monkeypatch.setattr(StateFile, "save", full)
    control = make(camera)
    control.execute("ann", SetQuality(camera="door", quality=50))

    control.close()

    assert camera.quality == 50
    assert notices[-1][0] == "error"
    assert error.args[-1] in notices[-1][1]


def test_what_could_not_be_kept_is_tried_again(
    make: Callable[..., Control], camera: Camera, notices: Notices, tmp_path: Path
) -> None:
    """What was changed while the disk was full is kept when it is not, at the end at the latest."""
    control = make(camera)
    control.open()
    (tmp_path / "state.json").mkdir()  # No file can take its place.
    control.execute("ann", SetQuality(camera="door", quality=50))
    until(lambda: notices[-1][0] == "error")
    (tmp_path / "state.json").rmdir()

    control.close()

    assert json.loads((tmp_path / "state.json").read_text()) == {
        "cameras": {"door": {"quality": 50}}
    }


def test_quit_is_told_and_shuts_down(
    make: Callable[..., Control], camera: Camera, notices: Notices
) -> None:
    """The server tells who ends it, and ends."""
    calls: list[str] = []
    control = make(camera, shut_down=lambda: calls.append("down"))

    control.execute("ann", Quit())

    assert calls == ["down"]
    assert "ann" in notices[0][1]


def test_closing_during_a_write_waits_for_it(
    make: Callable[..., Control], camera: Camera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writes at once would spoil the file; the last change is in it all the same."""
    writing: list[int] = []
    most: list[int] = []
    save = StateFile.save

    def slow(self: StateFile, document: dict[str, object]) -> None:
        writing.append(1)
        most.append(len(writing))
        time.sleep(0.1)
        save(self, document)
        writing.pop()

    monkeypatch.setattr(StateFile, "save", slow)
    control = make(camera)
    control.restore()
    control.open()
    control.execute("ann", SetQuality(camera="door", quality=20))
    until(lambda: writing)
    control.execute("ann", SetQuality(camera="door", quality=21))

    control.close()

    assert max(most) == 1
    assert json.loads((tmp_path / "state.json").read_text())["cameras"]["door"] == {"quality": 21}


class FakeOwner:
    """A node that notes the commands it is sent, or refuses them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, CameraCommand]] = []
        self.figures: dict[str, object] = {}
        self.refusal: RequestError | None = None

    def execute(self, who: str, command: CameraCommand) -> None:
        if self.refusal:
            raise self.refusal
        self.asked.append((who, command))


def test_a_camera_of_another_node_is_changed_there(
    make: Callable[..., Control],
    camera: Camera,
    notices: Notices,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own node is asked, keeps the change and tells of it; here nothing is kept or told."""
    owner = FakeOwner()
    monkeypatch.setattr(camera, "owner", owner)
    control = make(camera)
    control.restore()

    control.execute("ann", SetFps(camera="door", fps=5.0))
    control.execute("ann", Stop(camera="door"))
    owner.refusal = RequestError("unavailable", "it is gone")
    with pytest.raises(RequestError, match="gone"):
        control.execute("ann", Start(camera="door"))
    control.close()

    assert owner.asked == [
        ("ann", SetFps(camera="door", fps=5.0)),
        ("ann", Stop(camera="door")),
    ]
    assert notices == []
    assert not (tmp_path / "state.json").exists()


@pytest.mark.parametrize(
    ("command", "attribute", "expected"),
    [
        (SetFps(camera="door", fps=5.0), "fps", 5.0),
        (SetQuality(camera="door", quality=33), "quality", 33),
        (SetQuality(camera="door", quality="source"), "quality", None),
        (Stop(camera="door"), "enabled", False),
        (Start(camera="door"), "enabled", True),
    ],
)
def test_commands_go_to_a_camera_of_our_own(
    make: Callable[..., Control],
    camera: Camera,
    command: Command,
    attribute: str,
    expected: object,
) -> None:
    """Each command does what its name says."""
    make(camera).execute("ann", command)

    assert getattr(camera, attribute) == expected


def test_a_command_without_a_handler_is_an_error(
    make: Callable[..., Control], camera: Camera
) -> None:
    """It once succeeded, and did nothing. Every command that there is has a handler."""

    class Paint(CameraCommand):
        event = "paint"

    with pytest.raises(NotImplementedError, match="Paint has no handler"):
        make(camera).execute("ann", Paint(camera="door"))

    handlers = vars(Control)["_handle"].dispatcher
    missing = handlers.dispatch(Paint)
    assert all(handlers.dispatch(kind) is not missing for kind in COMMANDS.values())


def test_controls_and_presets_survive_a_restart(
    make: Callable[..., Control], camera: Camera, notices: Notices, tmp_path: Path
) -> None:
    """What is set and saved, also for a source that has not been opened yet."""
    control = make(camera)
    control.restore()
    camera.tuning.restore({"gain": 5}, None)
    control.execute("ann", SetControl(camera="door", control="rotate", value="90"))
    control.execute("ann", SetControl(camera="door", control="crop", value=(0.0, 0.0, 0.5, 1.0)))
    control.execute("ann", Preset(camera="door", preset="Night", do="save"))
    control.execute("ann", Reset(camera="door", control="crop"))
    control.close()

    again = offline_camera()
    make(again).restore()

    assert again.transform == Transform(rotate=90)
    assert again.tuning.keep()["controls"] == {"gain": 5, "rotate": "90"}
    assert again.tuning.presets == ("Night",)
    make(again).execute("ann", Preset(camera="door", preset="Night", do="apply"))
    assert again.transform == Transform(rotate=90, crop=(0.0, 0.0, 0.5, 1.0))
    assert ("info", "Door: preset Night was saved by ann", "door") in notices
    kept = json.loads((tmp_path / "state.json").read_text())["cameras"]["door"]
    assert kept["presets"]["Night"]["crop"] == [0.0, 0.0, 0.5, 1.0]


def test_a_slider_on_its_way_is_told_of_once(
    make: Callable[..., Control],
    camera: Camera,
    notices: Notices,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many values in a row make one notice: of the last."""
    monkeypatch.setattr(control_module, "REST_S", 0.05)
    control = make(camera)

    for left in range(10):
        area = (left / 100, 0.0, 0.5, 1.0)
        control.execute("ann", SetControl(camera="door", control="crop", value=area))
    control.execute("bob", SetControl(camera="door", control="rotate", value="90"))

    until(lambda: len(notices) == 2)
    hub.sleep(0.1)
    assert notices == [
        ("info", "Door: Crop changed by ann", "door"),
        ("info", "Door: Rotate set to 90° by bob", "door"),
    ]


def test_what_was_refused_is_not_told(
    make: Callable[..., Control], camera: Camera, notices: Notices
) -> None:
    """Nobody hears of a value that no camera took."""
    control = make(camera)

    with pytest.raises(RequestError, match="Rotate: '45'; accepted: 0, 90, 180, 270"):
        control.execute("ann", SetControl(camera="door", control="rotate", value="45"))

    assert notices == []


def test_the_new_command_of_the_docs_works(
    make: Callable[..., Control],
    camera: Camera,
    notices: Notices,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``docs/architecture.md`` shows how to add a command; that is all there is to do."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names: dict[str, Any] = vars(commands) | {"_handle": singledispatchmethod(lambda *_: None)}
    for example in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
        exec(example, names)
    monkeypatch.setattr(Control, "_handle", names["_handle"])
    control = make(camera)

    turns = []
    for _ in range(2):
        control.execute("ann", names["Flip"](camera="door"))
        turns.append(camera.transform.rotate)

    assert turns == [180, 0]
    assert notices == [("info", "Door was flipped by ann", "door")] * 2
