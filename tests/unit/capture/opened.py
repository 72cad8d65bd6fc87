"""Cameras on fake sources that have a viewer."""

from collections.abc import Callable

import pytest

from server.capture import camera as camera_module
from server.capture import retry as retry_module
from server.capture import state as state_module
from server.capture.camera import Camera
from server.capture.pacing import schedule as schedule_module
from server.capture.sources import reader
from tests.support.fakes import FakeClock, FakeSource, until

MakeCamera = Callable[..., Camera]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the retries and the clock check."""
    monkeypatch.setattr(retry_module, "FIRST_S", 0.01)
    monkeypatch.setattr(retry_module, "PAUSE_S", 0.01)
    monkeypatch.setattr(camera_module, "WATCH_PERIOD_S", 0.005)


def use_clock(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make cameras use a clock that the test sets."""
    for module in (camera_module, schedule_module, state_module, reader):
        monkeypatch.setattr(module, "time", clock)


def live(camera: Camera, source: FakeSource) -> None:
    """Open a camera, and wait until it has one viewer and one picture."""
    camera.set_viewers(1)
    source.give()
    until(lambda: camera.state == "live")
