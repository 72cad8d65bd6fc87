"""A viewer that remembers what it receives about its cameras."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tests.support.clients.client import Viewer
from tests.support.servers.server import last_event

__all__ = ["Board"]


class Board:
    """One connection that watches cameras, and keeps each one's states and arrivals."""

    def __init__(self, viewer: Viewer, *cameras: str) -> None:
        self.viewer = viewer
        self.arrivals: dict[str, list[tuple[int, float]]] = defaultdict(list)
        viewer.on_frame = lambda header, _jpeg: self.arrivals[header["camera"]].append(
            (header["seq"], time.monotonic())
        )
        self._states: dict[str, Any] = {}
        self._read = 0
        for camera in cameras:
            self._states[camera] = viewer.call("watch", {"camera": camera})["camera"]

    def state(self, camera: str) -> Any:
        """Return a camera's newest STATE."""
        events = self.viewer.events
        for name, data in events[self._read :]:
            if name == "camera":
                self._states[data["name"]] = data
        self._read = len(events)
        return self._states[camera]

    def until(self, condition: Callable[[], object], timeout_s: float = 25) -> None:
        """Read until a condition holds."""
        self.viewer.pump(lambda: bool(condition()), timeout_s)

    def until_state(self, camera: str, *states: str, timeout_s: float = 25) -> Any:
        """Read until a camera is in one of these states; return its STATE."""
        self.until(lambda: self.state(camera)["state"] in states, timeout_s)
        return self.state(camera)

    def until_live(self, *cameras: str) -> None:
        """Read until cameras are live and have each sent a new frame."""
        counts = {camera: len(self.arrivals[camera]) for camera in cameras}
        self.until(
            lambda: all(
                self.state(camera)["state"] == "live" and len(self.arrivals[camera]) > count
                for camera, count in counts.items()
            )
        )

    def stats(self) -> Any:
        """Return the next ``stats``."""
        count = len(self.viewer.events)
        self.until(lambda: any(name == "stats" for name, _ in self.viewer.events[count:]), 5)
        return last_event(self.viewer, "stats")
