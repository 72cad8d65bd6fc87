"""Sends a message to many dashboards: builds it once, and writes it in batches.

A message that can wait is written together with a dashboard's next frame.
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
"""Dashboards written to before other green threads get a turn: half a millisecond."""
MAX_VISITED = 150
"""Dashboards visited in one batch, including those for which the message is only held."""

MAX_HOLD_S = 0.25
"""Longest wait for a frame; at five frames per second, one comes in time."""


class _Message(NamedTuple):
    """An event to be sent; ``recipients`` are pairs of a Socket.IO and an Engine.IO id."""

    text: str
    data: bytes
    can_wait: bool
    recipients: deque[tuple[str, str]]


class Broadcast:
    """Sends events to Socket.IO rooms, in order.

    Socket.IO itself would queue every message for each client, whose green thread encodes it again;
    for a thousand clients that is one long turn, in which no frame leaves.

    Args:
        socketio: Has the rooms.
        sessions: The connected dashboards' sessions, by Socket.IO id.
    """

    def __init__(self, socketio: SocketIO, sessions: Mapping[str, Session]) -> None:
        self._server = socketio.server
        self._connections = socketio.server.eio.sockets
        self._sessions = sessions
        self._waiting: deque[_Message] = deque()
        self._arrived = hub.Signal()
        self._held_at: deque[float] = deque()  # When each batch of held messages began to wait.
        self._held = hub.Signal()
        self._tasks: list[hub.Task] = []

    def open(self) -> None:
        """Start sending."""
        self._tasks = [hub.spawn(self._run), hub.spawn(self._release)]

    def close(self) -> None:
        """Send what is still waiting, and stop."""
        for task in self._tasks:
            task.kill()
        while self._waiting:
            self._send_batch()
        for session in self._sessions.values():
            session.websocket.release()

    def send(
        self, event: str, payload: Mapping[str, Any], room: str, can_wait: bool = False
    ) -> None:
        """Send an event to everyone now in a room; does not block.

        Args:
            event: Name of the event.
            payload: Its payload.
            room: The Socket.IO room.
            can_wait: Whether it may wait up to ``MAX_HOLD_S`` for the dashboard's next frame.
        """
        recipients = deque(self._server.manager.get_participants("/", room))
        if recipients:
            text = "2" + json.dumps([event, payload], separators=(",", ":"))
            data = b"".join(websocket_frame(TEXT, f"4{text}".encode()))
            self._waiting.append(_Message(text, data, can_wait, recipients))
            self._arrived.set()

    def _run(self) -> None:
        while True:
            self._arrived.wait()
            while self._waiting:
                self._send_batch()
                hub.sleep(0)

    def _release(self) -> None:
        while True:
            while not self._held_at:
                self._held.wait()
            held_at = self._held_at.popleft()
            hub.rest(max(0.0, held_at + MAX_HOLD_S - time.monotonic()))
            written = 0
            for session in list(self._sessions.values()):
                written += session.websocket.release(held_at)  # Not those held since.
                if written == BATCH:
                    hub.sleep(0)
                    written = 0

    def _send_batch(self) -> None:
        """Write the oldest message to the next of its recipients."""
        message, now = self._waiting[0], time.monotonic()
        written = 0
        for _ in range(min(MAX_VISITED, len(message.recipients))):
            written += self._send_to(*message.recipients.popleft(), message, now)
            if written == BATCH:
                break
        if not message.recipients:
            self._waiting.popleft()
            if message.can_wait:
                self._held_at.append(now)
                self._held.set()

    def _send_to(self, sid: str, engine_id: str, message: _Message, now: float) -> bool:
        """Send a message to one recipient; return whether it took a separate write."""
        session = self._sessions.get(sid)
        connection = self._connections.get(engine_id)
        if session is None or connection is None:
            return False  # It has disconnected.
        if not connection.queue.empty():
            # Keep the order with what is queued there, such as hello.
            self._server.eio.send(engine_id, message.text)
        elif message.can_wait and session.is_watching:
            session.websocket.hold(message.data, now)
            return False
        else:
            session.websocket.send_built(message.data)
        return True
