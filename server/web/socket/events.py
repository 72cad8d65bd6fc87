"""The Socket.IO events of the wire contract."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import flask
from flask_socketio import ConnectionRefusedError as Refusal
from flask_socketio import SocketIO

from server import __version__, protocol
from server.capture.interface import Action, Argument, CameraInterface, PresetOrder, Setting
from server.control.control import Control, unknown_camera
from server.control.timeline import Notice, Timeline
from server.delivery.fanout import Fanout
from server.errors import RequestError
from server.loop import hub
from server.web.auth.auth import UNKNOWN_TOKEN, Auth, shows_token
from server.web.auth.connections import Credential
from server.web.auth.permissions import CONTROL, may
from server.web.socket.session import Session
from server.web.socket.websocket import ENVIRON_KEY
from server.web.statistics import Statistics

__all__ = ["Events"]

log = logging.getLogger(__name__)

# Viewers coming and going change STATE; all changes within this time are told at once.
ANNOUNCE_PERIOD_S = 0.05

STATS_PERIOD_S = 1.0

# A viewer that owes acknowledgements for so long shows nobody anything.
EVICT_AFTER_S = 12.0

EVICTED = (
    f"disconnected: nothing was acknowledged for {EVICT_AFTER_S:g} s; "
    "after each frame emit 'ack' with its camera and seq"
)

# How long a shutdown waits for last words to reach the dashboards.
FAREWELL_S = 0.5

# How long a client that was refused may take to read why, and to go.
REFUSED_S = 1.0


class View(NamedTuple):
    """What some people may know of."""

    cameras: frozenset[str] | None
    """None for all."""
    names: bool
    """Whether they are told what operators are called."""
    embedded: bool
    """In somebody else's page: told states, but not who did what, nor how the server is."""

    def sees(self, camera: str) -> bool:
        """Return whether they may know of a camera."""
        return self.cameras is None or camera in self.cameras

    @property
    def room(self) -> str:
        """The Socket.IO room of everyone with this view."""
        cameras = "all" if self.cameras is None else "some:" + ",".join(sorted(self.cameras))
        return f"{cameras} {'named' if self.names else 'unnamed'}{' embedded' * self.embedded}"


AUTO = "auto"
"""Asked for instead of a rendition, it is whichever fits."""

P = TypeVar("P", bound=protocol.Payload)


