"""The server's end of a TLS connection, for both green and non-blocking callers.

OpenSSL never sees the socket: it encrypts into memory, and the result is sent from there with one
call. Bytes that could not be sent stay here, up to a limit. ``ssl.SSLSocket`` makes a call for each
record of 16 KiB instead; both cost the same when measured, but eventlet's version of it blocks
where it must not.
"""

import errno
import ssl
from typing import Any

from server.loop.native import socket

__all__ = ["TlsSocket"]

# First byte of a TLS handshake record (RFC 8446 section 5.1); no HTTP method begins with it.
HANDSHAKE = b"\x16"

# The longest record (RFC 8446 section 5.1). OpenSSL keeps a buffer of the size of one write.
RECORD_BYTES = 16 * 1024

# Sent with one call; enough for most pictures.
BATCH_BYTES = 4 * RECORD_BYTES

# Read with one call; as little as without TLS, so that a flood cannot block the hub.
READ_BYTES = 8 * 1024

# The most of OpenSSL's own answers (alerts, key updates) that a peer may leave unread.
MAX_UNREAD_BYTES = 64 * 1024

# The most bytes received in a row without application data. It is larger than any record; an
# endless series of key updates would cost CPU time.
MAX_OVERHEAD_BYTES = 64 * 1024


class TlsSocket(socket.socket):  # type: ignore[misc]
    """A non-blocking socket that is plain until :meth:`secure`, then speaks TLS.

    It behaves like a plain socket, so that a green socket can wrap it, with two exceptions:
    :meth:`recv` returns all that has arrived, and after :meth:`send` has accepted a part or nothing
    the next call must pass the rest, because that may already be encrypted.

    Args:
        sock: A connected kernel socket, whose descriptor this takes over.
    """

    def __init__(self, sock: Any) -> None:
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self.setblocking(False)
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._overhead = 0  # Bytes received since the last application data.
        self._unsent: list[memoryview] = []  # Encrypted.
        self._covers = 0  # How many of the caller's bytes they contain; 0 for OpenSSL's own.

    @property
    def is_secure(self) -> bool:
        """Whether the connection uses TLS now."""
        return self._tls is not None

    def begins_handshake(self) -> bool:
        """Whether the first byte begins a TLS handshake.

        Raises:
            BlockingIOError: If there is no byte yet.
        """
        first: bytes = super().recv(1, socket.MSG_PEEK)
        return first == HANDSHAKE

    def secure(self, context: ssl.SSLContext) -> None:
        """Switch to TLS; then call :meth:`do_handshake` until it returns True."""
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def do_handshake(self) -> bool:
        """Continue the handshake with the data that arrived; return whether it is complete.

        Takes half a millisecond of CPU time with an elliptic curve key, several with an RSA key.

        Raises:
            OSError: If the peer has gone, or its TLS is not accepted; it is sent an alert.
        """
        assert self._tls is not None
        try:
            if not self._feed():
                raise ConnectionResetError(errno.ECONNRESET, "it ended during the handshake")
            self._tls.do_handshake()
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        finally:
            self.flush()
        return True

    def flush(self) -> bool:
        """Send pending bytes, including OpenSSL's own answers; return whether nothing is left.

        Raises:
            OSError: If the peer leaves too many answers unread, or has gone.
        """
        if self._outgoing.pending:
            self._unsent.append(memoryview(self._outgoing.read()))
            if sum(map(len, self._unsent)) > BATCH_BYTES + MAX_UNREAD_BYTES:
                raise ConnectionAbortedError(errno.ECONNABORTED, "it reads none of our answers")
        while self._unsent:
            try:
                sent = super().sendmsg(self._unsent)
            except BlockingIOError:
                return False
            while self._unsent and sent >= len(self._unsent[0]):
                sent -= len(self._unsent.pop(0))
            if sent:
                self._unsent[0] = self._unsent[0][sent:]
        return True

    # The interface of a plain socket.

    def send(self, data: Any, flags: int = 0) -> int:
        """Send as much as the kernel accepts; return the number of bytes.

        Raises:
            BlockingIOError: If it accepts none.
            OSError: If the peer has gone, or these bytes do not continue an unfinished send.
        """
        if self._tls is None:
            return int(super().send(data, flags))
        view, done = memoryview(data), 0
        while done < len(view):
            if not self._covers:
                self._encrypt(view[done : done + BATCH_BYTES])
            if self._covers > len(view) - done:
                # The caller gave up halfway and sends something else: the stream would be corrupt.
                raise BrokenPipeError(errno.EPIPE, "an unfinished send must be completed first")
            if not self.flush():
                break
            done += self._covers
            self._covers = 0
        if not done and len(view):
            raise BlockingIOError(errno.EAGAIN, "the kernel's buffer is full")
        return done

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return everything that has arrived, whatever ``size`` is.

        Bytes left in OpenSSL would not make the descriptor readable.

        Raises:
            BlockingIOError: If nothing has arrived.
            OSError: If it cannot be decrypted, or the peer has aborted the connection.
        """
        if self._tls is None:
            return bytes(super().recv(size, flags))
        arrived = self._feed()
        parts = []
        try:
            while part := self._tls.read(READ_BYTES):
                parts.append(part)
            arrived = False  # The peer has closed TLS.
        except ssl.SSLZeroReturnError:
            arrived = False
        except ssl.SSLWantReadError:
            pass
        self.flush()
        if parts:
            self._overhead = 0
        elif arrived:
            raise BlockingIOError(errno.EAGAIN, "no whole record yet")
        return b"".join(parts)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Read into a buffer what has arrived; return the number of bytes, 0 at the end.

        Raises:
            BlockingIOError: If nothing has arrived.
            OSError: If it cannot be decrypted, or the peer has aborted the connection.
        """
        if self._tls is None:
            return int(super().recv_into(buffer, nbytes, flags))
        size = nbytes or len(buffer)
        while True:
            try:
                count: int = self._tls.read(size, buffer)  # type: ignore[assignment]
                self._overhead = 0
                return count
            except ssl.SSLZeroReturnError:
                return 0
            except ssl.SSLWantReadError:
                self.flush()
            if not self._feed():
                return 0

    def shutdown(self, how: int) -> None:
        """Close TLS unless a send is unfinished, and end the connection."""
        if self._tls is not None and not self._unsent:
            try:
                self._tls.unwrap()
            except (ssl.SSLError, ValueError):
                pass  # The peer has not closed TLS yet, as usual, or there was no handshake.
            try:
                self.flush()
            except OSError:
                pass  # The peer has gone already.
        super().shutdown(how)

    def _encrypt(self, batch: memoryview) -> None:
        assert self._tls is not None
        while self._covers < len(batch):
            record = batch[self._covers : self._covers + RECORD_BYTES]
            self._covers += self._tls.write(record)
            self._unsent.append(memoryview(self._outgoing.read()))

    def _feed(self) -> bool:
        """Pass received bytes to OpenSSL; return False if the peer has ended the connection."""
        data = super().recv(READ_BYTES)
        self._overhead += len(data)
        if self._overhead > MAX_OVERHEAD_BYTES:
            raise ConnectionAbortedError(errno.ECONNABORTED, "it sends TLS records without content")
        self._incoming.write(data)
        return bool(data)
