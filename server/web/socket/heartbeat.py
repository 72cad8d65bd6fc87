"""Pings of one connection: whether its peer is still there, and that we are."""

from typing import Any

from server.protocol import TEXT, websocket_frame
from server.web.socket.websocket import WebSocket

__all__ = ["PING_PERIOD_S", "PONG", "PONG_DEADLINE_S", "Heartbeat", "take_over_pings"]

PING_PERIOD_S = 10
"""How long after a pong the next ping is sent, in seconds; clients are told, and count on it."""

PONG_DEADLINE_S = 10
"""How long a pong may take, in seconds."""

PING = b"".join(websocket_frame(TEXT, b"2"))
PONG = "3"
"""The answer to a ping in the Engine.IO protocol, revision 4."""


class Heartbeat:
    """Pings one connection.

    Engine.IO takes a green thread for each ping, another's turn to send it and a third's to read
    the answer, and looks at every connection again and again: 0.6 ms, several percent of a core for
    a thousand dashboards.

    Args:
        websocket: The connection.
        now: Monotonic seconds.
    """

    def __init__(self, websocket: WebSocket, now: float) -> None:
        self._websocket = websocket
        self._answered_at = now
        self._pinged = False

    def answer(self, now: float) -> None:
        """Note a pong."""
        self._answered_at, self._pinged = now, False

    def beat(self, now: float) -> bool:
        """Send a ping that is due; return False if the last one was not answered in time."""
        silent_s = now - self._answered_at
        if silent_s >= PING_PERIOD_S and not self._pinged:
            self._pinged = True
            self._websocket.send_built(PING)
        return silent_s < PING_PERIOD_S + PONG_DEADLINE_S


def take_over_pings(engine: Any) -> None:
    """Have an Engine.IO server send no pings, nor miss any; do it before anybody connects."""
    base: Any = engine._async["queue"]

    class Queue(base):  # type: ignore[misc]
        """What waits to be sent. For Engine.IO a connection is dead if nothing comes for long."""

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            return super().get(block)

        def empty(self) -> bool:
            return not self.queue  # Asked thousands of times a second; theirs takes three calls.

    engine._async = engine._async | {"queue": Queue}
    on_connect = engine.handlers["connect"]

    def connect(engine_id: str, environ: dict[str, Any]) -> Any:
        engine.sockets[engine_id].last_ping = None  # Only after a ping it schedules another.
        return on_connect(engine_id, environ)

    engine.on("connect", connect)
