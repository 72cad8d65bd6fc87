"""Bytes for many connections, which the kernel can send without copying."""

import os
import socket
import weakref

from server.loop.tls import TlsSocket

__all__ = ["SHARED_BYTES", "Packet"]

# A send copies its bytes into the kernel, 58 KiB per picture and viewer. sendfile(2) from a file in
# memory avoids the copy and is a quarter cheaper; creating that file costs what four viewers save.
# For a frame of video of 9 KiB it costs more than the copy, even with 20 viewers.
SHARED_FROM = 5
SHARED_BYTES = 32 * 1024
"""The smallest packet that is sent from a file in memory."""


class Packet:
    """Bytes to be sent to many sockets.

    Args:
        parts: The bytes; those of a large packet are only joined where one piece is needed.

    Attributes:
        size: The number of bytes.
    """

    __slots__ = ("__weakref__", "_fd", "_parts", "_sent", "size")

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts
        self.size = sum(map(len, parts))
        self._fd: int | None = None  # Negative if the file could not be created.
        self._sent = 0

    @property
    def data(self) -> bytes:
        """The bytes in one piece."""
        if len(self._parts) > 1:
            self._parts = (b"".join(self._parts),)
        return self._parts[0]

    def send(self, sock: socket.socket) -> int:
        """Send as much as a non-blocking socket accepts; return the number of bytes.

        Raises:
            BlockingIOError: If it accepts none.
            OSError: If its peer has gone.
        """
        self._sent += 1
        if self.size < SHARED_BYTES or isinstance(sock, TlsSocket):
            return sock.send(self.data)  # TLS encrypts for each connection.
        if self._fd is None and self._sent >= SHARED_FROM:
            self._fd = self._share()
        if self._fd is None or self._fd < 0:
            return sock.sendmsg(self._parts)
        return os.sendfile(sock.fileno(), self._fd, 0, self.size)

    def _share(self) -> int:
        """Write the bytes to an anonymous file; return its descriptor, or -1."""
        try:
            fd = os.memfd_create("porthole-packet", os.MFD_CLOEXEC)
        except OSError:
            return -1  # Out of descriptors: keep copying.
        # Closing is safe: the kernel keeps the pages that are still being sent.
        weakref.finalize(self, os.close, fd).atexit = False
        try:
            return fd if os.writev(fd, self._parts) == self.size else -1
        except OSError:
            return -1
