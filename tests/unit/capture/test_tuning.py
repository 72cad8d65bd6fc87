"""Setting controls: immediately, at the next opening, and when values are rejected."""

from collections.abc import Callable

import pytest

from server.capture.camera import Camera
from server.capture.devices.controls import ControlInfo
from server.capture.tuning import MAX_PRESETS
from server.errors import RequestError, SourceError
from server.loop import hub
from tests.support.fakes import FakeSource, offline_camera, until

MakeCamera = Callable[..., Camera]

GAIN = ControlInfo("gain", "Gain", "range", "Exposure", 10.0, 10.0, max=100.0)
LAMP = ControlInfo("lamp", "Lamp", "switch", "Lens", False, False)


@pytest.fixture
def source() -> FakeSource:
    """A source with two controls; its gain cannot be 66."""
    source = FakeSource()
    source.offer(GAIN, LAMP, refused=(66.0,))
    return source


def bring_up(camera: Camera, source: FakeSource) -> None:
    camera.set_viewers(1)
    source.give()
    until(lambda: camera.state == "live")


def held(camera: Camera, name: str = "gain") -> object:
    return camera.tuning.find(name).value


def test_set_value_reaches_the_source(make_camera: MakeCamera, source: FakeSource) -> None:
    """A value is set while the camera waits for pictures; the result says whether it changed."""
    camera = make_camera(source)
    bring_up(camera, source)

    assert camera.tuning.set("gain", 40)
    assert not camera.tuning.set("gain", 40)

    assert source.held["gain"] == 40
    assert camera.state == "live"
    assert held(camera) == 40


def test_rejection_names_the_control_and_both_values(
    make_camera: MakeCamera, source: FakeSource
) -> None:
    """A rejected value is reported, and not kept for the next opening."""
    camera = make_camera(source)
    bring_up(camera, source)

    with pytest.raises(
        RequestError, match="Gain: 66 was requested, but the camera keeps 10"
    ) as said:
        camera.tuning.set("gain", 66)
    with pytest.raises(RequestError, match="Gain: 101; accepted: 0 to 100") as beyond:
        camera.tuning.set("gain", 101)
    with pytest.raises(RequestError, match=r"no control 'zoom' here; accepted: rotate, .*lamp"):
        camera.tuning.set("zoom", 1)

    assert (said.value.code, beyond.value.code) == ("unavailable", "bad_request")
    assert held(camera) == 10
    assert camera.tuning.keep()["controls"] == {}


def test_value_set_while_closed_is_applied_at_opening(
    make_camera: MakeCamera, source: FakeSource
) -> None:
    """A value from an earlier run, or set while closed, is set at each opening."""
    camera = make_camera(source, release_after=0)
    camera.tuning.restore({"gain": 30}, None)
    bring_up(camera, source)
    assert source.held["gain"] == 30

    camera.set_viewers(0)
    until(lambda: source.closed)
    camera.tuning.set("gain", 50)
    assert held(camera) == 50
    source.offer(GAIN, LAMP)  # It was unplugged and has lost its settings.
    bring_up(camera, source)

    assert source.held["gain"] == 50


def test_rejected_saved_value_is_reported_once(make_camera: MakeCamera, source: FakeSource) -> None:
    """The camera opens anyway, and a note on the control gives the rejected value."""
    camera = make_camera(source, release_after=0)
    notices: list[str] = []
    camera.on_notice = lambda camera, level, message: notices.append(message)
    camera.tuning.restore({"gain": 66, "lamp": True, "iris": 3}, None)

    bring_up(camera, source)
    camera.set_viewers(0)
    until(lambda: source.closed)
    bring_up(camera, source)

    assert sorted(notices) == [
        "Door: Gain: 66 was requested, but the camera keeps 10",
        "Door: iris: the camera has no such control",
    ]
    gain, lamp = camera.describe()["controls"][-2:]
    assert gain["value"] == 10
    assert gain["note"] == "Gain: 66 was requested, but the camera keeps 10"
    assert (lamp["value"], "note" in lamp) == (True, False)
    camera.tuning.set("gain", 20)
    assert "note" not in camera.describe()["controls"][-2]


