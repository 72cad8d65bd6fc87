"""Connections to Redis that never block the hub."""

import ipaddress
import socket
from typing import Any

from redis.connection import Connection, SSLConnection

from server.loop import hub

__all__ = ["PlainConnection", "Resolver", "TlsConnection"]

LOOK_UP_TIMEOUT_S = 1.0


class Resolver:
    """Resolves host names, on at most one native thread per name.

    The resolver blocks: for up to half a minute if its name server is down. On the hub that would
    stop everything; with a native thread per connection, none would be left for the cameras.
    Until there is an answer, the last known addresses are used.
    """

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}
        self._looking: dict[str, hub.Task] = {}

    def addresses_of(self, name: str) -> list[str]:
        """Return a name's addresses, best first; an IP address is returned unchanged.

        Raises:
            OSError: If the name was never resolved and cannot be within a second.
        """
        try:
            return [str(ipaddress.ip_address(name))]
        except ValueError:
            pass
        task = self._looking.get(name)
        if task is None or task.done:
            task = self._looking[name] = hub.spawn(self._look_up, name)
        task.join(LOOK_UP_TIMEOUT_S)
        if name not in self._found:
            raise OSError("its name cannot be resolved")
        return self._found[name]

    def _look_up(self, name: str) -> None:
        try:
            self._found[name] = hub.run_native(_resolve, name)
        except OSError:
            pass  # The last known addresses may still be right.


NAMES = Resolver()
"""One per process, shared by all connections."""


class PlainConnection(Connection):
    """Resolves names without blocking. Sockets are already green, patched by ``manage.py``."""

    def _connect(self) -> Any:
        name = self.host
        *others, last = NAMES.addresses_of(name)
        try:
            for address in others:
                try:
                    return self._connect_to(address)
                except OSError:
                    pass  # Such as ::1, if the server listens on 127.0.0.1 only.
            return self._connect_to(last)
        finally:
            self.host = name  # TLS verifies the peer by its name.

    def _connect_to(self, address: str) -> Any:
        self.host = address
        return super()._connect()  # type: ignore[no-untyped-call]


class TlsConnection(SSLConnection, PlainConnection):
    """A :class:`PlainConnection` over TLS."""


def _resolve(name: str) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
