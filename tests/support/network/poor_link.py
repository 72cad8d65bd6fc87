"""A poor link on loopback: a TCP proxy with delay, a limited rate, or stalls as from loss."""

import random
import selectors
import socket
import threading
import time
from collections import deque

__all__ = ["PoorLink"]

# The size of a packet; loss is per packet.
PACKET_BYTES = 1448

# The bottleneck's buffer: reading stops while this many bytes are in flight in one direction.
MAX_BYTES = 512 * 1024


class PoorLink:
    """Forwards TCP connections to a port, each direction ``delay_s`` late.

    A lost packet is sent again after a round trip, and everything behind it waits: that is how an
    application sees loss under TCP.

    Args:
        port: Where to pass connections on to.
        delay_s: One way, in seconds.
        loss: Share of lost packets.
        bits_per_s: The rate of all connections together, each way; None for no limit.
    """

    def __init__(
        self, port: int, delay_s: float, loss: float, bits_per_s: float | None = None
    ) -> None:
        # All three may be changed while in use.
        self.delay_s = delay_s
        self.loss = loss
        self.bits_per_s = bits_per_s
        # When each direction will have sent its bytes: to the server, and from it.
        self._free_at = [0.0, 0.0]
        self._target = port
        self._chance = random.Random(1)
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._pipes: list[_Pipe] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End all connections."""
        self._over.set()
        self._thread.join(5)
        for pipe in self._pipes:
            pipe.source.close()
        self._selector.close()
        self._listener.close()

    def _run(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(0.002):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._take(key.data)
            now = time.monotonic()
            for pipe in self._pipes:
                pipe.deliver(now)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection(("127.0.0.1", self._target))
        for way, (source, sink) in enumerate(((near, far), (far, near))):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            source.setblocking(False)
            pipe = _Pipe(source, sink, way)
            self._pipes.append(pipe)
            self._selector.register(source, selectors.EVENT_READ, pipe)

    def _take(self, pipe: "_Pipe") -> None:
        if pipe.held >= MAX_BYTES:
            return
        try:
            data = pipe.source.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(pipe.source)
            pipe.ended = True
            return
        now = time.monotonic()
        for start in range(0, len(data), PACKET_BYTES):
            packet = data[start : start + PACKET_BYTES]
            again_s = 2 * self.delay_s if self._chance.random() < self.loss else 0.0
            sent_at = now
            if self.bits_per_s is not None:
                sent_at = max(now, self._free_at[pipe.way]) + 8 * len(packet) / self.bits_per_s
                self._free_at[pipe.way] = sent_at
            pipe.put(packet, sent_at + self.delay_s + again_s)


class _Pipe:
    """One direction of one connection; bytes stay in order."""

    def __init__(self, source: socket.socket, sink: socket.socket, way: int) -> None:
        self.source = source
        self.way = way
        self.held = 0
        self.ended = False
        self._sink = sink
        self._packets: deque[tuple[float, bytes]] = deque()
        self._last_due = 0.0

    def put(self, data: bytes, due: float) -> None:
        self._last_due = max(self._last_due, due)
        self._packets.append((self._last_due, data))
        self.held += len(data)

    def deliver(self, now: float) -> None:
        try:
            while self._packets and self._packets[0][0] <= now:
                due, data = self._packets[0]
                sent = self._sink.send(data)
                self.held -= sent
                if sent < len(data):
                    self._packets[0] = due, data[sent:]
                    return
                self._packets.popleft()
            if self.ended and not self._packets:
                self._sink.shutdown(socket.SHUT_WR)
                self.ended = False
        except BlockingIOError:
            pass
        except OSError:
            self._packets.clear()
            self.held = 0
