"""Reads a stream that arrives in bursts on a thread of its own, and returns it evenly."""

import time
from collections import deque
from collections.abc import Callable

from server.capture.streams.packet import Packet
from server.capture.streams.playout import Playout
from server.errors import PortholeError, SourceError
from server.loop import native

__all__ = ["ReadAhead"]

# A file on a web server arrives as fast as the network allows; at these limits reading pauses.
MAX_AHEAD_S = 10.0
MAX_BYTES = 32 << 20
MAX_PACKETS = 3000

# If nobody took packets for longer, the file was paused: it continues, without catching up.
MAX_LATE_S = 0.5

# How long closing waits for a read in progress, which cannot be interrupted. After that, the stream
# is closed when the read returns, within the stream's timeout.
CLOSE_S = 0.5


class ReadAhead:
    """Queues packets that have arrived until they are due.

    Args:
        read: Blocks and returns the next packet; raises SourceError. Called on the thread.
        close: Closes the stream. Called once, on either thread, when no read is in progress and no
            packet is in use any more, as it also ends their decoder.
        playout: Decides when packets are due; only used here.
        catches_up: Whether to skip the old packets that a live stream may begin with.
    """

    def __init__(
        self,
        read: Callable[[], Packet],
        close: Callable[[], None],
        playout: Playout,
        catches_up: bool,
    ) -> None:
        self._read = read
        self._close = close
        self._playout = playout
        self._catches_up = catches_up
        # Guards everything below.
        self._changed = native.threading.Condition()
        self._packets: deque[tuple[Packet, float]] = deque()
        self._nbytes = 0
        # Subtract from the queued times to get when packets are due.
        self._gained_s = 0.0
        self._error: PortholeError | None = None
        self._closing = False
        self._reading = True
        self._thread = native.threading.Thread(target=self._run, name="read ahead", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> tuple[Packet, float] | None:
        """Wait until the next packet is due; return it and its due time, or None on a timeout.

        Raises:
            SourceError: If the stream is lost, and all packets that arrived have been taken.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                now = time.monotonic()
                wake_at = deadline
                if self._packets:
                    packet, due = self._packets[0]
                    due -= self._gained_s
                    if due <= now:
                        if now - due > MAX_LATE_S and not self._catches_up:
                            self._gained_s -= now - due
                            due = now
                        self._packets.popleft()
                        self._nbytes -= packet.nbytes
                        self._changed.notify_all()
                        return packet, due
                    wake_at = min(deadline, due)
                elif self._error is not None:
                    raise self._error
                if now >= deadline:
                    return None
                self._changed.wait(wake_at - now)

    @property
    def next_due(self) -> float:
        """When the next packet is due; 0 for an error, infinite while nothing has arrived."""
        with self._changed:
            if self._packets:
                return self._packets[0][1] - self._gained_s
            return float("inf") if self._error is None else 0.0

    def close(self) -> None:
        """Stop reading; closes the stream now, or as soon as a read in progress returns."""
        with self._changed:
            self._closing = True
            self._packets.clear()
            self._changed.notify_all()
            reading = self._reading
        if not reading:
            self._close()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            while self._wait_for_room():
                self._add(self._read())
        except PortholeError as error:
            self._fail(error)
        except BaseException as error:  # noqa: BLE001  its text could contain the password
            self._fail(
                SourceError(f"reading ahead failed with an unexpected {type(error).__name__}")
            )
        with self._changed:
            self._reading = False
            closing = self._closing
        if closing:
            self._close()

    def _wait_for_room(self) -> bool:
        """Wait until the queue has room; return False if reading should end."""
        with self._changed:
            held_back = False
            while not self._closing and self._is_full():
                held_back = True
                self._changed.wait(1.0)
            if held_back:
                self._playout.held_back(time.monotonic())
            return not self._closing

    def _is_full(self) -> bool:
        if not self._packets:
            return False
        ahead_s = self._packets[-1][1] - self._gained_s - time.monotonic()
        return (
            ahead_s > MAX_AHEAD_S or self._nbytes > MAX_BYTES or len(self._packets) >= MAX_PACKETS
        )

    def _add(self, packet: Packet) -> None:
        with self._changed:
            due = self._playout.due(packet.timestamp_s, packet.arrived_at) + self._gained_s
            self._packets.append((packet, due))
            self._nbytes += packet.nbytes
            if self._catches_up:
                self._gained_s += self._playout.catch_up()
            self._changed.notify_all()

    def _fail(self, error: PortholeError) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()
