"""The browser's end of a WebSocket."""

import socket
from typing import Any

from websockets.frames import Frame
from websockets.protocol import Protocol, Side

from server.loop import hub
from tests.support.network.certificates import TlsClient


class Peer:
    """The browser's end: the client side of the ``websockets`` library on a real socket."""

    def __init__(self, sock: socket.socket | TlsClient) -> None:
        self.sock = sock
        sock.setblocking(False)
        self.protocol = Protocol(Side.CLIENT, max_size=None)

    def text(self, *messages: str) -> None:
        for message in messages:
            self.protocol.send_text(message.encode())
        self.flush()

    def flush(self) -> None:
        self.raw(b"".join(self.protocol.data_to_send()))

    def raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def frames(self, count: int = 1) -> list[Frame]:
        """Return the next ``count`` frames that arrive."""
        found: list[Any] = []
        while len(found) < count:
            assert hub.wait_readable(self.sock, 3), f"only {found} came"
            data = self.sock.recv(1 << 20)
            assert data, f"closed after {found}"
            self.protocol.receive_data(data)
            found += self.protocol.events_received()
        return found

    def closed(self) -> bool:
        """Read to the end; return whether there is one."""
        while hub.wait_readable(self.sock, 3):
            try:
                data = self.sock.recv(1 << 20)
            except ConnectionError:
                return True
            if not data:
                return True
            self.protocol.receive_data(data)
        return False
