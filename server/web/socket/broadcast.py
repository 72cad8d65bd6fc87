"""Sends one message to many dashboards: built once, and written in turns.

What can wait for a moment is written together with a dashboard's next frame.
"""

import json
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from flask_socketio import SocketIO

from server.loop import hub
from server.protocol import TEXT, websocket_frame
from server.web.socket.session import Session

__all__ = ["Broadcast"]

BATCH = 25
"""How many dashboards are written to before everybody else gets a turn: half a millisecond."""
MOST = 150
"""The same of those that it is only kept for."""

HOLD_S = 0.25
"""How long it may wait for a frame: one comes within that at five a second."""


class _Message(NamedTuple):
    """An event that is on its way; ``recipients`` are Socket.IO's and Engine.IO's ids."""

    text: str
    data: bytes
    can_wait: bool
    recipients: deque[tuple[str, str]]


class Broadcast:
    """Sends events to rooms of Socket.IO, in order.

    Socket.IO's own way puts every message into a queue of each client, whose green thread encodes
    it again; for a thousand clients that is one long turn, in which no frame leaves.

    Args:
        socketio: Has the rooms.
        sessions: Of the connected dashboards, by Socket.IO id.
    """

    def __init__(self, socketio: SocketIO, sessions: Mapping[str, Session]) -> None:
        self._server = socketio.server
        self._connections = socketio.server.eio.sockets
        self._sessions = sessions
        self._waiting: deque[_Message] = deque()
        self._any = hub.Signal()
        self._held_at: deque[float] = deque()  # When messages were left to the next frames.
        self._held = hub.Signal()
        self._tasks: list[hub.Task] = []

    def open(self) -> None:
        """Start sending."""
        self._tasks = [hub.spawn(self._run), hub.spawn(self._release)]

    def close(self) -> None:
        """Send at once what waits, and stop."""
        for task in self._tasks:
            task.kill()
        while self._waiting:
            self._send_batch()
        for session in self._sessions.values():
            session.websocket.release()

    def send(
        self, event: str, payload: Mapping[str, Any], room: str, can_wait: bool = False
    ) -> None:
        """Send an event to everyone who is in a room now; returns at once.

        Args:
            event: Its name.
            payload: Its payload.
            room: Of Socket.IO.
            can_wait: Whether who watches a camera may get it a quarter of a second later.
        """
        recipients = deque(self._server.manager.get_participants("/", room))
        if recipients:
            text = "2" + json.dumps([event, payload], separators=(",", ":"))
            data = b"".join(websocket_frame(TEXT, f"4{text}".encode()))
            self._waiting.append(_Message(text, data, can_wait, recipients))
            self._any.set()

    def _run(self) -> None:
        while True:
            self._any.wait()
            while self._waiting:
                self._send_batch()
                hub.sleep(0)

    def _release(self) -> None:
        while True:
            while not self._held_at:
                self._held.wait()
            held_at = self._held_at.popleft()
            hub.rest(max(0.0, held_at + HOLD_S - time.monotonic()))
            written = 0
            for session in list(self._sessions.values()):
                written += session.websocket.release(held_at)  # Not what was held since.
                if written == BATCH:
                    hub.sleep(0)
                    written = 0

    def _send_batch(self) -> None:
        """Write the oldest message to some of its recipients."""
        message, now = self._waiting[0], time.monotonic()
        written = 0
        for _ in range(min(MOST, len(message.recipients))):
            written += self._send_to(*message.recipients.popleft(), message, now)
            if written == BATCH:
                break
        if not message.recipients:
            self._waiting.popleft()
            if message.can_wait:
                self._held_at.append(now)
                self._held.set()

    def _send_to(self, sid: str, engine_id: str, message: _Message, now: float) -> bool:
        """Send a message to one recipient; return whether that took a write of its own."""
        session = self._sessions.get(sid)
        connection = self._connections.get(engine_id)
        if session is None or connection is None:
            return False  # It has left.
        if not connection.queue.empty():
            # Not before what waits there, such as hello.
            self._server.eio.send(engine_id, message.text)
        elif message.can_wait and session.is_watching:
            session.websocket.hold(message.data, now)
            return False
        else:
            session.websocket.send_built(message.data)
        return True