class Events:
    """Answers what dashboards ask and tells them what happens.

    Args:
        socketio: Where events come and go.
        fanouts: By camera name, in the order of the settings.
        control: Carries out what operators ask.
        statistics: Told once a second; counts what is refused.
        auth: Says who connects, and ends connections that lose the right to be.
        credit_frames: The credit window that a viewer begins with.
        timeline: Keeps what is told, and tells it again.
    """

    def __init__(
        self,
        socketio: SocketIO,
        fanouts: Mapping[str, Fanout],
        control: Control,
        statistics: Statistics,
        auth: Auth,
        credit_frames: int,
        timeline: Timeline,
    ) -> None:
        self._timeline = timeline
        self._socketio = socketio
        self._fanouts = fanouts
        self._control = control
        self._credit_frames = credit_frames
        self._statistics = statistics
        self._auth = auth
        self._sessions: dict[str, Session] = {}
        self._changed: dict[str, CameraInterface] = {}
        self._announce = hub.Signal()
        self._tasks: list[hub.Task] = []

        socketio.on_event("connect", self._on_connect)
        socketio.on_event("disconnect", self._on_disconnect)
        socketio.on_event("ack", self._on_ack)
        self._answer("watch", protocol.WatchPayload, self._watch)
        self._answer("unwatch", protocol.CameraPayload, self._unwatch)
        self._answer("clock", protocol.ClockPayload, self._clock)
        self._answer("notices", protocol.NoticesPayload, self._notices)
        self._answer("start", protocol.CameraPayload, self._start)
        self._answer("stop", protocol.CameraPayload, self._stop)
        self._answer("fps", protocol.FpsPayload, self._fps)
        self._answer("quality", protocol.QualityPayload, self._quality)
        self._answer("control", protocol.ControlPayload, self._set_control)
        self._answer("reset", protocol.ResetPayload, self._reset)
        self._answer("preset", protocol.PresetPayload, self._preset)
        self._answer("quit", protocol.EmptyPayload, self._quit)
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

    def announce(self, camera: CameraInterface) -> None:
        """Announce a camera's STATE to everyone who may see it."""
        self._changed[camera.name] = camera
        self._announce.set()

    def greet_anew(self) -> None:
        """Say hello to everyone again: a camera has left the list."""
        for session in self._sessions.values():
            hub.spawn(self._greet, session)

    def notify(self, level: str, message: str, camera: str | None, who: str | None = None) -> None:
        """Keep that something happened, and tell everyone who may know of the camera.

        Args:
            level: ``info``, ``warning`` or ``error``.
            message: What, without who did it.
            camera: To which camera; None for the whole server.
            who: Did it; told to operators only.
        """
        notice = self._timeline.add(level, message, camera, who)
        for view in self._views():
            if not view.embedded and (camera is None or view.sees(camera)):
                self._socketio.emit("notice", notice.payload(view.names), to=view.room)

    @property
    def connections(self) -> int:
        """How many dashboards are connected."""
        return len(self._sessions)

    # Connections.

    def _on_connect(self, auth: object = None) -> None:
        """Let a client in, or raise why not.

        Nothing else may escape: what this handler raises otherwise leaves the client half
        connected, and a TypeError has it called again as if there were no ``auth``.
        """
        environ = flask.request.environ
        websocket = environ.get(ENVIRON_KEY)
        try:
            credential = self._credential(auth)
            session = self._make_session(websocket, credential, environ.get("REMOTE_ADDR", ""))
        except Refusal as error:
            refusal = error
        except Exception:
            log.exception("connection refused")
            refusal = Refusal("the server could not do this", {"code": "unavailable"})
        else:
            # In its own turn, so that it follows the acceptance that this handler's return sends.
            hub.spawn(self._greet, session)
            return
        self._statistics.count_refusal(refusal.error_args["data"]["code"])
        if websocket is not None:
            websocket.on_message = lambda _message: True  # Nothing it still says is listened to.
            hub.call_later(REFUSED_S, websocket.close)
        raise refusal

    def _credential(self, auth: object) -> Credential:
        """Return the right by which a client may connect; raises Refusal if there is none."""
        where = flask.request.remote_addr or ""
        token = auth.get("token") if isinstance(auth, dict) else None
        credential = self._auth.identify(token)
        if credential is None:
            self._auth.audit.note(None, "connect", where, "unauthorized")
            message = UNKNOWN_TOKEN if shows_token(token) else "log in first"
            raise Refusal(message, {"code": "unauthorized"})
        # The front door has held an Origin against Host. A browser always sends one here; what
        # has a browser's cookie and none is no browser.
        if credential.by == "cookie" and "HTTP_ORIGIN" not in flask.request.environ:
            self._auth.audit.note(credential.person.name, "connect", where, "forbidden")
            raise Refusal("a cookie counts only together with an Origin", {"code": "forbidden"})
        if not may(credential.person, "connect"):
            raise Refusal("you may not connect", {"code": "forbidden"})
        return credential

    def _make_session(self, websocket: Any, credential: Credential, address: str) -> Session:
        sid = flask.request.sid  # type: ignore[attr-defined]
        session = Session(
            sid,
            websocket,
            credential.person.name or address,
            credential.person.role,
            self._credit_frames,
            self._statistics.count_refusal,
            credential,
            self._statistics.lag_s,
        )
        session.address = address
        self._sessions[sid] = session
        self._auth.connections.enter(session, credential, websocket.close)
        return session

    def _greet(self, session: Session) -> None:
        if session.sid not in self._sessions:
            return  # It has gone in the meantime.
        person = session.credential.person
        # From here on it hears what everyone with the same view hears; nothing comes before hello,
        # as nothing here lets anyone else run.
        self._socketio.server.enter_room(session.sid, _view_of(session).room)
        hello = {
            "version": protocol.PROTOCOL_VERSION,
            "server": __version__,
            "role": session.role,
            "user": person.name,
            "cameras": [
                fanout.camera.describe()
                for name, fanout in self._fanouts.items()
                if person.sees(name)
            ],
        }
        self._socketio.emit("hello", hello, to=session.sid)

    def _on_disconnect(self, _reason: object = None) -> None:
        session = self._sessions.pop(flask.request.sid, None)  # type: ignore[attr-defined]
        if session is not None:
            self._auth.connections.leave(session)
            session.leave()

    def _has_words(self, session: Session) -> bool:
        """Whether something said to a session has not reached its kernel."""
        server = self._socketio.server
        engine_id = server.manager.eio_sid_from_sid(session.sid, "/")
        engine_socket = server.eio.sockets.get(engine_id)
        waiting = engine_socket is not None and not engine_socket.queue.empty()
        return not session.websocket.closed and (waiting or session.websocket.busy)

    # Events.

    def _answer(
        self, event: str, kind: type[P], handle: Callable[[Session, P], dict[str, Any]]
    ) -> None:
        """Have an event parsed, permitted, carried out, noted, and always answered."""

        def on_event(*arguments: object) -> dict[str, Any]:
            session = self._sessions.get(flask.request.sid)  # type: ignore[attr-defined]
            payload: P | None = None
            try:
                if session is None:
                    raise RequestError("unavailable", "this connection has ended")
                payload = protocol.parse_payload(kind, arguments)
                _permit(session, event, payload)
                reply = {"ok": True} | handle(session, payload)
            except RequestError as error:
                reply = self._refuse(error)
            except Exception:
                log.exception("event failed")
                reply = self._refuse(RequestError("unavailable", "the server could not do this"))
            if event in CONTROL and session is not None:
                self._note(session, event, payload, reply.get("error", "ok"))
            return reply

        self._socketio.on_event(event, on_event)

    def _note(
        self, session: Session, event: str, payload: protocol.Payload | None, result: str
    ) -> None:
        """Tell the audit log of a control action."""
        more = payload.model_dump() if payload is not None else {}
        if event in ("fps", "quality") and event in more:
            more["value"] = more.pop(event)
        if isinstance(more.get("value"), tuple):
            more["value"] = str(more["value"])
        by = session.credential.by
        self._auth.audit.note(session.who, event, session.address, result, by=by, **more)

    def _refuse(self, error: RequestError) -> dict[str, Any]:
        self._statistics.count_refusal(error.code)
        return {"ok": False, "error": error.code, "message": str(error)}

    def _on_unknown(self, event: object, *_arguments: object) -> dict[str, Any]:
        return self._refuse(RequestError("bad_request", f"there is no event {str(event)[:40]!r}"))

    def _on_ack(self, *arguments: object) -> None:
        """Take an ``ack`` that did not come the short way, :meth:`Session.acknowledge`."""
        session = self._sessions.get(flask.request.sid)  # type: ignore[attr-defined]
        if session is not None and len(arguments) in (2, 3):
            session.acknowledge(*arguments)

    def _watch(self, session: Session, payload: protocol.WatchPayload) -> dict[str, Any]:
        camera = self._control.camera(payload.camera)
        fanout = self._fanouts[camera.name]
        if payload.rendition != AUTO and payload.rendition not in fanout.rooms:
            accepted = ", ".join((AUTO, *fanout.rooms))
            raise RequestError(
                "bad_request",
                f"rendition: {payload.rendition!r} is unknown; accepted: {accepted}",
            )
        self._socketio.server.enter_room(session.sid, protocol.room_of(camera.name))
        rendition, reason = payload.rendition, "fixed"
        if rendition == AUTO:
            choice = session.watch_what_fits(fanout, payload.width)
            rendition, reason = choice.rendition, choice.reason
        else:
            session.watch(fanout, rendition)
        return {"camera": camera.describe(), "rendition": rendition, "reason": reason}

    def _unwatch(self, session: Session, payload: protocol.CameraPayload) -> dict[str, Any]:
        camera = self._control.camera(payload.camera)
        self._socketio.server.leave_room(session.sid, protocol.room_of(camera.name))
        session.unwatch(camera.name)
        return {"camera": camera.describe()}

    def _clock(self, session: Session, payload: protocol.ClockPayload) -> dict[str, Any]:
        session.bare_s = payload.round_trip or session.bare_s
        return {"t": payload.t, "server": time.time()}

    def _notices(self, session: Session, payload: protocol.NoticesPayload) -> dict[str, Any]:
        if payload.camera is not None:
            self._control.camera(payload.camera)
        person = session.credential.person
        notices, more = self._timeline.newest(
            person.sees, payload.since, payload.before, payload.camera
        )
        names = _view_of(session).names
        return {"notices": [notice.payload(names) for notice in notices], "more": more}

    def _start(self, session: Session, payload: protocol.CameraPayload) -> dict[str, Any]:
        return self._do(session, payload.camera, "start")

    def _stop(self, session: Session, payload: protocol.CameraPayload) -> dict[str, Any]:
        return self._do(session, payload.camera, "stop")

    def _fps(self, session: Session, payload: protocol.FpsPayload) -> dict[str, Any]:
        return self._do(session, payload.camera, "fps", payload.fps)

    def _quality(self, session: Session, payload: protocol.QualityPayload) -> dict[str, Any]:
        return self._do(session, payload.camera, "quality", payload.quality)

    def _set_control(self, session: Session, payload: protocol.ControlPayload) -> dict[str, Any]:
        setting = Setting(payload.control, payload.value)
        return self._do(session, payload.camera, "control", setting)

    def _reset(self, session: Session, payload: protocol.ResetPayload) -> dict[str, Any]:
        return self._do(session, payload.camera, "reset", Setting(payload.control))

    def _preset(self, session: Session, payload: protocol.PresetPayload) -> dict[str, Any]:
        order = PresetOrder(payload.preset, payload.do)
        return self._do(session, payload.camera, "preset", order)

    def _do(
        self, session: Session, camera: str, action: Action, value: Argument = None
    ) -> dict[str, Any]:
        self._control.carry_out(session.who, camera, action, value)
        return {"camera": self._control.camera(camera).describe()}

    def _quit(self, session: Session, _payload: protocol.EmptyPayload) -> dict[str, Any]:
        self._control.quit(session.who)
        return {}

    # What everyone is told: once for each set of cameras that people may know of, which is once in
    # all where nobody's cameras are listed.

    def _tell(self, camera: CameraInterface) -> None:
        for view in self._views():
            if view.sees(camera.name):
                self._socketio.emit("camera", camera.describe(), to=view.room)

    def _views(self) -> set[View]:
        return set(map(_view_of, self._sessions.values()))

    def _announce_changes(self) -> None:
        while True:
            self._announce.wait()
            changed, self._changed = self._changed, {}
            for camera in changed.values():
                self._tell(camera)
            hub.sleep(ANNOUNCE_PERIOD_S)

    def _tell_stats(self) -> None:
        while True:
            hub.sleep(STATS_PERIOD_S)
            stats = self._statistics.take()
            for view in self._views():
                if not view.embedded:
                    seen = {n: c for n, c in stats["cameras"].items() if view.sees(n)}
                    self._socketio.emit("stats", stats | {"cameras": seen}, to=view.room)
            self._evict()

    def _evict(self) -> None:
        """End connections that have stopped to acknowledge; a live one comes back by itself."""
        now = time.monotonic()
        for session in list(self._sessions.values()):
            if session.owing_s(now) > EVICT_AFTER_S:
                self._statistics.count_refusal("evicted")
                log.info("evicted %s: nothing acknowledged for %g s", session.who, EVICT_AFTER_S)
                reason = Notice(time.time(), "warning", EVICTED)
                # Past Socket.IO's queue, which is lost with the connection.
                session.websocket.say("42" + json.dumps(["notice", reason.payload()]))
                session.websocket.close()


def _permit(session: Session, event: str, payload: protocol.Payload) -> None:
    """Raise if a session's person may not do this."""
    person = session.credential.person
    if not may(person, event):
        whose = "operators" if person.role != "operator" else "operators of every camera"
        raise RequestError("forbidden", f"only {whose} may do this")
    camera = getattr(payload, "camera", None)
    if camera is not None and not may(person, event, camera):
        raise unknown_camera(camera)


def _view_of(session: Session) -> View:
    person = session.credential.person
    return View(person.cameras, person.role != "viewer", person.kind == "embed")
