"""A dashboard as a proxy sees it: Socket.IO over a TLS WebSocket, on any path."""

import json
import ssl
import time
from types import TracebackType
from typing import Any

import websocket

__all__ = ["Dashboard"]


class Dashboard:
    """Watches one camera, acknowledges frames, and can send requests.

    Args:
        url: The page's address, ``https://HOST:PORT/PATH/``; also sent as Origin.
        trust: The trusted certificates.
        token: Sent if the server requires one.

    Raises:
        websocket.WebSocketException, OSError: If it cannot connect, or the connection ends.
    """

    def __init__(self, url: str, trust: ssl.SSLContext, token: str | None = None) -> None:
        origin = "/".join(url.split("/")[:3])
        self._socket = websocket.create_connection(
            url.replace("https://", "wss://") + "socket.io/?EIO=4&transport=websocket",
            timeout=10,
            origin=origin,
            sslopt={"context": trust},
        )
        self._socket.send("40" if token is None else "40" + json.dumps({"token": token}))
        self._replies: dict[int, Any] = {}
        self._header: dict[str, Any] | None = None
        self.frames: list[tuple[dict[str, Any], bytes]] = []
        """Headers and pictures, as they came."""

    def __enter__(self) -> "Dashboard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._socket.close(timeout=0)

    def ask(self, event: str, payload: dict[str, Any]) -> Any:
        """Send an event and return its reply."""
        number = len(self._replies) + 1
        self._socket.send(f"42{number}" + json.dumps([event, payload]))
        while number not in self._replies:
            self._take_one()
        return self._replies[number]

    def expect_frames(self, count: int, timeout_s: float = 10) -> None:
        """Read until this many more frames have arrived."""
        target = len(self.frames) + count
        deadline = time.monotonic() + timeout_s
        while len(self.frames) < target:
            assert time.monotonic() < deadline, f"{len(self.frames)} frames of {target}"
            self._take_one()

    def _take_one(self) -> None:
        message = self._socket.recv()
        if isinstance(message, bytes):
            assert self._header is not None
            self.frames.append((self._header, message))
            self._socket.send(
                "42" + json.dumps(["ack", self._header["camera"], self._header["seq"]])
            )
        elif message.startswith("451-"):
            self._header = json.loads(message[4:])[1]
        elif message.startswith("43"):
            number, _, arguments = message[2:].partition("[")
            self._replies[int(number)] = json.loads("[" + arguments)[0]
        elif message == "2":
            self._socket.send("3")
