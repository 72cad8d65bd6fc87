"""The wiring: everything that is made, and in which order it starts and stops."""

import functools
import logging
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import flask
from flask_socketio import SocketIO

from server.capture.camera import Camera
from server.capture.checker import Checker
from server.capture.interface import CameraInterface
from server.config.models import Settings
from server.control.control import Control
from server.control.timeline import Timeline
from server.delivery.fanout import Fanout
from server.loop import hub
from server.loop.watchdog import Watchdog
from server.state import StateFile
from server.users.folder import find_faults
from server.web.auth.auth import Auth, is_loopback, require_users
from server.web.auth.guard import guard_requests
from server.web.edge.door import MAX_HEADS, ConnectionLimiter, OriginCheck
from server.web.edge.forwarded import Forwarded
from server.web.edge.machine import own_names
from server.web.http.cors import share_with
from server.web.http.headers import protect_pages
from server.web.http.login import create_login
from server.web.http.routes import create_routes
from server.web.socket.events import Events
from server.web.socket.polling import NoPolling
from server.web.socket.validation import Json
from server.web.socket.websocket import MAX_MESSAGE_BYTES, WebSocketDriver
from server.web.statistics import Statistics

if TYPE_CHECKING:
    from server.cluster.bus.bus import Bus
    from server.cluster.node import Common, Node

__all__ = ["App", "configure_logging", "create_app", "native_threads", "open_bus"]

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent

SILENT = logging.getLogger("porthole.silent")

# Kept free for sources, files and pipes when connections take the rest.
RESERVED_DESCRIPTORS = 64

# Everything has this long to end, and then the process ends without it.
SHUTDOWN_DEADLINE_S = 4.0


