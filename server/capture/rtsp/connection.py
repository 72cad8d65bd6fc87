"""A connection to a camera, over TCP or TLS, with as few system calls as can be."""

import ssl
import struct
import time
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult

from server.capture.streams.tls import make_context
from server.capture.streams.words import DEFAULT_PORTS
from server.config.reserved import is_refused, refusal_of
from server.config.url import must_verify
from server.errors import AddressRefused
from server.loop import native

__all__ = ["Connection"]

TIMEVAL = struct.Struct("@ll")


class Connection:
    """An open connection. For one thread.

    Args:
        parts: The URL of what to connect to.
        timeout_s: How long that may take.
        verify: Whether a certificate must be valid; None only where the host is not private.
        guarded: Whether to connect to no link-local address.

    Raises:
        OSError: If it cannot be reached; an ``ssl.SSLError`` if TLS fails.
        AddressRefused: If it may not be connected to.
    """

    def __init__(
        self, parts: SplitResult, timeout_s: float, verify: bool | None, guarded: bool
    ) -> None:
        host = parts.hostname or ""
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        deadline = time.monotonic() + timeout_s
        self._socket = _connect(host, port, timeout_s, guarded)
        self._plain = parts.scheme == "rtsp"
        try:
            self._socket.setsockopt(native.socket.IPPROTO_TCP, native.socket.TCP_NODELAY, 1)
            if self._plain:
                # The kernel keeps the time: Python would ask it before each read.
                self._socket.settimeout(None)
            else:
                self._socket.settimeout(max(0.1, deadline - time.monotonic()))
                context = make_context(must_verify(verify, host))
                self._socket = context.wrap_socket(self._socket, server_hostname=host)
            self.set_timeout(timeout_s)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return its descriptor, to wait for with others."""
        return int(self._socket.fileno())

    @property
    def peer(self) -> str:
        """The IP address that it leads to."""
        return str(self._socket.getpeername()[0])

    @property
    def has_more(self) -> bool:
        """Whether something was received that its descriptor no longer shows."""
        return not self._plain and self._socket.pending() > 0

    def set_timeout(self, timeout_s: float) -> None:
        """Have a read or write take no longer; at least a millisecond."""
        timeout_s = max(timeout_s, 0.001)
        if not self._plain:
            self._socket.settimeout(timeout_s)
            return
        value = TIMEVAL.pack(int(timeout_s), int(timeout_s % 1 * 1e6))
        for option in (native.socket.SO_RCVTIMEO, native.socket.SO_SNDTIMEO):
            self._socket.setsockopt(native.socket.SOL_SOCKET, option, value)

    def read(self, room: memoryview) -> int:
        """Wait until something arrives; return how many bytes were put into ``room``.

        Raises:
            TimeoutError: If nothing came in time.
            EOFError: If the other side has closed the connection.
            OSError: If the connection is lost.
        """
        try:
            count: int = self._socket.recv_into(room)
        except BlockingIOError:
            raise TimeoutError from None
        if not count:
            raise EOFError
        return count

    def read_now(self, room: memoryview) -> int:
        """Return how many bytes were there already, if its descriptor shows that there are some.

        Over TLS that may be 0: what came was not meant for us, or is not whole.

        Raises:
            EOFError: If the other side has closed the connection.
            OSError: If the connection is lost.
        """
        if self._plain:
            return self.read(room)
        timeout_s = self._socket.gettimeout()
        self._socket.settimeout(0.0)
        try:
            return self.read(room)
        except ssl.SSLWantReadError:
            return 0
        finally:
            self._socket.settimeout(timeout_s)

    def write(self, data: bytes) -> None:
        """Send something short; raises OSError if the connection is lost."""
        try:
            self._socket.sendall(data)
        except BlockingIOError:
            raise TimeoutError from None

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):
            self._socket.close()


def _connect(host: str, port: int, timeout_s: float, guarded: bool) -> Any:
    """Return a socket that is connected to the first of a host's addresses that answers."""
    places = native.socket.getaddrinfo(host, port, type=native.socket.SOCK_STREAM)
    failed: OSError | None = None
    for family, kind, protocol, _, place in places:
        if guarded and is_refused(place[0]):
            raise AddressRefused(refusal_of(host))
        connecting = native.socket.socket(family, kind, protocol)
        try:
            # One that is silent, as of IPv6 where there is none, leaves time for the others.
            connecting.settimeout(timeout_s / len(places))
            connecting.connect(place)
            return connecting
        except OSError as error:
            connecting.close()
            failed = failed or error
    assert failed is not None
    raise failed
