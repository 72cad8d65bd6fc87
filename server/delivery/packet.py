"""Bytes for many connections, which the kernel can send without copying them."""

import os
import socket
import weakref

from server.loop.tls import TlsEnd

__all__ = ["SHARED_BYTES", "Packet"]

# A send copies its bytes into the kernel: 58 KiB for each viewer of a picture. sendfile(2) sends
# from a file in memory without a copy, which is a quarter cheaper; making that file costs what four
# viewers save. Of 9 KiB, a frame of video, it costs more than the copy; even at 20.
SHARED_FROM = 5
SHARED_BYTES = 32 * 1024
"""From which size on bytes are shared."""


class Packet:
    """Bytes to be sent to many sockets.

    Args:
        parts: The bytes; a large packet's are only joined for who cannot take them in parts.

    Attributes:
        size: How many there are.
    """

    __slots__ = ("__weakref__", "_fd", "_parts", "_sent", "size")

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts
        self.size = sum(map(len, parts))
        self._fd: int | None = None  # Less than 0 if there can be none.
        self._sent = 0

    @property
    def data(self) -> bytes:
        """The bytes in one piece."""
        if len(self._parts) > 1:
            self._parts = (b"".join(self._parts),)
        return self._parts[0]

    def send(self, sock: socket.socket) -> int:
        """Send what a non-blocking socket accepts at once; return the number of bytes.

        Raises:
            BlockingIOError: If it accepts none.
            OSError: If its peer has gone.
        """
        self._sent += 1
        if self.size < SHARED_BYTES or isinstance(sock, TlsEnd):
            return sock.send(self.data)  # Over TLS it is encrypted for each.
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
        # Bytes still being sent outlive it.
        weakref.finalize(self, os.close, fd).atexit = False
        try:
            return fd if os.writev(fd, self._parts) == self.size else -1
        except OSError:
            return -1
