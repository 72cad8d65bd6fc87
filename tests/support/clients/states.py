"""Read the states of cameras that a viewer receives."""

from typing import Any

from tests.support.clients.client import Viewer

__all__ = ["camera_state", "state_of", "wait_for_camera"]


def state_of(viewer: Viewer, camera: str) -> Any:
    """Return the newest STATE of a camera that a viewer received, or None."""
    told = (data for event, data in reversed(viewer.events) if event == "camera")
    return next((data for data in told if data["name"] == camera), None)


def camera_state(viewer: Viewer, camera: str = "test") -> Any:
    """Ask for a camera's STATE; the viewer no longer watches it."""
    return viewer.call("unwatch", {"camera": camera})["camera"]


def wait_for_camera(viewer: Viewer, camera: str, **expected: Any) -> None:
    """Ask for a camera's STATE until it has these values."""
    for _ in range(200):
        state = camera_state(viewer, camera)
        if all(state[key] == value for key, value in expected.items()):
            return
        viewer.call("clock", {"t": 0})
        viewer.pump(lambda: bool(viewer.events), 5)
        viewer.events.clear()
    raise AssertionError(f"{camera} is {state}, not {expected}")
