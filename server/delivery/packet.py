"""Bytes for many connections, which the kernel can send without copying them."""

import os
import socket
import weakref

from server.loop.tls import TlsEnd

__all__ = ["Packet"]

# A send copies its bytes into the kernel: 58 KiB for each viewer of a picture. sendfile(2) sends
# from a file in memory without a copy, which is a quarter cheaper; making that file costs what four
# viewers save. Of 9 KiB, a frame of video, it costs more than the copy; even at 20.
SHARED_FROM = 5
SHARED_BYTES = 32 * 1024


class Packet:
    """Bytes to be sent to many sockets.

    Args:
        data: The bytes.
    """

    __slots__ = ("__weakref__", "_fd", "_sent", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._fd = -1
        self._sent = 0

    def __len__(self) -> int:
        return len(self.data)

    def send(self, sock: socket.socket) -> int:
        """Send what a non-blocking socket accepts at once; return the number of bytes.

        Raises:
            BlockingIOError: If it accepts none.
            OSError: If its peer has gone.
        """
        if isinstance(sock, TlsEnd):
            return sock.send(self.data)  # Encrypted for each.
        self._sent += 1
        if self._sent == SHARED_FROM and len(self.data) >= SHARED_BYTES:
            self._share()
        if self._fd < 0:
            return sock.send(self.data)
        return os.sendfile(sock.fileno(), self._fd, 0, len(self.data))

    def _share(self) -> None:
        """Write the bytes to an anonymous file; bytes still being sent outlive it."""
        try:
            fd = os.memfd_create("porthole-packet", os.MFD_CLOEXEC)
        except OSError:
            return  # Out of descriptors: keep copying.
        weakref.finalize(self, os.close, fd).atexit = False
        try:
            complete = os.write(fd, self.data) == len(self.data)
        except OSError:
            complete = False
        if complete:
            self._fd = fd
