"""The WebSocket under Engine.IO: strict parsing, bounded buffers.

Engine.IO expects a class with ``wait``, ``send`` and ``close`` from its driver. eventlet's would
accept ``permessage-deflate`` and compress every JPEG for every viewer on the hub, unmask in pure
Python, and buffer fragments without limit. This one parses with the sans-I/O protocol of the
``websockets`` library and does its own writing: a frame is one non-blocking write of bytes that all
viewers share.
"""

import logging
import math
import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from websockets.frames import Opcode, apply_mask  # type: ignore[attr-defined]  # in C if available
from websockets.protocol import Protocol, Side
from websockets.utils import accept_key

from server.delivery.packet import SHARED_BYTES, Packet
from server.loop import hub
from server.loop.http_server import answer_was_sent
from server.protocol import BINARY, TEXT, websocket_frame
from server.web.socket.message_filter import Verdict, check_message

__all__ = ["ENVIRON_KEY", "MAX_MESSAGE_BYTES", "WebSocket", "WebSocketDriver"]

log = logging.getLogger(__name__)

ENVIRON_KEY = "porthole.websocket"
"""Key of the :class:`WebSocket` in its connection's WSGI environment."""

MAX_MESSAGE_BYTES = 16 * 1024
"""Longest message from a client, all fragments together; control events are far shorter."""

# Small, so that a flood of tiny messages cannot block the hub for long.
READ_BYTES = 8 * 1024

# Nearly every read is one acknowledgement, and a larger buffer costs more to allocate.
FIRST_READ_BYTES = 448

# Header of a short masked text message, RFC 6455 section 5.2: flags, size, mask.
WHOLE_TEXT = 0x81
MASKED = 0x80
SHORT_HEAD_BYTES = 6
MAX_SHORT = 125

# Pings and fragments in one read; no honest client sends a tenth as many.
MAX_FRAMES_AT_ONCE = 100

# Messages from a connection that is not yet a session.
MAX_MESSAGES_BEFORE_CONNECT = 3

# Messages waiting for Engine.IO.
MAX_UNREAD = 64

# Short messages queued behind a frame: replies and broadcasts.
MAX_PENDING_MESSAGES = 100

# A connection must become a Socket.IO session within this time.
CONNECT_DEADLINE_S = 5.0

# A peer that reads no control message for this long is gone.
WRITE_DEADLINE_S = 20.0

# A close frame with the code 1001, RFC 6455 section 7.4.1.
GOING_AWAY = b"\x88\x02\x03\xe9"

Message = str | bytes


