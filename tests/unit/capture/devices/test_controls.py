"""Controls: limits, order, and the test pattern, which has every kind."""

from typing import Any

import cv2
import numpy as np
import pytest

from server.capture.devices.controls import (
    WHOLE,
    ControlInfo,
    read_controls,
    set_controls,
    write_controls,
)
from server.capture.sources.testpattern import TestPattern, read_time
from server.errors import ControlError

RANGE = ControlInfo("gain", "Gain", "range", "Exposure", 0.0, 0.0, min=-3.0, max=10.0, step=2.0)
CHOICE = ControlInfo("mode", "Mode", "choice", "Lens", "a", "a", options=("a", "b"))
SWITCH = ControlInfo("auto", "Auto", "switch", "Lens", True, True)
AREA = ControlInfo("crop", "Crop", "area", "Picture", WHOLE, WHOLE)


@pytest.mark.parametrize(
    ("control", "value", "fitted"),
    [
        (RANGE, 0, 1.0),
        (RANGE, -3, -3.0),
        (RANGE, 10, 9.0),  # The last step is shorter.
        (CHOICE, "b", "b"),
        (SWITCH, False, False),
        (AREA, [0.1, 0.2, 0.5, 0.8], (0.1, 0.2, 0.5, 0.8)),
        (AREA, [0.33333, 0, 0.66667, 1], (0.3333, 0.0, 0.6667, 1.0)),
    ],
)
def test_valid_value_is_accepted(control: ControlInfo, value: object, fitted: object) -> None:
    """A value within the limits is accepted, rounded to the nearest step."""
    assert control.fit(value) == fitted


@pytest.mark.parametrize(
    ("control", "value"),
    [
        *((RANGE, bad) for bad in (-4, 10.5, "5", True, None, float("nan"), float("inf"))),
        *((CHOICE, bad) for bad in ("c", 0, None, ["a"])),
        *((SWITCH, bad) for bad in (0, 1, "on", None)),
        *((AREA, bad) for bad in ([0, 0, 1], [0, 0, 1, True], [0.5, 0, 0.6, 1], [0, 0, 0.01, 1])),
        *((AREA, bad) for bad in ("0,0,1,1", [-0.1, 0, 1, 1], [0, 0, float("nan"), 1], None)),
    ],
)
def test_invalid_value_is_rejected(control: ControlInfo, value: object) -> None:
    """A value of the wrong kind or out of range is rejected; the error says what is accepted."""
    with pytest.raises(ValueError, match="accepted: "):
        control.fit(value)


def test_controls_survive_serialization() -> None:
    """The server reads back the controls that the child writes."""
    told = (RANGE, CHOICE, SWITCH, AREA)

    assert read_controls(write_controls(told)) == told


def test_auto_mode_is_turned_off_first_and_on_last() -> None:
    """A batch may contain an automatic mode and the control it governs, switched either way."""
    pattern = TestPattern("door")

    off = set_controls(pattern, {"white_balance": 4000.0, "auto_white_balance": False})
    held = {control.name: control.value for control in pattern.controls()}
    on = set_controls(pattern, {"auto_white_balance": True, "white_balance": 6500.0, "iris": 1.0})

    assert off == {}
    assert held["white_balance"] == 4000
    assert on == {"iris": "iris: the camera has no such control"}
    assert {c.name: c.value for c in pattern.controls()} == {
        c.name: c.default for c in TestPattern("door").controls()
    }


def test_pattern_obeys_its_controls() -> None:
    """Brightness brightens, warmth adds red, zoom enlarges; and the time stays readable."""
    pattern = TestPattern("door", (640, 360))
    plain = pattern.render(1000.0).astype(int)

    def look(**values: Any) -> Any:
        assert set_controls(pattern, values) == {}
        image = pattern.render(1000.0)
        assert read_time(image) == 1000.0
        assert not image.flags.writeable
        return image.astype(int)

    brighter = look(brightness=40.0)
    assert brighter.mean() > plain.mean() + 20
    flat = look(brightness=0.0, contrast=20.0)
    assert flat.std() < plain.std() / 2
    warm = look(contrast=100.0, auto_white_balance=False, white_balance=9000.0)
    assert warm[..., 2].mean() > plain[..., 2].mean() + 5
    assert warm[..., 0].mean() < plain[..., 0].mean() - 10
    near = look(auto_white_balance=True, zoom=200.0)
    middle = cv2.resize(plain[90:270, 160:480].astype(np.uint8), (640, 360)).astype(int)
    assert np.abs(near[60:] - middle[60:]).mean() < 2
    again = look(zoom=100.0)
    assert (again == plain).all()


def test_pattern_size_can_be_changed() -> None:
    """A new size takes effect with the next picture, and can be reset."""
    pattern = TestPattern("door", (500, 300))

    set_controls(pattern, {"size": "640x360"})

    assert pattern.render(1.0).shape == (360, 640, 3)
    assert (pattern.info.width, pattern.info.height) == (640, 360)
    size = pattern.controls()[0]
    assert size.default == "500x300"
    assert size.default in size.options


def test_control_in_auto_mode_cannot_be_set() -> None:
    """A control governed by an automatic mode is rejected with the reason, as on a device."""
    with pytest.raises(ControlError, match=r"White balance cannot be set now: Automatic .* is on"):
        TestPattern("door").set_control("white_balance", 4000.0)
