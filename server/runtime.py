"""The parts that every node has: cameras, their fanouts, recording, control and the bus.

By itself a runtime is a camera node, ``manage.py camera``; :mod:`server.app` adds the dashboard.
"""

import logging
import sys
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol

from server.capture.camera import Camera
from server.capture.checker import Checker
from server.config.models import Settings
from server.control.audit import Audit
from server.control.control import Control
from server.delivery.fanout import Fanout
from server.loop import hub
from server.loop.lag import LagMeter
from server.loop.watchdog import Watchdog
from server.manage.cameras import ManagedCameras
from server.manage.catalog import Catalog
from server.manage.lineup import Lineup, native_threads
from server.recording.disk.index import Event
from server.recording.memory import Memory
from server.recording.recording import Recording
from server.state import StateFile
from server.users.folder import find_faults

if TYPE_CHECKING:
    from server.cluster.bus.bus import Bus
    from server.cluster.node import Node

__all__ = ["Part", "Runtime", "create_node"]

log = logging.getLogger(__name__)

SHUTDOWN_DEADLINE_S = 4.0
"""How long all parts together may take to close; then the process ends anyway."""

SWITCH_S = 0.0002
"""How long a native thread may run Python code while the hub waits for the GIL. The hub releases it
with each system call, and would wait up to 5 ms to get it back, Python's default."""


class Part(Protocol):
    """A component that runs from the start to the shutdown."""

    def open(self) -> None:
        """Start working."""

    def close(self) -> None:
        """Finish cleanly; may wait, but not forever."""


class Runtime:
    """The parts of a node, opened in order and closed in reverse.

    Attributes:
        bus: The connection to other nodes; None without a bus.
        node: This process on the bus; None without a bus.
        own: The cameras of this process by name, in their order; they come and go.
        cameras: The own cameras, then other nodes' cameras that are shown here.
        fanouts: Of all cameras, by name.
        lineup: Adds, replaces and removes cameras of this process.
        recording: Keeps the past, in memory and on disk.
        managed: Carries out admins' changes to cameras.
        on_change: Called with a camera of ours whose STATE has changed.
        on_removed: Called with the name of a camera of ours that was removed.
        on_event: Called with each event that begins, changes or ends, here or on another node.
        on_notice: Called with level, message, camera and user when something happens to a camera
            here or on another node, or to this server.

    Args:
        settings: From the file, the environment and the command line.

    Raises:
        ConfigError: If the bus cannot be reached.
    """

    def __init__(self, settings: Settings) -> None:
        catalog = Catalog(settings)
        # Before anything runs natively, such as the connection to the bus.
        hub.size_native_pool(native_threads(catalog.active.values()))
        self.settings = settings
        self.bus = open_bus(settings)
        self.on_change: Callable[[Camera], None] = lambda camera: None
        self.on_notice: Callable[[str, str, str | None, str | None], None] = lambda *notice: None
        self.on_removed: Callable[[str], None] = lambda name: None
        self.on_event: Callable[[Event], None] = lambda event: None

        self.lineup = Lineup(settings.server, catalog.active.values())
        self.lineup.on_change = self._announce
        self.lineup.on_notice = self.notify
        self.lineup.on_removed = self._forget
        self.own = self.lineup.own
        self.cameras = self.lineup.cameras
        self.fanouts = self.lineup.fanouts
        self.recording = Recording(settings, self.own, self.fanouts, self.notify)
        self.lag = LagMeter()
        self.watchdog = Watchdog(self.lag)
        self.audit = Audit(settings.state_dir)
        self.sources = Sources(self.own.values())
        self.control = Control(
            self.cameras,
            StateFile(settings.state_dir),
            notify=self.notify,
            shut_down=self.shut_down,
        )
        self.node = self._make_node(self.bus) if self.bus else None
        self.recording.past.elsewhere = self._remote_memory
        self.recording.events.on_event = self._tell_event
        self.managed = ManagedCameras(catalog, self.lineup, self.control, self.node, self.notify)
        self._stop = hub.Signal()
        self._parts: list[Part] = [
            self.lag,
            self.watchdog,
            self.audit,
            self.sources,
            self.recording,
            Checker(self.own.values()),
            self.control,
            _Fanouts(self.fanouts),
        ]
        if self.node:
            self._parts.append(self.node)

    def add(self, *parts: Part, before: Part | None = None) -> None:
        """Add parts, in this order, before another part or at the end."""
        at = self._parts.index(before) if before is not None else len(self._parts)
        self._parts[at:at] = parts

    def prepare(self) -> None:
        """Restore the changes made at run time, and claim the cameras' names on the bus.

        Raises:
            ConfigError: If the state folder cannot be used, or another node has one of the cameras.
        """
        self.control.restore()
        if self.node:
            self.node.claim()

    def run(self, on_shutdown: Callable[[], None] = lambda: None) -> None:
        """Run until :meth:`shut_down`.

        Args:
            on_shutdown: Called when the shutdown begins.
        """
        sys.setswitchinterval(SWITCH_S)
        self.notify("info", "The server was started", None)
        for fault in find_faults(self.settings.state_dir):
            self.notify("warning", fault, None)
        for name, why in self.managed.catalog.problems.items():
            self.notify("warning", f"Camera {name}, added on the page, is not used: {why}", name)
        for part in self._parts:
            part.open()
        self._stop.wait()
        log.info("shutting down")
        on_shutdown()
        self._close()

    def shut_down(self) -> None:
        """Ask :meth:`run` to end. Returns immediately; a second call does nothing."""
        self._stop.set()

    def notify(self, level: str, message: str, camera: str | None, who: str | None = None) -> None:
        """Notify people, here and on other nodes, of what happened to one of our cameras.

        Args:
            level: ``info``, ``warning`` or ``error``.
            message: What happened, without who did it.
            camera: Its name; None for the whole server, which other nodes do not hear about.
            who: The user who did it, if any.
        """
        self.on_notice(level, message, camera, who)
        if self.node and camera is not None:
            self.node.notify(level, message, camera, who)

    def memory_of(self, name: str) -> Memory | None:
        """Return a camera's memory, here or on its node; None if it has none."""
        if name in self.own or self.node is None:
            return self.recording.memory_of(name)
        return self.node.memory_of(name)

    def _remote_memory(self, name: str) -> Memory | None:
        if name in self.own or self.node is None:
            return None
        return self.node.memory_of(name, deep=True)

    def _announce(self, camera: Camera) -> None:
        self.recording.refresh(camera)
        self.on_change(camera)
        if self.node:
            self.node.on_change(camera.name)

    def _tell_event(self, event: Event) -> None:
        self.on_event(event)
        if self.node:
            self.node.tell_event(event)

    def _forget(self, name: str) -> None:
        self.on_removed(name)
        self.recording.forget(name)

    def _make_node(self, bus: "Bus") -> "Node":
        from server.cluster.node import Node

        return Node(
            bus,
            self.own,
            self.fanouts,
            self.control.execute,
            lambda *notice: self.on_notice(*notice),
            self.audit.note,
            self.recording,
            lambda event: self.on_event(event),
        )

    def _close(self) -> None:
        deadline = time.monotonic() + SHUTDOWN_DEADLINE_S
        # In a green thread of its own, so that a part that hangs cannot hold up the exit.
        closing = hub.spawn(self._close_parts)
        if not closing.join(SHUTDOWN_DEADLINE_S):
            log.error("not everything could be closed in time; exiting anyway")
        self.sources.join(deadline)

    def _close_parts(self) -> None:
        for part in reversed(self._parts):
            try:
                part.close()
            except Exception:
                log.exception("%s could not be closed", type(part).__name__)


