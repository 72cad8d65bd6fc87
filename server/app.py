"""A node with a dashboard: pages, events, logins and permissions on top of the runtime."""

import functools
import resource
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
from flask_socketio import SocketIO

from server.capture.interface import CameraInterface
from server.config.models import ServerSettings, Settings
from server.control.timeline import Timeline
from server.delivery.fanout import Fanout
from server.log import SILENT
from server.loop import hub
from server.loop.http_server import Secured, serve
from server.manage.access import Access
from server.recording.media.jobs import ClipJobs
from server.recording.media.process import MediaProcess
from server.runtime import Runtime
from server.views.views import Views
from server.web.auth.auth import Auth, require_users, resolves_to_loopback
from server.web.auth.guard import guard_requests
from server.web.edge.connection_limiter import MAX_HEADS, ConnectionLimiter
from server.web.edge.error_pages import ErrorPages
from server.web.edge.forwarded import Forwarded
from server.web.edge.host_names import own_addresses, own_names
from server.web.edge.origin import OriginCheck
from server.web.edge.plain_http import redirect_to_tls
from server.web.edge.tls import choose_certificate
from server.web.http.admin_access import create_access
from server.web.http.admin_cameras import create_admin_cameras
from server.web.http.admin_people import create_people
from server.web.http.cors import share_with
from server.web.http.headers import protect_pages
from server.web.http.login import create_login
from server.web.http.own_password import create_own_password
from server.web.http.routes import create_routes
from server.web.http.static_files import StaticFiles, open_assets
from server.web.http.views import ShownViews, create_views
from server.web.past.clips import create_clips
from server.web.past.libraries import Libraries
from server.web.past.library import create_library
from server.web.past.past import create_past
from server.web.past.timelapse import create_timelapse
from server.web.socket.events import Events
from server.web.socket.heartbeat import PING_PERIOD_S, PONG_DEADLINE_S, disable_engineio_pings
from server.web.socket.message_filter import Json
from server.web.socket.polling import RejectPolling
from server.web.socket.websocket import MAX_MESSAGE_BYTES, WebSocketDriver
from server.web.statistics import Statistics
from server.web.url_rules import UrlRule

if TYPE_CHECKING:
    from server.cluster.bus.bus import Bus
    from server.cluster.node import SharedState

__all__ = ["STATIC", "App", "create_app"]

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "static"

# Reserved for sources, files and pipes; connections may take the rest.
RESERVED_DESCRIPTORS = 64


