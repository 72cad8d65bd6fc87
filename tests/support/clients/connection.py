"""A cheap client's connection: a socket read at a given rate, and what arrived on it.

A *light* one reads only a picture's header and lets the kernel discard the picture, so that
hundreds of them fit on a core.
"""

import socket
import ssl
import time
from dataclasses import dataclass, field

__all__ = ["Arrival", "Connection"]

READ_BYTES = 256 * 1024

# Bytes that a light viewer reads of a message: enough for the header, and little of the picture.
HEAD_BYTES = 512

# With MSG_TRUNC TCP copies nothing into it (tcp(7)), but Python requires a buffer.
NOWHERE = bytearray(1024 * 1024)


@dataclass(slots=True)
class Arrival:
    """One received frame.

    Attributes:
        seq: Its number; for MJPEG, a count.
        at_unix: Its capture time in Unix seconds.
        received_unix: When its last byte was read, in Unix seconds.
        size: Size of the JPEG or the access unit, in bytes.
        codec: Codec of a frame of video; None for a JPEG.
        catch_up: Whether it is only decoded, not painted; a viewer does not count it as an arrival.
    """

    seq: int
    at_unix: float
    received_unix: float
    size: int
    codec: str | None = None
    catch_up: bool = False

    @property
    def age_s(self) -> float:
        """Age of the picture on arrival."""
        return self.received_unix - self.at_unix


@dataclass
class Connection:
    """The common part of both kinds of viewer: a socket, a buffer and a rate to read at.

    Attributes:
        bytes_per_s: The rate; None for no limit.
        receive_buffer: The kernel's buffer, in bytes; None for its default.
        light: Whether pictures are discarded unread: ``last_jpeg`` stays empty. Ignores the rate.
            Ignored over TLS, where everything must be decrypted.
        tls: Trusted certificates, for a connection over TLS.
        last_jpeg: The newest picture.
    """

    host: str
    port: int
    bytes_per_s: float | None = None
    receive_buffer: int | None = None
    light: bool = False
    tls: ssl.SSLContext | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    last_jpeg: bytes = b""
    closed: bool = False

    def connect(self) -> None:
        self.sock = socket.socket()
        if self.receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        self.sock.connect((self.host, self.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls is not None:
            self.light = False
            self.sock = self.tls.wrap_socket(self.sock, server_hostname=self.host)
        self._buffer = bytearray()
        self._skip = 0  # Bytes of a picture still to be discarded.
        self._coming = Arrival(0, 0.0, 0.0, 0)  # The frame that they belong to.
        self._allowance = 0.0
        self._allowed_at = time.monotonic()

    @property
    def wants_bytes(self) -> bool:
        """Return whether its rate allows a read now."""
        if self.bytes_per_s is None:
            return True
        now = time.monotonic()
        # A fifth of a second at a time: a poor link carries packets, not long bursts.
        self._allowance = min(
            self._allowance + (now - self._allowed_at) * self.bytes_per_s, self.bytes_per_s / 5
        )
        self._allowed_at = now
        return self._allowance >= 1

    def read(self) -> None:
        """Read and handle what is available, as far as the rate allows."""
        if self.light:
            self._read_light()
            return
        limit = READ_BYTES if self.bytes_per_s is None else max(1, int(self._allowance))
        try:
            data = self.sock.recv(limit)
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError):
            return
        except OSError:
            data = b""
        self._allowance -= len(data)
        if not data:
            self.closed = True
            return
        self._buffer += data
        self._parse()

    def _read_light(self) -> None:
        try:
            if not self._skip:
                data = self.sock.recv(HEAD_BYTES)
                if not data:
                    self.closed = True
                    return
                self._buffer += data
                self._parse()
            if self._skip:
                size = min(self._skip, len(NOWHERE))
                taken = self.sock.recv_into(NOWHERE, size, socket.MSG_TRUNC)
                if not taken:
                    self.closed = True
                self._skip -= taken
                if not self._skip:
                    self._arrive(self._coming)
        except (BlockingIOError, TimeoutError):
            return
        except OSError:
            self.closed = True

    def _discard(self, arrival: Arrival, present: int) -> None:
        """Discard the rest of a picture; the buffer ends with ``present`` bytes of it."""
        self._coming = arrival
        self._skip = arrival.size - present
        self._buffer.clear()

    def _parse(self) -> None:
        raise NotImplementedError

    def _arrive(self, arrival: Arrival) -> None:
        """Record a picture whose last byte was just read."""
        arrival.received_unix = time.time()
        self.arrivals.append(arrival)

    def close(self) -> None:
        self.closed = True
        self.sock.close()
