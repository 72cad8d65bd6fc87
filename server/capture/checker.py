"""Periodically checks cameras that nobody watches, one at a time, by taking one picture of each."""

import functools
import logging
import time
from collections.abc import Collection

from server.capture.camera import Camera
from server.capture.isolation.spare import SpareProcess
from server.capture.opening import open_reader
from server.loop import hub

__all__ = ["Checker"]

log = logging.getLogger(__name__)

# Delay of the first check after the start, and the time over which the first checks are spread.
FIRST_S = 2.0
SPREAD_S = 10.0

# Pause between two checks, so that many cameras are not checked in a burst.
PAUSE_S = 0.1

# The longest sleep, so that the checker notices when a check becomes due earlier.
PERIOD_S = 1.0


class Checker:
    """Checks each camera that has not been watched or checked for its ``check_every`` seconds.

    Cameras may come and go at any time. Only one check runs at a time in the whole process,
    so that the timeouts of dead cameras and the CPU time of healthy ones do not add up.
    """

    def __init__(self, cameras: Collection[Camera]) -> None:
        self._cameras = cameras
        self._spare = SpareProcess()
        self._open_reader = functools.partial(open_reader, spare=self._spare)
        self._first: dict[str, float] = {}
        self._task: hub.Task | None = None

    def open(self) -> None:
        """Start checking; the first checks come soon, spread out over time."""
        now = time.monotonic()
        checked = self._checked()
        for index, camera in enumerate(checked):
            spread_s = min(SPREAD_S, camera.check_every) * index / len(checked)
            self._first[camera.name] = now + FIRST_S + spread_s
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Stop checking."""
        if self._task is not None:
            self._task.kill()
            hub.run_native(self._spare.close)

    def _run(self) -> None:
        while True:
            resting = [camera for camera in self._checked() if camera.resting]
            camera = min(resting, key=self._due, default=None)
            left_s = PERIOD_S if camera is None else self._due(camera) - time.monotonic()
            if camera is None or left_s > 0:
                hub.rest(min(left_s, PERIOD_S))
                continue
            try:
                camera.check(self._open_reader)
            except Exception:
                log.exception("camera=%s check failed", camera.name)
            hub.sleep(PAUSE_S)

    def _checked(self) -> list[Camera]:
        return [camera for camera in self._cameras if camera.check_every]

    def _due(self, camera: Camera) -> float:
        first = self._first.get(camera.name, 0.0)  # A camera added later is due now.
        if camera.tried_at is None:
            return first
        return max(first, camera.tried_at + camera.check_every)
