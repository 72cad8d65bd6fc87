"""Cameras on fake sources that somebody watches."""

from collections.abc import Callable

import pytest

from server.capture import camera as camera_module
from server.capture import retry as retry_module
from server.capture.camera import Camera
from tests.support.fakes import FakeSource, until

MakeCamera = Callable[..., Camera]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries and the watch on the clock without long waits."""
    monkeypatch.setattr(retry_module, "FIRST_S", 0.01)
    monkeypatch.setattr(retry_module, "PAUSE_S", 0.01)
    monkeypatch.setattr(camera_module, "WATCH_PERIOD_S", 0.005)


def live(camera: Camera, source: FakeSource) -> None:
    """Open a camera: one viewer, one picture."""
    camera.set_viewers(1)
    source.give()
    until(lambda: camera.state == "live")
