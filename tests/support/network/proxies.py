"""Proxies that people have between browser and server."""

import socket
import threading
from collections.abc import Callable

__all__ = ["NoWebSocketProxy", "PrefixProxy"]

REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Forwards connections to a server.

    Args:
        target_port: The server's port on loopback.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop accepting connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def change(self, data: bytes) -> bytes:
        """Return the data to forward instead of ``data``."""
        return data

    def refuse(self, head: bytes) -> bool:
        """Return whether to reject a connection that begins with this."""
        return False

    @staticmethod
    def _start(function: Callable[..., None], *arguments: object) -> None:
        # Daemons: the browser keeps connections open while it runs.
        threading.Thread(target=function, args=arguments, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        try:
            # A browser sends a request's head in one piece.
            head = client.recv(65536)
            if self.refuse(head):
                client.sendall(REFUSAL)
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self._target_port))
            server.sendall(self.change(head))
        except OSError:
            client.close()
            return
        self._start(self._pass_on, server, client)
        self._pass_on(client, server)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(self.change(data))
        except OSError:
            pass  # One side hung up.
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        source.close()


class NoWebSocketProxy(Proxy):
    """A proxy as in some offices: it forwards HTTP but not WebSocket."""

    def refuse(self, head: bytes) -> bool:
        """Reject requests for a WebSocket."""
        return b"upgrade: websocket" in head.lower()


class PrefixProxy(Proxy):
    """Removes a prefix from every request's path."""

    def __init__(self, target_port: int, prefix: bytes) -> None:
        self._prefix = prefix
        super().__init__(target_port)

    def change(self, data: bytes) -> bytes:
        """Remove the prefix."""
        return data.replace(b"GET " + self._prefix, b"GET /")
