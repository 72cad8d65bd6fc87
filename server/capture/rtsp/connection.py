"""A TCP or TLS connection to a camera, with as few system calls as possible."""

import ssl
import struct
import time
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult

from server.capture.streams.source_errors import DEFAULT_PORTS
from server.capture.streams.tls import make_context
from server.config.reserved import is_refused, refusal_of
from server.config.url import must_verify
from server.errors import AddressRefused
from server.loop import native

__all__ = ["Connection"]

TIMEVAL = struct.Struct("@ll")


class Connection:
    """An open connection. For one thread.

    Args:
        parts: The camera's URL.
        timeout_s: Limit for connecting.
        verify: Whether the certificate must be valid; None requires it for public hosts only.
        guarded: Whether to refuse link-local addresses.

    Raises:
        OSError: If it cannot be reached; an ``ssl.SSLError`` if TLS fails.
        AddressRefused: If the address is refused.
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
                # Let the kernel enforce timeouts: Python's need a poll() before each read.
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
        """Return the socket's descriptor, for ``select``."""
        return int(self._socket.fileno())

    @property
    def peer(self) -> str:
        """The camera's IP address."""
        return str(self._socket.getpeername()[0])

    @property
    def has_more(self) -> bool:
        """Whether TLS holds decrypted data, which ``select`` does not report."""
        return not self._plain and self._socket.pending() > 0

    def set_timeout(self, timeout_s: float) -> None:
        """Set the limit for each read and write; at least a millisecond."""
        timeout_s = max(timeout_s, 0.001)
        if not self._plain:
            self._socket.settimeout(timeout_s)
            return
        value = TIMEVAL.pack(int(timeout_s), int(timeout_s % 1 * 1e6))
        for option in (native.socket.SO_RCVTIMEO, native.socket.SO_SNDTIMEO):
            self._socket.setsockopt(native.socket.SOL_SOCKET, option, value)

    def read(self, room: memoryview) -> int:
        """Wait for data; return how many bytes were written to ``room``.

        Raises:
            TimeoutError: If nothing arrived in time.
            EOFError: If the camera has closed the connection.
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
        """Read without waiting, once the descriptor is readable; return the number of bytes.

        Over TLS this may be 0: a TLS record may be incomplete, or carry no application data.

        Raises:
            EOFError: If the camera has closed the connection.
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
        """Send a short message; raises OSError if the connection is lost."""
        try:
            self._socket.sendall(data)
        except BlockingIOError:
            raise TimeoutError from None

    def close(self) -> None:
        """Close the connection."""
        with suppress(OSError):
            self._socket.close()


def _connect(host: str, port: int, timeout_s: float, guarded: bool) -> Any:
    """Return a socket connected to the first of the host's addresses that answers."""
    addresses = native.socket.getaddrinfo(host, port, type=native.socket.SOCK_STREAM)
    failed: OSError | None = None
    for family, kind, protocol, _, address in addresses:
        if guarded and is_refused(address[0]):
            raise AddressRefused(refusal_of(host))
        connecting = native.socket.socket(family, kind, protocol)
        try:
            # A dead address, such as IPv6 without a route, must leave time for the others.
            connecting.settimeout(timeout_s / len(addresses))
            connecting.connect(address)
            return connecting
        except OSError as error:
            connecting.close()
            failed = failed or error
    assert failed is not None
    raise failed
