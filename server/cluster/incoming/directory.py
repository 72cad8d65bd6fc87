"""The cameras of other nodes, added and removed as nodes come and go."""

import logging
import time
from collections.abc import Callable, Container

from server.cluster.bus.bus import Bus
from server.cluster.bus.library_message import Happened
from server.cluster.bus.messages import Notice, Presence
from server.cluster.bus.outbox import Outbox
from server.cluster.incoming.remote import RemoteCamera, shown
from server.cluster.incoming.rpc import Requests
from server.loop import hub
from server.recording.disk.index import Event

__all__ = ["Directory"]

log = logging.getLogger(__name__)

# Nodes announce their cameras every 0.7 s. After three missed announcements, a node counts as dead,
# hanging or cut off.
SILENT_S = 2.1

# Cameras away for this long are removed from the list.
FORGET_S = 600.0

WATCH_PERIOD_S = 0.2

# Protects against made-up names from a faulty or hostile node.
MAX_CAMERAS = 256


class Directory:
    """Keeps a :class:`RemoteCamera` for every camera that other nodes announce.

    Args:
        bus: The Redis server.
        node: This node's id.
        local: Names of this process's cameras, which other nodes cannot take.
        outbox: Sends messages to other nodes.
        requests: Sends requests to other nodes.
        is_bus_connected: Returns whether the bus is connected.
        on_arrival: Called with a new camera.
        on_departure: Called with a camera that was removed from the list.
        on_change: Called with a camera when its visible state has changed.
        on_notice: Shows a notice on this node's dashboards: level, message, camera, and who did it.
        on_event: Called when a camera's event begins, changes or ends.
    """

    def __init__(
        self,
        bus: Bus,
        node: str,
        local: Container[str],
        outbox: Outbox,
        requests: Requests,
        is_bus_connected: Callable[[], bool],
        on_arrival: Callable[[RemoteCamera], None],
        on_departure: Callable[[RemoteCamera], None],
        on_change: Callable[[RemoteCamera], None],
        on_notice: Callable[[str, str, str, str | None], None],
        on_event: Callable[[Event], None],
    ) -> None:
        self._bus = bus
        self._node = node
        self._local = local
        self._outbox = outbox
        self._requests = requests
        self._is_bus_connected = is_bus_connected
        self._on_arrival = on_arrival
        self._on_departure = on_departure
        self._on_change = on_change
        self._on_notice = on_notice
        self._on_event = on_event
        self._cameras: dict[str, RemoteCamera] = {}
        self._task: hub.Task | None = None
        self.refused = 0
        """Number of announced cameras skipped: too many cameras, or the name is taken."""

    def camera(self, name: str) -> RemoteCamera | None:
        """Return another node's camera; None if there is none by that name."""
        return self._cameras.get(name)

    @property
    def cameras(self) -> list[RemoteCamera]:
        """All cameras of other nodes."""
        return list(self._cameras.values())

    def open(self) -> None:
        """Start watching for nodes that fall silent."""
        self._task = hub.spawn(self._watch)

    def close(self) -> None:
        """Close all cameras."""
        if self._task:
            self._task.kill()
        for camera in self._cameras.values():
            camera.close()

    def on_presence(self, presence: Presence) -> None:
        """Update the cameras that a node announces."""
        if presence.node == self._node:
            return
        for status in presence.cameras:
            camera = self._cameras.get(status.name)
            if camera is not None and camera.is_replaced_by(status, presence.node):
                self._remove(camera)
                camera = None
            if status.name in self._local or (camera is None and self._is_full):
                self.refused += 1
                continue
            if camera is None:
                if presence.leaving:
                    continue
                camera = RemoteCamera(
                    status,
                    presence.node,
                    presence.host,
                    self._bus,
                    self._outbox,
                    self._requests,
                    self._on_change,
                )
                self._cameras[status.name] = camera
                log.info("camera=%s is on node %s", status.name, shown(presence.host))
                self._on_arrival(camera)
            elif presence.node != camera.owner_id and camera.away is None:
                # Claims keep names unique, so others are ignored while the owner is alive.
                self.refused += 1
                continue
            if presence.leaving:
                self._lose(
                    camera, f"its node {shown(camera.host)} is unavailable: it was shut down"
                )
                camera.was_shut_down = True
                continue
            if camera.away is not None:
                log.info("camera=%s is back on node %s", status.name, shown(presence.host))
                self._on_notice("info", f"{camera.title} is back online", camera.name, None)
            camera.receive(status, presence.node, presence.host)
        for name in presence.removed:
            camera = self._cameras.get(name)
            if camera is not None and camera.owner_id == presence.node:
                log.info("camera=%s was removed on node %s", name, shown(presence.host))
                self._remove(camera)

    def on_notice(self, notice: Notice) -> None:
        """Show another node's notice on this node's dashboards."""
        camera = self._cameras.get(notice.camera)
        if camera is not None and camera.owner_id == notice.node:
            self._on_notice(notice.level, notice.message, notice.camera, notice.who)

    def on_event(self, happened: Happened) -> None:
        """Pass on an event of another node's camera."""
        event = happened.check()
        camera = self._cameras.get(event.camera)
        if camera is not None and camera.owner_id == happened.node:
            self._on_event(event)

    @property
    def _is_full(self) -> bool:
        return len(self._cameras) >= MAX_CAMERAS

    def _watch(self) -> None:
        while True:
            hub.rest(WATCH_PERIOD_S)
            now = time.monotonic()
            for camera in list(self._cameras.values()):
                if camera.away is not None and not self._is_bus_connected():
                    camera.heard_at = now  # Without the bus, silence means nothing.
                    continue
                silent_s = now - camera.heard_at
                if silent_s > FORGET_S:
                    self._remove(camera)
                elif silent_s > SILENT_S:
                    self._lose(camera, self._why_silent(camera))

    def _remove(self, camera: RemoteCamera) -> None:
        del self._cameras[camera.name]
        camera.close()
        self._on_departure(camera)

    def _why_silent(self, camera: RemoteCamera) -> str:
        if camera.away is not None and camera.was_shut_down:
            return camera.away
        if self._is_bus_connected():
            return f"its node {shown(camera.host)} is unavailable"
        return "the bus between the nodes is unavailable"

    def _lose(self, camera: RemoteCamera, reason: str) -> None:
        if camera.away is None:
            log.warning("camera=%s lost: %s", camera.name, reason)
            self._on_notice("warning", f"{camera.title} went offline: {reason}", camera.name, None)
        camera.lose(reason)