class App:
    """A whole server, made by :func:`create_app`.

    Attributes:
        flask: The Flask application, with Socket.IO in front of it.
        cameras: By name: our own in their order, then other nodes'.
        names: This machine's host names, each with its addresses.
        restarts: Whether to start the server again after :meth:`run`.
        tls: The certificate in use; None without TLS.
    """

    def __init__(self, settings: Settings) -> None:
        self.flask = flask.Flask(
            "porthole", template_folder=str(ROOT / "templates"), static_folder=None
        )
        self.flask.url_rule_class = UrlRule
        self._assets = assets = open_assets(STATIC)
        self.flask.context_processor(lambda: {"static": f"static/{assets.version}"})
        self.runtime = runtime = Runtime(settings)
        server = settings.server
        self.cameras = runtime.cameras
        self.restarts = False
        views = Views(settings.state_dir)
        views.load()
        bus = runtime.bus
        shared_state = share_state(bus, settings.state_dir, views) if bus else None
        auth = Auth(self.flask, settings.state_dir, runtime.audit, shared_state)
        require_users(server.host, auth, settings.state_dir)
        # A server that only this machine can reach answers to localhost and to no other name:
        # a neighbour on the local network could claim this machine's name.
        loopback_only = resolves_to_loopback(server.host)
        names = {} if loopback_only and server.tls == "off" else own_names()
        self.names = {} if loopback_only else names
        self.tls = choose_certificate(
            server.tls,
            server.tls_cert,
            server.tls_key,
            settings.state_dir,
            functools.partial(hosts_to_certify, server, tuple(names)),
        )

        statistics = Statistics(runtime.fanouts, runtime.lag, runtime.watchdog)
        auth.count_refusal = statistics.count_refusal
        timeline = Timeline(settings.state_dir)
        self._events = Events(
            make_socketio(self.flask, statistics.count_refusal),
            runtime.fanouts,
            runtime.control,
            statistics,
            auth,
            server.credit_frames,
            timeline,
            runtime.memory_of,
            runtime.recording.jpeg_of,
        )
        views.on_change = self._events.tell_views
        auth.on_people = views.keep_only
        runtime.on_change = self._events.announce
        runtime.on_notice = self._events.notify
        runtime.on_event = self._events.tell_event
        runtime.lineup.on_list = self._events.list_cameras
        runtime.lineup.on_replaced = self._events.follow
        runtime.on_removed = self._events.forget

        share_with(self.flask, server.allowed_origins)
        guard_requests(self.flask, auth)
        # With HSTS, browsers do not let people accept a self-signed certificate.
        self._stay_secure = self.tls is None or not self.tls.self_made
        protect_pages(self.flask, server.frame_ancestors, self._stay_secure)
        shown = ShownViews(views, lambda: self.cameras.values())
        self.flask.register_blueprint(create_routes(runtime.fanouts, statistics, auth, shown))
        clips = ClipJobs(settings.state_dir / "clips", MediaProcess())
        recording = runtime.recording
        self.flask.register_blueprint(
            create_clips(runtime.fanouts, recording.past, clips, recording.pictures, auth)
        )
        self.flask.register_blueprint(create_views(views, shown, auth))
        libraries = Libraries(recording.library, runtime.node.libraries if runtime.node else None)
        self.flask.register_blueprint(create_past(runtime.fanouts, runtime.memory_of, libraries))
        self.flask.register_blueprint(create_timelapse(runtime.control.execute, auth))
        self.flask.register_blueprint(create_login(auth))
        self.flask.register_blueprint(
            create_admin_cameras(runtime.managed, settings.media_folder, auth, views.rename_camera)
        )
        self.flask.register_blueprint(create_people(auth))
        self.flask.register_blueprint(create_own_password(auth))
        self.flask.register_blueprint(create_library(libraries, recording.pictures, auth))
        self.flask.register_blueprint(create_access(Access(settings), auth, self.restart))
        self._build_front(server, statistics.count_refusal)

        # Dashboards are notified of the shutdown while the sources are being released. The timeline
        # closes after control, so that it still records notices about saving the changes.
        if shared_state:
            runtime.add(shared_state, before=runtime.sources)
        runtime.add(auth, self._events, clips, before=runtime.sources)
        runtime.add(timeline, before=runtime.control)
        timeline.restore()
        if runtime.node:
            runtime.node.show_others(self._add_remote, self._remove_remote, self._events.announce)
        runtime.prepare()

    def _build_front(self, server: ServerSettings, count: Callable[[str], None]) -> None:
        """Put the connection and request checks in front of Flask."""
        room = descriptor_limit() - RESERVED_DESCRIPTORS
        heads = min(MAX_HEADS, room // 4)
        most = min(server.max_connections, room - heads)
        self._limiter = ConnectionLimiter(most, server.max_per_address, count, heads)
        hosts = (server.host, *self.names, *server.allowed_hosts)
        application = StaticFiles(
            self._assets, RejectPolling(self.flask.wsgi_app, count), self._stay_secure
        )
        origin_check = OriginCheck(application, hosts, server.allowed_origins, count)
        self._front = Forwarded(self._explain(origin_check), server.trusted_proxies)
        self._plain_http = self._explain(OriginCheck(redirect_to_tls, hosts, (), count))

    def _explain(self, application: OriginCheck) -> ErrorPages:
        """Wrap an application so that its error responses become pages for people."""

        def render(**values: Any) -> str:
            return self.flask.jinja_env.get_template("error.html").render(values)

        def sheet() -> bytes:
            file = self._assets.find("css/error.css", joined=True)
            assert file is not None
            return file.body

        return ErrorPages(application, render, sheet)

    def shut_down(self) -> None:
        """Ask :meth:`run` to end. Returns immediately; a second call does nothing."""
        self.runtime.shut_down()

    def restart(self) -> None:
        """Ask :meth:`run` to end, and its caller to start the server again."""
        self.restarts = True
        self.shut_down()

    def run(self, listener: Any, on_shutdown: Callable[[], None] = lambda: None) -> None:
        """Serve until :meth:`shut_down`.

        Args:
            listener: The listening socket.
            on_shutdown: Called when the shutdown begins.
        """
        secured = None
        if (tls := self.tls) is not None:
            self.runtime.add(tls)
            secured = Secured(lambda: tls.context, self._plain_http)
        self.runtime.add(_HttpServer(listener, self._front, self._limiter, secured))
        self.runtime.run(on_shutdown)

    # Cameras of other nodes come and go.

    def _add_remote(self, camera: CameraInterface) -> None:
        """Show a camera of another node, sorted by name so that all nodes show the same order."""
        name, fanouts = camera.name, self.runtime.fanouts
        self.cameras[name] = camera
        fanout = fanouts[name] = Fanout(camera)
        for other in sorted(set(self.cameras) - set(self.runtime.own)):
            self.cameras[other] = self.cameras.pop(other)
            fanouts[other] = fanouts.pop(other)
        fanout.open()
        self._events.announce(camera)

    def _remove_remote(self, camera: CameraInterface) -> None:
        """Remove a camera of another node that has been gone for a long time."""
        del self.cameras[camera.name]
        fanout = self.runtime.fanouts.pop(camera.name)
        self._events.forget(camera.name)
        fanout.close()
        self._events.greet_all()


class _HttpServer:
    """The HTTP server as a part of the runtime: the last to open and the first to close."""

    def __init__(
        self,
        listener: Any,
        front: Forwarded,
        limiter: ConnectionLimiter,
        secured: Secured | None,
    ) -> None:
        self._serving = listener, front, limiter, secured
        self._task: hub.Task | None = None

    def open(self) -> None:
        self._task = hub.spawn(serve, *self._serving)

    def close(self) -> None:
        if self._task:
            self._task.kill()


def hosts_to_certify(server: ServerSettings, names: Iterable[str]) -> list[str]:
    """Return every name and address by which a browser could reach this server.

    Includes those on the network even while it listens on loopback only, so that the certificate
    stays the same when the server is opened to others.
    """
    local = ("localhost", "127.0.0.1", "::1")
    return [*local, server.host, *names, *server.allowed_hosts, *own_addresses()]


def make_socketio(application: flask.Flask, count_refusal: Callable[[str], None]) -> SocketIO:
    """Return Socket.IO in front of Flask, on top of our own WebSocket driver."""
    socketio = SocketIO(
        application,
        async_mode="eventlet",
        # Long polling wraps every frame in base64, and does not share rooms well with WebSocket.
        transports=["websocket"],
        allow_upgrades=False,
        max_http_buffer_size=MAX_MESSAGE_BYTES,
        ping_interval=PING_PERIOD_S,
        ping_timeout=PONG_DEADLINE_S,
        monitor_clients=False,  # Our sessions do that.
        json=Json,
        # OriginCheck checks origins; a second check would need a second setting.
        cors_allowed_origins=[],
        # Without these, both libraries create their own, which print what strangers send.
        logger=SILENT,
        engineio_logger=SILENT,
    )
    # Engine.IO has no setting for its WebSocket class, only this table of the async mode. Change a
    # copy, because the table belongs to the module.
    engine = socketio.server.eio
    driver = functools.partial(WebSocketDriver, count_refusal=count_refusal)
    engine._async = engine._async | {"websocket": driver}
    disable_engineio_pings(engine)
    return socketio


def share_state(bus: "Bus", folder: Path, views: Views) -> "SharedState":
    """Share the key, the users, the logins and the saved views with other nodes."""
    from server.cluster.node import SharedState

    return SharedState(bus, folder, views)


def descriptor_limit() -> int:
    """Raise the limit of open descriptors as far as allowed, and return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize


def create_app(settings: Settings) -> App:
    """Return a server for these settings; nothing runs until :meth:`App.run`.

    Raises:
        ConfigError: If the state folder or the certificate cannot be used, or the address needs
            users and there are none.
    """
    return App(settings)
