"""Shares this node's cameras: claims, demand, frames, states, requests from other nodes."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from server.capture.camera import Camera
from server.cluster.bus.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS, Bus, Client
from server.cluster.bus.messages import (
    Figures,
    Notice,
    Presence,
    Reply,
    Request,
    Status,
    VideoFacts,
    Wake,
)
from server.cluster.bus.numbering import SEQ_PER_S
from server.cluster.bus.outbox import Outbox
from server.cluster.outgoing.claims import RENEW_S, Claims
from server.cluster.outgoing.publisher import JoinableFanout, Publisher
from server.cluster.outgoing.video_publisher import VideoPublisher
from server.commands import CameraCommand
from server.errors import ErrorCode, RequestError
from server.loop import hub
from server.metrics import CameraStats

__all__ = ["Execute", "Exporter", "Note"]

log = logging.getLogger(__name__)

Note = Callable[..., None]
"""Writes to the audit log: who, what, from where, the result, and further fields by name."""

Execute = Callable[[str, CameraCommand], None]
"""Carries out an operator's command: who, and the command. Raises RequestError."""

# Period at which Redis is asked which channels have subscribers; also done after wake messages.
DEMAND_PERIOD_S = 0.15

# When demand has been unknown for this long, publishing stops.
MAX_OUTAGE_S = 1.0

# State changes within this time are announced together.
ANNOUNCE_PERIOD_S = 0.05

STATS_PERIOD_S = 1.0

# Cameras per message.
MAX_PER_MESSAGE = 32

# Commands executed at the same time; each may wait for a device to be released.
MAX_REQUESTS = 32


class Feed(NamedTuple):
    """The camera, kind and rendition that a channel carries."""

    camera: str
    kind: Literal["frame", "video"]
    rendition: str


