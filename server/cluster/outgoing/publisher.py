"""One shared camera's frames on their way to other nodes."""

import logging
from typing import Protocol

from server.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS, Bus, reason_of
from server.cluster.bus.frame_message import pack_frame
from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Room
from server.loop import hub
from server.metrics import Meter

__all__ = ["Publisher", "Rooms"]

log = logging.getLogger(__name__)

LOST = "bus"
"""By which name frames are counted that the bus did not take."""


class Rooms(Protocol):
    """What a publisher needs of its camera's fanout."""

    def join(self, key: object, viewer: "Publisher", rendition: str) -> None: ...

    def leave(self, key: object) -> None: ...

    def serve(self, viewer: "Publisher") -> None: ...


class Publisher:
    """A viewer of one rendition that stands for all its viewers on other nodes.

    It is in the room only while somebody hears the channel, so that no viewer means no work; it
    takes one frame at a time, so that a slow bus skips frames; and its connection and green thread
    are its own, so that it delays nobody.

    Args:
        bus: Where to publish.
        channel: Of the camera and rendition.
        node: This node's id.
        rooms: The camera's fanout.
        rendition: Its name.
        meter: The camera's, where lost frames are counted.
    """

    room: Room

    def __init__(
        self, bus: Bus, channel: str, node: str, rooms: Rooms, rendition: str, meter: Meter
    ) -> None:
        self.last_seq = 0
        self.channel = channel
        self._rendition = rendition
        self._bus = bus
        self._node = node
        self._rooms = rooms
        self._meter = meter
        self._frame: EncodedFrame | None = None
        self._newest: EncodedFrame | None = None
        self._sending = False
        self._arrived = hub.Signal()
        self._task: hub.Task | None = None

    @property
    def wanted(self) -> bool:
        """Whether somebody hears the channel, as far as is known."""
        return self._task is not None

    @property
    def obstacle(self) -> str | None:
        """Why no frame can be taken now: the last one has not been taken off our hands."""
        return "unsent" if self._sending or self._frame is not None else None

    def send(self, frame: EncodedFrame, _now: float) -> str | None:
        """Take the frame unless one is under way."""
        obstacle = self.obstacle
        if obstacle is None:
            self._frame = self._newest = frame
            self._arrived.set()
        return obstacle

    def miss(self, obstacle: str) -> None:
        """Do nothing: the newest frame follows as soon as the line is free."""

    def want(self, wanted: bool) -> None:
        """Begin or end to publish."""
        if wanted == self.wanted:
            return
        if wanted:
            self._task = hub.spawn(self._run)
            self._rooms.join(self, self, self._rendition)
            return
        assert self._task is not None
        self._task.kill()
        self._task = None
        self._frame = self._newest = None
        self._sending = False
        self._rooms.leave(self)

    def repeat(self) -> None:
        """Publish the newest frame once more, for a node that has just begun to hear."""
        if self.wanted and self.obstacle is None and self._newest is not None:
            self._frame = self._newest
            self._arrived.set()

    def _run(self) -> None:
        client = self._bus.client()
        backoff = Backoff()
        try:
            while True:
                if self._frame is None:
                    self._arrived.wait()
                    continue
                frame, self._frame = self._frame, None
                self._sending = True
                parcel = pack_frame(self._node, frame.seq, frame.at_unix, frame.jpeg)
                try:
                    client.publish(self.channel, parcel)
                    backoff.reset()
                except BUS_ERRORS as error:
                    self._meter.drops[LOST] += 1
                    log.debug("channel=%s frame lost: it %s", self.channel, reason_of(error))
                    hub.sleep(backoff.next_s())
                self._sending = False
                if self._frame is None:
                    self._rooms.serve(self)
        finally:
            client.connection_pool.disconnect()
