"""Connections to Redis that never block the hub."""

import ipaddress
import socket
from typing import Any

from redis.connection import Connection, SSLConnection

from server.loop import hub

__all__ = ["Names", "PlainConnection", "TlsConnection"]

LOOK_UP_TIMEOUT_S = 1.0


class Names:
    """Resolves host names, on at most one native thread per name.

    The resolver blocks, for up to half a minute when its name server is away. On the hub that would
    stop everything; on a native thread per connection it would use up those that cameras need.
    Until there is an answer, the last known addresses are used.
    """

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}
        self._looking: dict[str, hub.Task] = {}

    def addresses_of(self, name: str) -> list[str]:
        """Return a name's addresses, the best first; an IP address is returned as it is.

        Raises:
            OSError: If it was never resolved, and is not resolved within a second.
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
            raise OSError("its name is not found")
        return self._found[name]

    def _look_up(self, name: str) -> None:
        try:
            self._found[name] = hub.run_native(_resolve, name)
        except OSError:
            pass  # The addresses found before may still be right.


NAMES = Names()
"""One per process: connections come and go, and share what was resolved."""


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
                    pass  # For example ::1, when the server listens on 127.0.0.1 only.
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
