"""Pings a connection: checks that the peer is alive, and shows it that we are."""

from typing import Any

from server.protocol import TEXT, websocket_frame
from server.web.socket.websocket import WebSocket

__all__ = ["PING_PERIOD_S", "PONG", "PONG_DEADLINE_S", "Heartbeat", "disable_engineio_pings"]

PING_PERIOD_S = 10
"""Seconds from a pong to the next ping; clients are told this value and rely on it."""

PONG_DEADLINE_S = 10
"""Longest wait for a pong, in seconds."""

PING = b"".join(websocket_frame(TEXT, b"2"))
PONG = "3"
"""The answer to a ping in the Engine.IO protocol, revision 4."""


class Heartbeat:
    """Pings one connection.

    For each ping, Engine.IO starts one green thread, and switches to another to send the ping and
    to a third to read the pong. It also polls every connection. Together that takes 0.6 ms, several
    percent of a core for a thousand dashboards.

    Args:
        websocket: The connection.
        now: Time in monotonic seconds.
    """

    def __init__(self, websocket: WebSocket, now: float) -> None:
        self._websocket = websocket
        self._answered_at = now
        self._pinged = False

    def answer(self, now: float) -> None:
        """Note that a pong has arrived."""
        self._answered_at, self._pinged = now, False

    def beat(self, now: float) -> bool:
        """Send a ping if one is due; return False if the last was not answered in time."""
        silent_s = now - self._answered_at
        if silent_s >= PING_PERIOD_S and not self._pinged:
            self._pinged = True
            self._websocket.send_built(PING)
        return silent_s < PING_PERIOD_S + PONG_DEADLINE_S


def disable_engineio_pings(engine: Any) -> None:
    """Turn off an Engine.IO server's pings and timeouts; call before any client connects."""
    base: Any = engine._async["queue"]

    class Queue(base):  # type: ignore[misc]
        """A queue without a timeout, after which Engine.IO would drop the connection."""

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            return super().get(block)

        def empty(self) -> bool:
            return not self.queue  # Called thousands of times a second; super()'s makes 3 calls.

    engine._async = engine._async | {"queue": Queue}
    on_connect = engine.handlers["connect"]

    def connect(engine_id: str, environ: dict[str, Any]) -> Any:
        engine.sockets[engine_id].last_ping = None  # None stops it from scheduling pings.
        return on_connect(engine_id, environ)

    engine.on("connect", connect)
