"""A proxy as some offices have it: HTTP gets through, WebSocket does not."""

import socket
import threading
from collections.abc import Callable

__all__ = ["NoWebSocketProxy"]

REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class NoWebSocketProxy:
    """Passes connections on to a port, but for those that ask for a WebSocket."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @staticmethod
    def _start(function: Callable[..., None], *arguments: object) -> None:
        # Daemons: the browser keeps connections open for as long as it lives.
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
            if b"upgrade: websocket" in head.lower():
                client.sendall(REFUSAL)
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self._target_port))
            server.sendall(head)
        except OSError:
            client.close()
            return
        self._start(self._pass_on, server, client)
        self._pass_on(client, server)

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass  # One side hung up.
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        source.close()
