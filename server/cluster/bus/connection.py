"""Connections to Redis that never make the hub wait."""

import ipaddress
import socket
from typing import Any

from redis.connection import Connection, SSLConnection

from server.loop import hub

__all__ = ["Names", "PlainConnection", "TlsConnection"]

LOOK_UP_TIMEOUT_S = 1.0


class Names:
    """Finds addresses by name, one native thread at a time for each name.

    The resolver blocks, for as long as half a minute when its own server is away. On the hub that
    would stop everything; on a native thread for each connection it would take those that cameras
    need. What was found the last time is as good as anything until there is an answer.
    """

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}
        self._looking: dict[str, hub.Task] = {}

    def addresses_of(self, name: str) -> list[str]:
        """Return a name's addresses, the best first; digits are one already.

        Raises:
            OSError: If it was never found, and is not found within a second.
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
            pass  # The one found before may still be right.


NAMES = Names()
"""Of this process: connections come and go, and shall share what is known."""


class PlainConnection(Connection):
    """Looks names up without blocking. The rest is green: ``manage.py`` has patched sockets."""

    def _connect(self) -> Any:
        name = self.host
        *others, last = NAMES.addresses_of(name)
        try:
            for address in others:
                try:
                    return self._connect_to(address)
                except OSError:
                    pass  # Such as ::1, where the server listens on 127.0.0.1 only.
            return self._connect_to(last)
        finally:
            self.host = name  # By which TLS knows the peer.

    def _connect_to(self, address: str) -> Any:
        self.host = address
        return super()._connect()  # type: ignore[no-untyped-call]


class TlsConnection(SSLConnection, PlainConnection):
    """The same over TLS."""


def _resolve(name: str) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]