class Sources:
    """The cameras of this process as one part."""

    def __init__(self, cameras: Collection[Camera]) -> None:
        self._cameras = cameras  # They come and go.
        self._closing: list[hub.Task] = []

    def open(self) -> None:
        """Start the cameras; each opens its source when somebody watches."""
        for camera in list(self._cameras):
            camera.open()

    def close(self) -> None:
        """Release all sources in parallel, because each may wait for a read to return."""
        self._closing = [hub.spawn(one.close, SHUTDOWN_DEADLINE_S) for one in self._cameras]

    def join(self, deadline: float) -> None:
        """Wait until they are released, at most until a monotonic time; log those that are not."""
        for task in self._closing:
            task.join(max(0.0, deadline - time.monotonic()))
        for camera in self._cameras:
            if not camera.closed:
                log.warning("camera=%s does not release its source; exiting anyway", camera.name)


class _Fanouts:
    """All fanouts as one part. Those of other nodes' cameras come and go meanwhile."""

    def __init__(self, fanouts: dict[str, Fanout]) -> None:
        self._fanouts = fanouts

    def open(self) -> None:
        for fanout in self._fanouts.values():
            fanout.open()

    def close(self) -> None:
        for fanout in self._fanouts.values():
            fanout.close()


def create_node(settings: Settings) -> Runtime:
    """Return a camera node for these settings; nothing runs until :meth:`Runtime.run`.

    Raises:
        ConfigError: If the bus or the state folder cannot be used, or another node has one of the
            cameras.
    """
    node = Runtime(settings)
    node.prepare()
    return node


def open_bus(settings: Settings) -> "Bus | None":
    """Return the bus if one is set; only then is Redis imported.

    Raises:
        ConfigError: If it cannot be reached.
    """
    if settings.server.bus is None:
        return None
    from server.cluster.bus.bus import Bus

    bus = Bus(settings.server.bus, settings.server.bus_prefix)
    bus.check()
    return bus
