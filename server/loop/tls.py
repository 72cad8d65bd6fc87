"""The server's end of a connection over TLS, for both green and non-blocking callers.

OpenSSL never sees the socket: it encrypts into memory, and what it made is sent from there with one
call. What could not be sent stays here, bounded. ``ssl.SSLSocket`` makes a call for each record of
16 KiB instead; measured, both cost the same, and eventlet's version of it waits where it must not.
"""

import errno
import ssl
from typing import Any

from server.loop.native import socket

__all__ = ["TlsEnd"]

# A TLS record that begins a handshake (RFC 8446 section 5.1); no method of HTTP begins like that.
HANDSHAKE = b"\x16"

# The longest record (RFC 8446 section 5.1). OpenSSL keeps a buffer for what it wrote at a time.
RECORD_BYTES = 16 * 1024

# Sent with one call: most pictures are.
BATCH_BYTES = 4 * RECORD_BYTES

# Read from the kernel at a time; as little as without TLS, so that a flood cannot hold up the hub.
READ_BYTES = 8 * 1024

# Answers of OpenSSL's own (alerts, new keys) that a peer may leave unread.
MAX_OWN_BYTES = 64 * 1024

# Received without a byte for us: more than any record, and new keys without end cost CPU time.
MAX_SILENT_BYTES = 64 * 1024


class TlsEnd(socket.socket):  # type: ignore[misc]
    """A kernel's non-blocking socket that speaks TLS from :meth:`secure` on, and plainly before.

    It does what a plain one does, so a green socket can stand on it, with two exceptions:
    :meth:`recv` returns all that has arrived, and after :meth:`send` has accepted a part or nothing
    the next call must bring the rest, for it may be encrypted already.

    Args:
        sock: A connected kernel socket; this takes its descriptor over.
    """

    def __init__(self, sock: Any) -> None:
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self.setblocking(False)
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._silent = 0  # Bytes received since the last ones for the caller.
        self._unsent: list[memoryview] = []  # Encrypted.
        self._covers = 0  # How many of the caller's bytes that is; 0 if it is OpenSSL's own.

    @property
    def is_secure(self) -> bool:
        """Whether what comes now is encrypted."""
        return self._tls is not None

    def begins_handshake(self) -> bool:
        """Whether the first byte is of TLS.

        Raises:
            BlockingIOError: If there is no byte yet.
        """
        first: bytes = super().recv(1, socket.MSG_PEEK)
        return first == HANDSHAKE

    def secure(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on; call :meth:`shake_hands` until it is done."""
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def shake_hands(self) -> bool:
        """Take what has arrived one step further; return whether the handshake is complete.

        Takes half a millisecond of CPU time with an elliptic key, and several with a long RSA key.

        Raises:
            OSError: If the peer has gone, or speaks no TLS that is accepted; it is told so.
        """
        assert self._tls is not None
        try:
            if not self._feed():
                raise ConnectionResetError(errno.ECONNRESET, "it ended within the handshake")
            self._tls.do_handshake()
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        finally:
            self.flush()
        return True

    def flush(self) -> bool:
        """Send what OpenSSL has to say by itself; return whether nothing is left.

        Raises:
            OSError: If the peer reads none of it for long, or has gone.
        """
        if self._outgoing.pending:
            self._unsent.append(memoryview(self._outgoing.read()))
            if sum(map(len, self._unsent)) > BATCH_BYTES + MAX_OWN_BYTES:
                raise ConnectionAbortedError(errno.ECONNABORTED, "it reads nothing of our answers")
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

    # As a plain socket has them.

    def send(self, data: Any, flags: int = 0) -> int:
        """Send what the kernel accepts at once; return how many of the bytes that were.

        Raises:
            BlockingIOError: If it accepts none.
            OSError: If the peer has gone, or this is not the rest of what was begun.
        """
        if self._tls is None:
            return int(super().send(data, flags))
        view, done = memoryview(data), 0
        while done < len(view):
            if not self._covers:
                self._encrypt(view[done : done + BATCH_BYTES])
            if self._covers > len(view) - done:
                # Somebody gave up halfway, and says something else: nobody would understand it.
                raise BrokenPipeError(errno.EPIPE, "what was begun must be sent first")
            if not self.flush():
                break
            done += self._covers
            self._covers = 0
        if not done and len(view):
            raise BlockingIOError(errno.EAGAIN, "the kernel's buffer is full")
        return done

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return everything that has arrived, whatever the size asked for.

        What stayed here would not make the descriptor readable.

        Raises:
            BlockingIOError: If nothing has.
            OSError: If it cannot be decrypted, or the peer has broken off.
        """
        if self._tls is None:
            return bytes(super().recv(size, flags))
        arrived = self._feed()
        parts = []
        try:
            while part := self._tls.read(READ_BYTES):
                parts.append(part)
            arrived = False  # It said goodbye.
        except ssl.SSLZeroReturnError:
            arrived = False
        except ssl.SSLWantReadError:
            pass
        self.flush()
        if parts:
            self._silent = 0
        elif arrived:
            raise BlockingIOError(errno.EAGAIN, "no whole record yet")
        return b"".join(parts)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Fill a buffer as far as data has arrived; return how many bytes that were, 0 at the end.

        Raises:
            BlockingIOError: If nothing has.
            OSError: If it cannot be decrypted, or the peer has broken off.
        """
        if self._tls is None:
            return int(super().recv_into(buffer, nbytes, flags))
        size = nbytes or len(buffer)
        while True:
            try:
                count: int = self._tls.read(size, buffer)  # type: ignore[assignment]
                self._silent = 0
                return count
            except ssl.SSLZeroReturnError:
                return 0
            except ssl.SSLWantReadError:
                self.flush()
            if not self._feed():
                return 0

    def shutdown(self, how: int) -> None:
        """Say goodbye, if nothing is half sent, and end the connection."""
        if self._tls is not None and not self._unsent:
            try:
                self._tls.unwrap()
            except (ssl.SSLError, ValueError):
                pass  # It has sent its own first, as always, or there was no handshake.
            try:
                self.flush()
            except OSError:
                pass  # The peer was faster.
        super().shutdown(how)

    def _encrypt(self, batch: memoryview) -> None:
        assert self._tls is not None
        while self._covers < len(batch):
            record = batch[self._covers : self._covers + RECORD_BYTES]
            self._covers += self._tls.write(record)
            self._unsent.append(memoryview(self._outgoing.read()))

    def _feed(self) -> bool:
        """Give OpenSSL what the kernel has; return False if the peer has ended the connection."""
        data = super().recv(READ_BYTES)
        self._silent += len(data)
        if self._silent > MAX_SILENT_BYTES:
            raise ConnectionAbortedError(errno.ECONNABORTED, "it sends nothing but TLS itself")
        self._incoming.write(data)
        return bool(data)
