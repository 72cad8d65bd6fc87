"""All connected dashboards: admits, evicts and closes them."""

import json
import logging
import time
from collections.abc import Callable
from typing import Any

import flask
from flask_socketio import ConnectionRefusedError as Refusal
from flask_socketio import SocketIO

from server.control.timeline import Notice
from server.loop import hub
from server.web.auth.auth import UNKNOWN_TOKEN, Auth, shows_token
from server.web.auth.connections import Connection, Credential
from server.web.auth.permissions import may
from server.web.socket.session import Session
from server.web.socket.websocket import ENVIRON_KEY
from server.web.statistics import Statistics

__all__ = ["Sessions"]

log = logging.getLogger(__name__)

# A viewer that has not acknowledged for this long shows no pictures.
EVICT_AFTER_S = 12.0

WATCH_PERIOD_S = 1.0

# Sessions checked before other green threads get a turn.
BATCH = 50

EVICTED = (
    f"disconnected: nothing was acknowledged for {EVICT_AFTER_S:g} s; "
    "after each frame emit 'ack' with its camera and seq"
)

# Longest time that a shutdown waits for the last messages to be sent.
MAX_FLUSH_S = 0.5

# Time a refused client has to read the reason and disconnect.
CLOSE_REFUSED_AFTER_S = 1.0


class Sessions:
    """Opens, evicts and ends the sessions of dashboards.

    Args:
        socketio: The dashboards connect to it.
        auth: Identifies clients, and closes connections whose access is revoked.
        statistics: Counts refusals.
        credit_frames: The initial credit window of a viewer.
        on_connected: Called with every new session, in a separate green thread.

    Attributes:
        by_id: The sessions by Socket.IO id; changed here only.
    """

    def __init__(
        self,
        socketio: SocketIO,
        auth: Auth,
        statistics: Statistics,
        credit_frames: int,
        on_connected: Callable[[Session], None],
    ) -> None:
        self.by_id: dict[str, Session] = {}
        self._socketio = socketio
        self._auth = auth
        self._statistics = statistics
        self._credit_frames = credit_frames
        self._on_connected = on_connected
        self._task: hub.Task | None = None
        socketio.on_event("connect", self._on_connect)
        socketio.on_event("disconnect", self._on_disconnect)

    def open(self) -> None:
        """Start checking that clients still answer."""
        self._task = hub.spawn(self._watch)

    def flush(self) -> None:
        """Wait briefly until our kernel has taken all messages to the dashboards."""
        deadline = time.monotonic() + MAX_FLUSH_S
        while time.monotonic() < deadline and any(map(self._is_unsent, self.by_id.values())):
            hub.sleep(0.01)

    def close(self) -> None:
        """Close every connection."""
        if self._task:
            self._task.kill()
        for session in list(self.by_id.values()):
            session.websocket.close()

    def current(self) -> Session | None:
        """Return the session whose event is being handled; None if it has just ended."""
        return self.by_id.get(flask.request.sid)  # type: ignore[attr-defined]

    def _on_connect(self, auth: object = None) -> None:
        """Admit a client, or raise Refusal with the reason.

        Raise nothing else: any other exception leaves the client half connected, and after a
        TypeError Socket.IO calls this again, without ``auth``.
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
            # Spawned to run after the acceptance, which is sent when this returns.
            hub.spawn(self._on_connected, session)
            return
        self._statistics.count_refusal(refusal.error_args["data"]["code"])
        if websocket is not None:
            websocket.on_message = lambda _message: True  # Ignore further messages.
            hub.call_later(CLOSE_REFUSED_AFTER_S, websocket.close)
        raise refusal

    def _credential(self, auth: object) -> Credential:
        """Return the credential with which a client may connect; raise Refusal if none."""
        where = flask.request.remote_addr or ""
        token = auth.get("token") if isinstance(auth, dict) else None
        credential = self._auth.identify(token)
        if credential is None:
            self._auth.audit.note(None, "connect", where, "unauthorized")
            message = UNKNOWN_TOKEN if shows_token(token) else "log in first"
            raise Refusal(message, {"code": "unauthorized"})
        # An Origin has already been compared with Host. Browsers always send one here, so a client
        # with a browser's cookie but no Origin is not a browser.
        if credential.by == "cookie" and "HTTP_ORIGIN" not in flask.request.environ:
            self._auth.audit.note(credential.person.name, "connect", where, "forbidden")
            raise Refusal("a cookie is only accepted with an Origin header", {"code": "forbidden"})
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
        self.by_id[sid] = session
        self._auth.connections.enter(
            session, Connection(credential, websocket.close, address, session.watching)
        )
        return session

    def _on_disconnect(self, _reason: object = None) -> None:
        session = self.by_id.pop(flask.request.sid, None)  # type: ignore[attr-defined]
        if session is not None:
            self._auth.connections.leave(session)
            session.leave()

    def _is_unsent(self, session: Session) -> bool:
        """Return whether the kernel has not yet taken all messages to a session."""
        server = self._socketio.server
        engine_id = server.manager.eio_sid_from_sid(session.sid, "/")
        engine_socket = server.eio.sockets.get(engine_id)
        waiting = engine_socket is not None and not engine_socket.queue.empty()
        return not session.websocket.closed and (waiting or session.websocket.busy)

    def _watch(self) -> None:
        """Close connections that no longer answer; a live client reconnects by itself."""
        while True:
            hub.rest(WATCH_PERIOD_S)
            for number, session in enumerate(list(self.by_id.values())):
                if number % BATCH == 0:
                    hub.sleep(0)
                    now = time.monotonic()
                if not session.heartbeat.beat(now):
                    session.websocket.close()
                elif session.owing_s(now) > EVICT_AFTER_S:
                    self._statistics.count_refusal("evicted")
                    log.info(
                        "evicted %s: nothing acknowledged for %g s", session.who, EVICT_AFTER_S
                    )
                    reason = Notice(time.time(), "warning", EVICTED)
                    # Bypass Socket.IO's queue, which is lost with the connection.
                    session.websocket.send_text("42" + json.dumps(["notice", reason.payload()]))
                    session.websocket.close()
