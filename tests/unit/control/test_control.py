"""Operators' changes survive a restart."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from server.capture.camera import Camera
from server.capture.processing.transform import Transform
from server.commands import Preset, Reset, SetControl, SetFps, SetMotion, SetQuality, Start, Stop
from server.control.control import Control
from server.state import StateFile
from tests.support.fakes import offline_camera, until
from tests.unit.control.conftest import Notices


def test_changes_survive_a_restart(make: Callable[..., Control], camera: Camera) -> None:
    """The next run starts with the frame rate, quality and stopped state that were set."""
    control = make(camera)
    control.restore()
    control.execute("ann", SetFps(camera="door", fps=12.5))
    control.execute("ann", SetQuality(camera="door", quality=40))
    control.execute("ann", Stop(camera="door"))
    control.close()

    again = offline_camera()
    make(again).restore()

    assert (again.fps, again.quality, again.enabled) == (12.5, 40, False)


def test_reset_to_the_sources_own_values_survives_a_restart(
    make: Callable[..., Control], camera: Camera
) -> None:
    """A frame rate or quality stays reset after a restart, even if the settings specify one."""
    control = make(camera)
    control.restore()
    control.execute("ann", SetFps(camera="door", fps=12.5))
    control.execute("ann", SetFps(camera="door", fps="source"))
    control.execute("ann", SetQuality(camera="door", quality="source"))
    now = (camera.fps, camera.quality)
    control.close()

    again = offline_camera()
    again.fps, again.quality = 5.0, 70  # As in its settings.
    make(again).restore()

    assert now == (None, None)
    assert again.describe()["set"] == {"fps": None, "quality": None}


def test_motion_settings_survive_a_restart(
    make: Callable[..., Control], camera: Camera, notices: Notices
) -> None:
    """A command changes only the motion settings that it names, and all are restored."""
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
        "Door: motion detection was turned on by ann",
        "Door: motion detection was set up by ann",
    ]


def test_started_camera_stays_started(make: Callable[..., Control], camera: Camera) -> None:
    """A camera that was stopped and started again runs after a restart."""
    control = make(camera)
    control.restore()
    control.execute("ann", Stop(camera="door"))
    control.execute("ann", Start(camera="door"))
    control.close()

    again = offline_camera()
    make(again).restore()

    assert again.enabled


def test_changes_are_saved_automatically(
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
def test_invalid_saved_values_are_ignored(
    make: Callable[..., Control], camera: Camera, tmp_path: Path, kept: object
) -> None:
    """Invalid values in the file neither reach the camera nor stop the start."""
    (tmp_path / "state.json").write_text(json.dumps(kept))

    make(camera).restore()

    assert (camera.fps, camera.quality, camera.enabled) == (None, 80, True)
    assert not camera.motion.on


def test_missing_camera_keeps_its_saved_changes(
    make: Callable[..., Control], camera: Camera, tmp_path: Path
) -> None:
    """A camera missing from today's settings keeps its stored changes."""
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
def test_failed_save_is_reported(
    make: Callable[..., Control],
    camera: Camera,
    notices: Notices,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    """A change that cannot be stored still applies, and a notice gives the error."""

    def full(self: StateFile, document: object) -> None:
        raise error

    monkeypatch.setattr(StateFile, "save", full)
    control = make(camera)
    control.execute("ann", SetQuality(camera="door", quality=50))

    control.close()

    assert camera.quality == 50
    assert notices[-1][0] == "error"
    assert error.args[-1] in notices[-1][1]


def test_failed_save_is_retried(
    make: Callable[..., Control], camera: Camera, notices: Notices, tmp_path: Path
) -> None:
    """A change made while the disk was full is stored later, at shutdown at the latest."""
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


def test_close_waits_for_a_running_write(
    make: Callable[..., Control], camera: Camera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two concurrent writes would corrupt the file. The last change is still saved."""
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


def test_controls_and_presets_survive_a_restart(
    make: Callable[..., Control], camera: Camera, notices: Notices, tmp_path: Path
) -> None:
    """Values and presets survive, also for a source that has not been opened yet."""
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
