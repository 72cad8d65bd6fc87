"""What commands do, on which node, and which notices they send."""

import re
from collections.abc import Callable
from functools import singledispatchmethod
from pathlib import Path
from typing import Any

import pytest

from server import commands
from server.capture.camera import Camera
from server.commands import (
    COMMANDS,
    CameraCommand,
    Command,
    Quit,
    SetControl,
    SetFps,
    SetQuality,
    Start,
    Stop,
)
from server.control import control as control_module
from server.control.control import Control
from server.errors import RequestError
from server.loop import hub
from tests.support.fakes import until
from tests.unit.control.conftest import Notices

ROOT = Path(__file__).resolve().parents[3]


def test_changes_are_announced_with_user_and_value(
    make: Callable[..., Control], camera: Camera, notices: Notices
) -> None:
    """A notice says who changed what; setting the current value again sends none."""
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


def test_unknown_camera_is_rejected(make: Callable[..., Control], camera: Camera) -> None:
    """The error has its own code, and a long name is truncated."""
    control = make(camera)

    with pytest.raises(RequestError) as caught:
        control.camera("x" * 9999)

    assert caught.value.code == "unknown_camera"
    assert len(str(caught.value)) < 100
    assert control.camera("door") is camera


def test_quit_is_announced_and_shuts_down(
    make: Callable[..., Control], camera: Camera, notices: Notices
) -> None:
    """The server announces who shuts it down, and exits."""
    calls: list[str] = []
    control = make(camera, shut_down=lambda: calls.append("down"))

    control.execute("ann", Quit())

    assert calls == ["down"]
    assert "ann" in notices[0][1]


class FakeOwner:
    """A node that records the commands it is sent, or rejects them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, CameraCommand]] = []
        self.figures: dict[str, object] = {}
        self.refusal: RequestError | None = None

    def execute(self, who: str, command: CameraCommand) -> None:
        if self.refusal:
            raise self.refusal
        self.asked.append((who, command))


def test_remote_camera_is_changed_on_its_own_node(
    make: Callable[..., Control],
    camera: Camera,
    notices: Notices,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The camera's own node keeps and announces the change; this one does neither."""
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
def test_each_command_changes_a_local_camera(
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
    """Such a command once succeeded without doing anything. Every existing one has a handler."""

    class Paint(CameraCommand):
        event = "paint"

    with pytest.raises(NotImplementedError, match="Paint has no handler"):
        make(camera).execute("ann", Paint(camera="door"))

    handlers = vars(Control)["_handle"].dispatcher
    missing = handlers.dispatch(Paint)
    assert all(handlers.dispatch(kind) is not missing for kind in COMMANDS.values())


def test_dragged_slider_is_announced_once(
    make: Callable[..., Control],
    camera: Camera,
    notices: Notices,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many values in a row give one notice, about the last one."""
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


def test_rejected_change_is_not_announced(
    make: Callable[..., Control], camera: Camera, notices: Notices
) -> None:
    """A value that no camera accepted is not announced."""
    control = make(camera)

    with pytest.raises(RequestError, match="Rotate: '45'; accepted: 0, 90, 180, 270"):
        control.execute("ann", SetControl(camera="door", control="rotate", value="45"))

    assert notices == []


def test_example_command_in_the_docs_works(
    make: Callable[..., Control],
    camera: Camera,
    notices: Notices,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The steps in ``docs/architecture.md`` are all that a new command needs."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names: dict[str, Any] = vars(commands) | {"_handle": singledispatchmethod(lambda *_: None)}
    for example in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
        exec(example, names)
    monkeypatch.setattr(Control, "_handle", names["_handle"])
    control = make(camera)

    turns = []
    for _ in range(2):
        control.execute("ann", names["RotateHalf"](camera="door"))
        turns.append(camera.transform.rotate)

    assert turns == [180, 0]
    assert notices == [("info", "Door was rotated by half a turn by ann", "door")] * 2
