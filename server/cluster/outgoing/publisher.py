"""Publishes the frames of one rendition of a shared camera to other nodes."""

import logging
from typing import Protocol

from server.cluster.bus.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS, Bus, reason_of
from server.cluster.bus.frame_message import pack_frame
from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Room
from server.loop import hub
from server.metrics import Meter

__all__ = ["LOST", "JoinableFanout", "Publisher"]

log = logging.getLogger(__name__)

LOST = "bus"
"""Drop reason of frames that could not be published."""


class JoinableFanout(Protocol):
    """The part of a fanout's interface that publishers use."""

    def join(self, key: object, viewer: "Publisher", rendition: str) -> None: ...

    def read_video(self, key: object, rendition: str) -> None: ...

    def leave(self, key: object) -> None: ...

    def serve(self, viewer: "Publisher") -> None: ...


class Publisher:
    """A viewer of one rendition, on behalf of all its viewers on other nodes.

    Joins the room only while the channel has subscribers: no viewer, no work. Takes one frame at a
    time, so that a slow bus skips frames. Uses a separate connection and green thread, so that it
    delays no other viewer.

    Args:
        bus: The Redis server.
        channel: The channel of the camera and rendition.
        node: This node's id.
        fanout: The camera's fanout.
        rendition: Name of the rendition.
        meter: The camera's meter; counts lost frames.
    """

    room: Room

    def __init__(
        self,
        bus: Bus,
        channel: str,
        node: str,
        fanout: JoinableFanout,
        rendition: str,
        meter: Meter,
    ) -> None:
        self.last_seq = 0
        self.channel = channel
        self._rendition = rendition
        self._bus = bus
        self._node = node
        self._fanout = fanout
        self._meter = meter
        self._frame: EncodedFrame | None = None
        self._newest: EncodedFrame | None = None
        self._sending = False
        self._arrived = hub.Signal()
        self._task: hub.Task | None = None

    @property
    def wanted(self) -> bool:
        """Whether the channel had subscribers when last checked."""
        return self._task is not None

    @property
    def obstacle(self) -> str | None:
        """``unsent`` while the last frame has not been sent; None if one can be taken."""
        return "unsent" if self._sending or self._frame is not None else None

    def send(self, frame: EncodedFrame, _now: float) -> str | None:
        """Take the frame unless another is being sent."""
        obstacle = self.obstacle
        if obstacle is None:
            self._frame = self._newest = frame
            self._arrived.set()
        return obstacle

    def miss(self, obstacle: str) -> None:
        """Do nothing: the newest frame is sent as soon as the last one has been."""

    def want(self, wanted: bool) -> None:
        """Start or stop publishing."""
        if wanted == self.wanted:
            return
        if wanted:
            self._task = hub.spawn(self._run)
            self._fanout.join(self, self, self._rendition)
            return
        assert self._task is not None
        self._task.kill()
        self._task = None
        self._frame = self._newest = None
        self._sending = False
        self._fanout.leave(self)

    def repeat(self) -> None:
        """Publish the newest frame again, for a node that has just subscribed."""
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
                message = pack_frame(self._node, frame.seq, frame.at_unix, frame.jpeg)
                try:
                    client.publish(self.channel, message)
                    backoff.reset()
                except BUS_ERRORS as error:
                    self._meter.drops[LOST] += 1
                    log.debug("channel=%s frame lost: the bus %s", self.channel, reason_of(error))
                    hub.sleep(backoff.next_s())
                self._sending = False
                if self._frame is None:
                    self._fanout.serve(self)
        finally:
            client.connection_pool.disconnect()
