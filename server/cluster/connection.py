"""Connections to Redis that never make the hub wait."""

import socket
from typing import Any

from redis.connection import Connection, SSLConnection

from server import hub

__all__ = ["PlainConnection", "TlsConnection"]


class PlainConnection(Connection):
    """Looks names up on a native thread: the resolver blocks, for seconds when its server is down.

    Everything else is done on green sockets, which ``manage.py`` has patched in.
    """

    def _connect(self) -> Any:
        name = self.host
        found = hub.run_native(_look_up, name, self.port, self.socket_type)
        try:
            self.host = found
            return super()._connect()  # type: ignore[no-untyped-call]
        finally:
            self.host = name  # By which TLS knows the peer.


class TlsConnection(SSLConnection, PlainConnection):
    """The same over TLS."""


def _look_up(name: str, port: int, kind: int) -> str:
    return str(socket.getaddrinfo(name, port, kind, socket.SOCK_STREAM)[0][4][0])
