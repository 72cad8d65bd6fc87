"""A control over one camera, and its notices."""

from collections.abc import Callable
from pathlib import Path

import pytest

from server.capture.camera import Camera
from server.control.control import Control
from server.state import StateFile
from tests.support.fakes import offline_camera

Notices = list[tuple[str, str, str | None]]


@pytest.fixture
def camera() -> Camera:
    """The one camera."""
    return offline_camera()


@pytest.fixture
def notices() -> Notices:
    """The notices sent."""
    return []


@pytest.fixture
def make(tmp_path: Path, notices: Notices) -> Callable[..., Control]:
    """A function that creates a control over cameras, with its file in the test's folder."""

    def make(*cameras: Camera, shut_down: Callable[[], None] = lambda: None) -> Control:
        def notify(level: str, message: str, camera: str | None, who: str | None) -> None:
            notices.append((level, f"{message} by {who}" if who else message, camera))

        named = {camera.name: camera for camera in cameras}
        return Control(named, StateFile(tmp_path), notify, shut_down)

    return make
