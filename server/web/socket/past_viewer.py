"""One camera on one dashboard while it shows the past: what it is sent, and by whose credit."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from server.capture.frames.rendition import FULL
from server.capture.frames.unit import JPEG, Unit
from server.delivery.credit import Credit
from server.delivery.fanout import Fanout
from server.delivery.packet import Packet
from server.errors import RequestError
from server.loop import hub
from server.protocol import socket_head
from server.recording.keeper import Keeper
from server.recording.player import Player
from server.web.socket.websocket import WebSocket

__all__ = ["PastViewer"]

log = logging.getLogger(__name__)


class PastViewer:
    """Sends a viewer frames of the past, by a green thread of its own.

    Meanwhile its camera stays open, so that the past goes on to be kept.

    Args:
        fanout: Of the camera.
        websocket: Where frames are sent.
        player: Knows which.
        credit: How many.
        on_live: Called when playing has arrived at now, or cannot go on.

    Attributes:
        player: Where in the past it is.
        newest_seq: The largest number of a frame that was sent.
    """

    def __init__(
        self,
        fanout: Fanout,
        websocket: WebSocket,
        player: Player,
        credit: Credit,
        on_live: Callable[[], None],
    ) -> None:
        self.player = player
        self.newest_seq = 0
        self._fanout = fanout
        self._websocket = websocket
        self._credit = credit
        self._on_live = on_live
        # Of each frame in flight its number, which may go back, and how many there were before it.
        self._flight: deque[tuple[int, int]] = deque()
        self._count = 0
        self._wake = hub.Signal()
        self._closed = False
        self._keeper = Keeper()
        self.hold()
        hub.spawn(self._run)

    def hold(self) -> None:
        """Keep the camera open, and what is kept of it coming; again after it was replaced."""
        full = self._fanout.camera.videos.get(FULL.name)
        # The new hold before the old one goes: without any viewer the camera would let go.
        if full is not None and full.passed_through and full.codec is not None:
            self._fanout.hold_video(self, FULL.name)
            self._fanout.leave(self._keeper)
        else:
            self._fanout.join(self._keeper, self._keeper)
            self._fanout.leave(self)

    def close(self) -> None:
        """Send no more, and let go of the camera."""
        if not self._closed:
            self._closed = True
            self._wake.set()
            self._fanout.leave(self)
            self._fanout.leave(self._keeper)

    def wake(self) -> None:
        """Look whether anything can be sent: something has changed."""
        self._wake.set()

    def waiting_s(self, now: float) -> float:
        """Return how long its oldest missing acknowledgement has been due; 0 if none is."""
        return self._credit.waiting_s(now)

    def acknowledge(self, seq: int, now: float) -> bool:
        """Return the credit of frames up to the last with this number; False if there is none."""
        last = next((count for one, count in reversed(self._flight) if one == seq), None)
        if last is None:
            return False
        while self._flight and self._flight[0][1] <= last:
            self._flight.popleft()
        self._credit.acknowledge(last, now, self._fanout.rate)
        self._wake.set()
        return True

    def _run(self) -> None:
        while not self._closed:
            wait_s = None
            if self._credit.ready and not self._websocket.busy:
                try:
                    step = self.player.step(time.monotonic)
                except RequestError as error:
                    log.info("camera=%s past: %s", self._fanout.camera.name, error)
                    self._on_live()
                    return
                except Exception:
                    log.exception("camera=%s past", self._fanout.camera.name)
                    self._on_live()
                    return
                if self._closed:
                    return
                if step.arrived:
                    self._on_live()
                    return
                if step.units:
                    self._send(step.units, step.push)
                wait_s = step.wait_s
            self._wake.wait(wait_s)

    def _send(self, units: list[Unit], push: Sequence[Unit]) -> None:
        """Write frames without blocking, all but the last of the units as ``catch_up``."""
        number = self.player.number
        parts: list[bytes] = []
        for unit in (*units, *push):
            parts += (self._head(unit, unit is not units[-1]), unit.data)
        packet = Packet(b"".join(parts))
        # A past that blocked may have let others write meanwhile.
        while self._websocket.busy and not self._closed:
            self._wake.wait()
        if self._closed or number != self.player.number:
            return
        if self._websocket.offer(packet) is None:
            self.newest_seq = max(self.newest_seq, units[-1].seq, *(one.seq for one in push))
            self._flight.append((units[-1].seq, self._count))
            self._credit.spend(self._count, time.monotonic(), len(packet))
            self._count += 1

    def _head(self, unit: Unit, catch_up: bool) -> bytes:
        header: dict[str, Any] = {
            "camera": self._fanout.camera.name,
            "seq": unit.seq,
            "at": unit.at_unix,
            "width": unit.width,
            "height": unit.height,
            "rendition": FULL.name,
            "live": False,
            "seek": self.player.number,
        }
        if unit.codec != JPEG:
            header |= {"codec": unit.codec, "key": unit.key}
        if catch_up:
            header["catch_up"] = True
        return socket_head("frame", header, len(unit.data))
