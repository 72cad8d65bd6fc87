"""Certificates for tests, and clients that trust them."""

import datetime
import functools
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from eventlet import greenio

from server.loop import hub
from server.loop.tls import TlsSocket
from server.web.edge.certificate import make_certificate, make_key
from server.web.edge.certificate_sources import make_context

__all__ = ["Certified", "TlsClient", "certified", "secure"]

T = TypeVar("T")

HOSTS = ("localhost", "127.0.0.1")


class Certified:
    """A folder with a certificate, ``cert.pem``, and its key, ``key.pem``.

    Args:
        folder: Created if it is missing.
        hosts: The certificate's host names and addresses.
        ago: Its age.
    """

    def __init__(
        self,
        folder: Path,
        hosts: Sequence[str] = HOSTS,
        ago: datetime.timedelta = datetime.timedelta(),
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.cert, self.key = folder / "cert.pem", folder / "key.pem"
        key = make_key()
        self.key.write_bytes(key)
        self.cert.write_bytes(
            make_certificate(key, hosts, datetime.datetime.now(datetime.UTC) - ago)
        )

    def context(self) -> ssl.SSLContext:
        """Return a server's TLS context."""
        context = make_context()
        context.load_cert_chain(self.cert, self.key)
        return context

    def trust(self) -> ssl.SSLContext:
        """Return a client's context that trusts only this certificate."""
        return ssl.create_default_context(cafile=self.cert)


class TlsClient:
    """A client's TLS socket that lets the hub run while it waits."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        sock.setblocking(False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int) -> bytes:
        """Return the next decrypted data as soon as there is some."""
        return self._repeat(lambda: self._sock.recv(size))

    def recv_now(self, size: int) -> bytes:
        """Return the next decrypted data without waiting; empty if the server hung up.

        Raises:
            BlockingIOError: If there is nothing yet.
        """
        try:
            return self._sock.recv(size)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        except ssl.SSLEOFError:
            return b""

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._repeat(functools.partial(self._sock.send, rest)) :]

    def _repeat(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                if not hub.wait_readable(self._sock, 3):
                    raise TimeoutError("nothing comes") from None
            except ssl.SSLWantWriteError:
                if not hub.wait_writable(self._sock, 3):
                    raise TimeoutError("nothing is read") from None


def secure(
    certified: Certified, server: greenio.GreenSocket, client: socket.socket
) -> tuple[greenio.GreenSocket, TlsClient]:
    """Return both ends of a connection after their handshake."""
    ours = TlsSocket(server.fd)
    theirs = certified.trust().wrap_socket(
        client, server_hostname="localhost", do_handshake_on_connect=False
    )
    ours.secure(certified.context())
    theirs.setblocking(False)
    done = [False, False]
    while not all(done):
        try:
            theirs.do_handshake()
            done[0] = True
        except ssl.SSLWantReadError:
            pass
        if not done[1] and hub.wait_readable(ours, 2):
            done[1] = ours.do_handshake()
    return greenio.GreenSocket(ours), TlsClient(theirs)


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """A certificate for this machine."""
    return Certified(tmp_path_factory.mktemp("certified"))
