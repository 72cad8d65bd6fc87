"""The same encoded frames as one endless multipart HTTP response.

There are no acknowledgements on this way, so the kernel's word stands in for them: the next picture
is taken when the one before has left this machine's send buffer.
"""

import socket
import time
from collections.abc import Iterator

from server import hub
from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Fanout
from server.protocol import BOUNDARY

__all__ = ["MjpegViewer"]

# Bytes not yet on the wire at which the kernel still calls a socket writable (tcp(7)).
UNSENT_BYTES = 1

TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)

# A peer that takes nothing of a picture for this long has gone.
WRITE_DEADLINE_S = 12.0

# How often a connection without new pictures is looked at, to see whether its peer has gone.
PEER_CHECK_S = 1.0


class MjpegViewer:
    """One HTTP connection that watches one camera: newest frame wins, and only one is on its way.

    Args:
        fanout: Of the camera to watch.
        sock: The connection's green socket, or None where there is none to bound.
    """

    def __init__(self, fanout: Fanout, sock: socket.socket | None) -> None:
        self.last_seq = 0
        self._fanout = fanout
        self._sock = sock
        self._frame: EncodedFrame | None = None
        self._arrived = hub.Signal()
        self._sending = False
        if sock is not None:
            sock.settimeout(WRITE_DEADLINE_S)
            sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        fanout.join(self, self)

    @property
    def obstacle(self) -> str | None:
        """Why no frame can be taken now: the last one is still going out."""
        return "unsent" if self._sending or self._frame is not None else None

    def send(self, frame: EncodedFrame, _now: float) -> str | None:
        """Take the frame unless one is under way; the response picks it up."""
        obstacle = self.obstacle
        if obstacle is None:
            self._frame = frame
            self._arrived.set()
        return obstacle

    def miss(self, obstacle: str) -> None:
        """Do nothing: the newest frame follows as soon as the line is free."""

    def leave(self) -> None:
        """Stop watching."""
        self._fanout.leave(self)
        self._arrived.set()

    def next(self, timeout_s: float) -> EncodedFrame | None:
        """Return the next frame, or None if none came in time or this viewer has left."""
        deadline = time.monotonic() + timeout_s
        while self._frame is None and self._here:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not self._arrived.wait(remaining):
                break
        frame, self._frame = self._frame, None
        return frame

    def stream(self, first: EncodedFrame) -> Iterator[bytes]:
        """Yield multipart bytes, from ``first`` on, until the peer or the server has had enough."""
        frame: EncodedFrame | None = first
        yield b"--" + BOUNDARY + b"\r\n"
        while self._here:
            if frame is not None:
                self._sending = True
                yield frame.part
                if self._sock is not None and not hub.wait_writable(self._sock, WRITE_DEADLINE_S):
                    return
                self._sending = False
                if self._frame is None:
                    self._fanout.serve(self)
            elif self._peer_has_gone():
                return
            frame = self.next(PEER_CHECK_S)

    @property
    def _here(self) -> bool:
        return self._fanout.get(self) is self and self._fanout.camera.state != "stopped"

    def _peer_has_gone(self) -> bool:
        if self._sock is None:
            return False
        try:
            # The real socket: a green one would wait for the peer to speak, whatever the flags say.
            peeked: bytes = self._sock.fd.recv(1, socket.MSG_PEEK)  # type: ignore[attr-defined]
            return peeked == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
