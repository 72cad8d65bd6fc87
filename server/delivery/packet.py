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
        data: The bytes.

    Attributes:
        data: The bytes.
        size: How many there are.
    """

    __slots__ = ("__weakref__", "_fd", "_sent", "data", "size")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self._fd: int | None = None  # Less than 0 if there can be none.
        self._sent = 0

    def send(self, sock: socket.socket) -> int:
        """Send what a non-blocking socket accepts at once; return the number of bytes.

        Raises:
            BlockingIOError: If it accepts none.
            OSError: If its peer has gone.
        """
        self._sent += 1
        if self.size < SHARED_BYTES or self._sent < SHARED_FROM or isinstance(sock, TlsEnd):
            return sock.send(self.data)  # Over TLS it is encrypted for each.
        if self._fd is None:
            self._fd = self._share()
        if self._fd < 0:
            return sock.send(self.data)
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
            return fd if os.write(fd, self.data) == self.size else -1
        except OSError:
            return -1
