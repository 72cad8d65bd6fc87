"""One camera on one dashboard while it shows the past."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from server.capture.frames.rendition import FULL
from server.capture.frames.unit import JPEG, Unit
from server.delivery.credit import Credit
from server.delivery.fanout import Fanout
from server.delivery.packet import Packet
from server.errors import RequestError
from server.loop import hub
from server.protocol import socket_head
from server.recording.jpeg_demand import JpegDemand
from server.recording.player import Player
from server.web.socket.websocket import WebSocket

__all__ = ["PastViewer"]

log = logging.getLogger(__name__)

# A message costs a browser more than a unit, but decoding should begin before all has arrived.
MAX_PACK_BYTES = 64 * 1024


class PastViewer:
    """Sends a viewer frames of the past, in a separate green thread.

    Keeps the camera open meanwhile, so that its memory continues to fill.

    Args:
        fanout: The camera's fanout.
        websocket: Frames are sent over it.
        player: Chooses the frames.
        credit: How many frames may be sent.
        on_live: Called when playback reaches the present or cannot continue.

    Attributes:
        player: The position in the past.
        newest_seq: The largest frame number sent.
        packed: Whether a frame may carry several units.
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
        self.packed = False
        self._fanout = fanout
        self._websocket = websocket
        self._credit = credit
        self._on_live = on_live
        # For each frame in flight: its seq, which may go back, and the count of frames before it.
        self._in_flight: deque[tuple[int, int]] = deque()
        self._sent = 0
        self._wake = hub.Signal()
        self._closed = False
        self._jpeg_demand = JpegDemand()
        self.hold()
        hub.spawn(self._run)

    def hold(self) -> None:
        """Keep the camera open and its memory filling; call again after it was replaced."""
        full = self._fanout.camera.videos.get(FULL.name)
        # Take the new hold before releasing the old one: without viewers the camera would close.
        if full is not None and full.passed_through and full.codec is not None:
            self._fanout.read_video(self, FULL.name)
            self._fanout.leave(self._jpeg_demand)
        else:
            self._fanout.join(self._jpeg_demand, self._jpeg_demand)
            self._fanout.leave(self)

    def close(self) -> None:
        """Stop sending, and release the camera."""
        if not self._closed:
            self._closed = True
            self._wake.set()
            self._fanout.leave(self)
            self._fanout.leave(self._jpeg_demand)

    def wake(self) -> None:
        """Check again whether anything can be sent."""
        self._wake.set()

    def waiting_s(self, now: float) -> float:
        """Return how long its oldest missing acknowledgement has been due; 0 if none is."""
        return self._credit.waiting_s(now)

    def acknowledge(self, seq: int, now: float) -> bool:
        """Return the credit of frames up to the last one with this seq; False if unknown."""
        last = next((count for one, count in reversed(self._in_flight) if one == seq), None)
        if last is None:
            return False
        while self._in_flight and self._in_flight[0][1] <= last:
            self._in_flight.popleft()
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
        """Write frames without blocking; all but the last unit's are marked ``catch_up``."""
        number = self.player.number
        parts: list[bytes] = []
        for pack in (*self._packs(units), *self._packs(push)):
            parts.append(self._head(pack, pack[-1] is not units[-1]))
            parts += [one.data for one in pack]
        packet = Packet(b"".join(parts))
        # If reading the past blocked, other green threads may have written meanwhile.
        while self._websocket.busy and not self._closed:
            self._wake.wait()
        if self._closed or number != self.player.number:
            return
        if self._websocket.offer(packet) is None:
            self.newest_seq = max(self.newest_seq, units[-1].seq, *(one.seq for one in push))
            self._in_flight.append((units[-1].seq, self._sent))
            self._credit.spend(self._sent, time.monotonic(), packet.size)
            self._sent += 1

    def _packs(self, units: Sequence[Unit]) -> Iterable[Sequence[Unit]]:
        return packs(units) if self.packed else ([one] for one in units)

    def _head(self, pack: Sequence[Unit], catch_up: bool) -> bytes:
        unit, sizes = pack[-1], [len(one.data) for one in pack]
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
            header |= {"codec": unit.codec, "key": pack[0].key}
        if len(pack) > 1:
            header["units"] = sizes
        if catch_up:
            header["catch_up"] = True
        return socket_head("frame", header, sum(sizes))


def packs(units: Iterable[Unit]) -> Iterator[list[Unit]]:
    """Group units into packs for one frame each; only a pack's first may be a key frame."""
    pack: list[Unit] = []
    nbytes = 0
    for unit in units:
        if pack and (unit.key or nbytes + len(unit.data) > MAX_PACK_BYTES):
            yield pack
            pack, nbytes = [], 0
        pack.append(unit)
        nbytes += len(unit.data)
    if pack:
        yield pack
