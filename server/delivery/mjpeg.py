"""Sends the encoded frames as one endless multipart HTTP response.

HTTP has no acknowledgements, so the kernel stands in for them: the next picture is taken once the
previous one has left this machine's send buffer.
"""

import socket
import time
from collections.abc import Iterator

from server.capture.frames.rendition import FULL
from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Fanout, Room
from server.delivery.socket_queue import (
    PEER_CHECK_S,
    WRITE_DEADLINE_S,
    is_disconnected,
    notify_when_sent,
    unsent_bytes,
)
from server.loop import hub
from server.loop.http_server import answer_was_sent
from server.protocol import BOUNDARY

__all__ = ["FrameWaiter", "MjpegViewer"]


class FrameWaiter:
    """A viewer that holds one frame until :meth:`next` picks it up.

    Args:
        fanout: The camera's fanout.
        rendition: The rendition's name.
    """

    room: Room

    def __init__(self, fanout: Fanout, rendition: str = FULL.name) -> None:
        self.last_seq = 0
        self._fanout = fanout
        self._frame: EncodedFrame | None = None
        self._arrived = hub.Signal()
        fanout.join(self, self, rendition)

    @property
    def obstacle(self) -> str | None:
        """Why it takes no frame now: the last one has not been picked up yet."""
        return "unsent" if self._frame is not None else None

    def send(self, frame: EncodedFrame, _now: float) -> str | None:
        """Store the frame, unless one is waiting."""
        obstacle = self.obstacle
        if obstacle is None:
            self._frame = frame
            self._arrived.set()
        return obstacle

    def miss(self, obstacle: str) -> None:
        """Do nothing: the newest frame follows as soon as this one is picked up."""

    def leave(self) -> None:
        """Stop watching."""
        self._fanout.leave(self)
        self._arrived.set()

    def next(self, timeout_s: float) -> EncodedFrame | None:
        """Return the next frame; None if none came in time or this viewer has left."""
        deadline = time.monotonic() + timeout_s
        while self._frame is None and self._fanout.get(self) is self:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not self._arrived.wait(remaining):
                break
        frame, self._frame = self._frame, None
        return frame


class MjpegViewer:
    """One HTTP connection that watches one camera: newest frame wins, one in flight at a time.

    The WSGI server sends the response header and the first picture. All others are written straight
    to the socket, like a dashboard's; the connection's green thread sends what the kernel did not
    accept at once.

    Args:
        fanout: The camera's fanout.
        sock: The connection's green socket.
        chunked: Whether the response uses the chunked encoding of HTTP/1.1.
        rendition: The rendition's name.
    """

    room: Room

    def __init__(
        self, fanout: Fanout, sock: socket.socket, chunked: bool, rendition: str = FULL.name
    ) -> None:
        self.last_seq = 0
        self._fanout = fanout
        self._sock = sock
        # The underlying socket, which does not block.
        self._kernel: socket.socket = sock.fd  # type: ignore[attr-defined]
        self._chunked = chunked
        self._unsent = memoryview(b"")
        self._wake = hub.Signal()
        sock.settimeout(WRITE_DEADLINE_S)
        notify_when_sent(sock)
        # Join now, so that the camera is not released before the stream begins.
        self._started = False
        fanout.join(self, self, rendition)

    @property
    def obstacle(self) -> str | None:
        """Why it takes no frame now: the first or the previous one is still being sent."""
        busy = self._unsent or not self._started or unsent_bytes(self._kernel)
        return "unsent" if busy else None

    def send(self, frame: EncodedFrame, _now: float) -> str | None:
        """Write the frame without blocking, unless the previous one is still being sent."""
        obstacle = self.obstacle
        if obstacle is not None:
            return obstacle
        packet = frame.chunk if self._chunked else frame.part
        try:
            sent = packet.send(self._kernel)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.leave()
            return "gone"
        if sent < packet.size:
            self._unsent = memoryview(packet.data)[sent:]
            self._wake.set()
        return None

    def miss(self, obstacle: str) -> None:
        """Send the newest frame as soon as the connection is free."""
        self._wake.set()

    def leave(self) -> None:
        """Stop watching."""
        self._fanout.leave(self)
        self._wake.set()

    def stream(self, first: EncodedFrame) -> Iterator[bytes]:
        """Yield the first bytes, then keep the stream going until either side ends it."""
        yield b"--" + BOUNDARY + b"\r\n"
        yield first.part.data
        self.last_seq = first.seq
        self._started = True
        self._fanout.serve(self)
        while self._watching:
            woken = self._wake.wait(PEER_CHECK_S)
            # Checked even after a wake-up: after a reset, unsent bytes stay unsent, and every frame
            # would wake us again.
            if is_disconnected(self._kernel) or (woken and not self._flush()):
                break
            if woken:
                self._fanout.serve(self)
        self._fanout.leave(self)
        if self._unsent:
            answer_was_sent()  # Otherwise the closing chunk would end up inside a picture.

    def _flush(self) -> bool:
        """Write the remaining bytes and wait until they are sent; False if the peer takes none."""
        try:
            while self._unsent and self._watching:
                if not hub.wait_writable(self._sock, WRITE_DEADLINE_S):
                    return False
                self._unsent = self._unsent[self._send_unsent() :]
            return hub.wait_writable(self._sock, WRITE_DEADLINE_S)
        except OSError:
            return False

    def _send_unsent(self) -> int:
        try:
            return self._kernel.send(self._unsent)
        except BlockingIOError:
            return 0

    @property
    def _watching(self) -> bool:
        return self._fanout.get(self) is self and self._fanout.camera.state != "stopped"