class App:
    """A whole server, made by :func:`create_app`.

    Attributes:
        flask: The Flask application, with Socket.IO in front of it.
        cameras: By name, in the order of the settings.
        names: By which this machine is asked for, each with its addresses.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.flask = flask.Flask(
            "porthole", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static")
        )
        # Browsers ask whether a file is still the same, so that an upgrade is seen at once.
        self.flask.config["SEND_FILE_MAX_AGE_DEFAULT"] = 0
        self._socketio = SocketIO(
            self.flask,
            async_mode="eventlet",
            # Long polling wraps every frame in base64, and mixes badly with WebSocket in a room.
            transports=["websocket"],
            allow_upgrades=False,
            max_http_buffer_size=MAX_MESSAGE_BYTES,
            ping_interval=10,
            ping_timeout=10,
            json=Json,
            # The front door looks at origins; a second opinion would need a second setting.
            cors_allowed_origins=[],
            # Given none, they make their own, and print what strangers send.
            logger=SILENT,
            engineio_logger=SILENT,
        )

        self._own = {camera.name: Camera(camera, settings.server) for camera in settings.cameras}
        self._checker = Checker(self._own.values())
        self._fanouts = {name: Fanout(camera) for name, camera in self._own.items()}
        self.cameras: dict[str, CameraInterface] = dict(self._own)
        bus = open_bus(settings)
        self._common = share_common(bus, settings.state_dir) if bus else None
        self._auth = Auth(self.flask, settings.state_dir, self._common)
        require_users(settings.server.host, self._auth, settings.state_dir)
        # What only this machine can reach is asked for as localhost, and as nothing else: a name
        # that a neighbour can take on a local network is none of its own.
        self.names = {} if is_loopback(settings.server.host) else own_names()
        self._lag = hub.LagMeter(busy=lambda: any(map(len, self._fanouts.values())))
        self._stop = hub.Signal()
        self._control = Control(
            self.cameras,
            StateFile(settings.state_dir),
            notify=self._tell,
            shut_down=self.shut_down,
        )
        self._watchdog = Watchdog(self._lag)
        self._statistics = Statistics(
            self._fanouts, self._lag, self._watchdog, lambda: self._events.connections
        )
        count = self._auth.count_refusal = self._statistics.count_refusal
        self._timeline = Timeline(settings.state_dir)
        self._events = Events(
            self._socketio,
            self._fanouts,
            self._control,
            self._statistics,
            self._auth,
            settings.server.credit_frames,
            self._timeline,
        )
        self._socketio.server.eio._async["websocket"] = functools.partial(
            WebSocketDriver, count_refusal=count
        )
        room = descriptor_limit() - RESERVED_DESCRIPTORS
        heads = min(MAX_HEADS, room // 4)
        most = min(settings.server.max_connections, room - heads)
        self._limiter = ConnectionLimiter(most, settings.server.max_per_address, count, heads)
        self._origin_check = OriginCheck(
            NoPolling(self.flask.wsgi_app, count),
            (settings.server.host, *self.names, *settings.server.allowed_hosts),
            settings.server.allowed_origins,
            count,
        )
        self._front = Forwarded(self._origin_check, settings.server.trusted_proxies)
        for camera in self._own.values():
            camera.on_change = self._announce
            camera.on_notice = lambda camera, level, message: self._tell(
                level, message, camera.name
            )
        share_with(self.flask, settings.server.allowed_origins)
        guard_requests(self.flask, self._auth)
        protect_pages(self.flask, settings.server.frame_ancestors)
        self.flask.register_blueprint(create_routes(self._fanouts, self._statistics, self._auth))
        self.flask.register_blueprint(create_login(self._auth))
        self._node: Node | None = None  # Restoring may announce what it changes.
        self._control.restore()
        self._timeline.restore()
        if bus:
            self._node = self._join(bus)

    def shut_down(self) -> None:
        """Ask :meth:`run` to end; returns at once, and asking twice is as good as once."""
        self._stop.set()

    def run(self, listener: object, on_shutdown: Callable[[], None] = lambda: None) -> None:
        """Serve until :meth:`shut_down`.

        Args:
            listener: Where to serve.
            on_shutdown: Called when the end begins.
        """
        hub.size_native_pool(native_threads(self.settings))
        self._lag.start()
        self._watchdog.start()
        self._control.open()
        self._timeline.open()
        self._timeline.add("info", "The server was started", None)
        for fault in find_faults(self.settings.state_dir):
            self._timeline.add("warning", fault, None)
        for name, camera in self._own.items():
            camera.open()
            self._fanouts[name].open()
        self._checker.open()
        if self._common:
            self._common.open()
        self._auth.open()
        self._events.open()
        if self._node:
            self._node.open()
        server = hub.spawn(hub.serve, listener, self._front, self._limiter)
        self._stop.wait()
        log.info("shutting down")
        on_shutdown()
        self._close(server)

    def _close(self, server: hub.Task) -> None:
        deadline = time.monotonic() + SHUTDOWN_DEADLINE_S
        server.kill()
        if self._node:
            self._node.close()
        for fanout in self._fanouts.values():
            fanout.close()
        self._control.close()
        self._timeline.close()
        self._checker.close()
        # All at once: each may have to wait for a read to return.
        closing = [hub.spawn(camera.close, SHUTDOWN_DEADLINE_S) for camera in self._own.values()]
        self._events.close()
        self._auth.close()
        if self._common:
            self._common.close()
        self._lag.stop()
        self._watchdog.stop()
        for task in closing:
            task.join(max(0.0, deadline - time.monotonic()))
        for camera in self._own.values():
            if not camera.closed:
                log.warning(
                    "camera=%s does not let go of its source; ending all the same", camera.name
                )

    # Nodes on a bus: ours are told of, theirs are shown.

    def _announce(self, camera: Camera) -> None:
        self._events.announce(camera)
        if self._node:
            self._node.on_change(camera.name)

    def _tell(self, level: str, message: str, camera: str | None, who: str | None = None) -> None:
        self._events.notify(level, message, camera, who)
        if self._node and camera is not None:
            self._node.notify(level, message, camera, who)

    def _join(self, bus: "Bus") -> "Node":
        from server.cluster.node import Node

        node = Node(
            bus,
            self._own,
            self._fanouts,
            self._control.execute,
            self._events.notify,
            self._auth.audit.note,
        )
        node.show_others(self._take_in, self._forget, self._events.announce)
        node.claim()
        return node

    def _take_in(self, camera: CameraInterface) -> None:
        """Show a camera of another node; in order of names, so that all nodes show the same."""
        name = camera.name
        self.cameras[name] = camera
        fanout = self._fanouts[name] = Fanout(camera)
        for other in sorted(set(self.cameras) - set(self._own)):
            self.cameras[other] = self.cameras.pop(other)
            self._fanouts[other] = self._fanouts.pop(other)
        fanout.open()
        self._events.announce(camera)

    def _forget(self, camera: CameraInterface) -> None:
        """Show a camera no more that has stayed away for long."""
        del self.cameras[camera.name]
        self._fanouts.pop(camera.name).close()
        self._events.greet_anew()


def open_bus(settings: Settings) -> "Bus | None":
    """Return the bus if one is set; only then is Redis imported.

    Raises:
        ConfigError: If it is not there.
    """
    if settings.server.bus is None:
        return None
    # Finding the bus is the first native work, and the pool's size counts only before that.
    hub.size_native_pool(native_threads(settings))
    from server.cluster.bus.bus import Bus

    bus = Bus(settings.server.bus, settings.server.bus_prefix)
    bus.check()
    return bus


def native_threads(settings: Settings) -> int:
    """Return how many native threads there are to be: to read, to encode, to process, and more."""
    processing = sum(bool(camera.process) for camera in settings.cameras)
    return 2 * len(settings.cameras) + processing + 4


def share_common(bus: "Bus", folder: Path) -> "Common":
    """Have the key, the users and the logins in common with other nodes."""
    from server.cluster.node import Common

    return Common(bus, folder)


def descriptor_limit() -> int:
    """Return how many descriptors the process may open, after raising that as far as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize


def create_app(settings: Settings) -> App:
    """Return a server for these settings; nothing runs until :meth:`App.run`.

    Raises:
        ConfigError: If the state folder cannot be used, or the address needs users and there are
            none.
    """
    return App(settings)


class _OneLine(logging.Formatter):
    """Keeps a message on its line: what it quotes may hold line breaks and escapes."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        text = record.message
        record.message = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
        return super().formatMessage(record)


def configure_logging(level: str) -> None:
    """Log to standard error, one line an event."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname).1s %(name)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    SILENT.setLevel(logging.CRITICAL + 1)
    # Both log a traceback or two for every malformed message a client sends.
    for name in ("socketio", "engineio", "websockets.server"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