class WebSocket:
    """The server's end of one open connection.

    Engine.IO's reading green thread calls :meth:`wait`, its writing one :meth:`send`, and the
    fanout :meth:`offer`. Messages leave whole, in the order of these calls.

    Args:
        sock: A connected green socket whose handshake is done.
        count_refusal: Called with the reason for every rejected message.
    """

    def __init__(self, sock: Any, count_refusal: Callable[[str], None]) -> None:
        # The real socket: non-blocking, without green waits. If it were named _sock or socket,
        # Engine.IO would set a timeout on it, which would make it block.
        self._kernel: socket.socket = sock.fd
        self._count_refusal = count_refusal
        self._protocol = Protocol(Side.SERVER, max_size=MAX_MESSAGE_BYTES)
        self._between_frames = True
        self._rest = b""  # The start of an incomplete short message.
        self._inbox: deque[Message] = deque()
        self._arrived = hub.Signal()
        self._fragments: list[bytes] = []
        self._fragments_text = False
        self._backlog: deque[memoryview] = deque()
        self._held = b""  # Messages to be sent together with the next one.
        self._held_at = 0.0  # When the first of them was held.
        self._flusher: hub.Task | None = None
        self._drained = hub.Signal()
        self._closed = False
        self.admitted = False
        """Whether the connection has become a Socket.IO session; set by that session."""
        self._messages_before_connect = 0
        self.on_message: Callable[[Message], bool] = lambda message: False
        """Called first with each message; returns whether it handled the message."""
        self.on_drained: Callable[[], None] = lambda: None
        """Called when the backlog has been sent."""
        self._watch = hub.ReadWatch(self._kernel, self._on_readable)

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._closed

    @property
    def busy(self) -> bool:
        """Whether the kernel has not yet taken all of the earlier messages."""
        return bool(self._backlog)

    def wait(self) -> Message | None:
        """Return the next message, or None when the connection has ended."""
        while not self._closed:
            if self._inbox:
                message = self._inbox.popleft()
                if not self._inbox:
                    self._watch.start()
                return message
            self._arrived.wait()
        return None

    def send(self, message: Message) -> None:
        """Send a message; block until the kernel has all of it.

        Raises:
            ConnectionError: If the connection has ended, or the peer does not read for too long.
        """
        opcode, payload = (
            (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
        )
        self._write(b"".join(websocket_frame(opcode, payload)))
        while self._backlog and not self._closed:
            if not self._drained.wait(WRITE_DEADLINE_S):
                self.close()
        if self._closed:
            raise ConnectionError("the connection has ended")

    def send_text(self, text: str) -> None:
        """Send a short text without blocking; close the connection if too many are queued."""
        self.send_built(b"".join(websocket_frame(TEXT, text.encode())))

    def send_built(self, data: bytes) -> None:
        """Send a short message like :meth:`send_text`, already encoded, to share its bytes."""
        if len(self._backlog) > MAX_PENDING_MESSAGES:
            self.close()
        self._write(data)

    def hold(self, data: bytes, now: float) -> None:
        """Send an encoded short message together with the next one; see :meth:`release`.

        That saves a write, which costs as much as a frame and wakes the peer.
        """
        if self._backlog:
            self.send_built(data)
            return
        if not self._held:
            self._held_at = now
        self._held += data

    def release(self, until: float = math.inf) -> bool:
        """Send the held messages now if held since ``until`` or before; return whether sent."""
        if not self._held or self._held_at > until:
            return False
        self._write(b"")
        return True

    def offer(self, packet: Packet) -> str | None:
        """Send a packet without blocking; what the kernel does not take now is sent later.

        Returns the obstacle: ``unsent`` while the connection is :attr:`busy`, ``gone`` if it has
        ended, or None.
        """
        if self._backlog:
            return "unsent"
        if self._closed:
            return "gone"
        small = packet.size < SHARED_BYTES
        if self._held:
            if small:
                packet = Packet(self._with_held(packet.data))
            # Copying that much would cost more than a write.
            elif self.release() and self._backlog:
                return "unsent"
        try:
            sent = self._kernel.send(packet.data) if small else packet.send(self._kernel)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return "gone"
        if sent < packet.size:
            self._queue_rest(memoryview(packet.data)[sent:])
        return None

    def close(self) -> None:
        """Close the connection immediately, without blocking, and wake all waiting threads."""
        if self._closed:
            return
        self._closed = True
        self._watch.stop()
        self._arrived.set()
        if not self._backlog:
            try:
                self._kernel.send(self._with_held(GOING_AWAY))
            except OSError:
                pass  # The peer has closed first, or its buffer is full.
        self._backlog.clear()
        self._drained.set()
        if self._flusher is not None:
            self._flusher.kill()
        try:
            self._kernel.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # The peer has closed first.

    def close_unless_admitted(self) -> None:
        """Close a connection that has not become a session; called on the hub."""
        if not self.admitted:
            self.close()

    # Reading.

    def _on_readable(self, _fd: int) -> None:
        """Read what has arrived, on the hub; close if the peer has closed or misbehaves."""
        try:
            data = self._kernel.recv(FIRST_READ_BYTES)
            if len(data) == FIRST_READ_BYTES:
                data += self._more()
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        if self._between_frames:
            data = self._read_short_texts(self._rest + data if self._rest else data)
        if data and not self._closed:
            self._parse(data)

    def _more(self) -> bytes:
        try:
            return self._kernel.recv(READ_BYTES)
        except BlockingIOError:
            return b""

    def _read_short_texts(self, data: bytes) -> bytes:
        """Handle short masked text messages at the start of the data; return the rest.

        Acknowledgements are such messages, thousands a second; here each takes a tenth of the time
        it would in the parser, which gets the rest. Keeps an incomplete one for the next read.
        """
        at, end = 0, len(data)
        while at < end and data[at] == WHOLE_TEXT and not self._closed:
            size = data[at + 1] - MASKED if at + 1 < end else 0
            if not 0 <= size <= MAX_SHORT:
                break
            stop = at + SHORT_HEAD_BYTES + size
            if stop > end:
                self._rest = data[at:]
                return b""
            payload = apply_mask(data[at + SHORT_HEAD_BYTES : stop], data[at + 2 : at + 6])
            at = stop
            self._deliver_text(payload)
        self._rest = b""
        return data[at:]

    def _parse(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        frames = self._protocol.events_received()
        if len(frames) > MAX_FRAMES_AT_ONCE:
            self._count_refusal("flood")
            self.close()
            return
        for frame in frames:
            self._accept(frame)
        for answer in self._protocol.data_to_send():  # Pongs, and the reason for closing.
            if len(self._backlog) > MAX_PENDING_MESSAGES:
                self.close()
            self._write(answer)
        if self._protocol.close_expected():
            self.close()
        self._between_frames = (
            not self._protocol.reader.buffer and self._protocol.current_size is None
        )

    def _accept(self, frame: Any) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._fragments_text = frame.opcode is Opcode.TEXT
            self._fragments = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._fragments.append(bytes(frame.data))
        else:
            return  # The protocol answers ping, pong and close.
        if not frame.fin:
            return
        payload, self._fragments = b"".join(self._fragments), []
        if self._closed:
            return
        if self._fragments_text:
            self._deliver_text(payload)
        elif not self.on_message(payload):
            self._forward(payload)

    def _deliver_text(self, payload: bytes) -> None:
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self._count_refusal("malformed")
            self.close()
        else:
            if not self.on_message(text):
                self._forward(text)

    def _forward(self, message: Message) -> None:
        """Queue a message for Engine.IO if it is valid and within the limits."""
        if not self.admitted:
            # Before it is connected, a client sends one message and perhaps a pong.
            self._messages_before_connect += 1
            if self._messages_before_connect > MAX_MESSAGES_BEFORE_CONNECT:
                self._count_refusal("flood")
                self.close()
                return
        verdict = check_message(message)
        if verdict is Verdict.LEAVE:
            # Socket.IO would end only its session and leave the connection open, uncounted.
            self.close()
            return
        if verdict is not Verdict.PASS:
            self._count_refusal("malformed")
            if verdict is Verdict.END:
                self.close()
            return
        self._inbox.append(message)
        if len(self._inbox) >= MAX_UNREAD:
            self._watch.stop()  # Until Engine.IO catches up; meanwhile TCP slows the peer down.
        self._arrived.set()

    # Writing.

    def _write(self, data: bytes) -> None:
        """Write bytes to the kernel; leave what it does not take to the flusher."""
        if self._closed:
            return
        rest = memoryview(self._with_held(data))
        if not self._backlog:
            try:
                rest = rest[self._kernel.send(rest) :]
            except BlockingIOError:
                pass
            except OSError:
                self.close()
                return
        if rest:
            self._queue_rest(rest)

    def _with_held(self, data: bytes) -> bytes:
        """Return the held messages followed by these bytes; clear what was held."""
        held, self._held = self._held, b""
        return held + data

    def _queue_rest(self, rest: memoryview) -> None:
        self._backlog.append(rest)
        if self._flusher is None:
            self._flusher = hub.spawn(self._flush)

    def _flush(self) -> None:
        """Send the backlog, in a green thread; :meth:`close` kills it while it waits."""
        while self._backlog:
            hub.wait_writable(self._kernel)
            try:
                sent = self._kernel.send(self._backlog[0])
            except BlockingIOError:
                continue
            except OSError:
                self._flusher = None
                self.close()
                return
            self._backlog[0] = self._backlog[0][sent:]
            if not self._backlog[0]:
                self._backlog.popleft()
        self._flusher = None
        self._drained.set()
        self.on_drained()


class WebSocketDriver:
    """Upgrades an HTTP request to a WebSocket, for Engine.IO.

    Args:
        handler: Engine.IO's loop over one connection.
        server: The Engine.IO server; unused, but Engine.IO passes it.
        count_refusal: Called with the reason for every rejected message.
    """

    def __init__(
        self,
        handler: Callable[[WebSocket], object],
        server: Any,
        count_refusal: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._handler = handler
        self._count_refusal = count_refusal

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        """Upgrade the connection and run the handler on it until it ends."""
        key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
        if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13" or not key:
            headers = [("Sec-WebSocket-Version", "13"), ("Content-Type", "text/plain")]
            start_response("426 Upgrade Required", headers)
            return [b"Only WebSocket version 13 is supported.\n"]
        # Accept no extension: deflate costs 2 ms per frame and viewer, and saves 2 %.
        sock = environ["eventlet.input"].get_socket()
        session: Any = self._handler.__self__  # type: ignore[attr-defined]
        try:
            sock.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n\r\n"
            )
            websocket = WebSocket(sock, self._count_refusal)
            environ[ENVIRON_KEY] = websocket
            hub.call_on_hub(CONNECT_DEADLINE_S, websocket.close_unless_admitted)
            try:
                self._handler(websocket)
            except Exception as error:  # noqa: BLE001  any error ends this connection
                log.info("connection ended by a bad packet: %r", error)
            finally:
                websocket.close()
                answer_was_sent()
        finally:
            # Has no effect after an orderly end. After any other (a bad packet, a peer gone before
            # the handshake, the HTTP server's deadline) a dead session would stay in the rooms.
            session.close(wait=False, abort=True, reason=session.server.reason.TRANSPORT_ERROR)
        return []
