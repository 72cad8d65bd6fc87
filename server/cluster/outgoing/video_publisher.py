"""Publishes the units of a shared camera's video to other nodes."""

import logging
import time

from server.capture.camera import Camera
from server.capture.frames.unit import Unit
from server.cluster.bus.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS, Bus, Client, reason_of
from server.cluster.bus.unit_message import pack_unit
from server.cluster.outgoing.publisher import LOST, JoinableFanout
from server.delivery.video_reader import VideoReader, count_sent
from server.loop import hub

__all__ = ["VideoPublisher"]

log = logging.getLogger(__name__)

# Shortest time between two repeats of the current group, however many nodes ask for it.
REPEAT_PERIOD_S = 0.5


class VideoPublisher:
    """A viewer of one video, on behalf of all its viewers on other nodes.

    Holds the video only while the channel has subscribers. Takes one unit at a time from the
    camera's group, so that a slow bus skips to the next key frame and nothing is queued.

    Args:
        bus: The Redis server.
        channel: The channel of the camera and rendition.
        node: This node's id.
        fanout: The camera's fanout.
        camera: The camera.
        rendition: Name of the rendition.
    """

    def __init__(
        self,
        bus: Bus,
        channel: str,
        node: str,
        fanout: JoinableFanout,
        camera: Camera,
        rendition: str,
    ) -> None:
        self.channel = channel
        self._bus = bus
        self._node = node
        self._fanout = fanout
        self._camera = camera
        self._rendition = rendition
        self._reader = VideoReader(lambda: camera.videos.get(rendition))
        self._last_seq = 0  # Number of the newest published unit.
        self._asked = False
        self._repeated_at = 0.0
        self._task: hub.Task | None = None

    @property
    def wanted(self) -> bool:
        """Whether the channel had subscribers when last checked."""
        return self._task is not None

    def want(self, wanted: bool) -> None:
        """Start or stop publishing."""
        if wanted == self.wanted:
            return
        if wanted:
            self._fanout.read_video(self, self._rendition)
            self._reader.rejoin()
            self._task = hub.spawn(self._run)
            return
        assert self._task is not None
        self._task.kill()
        self._task = None
        self._asked = False
        self._reader.close()
        self._fanout.leave(self)

    def repeat(self) -> None:
        """Publish the current group again, for a node that has just subscribed."""
        self._asked = True
        self._reader.wake()

    def _run(self) -> None:
        client = self._bus.client()
        backoff = Backoff()
        after = 0
        try:
            while True:
                try:
                    self._repeat(client)
                    taken = self._reader.next()
                    if taken is None:
                        self._reader.wait(REPEAT_PERIOD_S if self._asked else None)
                        continue
                    unit, again = taken
                    self._publish(client, unit, after)
                    count_sent(self._camera.meter, unit, again)
                    after = unit.seq
                    self._last_seq = max(after, self._last_seq)
                    backoff.reset()
                except BUS_ERRORS as error:
                    self._camera.meter.drops[LOST] += 1
                    log.debug("channel=%s unit lost: the bus %s", self.channel, reason_of(error))
                    hub.sleep(backoff.next_s())
                    self._reader.rejoin()
        finally:
            client.connection_pool.disconnect()

    def _repeat(self, client: Client) -> None:
        now = time.monotonic()
        track = self._camera.videos.get(self._rendition)
        if not self._asked or now - self._repeated_at < REPEAT_PERIOD_S or track is None:
            return
        self._asked = False
        self._repeated_at = now
        after = 0
        for unit in list(track.units):
            if unit.seq > self._last_seq:
                break
            self._publish(client, unit, after)
            after = unit.seq

    def _publish(self, client: Client, unit: Unit, after: int) -> None:
        again, last = unit.seq <= self._last_seq, unit.seq == self._last_seq
        client.publish(self.channel, pack_unit(self._node, unit, after, again, last))