class Exporter:
    """Shares cameras with every node on the bus.

    Args:
        bus: The Redis server.
        node: This node's id.
        host: Name of this machine, for people.
        cameras: This process's cameras, by name.
        fanouts: Their fanouts, by name.
        outbox: Sends messages to other nodes.
        execute: Carries out commands from operators on other nodes.
        on_notice: Shows a notice on this node's dashboards: level, message, camera, and who did it.
        note: Writes each request from another node to the audit log.
    """

    def __init__(
        self,
        bus: Bus,
        node: str,
        host: str,
        cameras: Mapping[str, Camera],
        fanouts: Mapping[str, JoinableFanout],
        outbox: Outbox,
        execute: Execute,
        on_notice: Callable[[str, str, str, str | None], None],
        note: Note,
    ) -> None:
        self._note = note
        self._bus = bus
        self._node = node
        self._host = host[:64]
        self._cameras = cameras
        self._outbox = outbox
        self._execute = execute
        self._on_notice = on_notice
        self._claims = Claims(bus, node, self._host, tuple(cameras))
        self._publishers: dict[Feed, Publisher | VideoPublisher] = {}
        self._stats: dict[str, CameraStats] = {}
        for name, camera in cameras.items():
            self._prepare(camera, fanouts[name])
        self._figures: dict[str, Figures] = {}
        self._changed: set[str] = set()
        self._announce_now = hub.Signal()
        self._demand_now = hub.Signal()
        self._requests = 0
        self._tasks: list[hub.Task] = []

    def claim(self) -> None:
        """Claim the names of all cameras, and continue their sequence numbers.

        Raises:
            ConfigError: If another node holds one of them.
        """
        reached = self._claims.take_all()
        for name, camera in self._cameras.items():
            clock = round(time.time() * SEQ_PER_S)
            # The number kept in Redis matters if the clock was set back.
            camera.numbering.continue_from(max(clock, reached[name] + SEQ_PER_S))

    def claim_one(self, name: str) -> int:
        """Claim one more name; return the sequence number to continue from.

        Raises:
            ConfigError: If another node holds it, or the bus is unavailable.
        """
        reached = Claims(self._bus, self._node, self._host, (name,)).take_all()
        self._claims.include(name)
        clock = round(time.time() * SEQ_PER_S)
        return max(clock, reached[name] + SEQ_PER_S)

    def release_one(self, name: str) -> None:
        """Tell other nodes that a camera was removed, and release its name."""
        self._claims.exclude(name)
        gone = Presence(node=self._node, host=self._host, cameras=[], removed=[name])
        self._outbox.send(self._bus.name("presence"), gone)
        self._release(Claims(self._bus, self._node, self._host, (name,)))

    def share(self, camera: Camera, fanout: JoinableFanout) -> None:
        """Share a camera that was added or has replaced another."""
        self._prepare(camera, fanout)
        self._changed.add(camera.name)
        self._announce_now.set()
        if not self._tasks:
            self.open()

    def unshare(self, name: str) -> None:
        """Stop publishing a camera that is being removed or replaced."""
        for key in [one for one in self._publishers if one.camera == name]:
            self._publishers.pop(key).want(False)
        self._stats.pop(name, None)
        self._figures.pop(name, None)

    def _prepare(self, camera: Camera, fanout: JoinableFanout) -> None:
        self._stats[camera.name] = CameraStats(camera.meter)
        for rendition in camera.ladder:
            feed = Feed(camera.name, "frame", rendition.name)
            self._publishers[feed] = Publisher(
                self._bus, self._channel(feed), self._node, fanout, rendition.name, camera.meter
            )
        for name in camera.videos:
            feed = Feed(camera.name, "video", name)
            self._publishers[feed] = VideoPublisher(
                self._bus, self._channel(feed), self._node, fanout, camera, name
            )

    def _channel(self, feed: Feed) -> str:
        return self._bus.name(feed.kind, feed.camera, feed.rendition)

    def open(self) -> None:
        """Start sharing, if there is anything to share."""
        if self._cameras:
            loops = (self._maintain, self._announce_changes, self._measure)
            self._tasks = [hub.spawn(loop) for loop in loops]

    def close(self) -> None:
        """Announce that this node is leaving, and release the names; close ``outbox`` later."""
        for task in self._tasks:
            task.kill()
        for publisher in self._publishers.values():
            publisher.want(False)
        if self._cameras:
            self._announce(list(self._ours()), leaving=True)
            self._release(self._claims)

    def _release(self, claims: Claims) -> None:
        client = self._bus.client()
        try:
            claims.release(client)
        except BUS_ERRORS:
            pass  # The claims expire by themselves.
        finally:
            client.connection_pool.disconnect()

    # Messages from other nodes.

    def on_wake(self, wake: Wake) -> None:
        """Announce all cameras to a new node, or start serving a new subscriber of one."""
        if wake.camera is None:
            self._changed.update(self._cameras)
            self._announce_now.set()
        elif wake.camera in self._cameras:
            self._demand_now.set()
            if wake.key:
                self._cameras[wake.camera].request_key(wake.rendition)
                return
            if not wake.video:
                self._cameras[wake.camera].request_frame()
            feed = Feed(wake.camera, "video" if wake.video else "frame", wake.rendition)
            publisher = self._publishers.get(feed)
            if publisher is not None:
                publisher.repeat()

    def on_request(self, request: Request) -> None:
        """Carry out a command from an operator on another node, in a new green thread."""
        if self._requests >= MAX_REQUESTS:
            self._reply(request, "rate_limited", "too many requests; wait a second")
            return
        self._requests += 1
        hub.spawn(self._answer, request)

    def _answer(self, request: Request) -> None:
        try:
            if request.camera not in self._ours():
                self._reply(request, "unavailable", "another node has this camera now")
                return
            self._execute(request.who, request.command)
            self._reply(request)
        except RequestError as error:
            self._reply(request, error.code, str(error))
        except Exception:
            log.exception("camera=%s request failed", request.camera)
            self._reply(request, "unavailable", "the camera's node could not do this")
        finally:
            self._requests -= 1

    def _reply(self, request: Request, error: ErrorCode | None = None, message: str = "") -> None:
        where = f"node {request.node}"
        details = request.details()
        self._note(request.who, request.action, where, error or "ok", by="bus", **details)
        camera = self._cameras.get(request.camera)
        status = self._status(request.camera) if camera and not error else None
        reply = Reply(
            id=request.id, node=self._node, error=error, message=message[:400], camera=status
        )
        self._outbox.send(self._bus.name("reply", request.node), reply)

    # Messages to other nodes.

    def on_change(self, camera: str) -> None:
        """Publish a camera's STATE."""
        self._changed.add(camera)
        self._announce_now.set()

    def notify(self, level: str, message: str, camera: str, who: str | None = None) -> None:
        """Send a notice about a camera to the dashboards of other nodes."""
        if camera in self._ours():
            notice: Any = {"level": level, "message": message[:400], "camera": camera}
            notice["who"] = who[:80] if who else None
            self._outbox.send(self._bus.name("notice"), Notice(node=self._node, **notice))

    def _ours(self) -> dict[str, Camera]:
        return {
            name: camera
            for name, camera in self._cameras.items()
            if name not in self._claims.refused
        }

    def _status(self, name: str) -> Status:
        camera = self._cameras[name]
        state = camera.describe()
        state["reason"] = state["reason"][:400]
        widths = [rendition.width for rendition in camera.ladder if rendition.width]
        videos = {
            name: VideoFacts(
                codec=track.codec, passed_through=track.passed_through, kbps=track.kbps or None
            )
            for name, track in camera.videos.items()
            if track.codec is not None
        }
        return Status(
            **state,
            widths=widths,
            videos=videos,
            prefers_video=camera.prefers_video,
            figures=self._figures.get(name),
            library=True,
        )

    def _announce(self, names: list[str], leaving: bool = False) -> None:
        # Split up, because the controls of all cameras could exceed a message's size limit.
        for at in range(0, max(1, len(names)), MAX_PER_MESSAGE):
            presence = Presence(
                node=self._node,
                host=self._host,
                leaving=leaving,
                cameras=[self._status(name) for name in names[at : at + MAX_PER_MESSAGE]],
            )
            self._outbox.send(self._bus.name("presence"), presence)

    def _announce_changes(self) -> None:
        """Announce changed cameras promptly, and all cameras whenever claims are renewed."""
        all_at = 0.0
        while True:
            self._announce_now.wait(max(0.0, all_at - time.monotonic()))
            ours = self._ours()
            if time.monotonic() >= all_at:
                all_at = time.monotonic() + RENEW_S
                self._changed = set(ours)
            changed, self._changed = self._changed, set()
            try:
                self._announce([name for name in ours if name in changed])
            except Exception:
                log.exception("cannot announce a camera's state")
            hub.sleep(ANNOUNCE_PERIOD_S)

    def _measure(self) -> None:
        while True:
            hub.rest(STATS_PERIOD_S)
            for name, stats in self._stats.items():
                taken = stats.take()
                self._figures[name] = Figures(**{key: taken[key] for key in Figures.model_fields})

    # Claims and demand share one connection.

    def _maintain(self) -> None:
        """Renew the claims, and publish the renditions that have subscribers."""
        client = self._bus.client()
        backoff = Backoff()
        renew_at = known_at = 0.0
        try:
            while True:
                try:
                    if time.monotonic() >= renew_at:
                        renew_at = time.monotonic() + RENEW_S
                        self._renew(client)
                    self._update_demand(client)
                    known_at = time.monotonic()
                    backoff.reset()
                    self._demand_now.wait(DEMAND_PERIOD_S)
                except BUS_ERRORS as error:
                    log.debug("demand unknown: %s", type(error).__name__)
                    renew_at = 0.0
                    if time.monotonic() - known_at > MAX_OUTAGE_S:
                        for publisher in self._publishers.values():
                            publisher.want(False)
                    hub.sleep(backoff.next_s())
                except Exception:
                    log.exception("cannot update claims and demand")
                    hub.sleep(1)
        finally:
            client.connection_pool.disconnect()

    def _renew(self, client: Client) -> None:
        before = set(self._claims.refused)
        self._claims.renew(client, {name: camera.seq for name, camera in self._cameras.items()})
        for name, host in self._claims.refused.items():
            if name not in before:
                message = (
                    f"{self._cameras[name].title} is not shared: a node on {host} has its name"
                )
                log.error("camera=%s %s", name, message)
                self._on_notice("error", message, name, None)
        for name in before - set(self._claims.refused):
            log.info("camera=%s is shared again", name)

    def _update_demand(self, client: Client) -> None:
        """Publish exactly the renditions and videos that have subscribers."""
        publishers = dict(self._publishers)  # May change while waiting for the answer.
        if not publishers:
            return
        channels = [publisher.channel.encode() for publisher in publishers.values()]
        subscribers = dict(client.pubsub_numsub(*channels))
        ours = self._ours()
        for feed, publisher in publishers.items():
            if self._publishers.get(feed) is not publisher:
                continue
            publisher.want(
                feed.camera in ours and subscribers.get(publisher.channel.encode(), 0) > 0
            )