def test_value_that_crashes_the_source_is_not_retried(
    make_camera: MakeCamera, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that crashes on a value must not crash at every opening."""
    monkeypatch.setattr("server.capture.retry.FIRST_S", 0.01)
    monkeypatch.setattr("server.capture.retry.PAUSE_S", 0.01)
    take = source.set_control

    def die(name: str, value: object) -> object:
        if value in (13, 14):
            raise SourceError("the device is gone")
        return take(name, value)  # type: ignore[arg-type]

    monkeypatch.setattr(source, "set_control", die)
    camera = make_camera(source)
    bring_up(camera, source)

    with pytest.raises(RequestError, match="the camera failed while setting it"):
        camera.tuning.set("gain", 13)
    until(lambda: camera.meter.opened == 2)
    source.give()
    until(lambda: camera.state == "live")
    camera.tuning.restore({"gain": 14}, None)
    source.give(SourceError("pulled out"))
    until(lambda: camera.meter.opened >= 4)
    source.give()
    until(lambda: camera.state == "live")

    assert held(camera) == 10


def test_unserved_request_times_out(
    make_camera: MakeCamera, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that the source does not serve in time fails and is withdrawn."""
    monkeypatch.setattr("server.capture.tuning.DEADLINE_S", 0.05)
    camera = make_camera(source)
    bring_up(camera, source)
    monkeypatch.setattr(camera.tuning, "serve", lambda reader: hub.sleep(0.01))

    with pytest.raises(RequestError, match="did not accept it within"):
        camera.tuning.set("gain", 20)

    assert not camera.tuning.waiting


def test_picture_controls_work_without_a_source() -> None:
    """Rotate, mirror and crop need no source, and can be reset."""
    camera = offline_camera()

    camera.tuning.set("rotate", "90")
    camera.tuning.set("mirror", "both")
    camera.tuning.set("crop", [0.25, 0, 0.5, 1])

    now = camera.transform
    assert (now.rotate, now.mirror, now.crop) == (90, "both", (0.25, 0, 0.5, 1))
    camera.tuning.reset("rotate")
    assert (camera.transform.rotate, camera.transform.mirror) == (0, "both")
    camera.tuning.reset()
    assert camera.transform.identity


def test_preset_is_active_until_a_value_changes(
    make_camera: MakeCamera, source: FakeSource
) -> None:
    """STATE names the preset whose values are all in effect, until one of them changes."""
    camera = make_camera(source)
    bring_up(camera, source)
    tuning = camera.tuning

    tuning.set("gain", 80)
    tuning.set("rotate", "180")
    tuning.save_preset("Night")
    tuning.reset()
    tuning.save_preset("Day")
    assert camera.describe()["presets"] == ["Night", "Day"]
    assert camera.describe()["preset"] == "Day"
    tuning.apply_preset("Night")
    assert (source.held["gain"], camera.transform.rotate) == (80, 180)
    assert camera.describe()["preset"] == "Night"
    tuning.set("lamp", True)
    assert camera.describe()["preset"] is None
    tuning.delete_preset("Night")

    assert tuning.presets == ("Day",)
    with pytest.raises(RequestError, match="there is no preset 'Night'; accepted: Day"):
        tuning.apply_preset("Night")


def test_preset_with_a_rejected_value_applies_the_rest(
    make_camera: MakeCamera, source: FakeSource
) -> None:
    """One rejected value is reported, and does not prevent the others."""
    camera = make_camera(source)
    bring_up(camera, source)
    camera.tuning.restore(None, {"Bad": {"gain": 66, "lamp": True, "mirror": "vertical"}})

    with pytest.raises(RequestError, match="Gain: 66 was requested, but the camera keeps 10"):
        camera.tuning.apply_preset("Bad")

    assert source.held["lamp"] is True
    assert camera.transform.mirror == "vertical"


def test_invalid_saved_values_are_ignored() -> None:
    """The camera starts whatever the state file contains."""
    camera = offline_camera()

    camera.tuning.restore(
        {"rotate": "45", "crop": [1, 2], "Bad name": 1, "mirror": "both", "gain": None},
        {"": {}, "Night": {"gain": 5, "x": {}}, "Day": 7},
    )

    assert camera.transform.rotate == 0
    assert camera.transform.mirror == "both"
    assert camera.tuning.keep() == {
        "controls": {"mirror": "both"},
        "presets": {"Night": {"gain": 5.0}, "Day": {}},
    }


def test_huge_and_nan_saved_values_are_ignored() -> None:
    """JSON may contain integers too large for a float, and Python reads NaN from it."""
    huge = 10**400
    camera = offline_camera()

    camera.tuning.restore(
        {"gain": huge, "iris": float("nan"), "crop": [0, 0, 1, huge], "mode": "x" * 1000},
        {"Night": {"gain": -huge, "focus": [0, huge, 1, 1], "zoom": 3}},
    )

    assert camera.transform.identity
    assert camera.tuning.keep() == {"controls": {}, "presets": {"Night": {"zoom": 3.0}}}


def test_limits_on_requests_apply_to_saved_values() -> None:
    """Beyond these limits, other nodes and the source could not receive saved values."""
    camera = offline_camera()
    names = ["Night", "\u202eevil", "two\nlines", " edges ", "x" * 41]

    camera.tuning.restore(
        {f"c{number}": 1 for number in range(10_000)},
        {name: {} for name in names} | {f"p{number}": {} for number in range(10_000)},
    )

    assert camera.tuning.presets[:2] == ("Night", "p0")
    assert len(camera.tuning.presets) == MAX_PRESETS
    assert len(camera.tuning.keep()["controls"]) <= 64
