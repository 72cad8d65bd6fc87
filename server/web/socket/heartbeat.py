"""Pings of one connection: whether its peer is still there, and that we are."""

from server.web.socket.websocket import WebSocket

__all__ = ["PING_PERIOD_S", "PONG", "PONG_DEADLINE_S", "Heartbeat"]

PING_PERIOD_S = 10
"""How long after a pong the next ping is sent, in seconds; clients are told, and count on it."""

PONG_DEADLINE_S = 10
"""How long a pong may take, in seconds."""

PONG = "3"
"""The answer to a ping in the Engine.IO protocol, revision 4."""


class Heartbeat:
    """Pings one connection from its second ping on; Engine.IO sends the first.

    Its own way takes another green thread for each, one more to read each answer, and a look at
    every connection again and again: 0.6 ms, several percent of a core for a thousand dashboards.
    It still sends them: it ends connections to which it sends nothing for long.

    Args:
        websocket: The connection.
        now: Monotonic seconds.
    """

    def __init__(self, websocket: WebSocket, now: float) -> None:
        self._websocket = websocket
        self._answered_at = now
        self._pinged = True  # By Engine.IO, when it is due.

    def answer(self, now: float) -> None:
        """Note a pong."""
        self._answered_at, self._pinged = now, False
        self._websocket.forget_ping()

    def beat(self, now: float) -> bool:
        """Send a ping that is due; return False if the last one was not answered in time."""
        silent_s = now - self._answered_at
        if silent_s >= PING_PERIOD_S and not self._pinged:
            self._pinged = True
            self._websocket.ping()
        return silent_s < PING_PERIOD_S + PONG_DEADLINE_S
