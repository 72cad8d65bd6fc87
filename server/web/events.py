"""The Socket.IO events of the wire contract."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import flask
from flask_socketio import SocketIO

from server import hub, protocol
from server.capture.camera import Camera
from server.delivery.fanout import FULL, Fanout
from server.errors import RequestError
from server.metrics import CameraStats, ProcessMeter
from server.web.control import Control
from server.web.session import Session
from server.web.transport import ENVIRON_KEY

__all__ = ["Events"]

log = logging.getLogger(__name__)

# Viewers coming and going change STATE; all changes within this time are told at once.
ANNOUNCE_PERIOD_S = 0.05

STATS_PERIOD_S = 1.0

# How long a shutdown waits for last words to reach the dashboards.
FAREWELL_S = 0.5

P = TypeVar("P", bound=protocol.Payload)


class Events:
    """Answers what dashboards ask and tells them what happens.

    Args:
        socketio: Where events come and go.
        fanouts: By camera name, in the order of the settings.
        control: Carries out what operators ask.
        credit_frames: The credit window that a viewer begins with.
        lag: Measures the hub.
    """

    def __init__(
        self,
        socketio: SocketIO,
        fanouts: Mapping[str, Fanout],
        control: Control,
        credit_frames: int,
        lag: hub.LagMeter,
    ) -> None:
        self._socketio = socketio
        self._fanouts = fanouts
        self._control = control
        self._credit_frames = credit_frames
        self._lag = lag
        self._sessions: dict[str, Session] = {}
        self._refused: Counter[str] = Counter()
        self._changed: dict[str, Camera] = {}
        self._announce = hub.Signal()
        self._tasks: list[hub.Task] = []

        socketio.on_event("connect", self._on_connect)
        socketio.on_event("disconnect", self._on_disconnect)
        socketio.on_event("ack", self._on_ack)
        socketio.on_event("watch", self._answering(protocol.WatchPayload, self._watch))
        socketio.on_event("unwatch", self._answering(protocol.CameraPayload, self._unwatch))
        socketio.on_event("clock", self._answering(protocol.ClockPayload, self._clock))
        operator = self._operator_only
        socketio.on_event("start", self._answering(protocol.CameraPayload, operator(self._start)))
        socketio.on_event("stop", self._answering(protocol.CameraPayload, operator(self._stop)))
        socketio.on_event("fps", self._answering(protocol.FpsPayload, operator(self._fps)))
        socketio.on_event(
            "quality", self._answering(protocol.QualityPayload, operator(self._quality))
        )
        socketio.on_event("quit", self._answering(protocol.EmptyPayload, operator(self._quit)))
        socketio.on_event("*", self._on_unknown)

    def open(self) -> None:
        """Begin to announce changes and statistics."""
        self._tasks = [hub.spawn(self._announce_changes), hub.spawn(self._tell_stats)]

    def close(self) -> None:
        """Let last words out, then end every connection."""
        deadline = time.monotonic() + FAREWELL_S
        while time.monotonic() < deadline and any(map(self._has_words, self._sessions.values())):
            hub.sleep(0.01)
        for task in self._tasks:
            task.kill()
        for session in list(self._sessions.values()):
            session.websocket.close()

    def announce(self, camera: Camera) -> None:
        """Have a camera's STATE told to everyone."""
        self._changed[camera.name] = camera
        self._announce.set()

    def notify(self, level: str, message: str, camera: str | None) -> None:
        """Tell everyone that something happened."""
        notice = {"level": level, "message": message, "at": round(time.time(), 3)}
        self._socketio.emit("notice", notice | ({"camera": camera} if camera else {}))

    def count_malformed(self) -> None:
        """Count a message that was no event at all."""
        self._refused["malformed"] += 1

    # Connections.

    def _on_connect(self, _auth: object = None) -> None:
        sid = flask.request.sid  # type: ignore[attr-defined]
        environ = flask.request.environ
        session = Session(
            sid,
            environ[ENVIRON_KEY],
            environ.get("REMOTE_ADDR", ""),
            "operator",
            self._credit_frames,
        )
        self._sessions[sid] = session
        # In its own turn, so that it follows the acceptance that this handler's return sends.
        hub.spawn(self._greet, session)

    def _greet(self, session: Session) -> None:
        hello = {
            "version": protocol.PROTOCOL_VERSION,
            "role": session.role,
            "cameras": [fanout.camera.describe() for fanout in self._fanouts.values()],
        }
        self._socketio.emit("hello", hello, to=session.sid)

    def _on_disconnect(self, _reason: object = None) -> None:
        session = self._sessions.pop(flask.request.sid, None)  # type: ignore[attr-defined]
        if session is not None:
            session.leave()

    def _has_words(self, session: Session) -> bool:
        """Whether something said to a session has not reached its kernel."""
        server = self._socketio.server
        engine_id = server.manager.eio_sid_from_sid(session.sid, "/")
        engine_socket = server.eio.sockets.get(engine_id)
        waiting = engine_socket is not None and not engine_socket.queue.empty()
        return not session.websocket.closed and (waiting or session.websocket.busy)

    # Events.

    def _answering(
        self, kind: type[P], handle: Callable[[Session, P], dict[str, Any]]
    ) -> Callable[..., dict[str, Any]]:
        """Return an event handler that parses, carries out and always answers."""

        def on_event(*arguments: object) -> dict[str, Any]:
            try:
                session = self._sessions[flask.request.sid]  # type: ignore[attr-defined]
                return {"ok": True} | handle(session, protocol.parse_payload(kind, arguments))
            except RequestError as error:
                return self._refuse(error)
            except Exception:
                log.exception("event failed")
                return self._refuse(RequestError("unavailable", "the server could not do this"))

        return on_event

    def _operator_only(
        self, handle: Callable[[Session, P], dict[str, Any]]
    ) -> Callable[[Session, P], dict[str, Any]]:
        def checked(session: Session, payload: P) -> dict[str, Any]:
            if session.role != "operator":
                raise RequestError("forbidden", "only operators may do this")
            return handle(session, payload)

        return checked

    def _refuse(self, error: RequestError) -> dict[str, Any]:
        self._refused[error.code] += 1
        return {"ok": False, "error": error.code, "message": str(error)}

    def _on_unknown(self, event: object, *_arguments: object) -> dict[str, Any]:
        return self._refuse(RequestError("bad_request", f"there is no event {str(event)[:40]!r}"))

    def _on_ack(self, *arguments: object) -> None:
        """Take an ``ack`` that did not come the short way, :meth:`Session.acknowledge`."""
        session = self._sessions.get(flask.request.sid)  # type: ignore[attr-defined]
        if session is not None and len(arguments) == 2:
            session.acknowledge(*arguments)

    def _watch(self, session: Session, payload: protocol.WatchPayload) -> dict[str, Any]:
        camera = self._control.camera(payload.camera)
        if payload.rendition not in (FULL, "auto"):
            raise RequestError(
                "bad_request", f"rendition: {payload.rendition!r} is unknown; accepted: full, auto"
            )
        self._socketio.server.enter_room(session.sid, protocol.room_of(camera.name))
        session.watch(self._fanouts[camera.name])
        return {"camera": camera.describe(), "rendition": FULL}

    def _unwatch(self, session: Session, payload: protocol.CameraPayload) -> dict[str, Any]:
        camera = self._control.camera(payload.camera)
        self._socketio.server.leave_room(session.sid, protocol.room_of(camera.name))
        session.unwatch(camera.name)
        return {"camera": camera.describe()}

    def _clock(self, _session: Session, payload: protocol.ClockPayload) -> dict[str, Any]:
        return {"t": payload.t, "server": time.time()}

    def _start(self, session: Session, payload: protocol.CameraPayload) -> dict[str, Any]:
        camera = self._control.camera(payload.camera)
        self._control.start(session.who, camera)
        return {"camera": camera.describe()}

    def _stop(self, session: Session, payload: protocol.CameraPayload) -> dict[str, Any]:
        camera = self._control.camera(payload.camera)
        self._control.stop(session.who, camera)
        return {"camera": camera.describe()}

    def _fps(self, session: Session, payload: protocol.FpsPayload) -> dict[str, Any]:
        camera = self._control.camera(payload.camera)
        self._control.set_fps(session.who, camera, payload.fps)
        return {"camera": camera.describe()}

    def _quality(self, session: Session, payload: protocol.QualityPayload) -> dict[str, Any]:
        camera = self._control.camera(payload.camera)
        self._control.set_quality(session.who, camera, payload.quality)
        return {"camera": camera.describe()}

    def _quit(self, session: Session, _payload: protocol.EmptyPayload) -> dict[str, Any]:
        self._control.quit(session.who)
        return {}

    # What everyone is told.

    def _announce_changes(self) -> None:
        while True:
            self._announce.wait()
            changed, self._changed = self._changed, {}
            for camera in changed.values():
                self._socketio.emit("camera", camera.describe())
            hub.sleep(ANNOUNCE_PERIOD_S)

    def _tell_stats(self) -> None:
        meters = {name: CameraStats(fanout.camera.meter) for name, fanout in self._fanouts.items()}
        process = ProcessMeter()
        while True:
            hub.sleep(STATS_PERIOD_S)
            stats = {
                "at": round(time.time(), 3),
                "cameras": {
                    name: meter.take() | {"viewers": len(self._fanouts[name])}
                    for name, meter in meters.items()
                },
                "process": process.take()
                | {
                    "hub_lag_ms": round(self._lag.take() * 1000, 1),
                    "connections": len(self._sessions),
                    "refused": dict(self._refused),
                },
            }
            if self._sessions:
                self._socketio.emit("stats", stats)
