"""A cheap load client: hundreds of viewers in one process.

It speaks Socket.IO over WebSocket and MJPEG over HTTP, on plain sockets and one selector, so that
measurements show the server and not the client. A viewer acknowledges as the browser does, or not
at all, or reads at the rate of a poor link.
"""

import base64
import json
import os
import selectors
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.clients.connection import Arrival, Connection

__all__ = ["Crowd", "MjpegViewer", "Viewer"]

# A client that acknowledges several frames together must do so within the first of these times, or
# the second if it has announced `acks` (docs/protocol.md).
ACK_DEADLINE_S = 0.05

RARE_ACK_DEADLINE_S = 0.25

# The most pictures one acknowledgement covers, even where more frames of video would be allowed.
MAX_PICTURES_PER_ACK = 4

# A frame is late when this many intervals have passed since the one before.
LATE_INTERVALS = 1.5


@dataclass
class Viewer(Connection):
    """A Socket.IO connection that can watch cameras.

    Attributes:
        ack: ``each`` acknowledges every frame as it arrives, ``none`` never does.
        ack_every: How many frames one acknowledgement may cover, as far as the frame rate allows
            (see static/js/stream/thinning.js); :class:`Crowd` keeps its deadline.
        keep_events: Whether ``events`` collects the server's other events.
        headers: Sent with the handshake, such as ``Authorization`` or ``Cookie`` and ``Origin``.
        auth: Sent as the Socket.IO ``auth`` payload.
        refusal: The server's reason for rejecting this connection.
    """

    ack: str = "each"
    ack_every: int = 1
    keep_events: bool = True
    on_frame: Callable[[dict[str, Any], bytes], None] | None = None
    events: list[tuple[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    auth: Any = None
    refusal: Any = None

    def connect(self) -> None:
        """Open the connection and wait until it is a Socket.IO session."""
        super().connect()
        self._replies: dict[int, Any] = {}
        self._next_id = 0
        self._header: dict[str, Any] | None = None
        self._unacknowledged = 0
        self._unacknowledged_since = 0.0
        self._interval_s = 0.0
        self._camera = ""
        key = base64.b64encode(os.urandom(16)).decode()
        more = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        self.sock.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
            f"Host: {self.host}:{self.port}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{more}\r\n".encode()
        )
        while b"\r\n\r\n" not in self._buffer:
            data = self.sock.recv(4096)
            if not data:
                raise ConnectionError(f"refused: {bytes(self._buffer[:200])!r}")
            self._buffer += data
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if b" 101 " not in head:
            raise ConnectionError(f"refused: {head[:200]!r}")
        self._buffer = bytearray(rest)
        self.sid = ""
        pace, self.bytes_per_s = self.bytes_per_s, None
        self.send_text("40" if self.auth is None else "40" + json.dumps(self.auth))
        self._parse()
        self.pump(lambda: bool(self.sid), 5)
        self.bytes_per_s = pace
        self.sock.setblocking(False)

    def send_text(self, text: str) -> None:
        """Send a WebSocket text message; the mask is zero, which is valid and costs nothing."""
        payload = text.encode()
        size = len(payload)
        head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + struct.pack("!H", size)
        data = head + b"\0\0\0\0" + payload
        try:
            data = data[self.sock.send(data) :]
        except (BlockingIOError, TimeoutError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self.closed = True
            return
        if not data:
            return
        timeout_s = self.sock.gettimeout()
        self.sock.setblocking(True)
        try:
            self.sock.sendall(data)
        except OSError:
            self.closed = True
        self.sock.settimeout(timeout_s)

    def emit(self, event: str, *arguments: object) -> None:
        """Send an event without asking for a reply."""
        self.send_text("42" + json.dumps([event, *arguments]))

    def ask(self, event: str, *arguments: object) -> int:
        """Send an event and ask for a reply, which :meth:`reply` returns once it has arrived."""
        self._next_id += 1
        self.send_text(f"42{self._next_id}" + json.dumps([event, *arguments]))
        return self._next_id

    def reply(self, number: int) -> Any:
        """Return the reply to :meth:`ask`, or None if it has not arrived."""
        return self._replies.get(number)

    def call(self, event: str, *arguments: object, timeout_s: float = 5) -> Any:
        """Send an event and return its reply, handling other messages meanwhile."""
        number = self.ask(event, *arguments)
        self.pump(lambda: number in self._replies, timeout_s)
        return self._replies.pop(number)

    def pump(self, until: Callable[[], bool], timeout_s: float) -> None:
        """Read until a condition holds.

        Raises:
            TimeoutError: If it does not within ``timeout_s``.
            ConnectionError: If the connection ends first.
        """
        deadline = time.monotonic() + timeout_s
        self.sock.setblocking(True)
        try:
            while not until():
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError
                if self.closed:
                    raise ConnectionError("the server closed the connection")
                self.sock.settimeout(min(remaining, 0.05))
                if self.wants_bytes:
                    self.read()
        finally:
            if not self.closed:
                self.sock.setblocking(False)

    def _parse(self) -> None:
        buffer = self._buffer
        at = 0
        while len(buffer) - at >= 2:
            size, head = buffer[at + 1] & 0x7F, 2
            if size == 126:
                head = 4
                if len(buffer) - at < head:
                    break
                size = int.from_bytes(buffer[at + 2 : at + 4], "big")
            elif size == 127:
                head = 10
                if len(buffer) - at < head:
                    break
                size = int.from_bytes(buffer[at + 2 : at + 10], "big")
            if len(buffer) - at < head + size:
                if self.light and buffer[at] & 0x0F == 2:
                    self._discard(self._announced(size), len(buffer) - at - head)
                    return
                break
            payload = bytes(memoryview(buffer)[at + head : at + head + size])
            opcode = buffer[at] & 0x0F
            at += head + size
            if opcode == 1:
                self._take_text(payload.decode())
            elif opcode == 2:
                self._take_frame(payload)
            elif opcode == 8:
                self.closed = True
        if at:
            del buffer[:at]

    def _take_text(self, text: str) -> None:
        if text.startswith("451-"):
            self._header = json.loads(text[4:])[1]
        elif text == "2":
            self.send_text("3")
        elif text.startswith("40"):
            self.sid = json.loads(text[2:])["sid"]
        elif text.startswith("44"):
            self.refusal = json.loads(text[2:])
            self.closed = True
        elif text.startswith("43"):
            number, _, arguments = text[2:].partition("[")
            self._replies[int(number)] = json.loads("[" + arguments)[0]
        elif text.startswith("42") and self.keep_events:
            name, *arguments = json.loads(text[2:])
            self.events.append((name, arguments[0] if arguments else None))

    def _take_frame(self, jpeg: bytes) -> None:
        header = self._header
        arrival = self._announced(len(jpeg))
        if not self.light:
            self.last_jpeg = jpeg
        if self.on_frame:
            assert header is not None
            self.on_frame(header, jpeg)
        self._arrive(arrival)

    def _announced(self, size: int) -> Arrival:
        """Return the header that came before a picture."""
        header, self._header = self._header, None
        assert header is not None, "a picture came without its header"
        self._camera = header["camera"]
        more = header.get("codec"), header.get("catch_up", False)
        return Arrival(header["seq"], header["at"], 0.0, size, *more)

    def _arrive(self, arrival: Arrival) -> None:
        if arrival.catch_up:
            return
        if self.arrivals:
            interval_s = arrival.at_unix - self.arrivals[-1].at_unix
            self._interval_s += 0.1 * (interval_s - self._interval_s)
        super()._arrive(arrival)
        if self.ack != "each":
            return
        self._unacknowledged += 1
        if self._unacknowledged == 1:
            self._unacknowledged_since = arrival.received_unix
        if self._unacknowledged >= self._max_covered:
            self.acknowledge()

    @property
    def _max_covered(self) -> int:
        """Return how many frames an acknowledgement covers at the current frame rate."""
        if self.ack_every <= 2:
            return self.ack_every
        is_video = self.arrivals[-1].codec is not None
        most = self.ack_every if is_video else min(self.ack_every, MAX_PICTURES_PER_ACK)
        wait_s = 0.9 * RARE_ACK_DEADLINE_S
        return min(most, max(2, int(wait_s / max(self._interval_s, 0.001))))

    def acknowledge(self) -> None:
        """Acknowledge what has arrived."""
        self._unacknowledged = 0
        self.emit("ack", self._camera, self.arrivals[-1].seq)

    @property
    def ack_is_due(self) -> bool:
        """Return whether an acknowledgement is due."""
        if not self._unacknowledged:
            return False
        now = time.time()
        waited_s = now - self._unacknowledged_since
        if self.ack_every <= 2:
            return waited_s > ACK_DEADLINE_S * 0.8
        late_s = min(LATE_INTERVALS * self._interval_s, RARE_ACK_DEADLINE_S)
        return (
            waited_s > RARE_ACK_DEADLINE_S * 0.9 or now - self.arrivals[-1].received_unix > late_s
        )


@dataclass
class MjpegViewer(Connection):
    """An HTTP connection that reads a multipart stream."""

    path: str = "/video_feed"

    def connect(self) -> None:
        """Send the request."""
        super().connect()
        # HTTP/1.0, so that parts are not chunked.
        self.sock.sendall(
            f"GET {self.path} HTTP/1.0\r\nHost: {self.host}:{self.port}\r\n\r\n".encode()
        )
        self.sock.setblocking(False)

    def _parse(self) -> None:
        while True:
            start = self._buffer.find(b"Content-Length: ")
            end = self._buffer.find(b"\r\n\r\n", start)
            if start < 0 or end < 0:
                return
            size = int(self._buffer[start + 16 : self._buffer.find(b"\r\n", start)])
            stamp = self._buffer.find(b"X-Timestamp: ", start, end)
            at_unix = float(self._buffer[stamp + 13 : self._buffer.find(b"\r\n", stamp)])
            arrival = Arrival(len(self.arrivals) + 1, at_unix, 0.0, size)
            present = len(self._buffer) - end - 4
            if present < size:
                if self.light:
                    self._discard(arrival, present)
                return
            if not self.light:
                self.last_jpeg = bytes(self._buffer[end + 4 : end + 4 + size])
            self._arrive(arrival)
            del self._buffer[: end + 4 + size]


class Crowd:
    """Many viewers served by one loop."""

    # How often viewers with a rate are polled.
    TICK_S = 0.02

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.viewers: list[Connection] = []

    def add(self, viewer: Connection) -> None:
        """Add a connected viewer."""
        self.viewers.append(viewer)
        if viewer.bytes_per_s is None:
            self._selector.register(viewer.sock, selectors.EVENT_READ, viewer)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Serve all viewers for some seconds, or until a condition holds."""
        deadline = time.monotonic() + seconds
        paced = [viewer for viewer in self.viewers if viewer.bytes_per_s is not None]
        sparing = [v for v in self.viewers if isinstance(v, Viewer) and v.ack_every > 1]
        tick_s = self.TICK_S if paced or sparing else 0.1
        next_look = 0.0
        while (remaining := deadline - time.monotonic()) > 0 and not until():
            for key, _ in self._selector.select(min(remaining, tick_s)):
                key.data.read()
                if key.data.closed:
                    self._selector.unregister(key.fileobj)
            if sparing and time.monotonic() >= next_look:
                next_look = time.monotonic() + self.TICK_S / 2
                for viewer in sparing:
                    if viewer.ack_is_due:
                        viewer.acknowledge()
            for viewer in paced:
                if not viewer.closed and viewer.wants_bytes:
                    viewer.read()

    def close(self) -> None:
        """End all connections."""
        for viewer in self.viewers:
            viewer.close()
        self._selector.close()
