"""Cameras without a dashboard: one process that shares them on the bus, and nothing else."""

import logging
import time
from collections.abc import Callable

from server.app import open_bus
from server.capture.camera import Camera
from server.capture.checker import Checker
from server.cluster.node import Node
from server.config.models import Settings
from server.control.control import Control
from server.delivery.fanout import Fanout
from server.errors import ConfigError
from server.loop import hub
from server.loop.watchdog import Watchdog
from server.state import StateFile
from server.users.folder import find_faults
from server.users.private import make_folder
from server.web.auth.audit import Audit

__all__ = ["Headless"]

log = logging.getLogger(__name__)

SHUTDOWN_DEADLINE_S = 4.0


class Headless:
    """The cameras of one machine, for dashboards elsewhere.

    Attributes:
        cameras: By name, in the order of the settings.
        place: Where the bus is, for people.

    Raises:
        ConfigError: If there is no bus, or another node has one of the cameras.
    """

    def __init__(self, settings: Settings) -> None:
        bus = open_bus(settings)
        if bus is None:
            raise ConfigError("bus is not set; accepted: --bus redis://HOST, or PORTHOLE_BUS")
        self.place = bus.place
        self.cameras = {camera.name: Camera(camera, settings.server) for camera in settings.cameras}
        self._checker = Checker(self.cameras.values())
        self._fanouts = {name: Fanout(camera) for name, camera in self.cameras.items()}
        self._stop = hub.Signal()
        self._lag = hub.LagMeter(busy=lambda: any(map(len, self._fanouts.values())))
        self._watchdog = Watchdog(self._lag)
        self._control = Control(
            self.cameras,
            StateFile(settings.state_dir),
            notify=self._tell,
            shut_down=self.shut_down,
        )
        self._control.restore()
        make_folder(settings.state_dir)
        find_faults(settings.state_dir)  # Which are logged; no page hears of a node without one.
        self._audit = Audit(settings.state_dir)
        self._node = Node(
            bus,
            self.cameras,
            self._fanouts,
            self._control.execute,
            lambda *notice: None,
            self._audit.note,
        )
        for camera in self.cameras.values():
            camera.on_change = lambda camera: self._node.on_change(camera.name)
            camera.on_notice = lambda camera, level, message: self._tell(
                level, message, camera.name
            )
        self._node.claim()

    def shut_down(self) -> None:
        """Ask :meth:`run` to end; returns at once, and asking twice is as good as once."""
        self._stop.set()

    def run(self, on_shutdown: Callable[[], None] = lambda: None) -> None:
        """Share the cameras until :meth:`shut_down`.

        Args:
            on_shutdown: Called when the end begins.
        """
        self._lag.start()
        self._watchdog.start()
        self._control.open()
        self._audit.open()
        for name, camera in self.cameras.items():
            camera.open()
            self._fanouts[name].open()
        self._checker.open()
        self._node.open()
        self._stop.wait()
        log.info("shutting down")
        on_shutdown()
        self._close()

    def _close(self) -> None:
        deadline = time.monotonic() + SHUTDOWN_DEADLINE_S
        self._node.close()
        for fanout in self._fanouts.values():
            fanout.close()
        self._control.close()
        self._audit.close()
        self._checker.close()
        closing = [hub.spawn(camera.close, SHUTDOWN_DEADLINE_S) for camera in self.cameras.values()]
        self._lag.stop()
        self._watchdog.stop()
        for task in closing:
            task.join(max(0.0, deadline - time.monotonic()))

    def _tell(self, level: str, message: str, camera: str | None, who: str | None = None) -> None:
        if camera is not None:
            self._node.notify(level, message, camera, who)
