"""The upgrade to a WebSocket, by a real HTTP server."""

import base64
import socket
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Opcode

from server.loop import http_server, hub
from server.loop.http_server import serve
from server.web.socket.heartbeat import PING_PERIOD_S, Heartbeat
from server.web.socket.websocket import WebSocket, WebSocketDriver
from tests.support.fakes import OpenLimiter, settle, until
from tests.unit.web.socket.peer import Peer


class Handler:
    """Takes the place of Engine.IO's connection loop."""

    def __init__(self) -> None:
        self.fail: Exception | None = None
        self.closed_with: list[dict[str, Any]] = []
        self.websockets: list[WebSocket] = []
        self.server = SimpleNamespace(reason=SimpleNamespace(TRANSPORT_ERROR="transport error"))

    def run(self, websocket: WebSocket) -> None:
        self.websockets.append(websocket)
        if self.fail:
            raise self.fail
        while (message := websocket.wait()) is not None:
            websocket.send(message)

    def close(self, **how: Any) -> None:
        self.closed_with.append(how)


@pytest.fixture
def handler() -> Handler:
    """Echoes every message."""
    return Handler()


@pytest.fixture
def upgrade(handler: Handler) -> Iterator[Callable[..., tuple[bytes, Peer]]]:
    """A function that requests a WebSocket; returns the answer's head and the peer."""
    listener = hub.listen("127.0.0.1", 0)
    engine = SimpleNamespace(ping_interval=10, ping_timeout=10)
    application = WebSocketDriver(handler.run, engine)
    task = hub.spawn(serve, listener, application, OpenLimiter())
    socks: list[socket.socket] = []

    def ask(version: str = "13", key: str | None = None, more: str = "") -> tuple[bytes, Peer]:
        sock = socket.create_connection(listener.getsockname())
        socks.append(sock)
        key = base64.b64encode(bytes(16)).decode() if key is None else key
        request = (
            "GET /socket.io/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n{more}\r\n"
        )
        sock.sendall(request.encode())
        peer = Peer(sock)
        head = b""
        while b"\r\n\r\n" not in head:
            assert hub.wait_readable(sock, 3)
            data = sock.recv(65536)
            assert data, head
            head += data
        return head, peer

    yield ask
    for sock in socks:
        sock.close()
    until(lambda: all(websocket.closed for websocket in handler.websockets))
    settle()
    task.kill()
    listener.close()


def test_upgrade_opens_a_websocket(upgrade: Callable[..., tuple[bytes, Peer]]) -> None:
    """The handshake is answered as RFC 6455 requires, and messages flow."""
    head, peer = upgrade()

    peer.text("3")

    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n" in head
    assert peer.frames()[0].data == b"3"


def test_closed_connection_is_not_pinged(
    upgrade: Callable[..., tuple[bytes, Peer]], handler: Handler
) -> None:
    """A session ends a moment after its connection: a ping in between ended all other pings."""
    _, peer = upgrade()
    (websocket,) = handler.websockets
    heartbeat = Heartbeat(websocket, 0.0)

    heartbeat.answer(1.0)
    heartbeat.beat(1.0 + PING_PERIOD_S)
    assert peer.frames()[0].data == b"2"
    heartbeat.answer(12.0)
    websocket.close()
    heartbeat.beat(12.0 + PING_PERIOD_S)

    assert peer.frames()[0].opcode is Opcode.CLOSE


def test_compression_is_declined(upgrade: Callable[..., tuple[bytes, Peer]]) -> None:
    """The browser's permessage-deflate is declined: it would compress every JPEG again."""
    offer = ClientPerMessageDeflateFactory().get_request_params()
    offered = "; ".join(["permessage-deflate", *(name for name, _ in offer)])

    head, _ = upgrade(more=f"Sec-WebSocket-Extensions: {offered}\r\n")

    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"extensions" not in head.lower()


@pytest.mark.parametrize(("version", "key"), [("8", None), ("", None), ("13", "")])
def test_unsupported_version_is_answered_with_ours(
    upgrade: Callable[..., tuple[bytes, Peer]], version: str, key: str | None
) -> None:
    """Any request other than for WebSocket version 13 gets status 426 and that version."""
    head, _ = upgrade(version=version, key=key)

    assert head.startswith(b"HTTP/1.1 426 ")
    assert b"sec-websocket-version: 13\r\n" in head.lower()


def test_failed_handler_leaves_no_session_behind(
    upgrade: Callable[..., tuple[bytes, Peer]], handler: Handler
) -> None:
    """If Engine.IO raises, its session and the connection are closed."""
    handler.fail = ValueError("bad packet")

    _, peer = upgrade()

    assert peer.closed()
    assert handler.closed_with == [{"wait": False, "abort": True, "reason": "transport error"}]


def test_timed_out_upgrade_leaves_no_session_behind(
    upgrade: Callable[..., tuple[bytes, Peer]],
    handler: Handler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An upgrade whose announced body never comes is closed, with its session."""
    monkeypatch.setattr(http_server._StrictProtocol, "HEAD_DEADLINE_S", 0.05)

    _, peer = upgrade(more="Content-Length: 5\r\n")

    assert peer.closed()
    until(lambda: handler.closed_with)
