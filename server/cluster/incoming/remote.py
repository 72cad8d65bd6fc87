"""A camera of another node, with the interface of a local one."""

import functools
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from server.capture.frames.frame import Frame
from server.capture.frames.rendition import FULL, Rendition, ladder_of
from server.capture.frames.slot import Slot
from server.capture.frames.unit import Unit
from server.capture.frames.video_track import VideoTrack
from server.capture.interface import State
from server.cluster.bus.bus import Bus
from server.cluster.bus.messages import Status, Wake
from server.cluster.bus.numbering import Numbering
from server.cluster.bus.outbox import Outbox
from server.cluster.incoming.rpc import Requests
from server.cluster.incoming.subscriber import Subscriber
from server.cluster.incoming.video_subscriber import VideoSubscriber
from server.commands import CameraCommand
from server.errors import RequestError
from server.metrics import Meter

__all__ = ["RemoteCamera", "shown"]

# States in which a source is open and its last picture is worth keeping.
OPEN_STATES = ("starting", "live", "stalled")

# Shortest time between two requests for a key frame.
KEY_PERIOD_S = 1.0


class RemoteCamera:
    """A camera as announced by its node; receives frames while somebody here watches.

    Args:
        status: The first announced status.
        owner_id: Id of the camera's node.
        host: Name of the node's machine.
        bus: The Redis server; frames come over it.
        outbox: Sends the node requests for frames.
        requests: Sends commands to the node.
        on_change: Called when the visible state has changed.
    """

    def __init__(
        self,
        status: Status,
        owner_id: str,
        host: str,
        bus: Bus,
        outbox: Outbox,
        requests: Requests,
        on_change: Callable[["RemoteCamera"], None],
    ) -> None:
        self.name = status.name
        self.title = status.title
        self.ladder = ladder_of(tuple(status.widths))
        self.meter = Meter()
        self.videos: Mapping[str, VideoTrack] = {
            one.name: VideoTrack(one.name) for one in self.ladder
        }
        """Videos by rendition; one that its node does not have has no codec."""
        self.prefers_video = status.prefers_video
        self.owner_id = owner_id
        self.host = host
        self.heard_at = time.monotonic()
        """When its node last announced it, in monotonic seconds."""
        self.away: str | None = None
        """Why it is unavailable; None while its node announces it."""
        self.was_shut_down = False
        """Whether its node was shut down on purpose."""
        self._status = status
        self._away_since_unix = 0.0
        self._viewers = 0
        self._bus = bus
        self._outbox = outbox
        self._requests = requests
        self._on_change = on_change
        self._figures: Mapping[str, Any] = {}
        self._slots = {rendition: Slot() for rendition in self.ladder}
        self.slot = self._slots[FULL]
        self._numbering = numbering = Numbering()
        self._subscribers = {
            rendition: Subscriber(
                bus,
                bus.name("frame", self.name, rendition.name),
                lambda node: node == self.owner_id,
                functools.partial(self._put, slot),
                functools.partial(self._wake, rendition.name),
                self.meter.drops,
                numbering,
            )
            for rendition, slot in self._slots.items()
        }
        self._video_subscribers = {
            name: VideoSubscriber(
                bus,
                bus.name("video", self.name, name),
                lambda node: node == self.owner_id,
                track,
                functools.partial(self._put_unit, track),
                functools.partial(self._wake, name, video=True),
                self.meter.drops,
                numbering,
            )
            for name, track in self.videos.items()
        }
        self._keys_asked_at: dict[str, float] = {}
        self._learn_videos(status)

    # The interface of a camera.

    @property
    def owner(self) -> "RemoteCamera":
        """The object that executes commands on the camera's node."""
        return self

    @property
    def state(self) -> State:
        """Its last known state."""
        return "retrying" if self.away is not None else self._status.state

    @property
    def reason(self) -> str:
        """The reason for its state, for people."""
        return self.away if self.away is not None else self._status.reason

    @property
    def rate(self) -> float:
        """The highest frame rate it delivers; 30 if unknown."""
        return min(filter(None, (self._status.fps, self._status.source_fps)), default=30.0)

    @property
    def encoding_quality(self) -> int:
        """The JPEG quality that its node encodes with."""
        return self._status.quality

    @property
    def width(self) -> int:
        """The width of its pictures in pixels; 0 if unknown."""
        return self._status.width

    @property
    def rewind_s(self) -> float | None:
        """Seconds that its node keeps in memory; None if its version keeps nothing."""
        return self._status.rewind

    @property
    def has_library(self) -> bool:
        """Whether its node answers questions about its recordings."""
        return self._status.library

    def number(self, seq: int) -> int:
        """Return the number on this node for one of its node's frames."""
        return self._numbering.number(seq)

    def slot_of(self, rendition: Rendition) -> Slot:
        """Return the slot that receives a rendition's frames."""
        return self._slots[rendition]

    @property
    def figures(self) -> Mapping[str, Any]:
        """Its node's counters and measurements."""
        return self._figures

    def describe(self) -> dict[str, Any]:
        """Return STATE of the wire protocol, with the viewers on this node."""
        since = self._status.since if self.away is None else self._away_since_unix
        status = self._status
        only_here = {"figures", "widths", "controls", "videos", "prefers_video", "library"}
        return status.model_dump(exclude=only_here) | {
            "controls": [control.model_dump(exclude_none=True) for control in status.controls],
            "state": self.state,
            "reason": self.reason,
            "since": round(since, 3),
            "viewers": self._viewers,
            "rewind": status.rewind or 0.0,
        }

    def set_viewers(self, viewers: int) -> None:
        """Set the number of viewers on this node."""
        if viewers != self._viewers:
            self._viewers = viewers
            self._on_change(self)

    def set_renditions(self, renditions: Collection[Rendition]) -> None:
        """Set the renditions watched on this node; receive only their frames."""
        for rendition, subscriber in self._subscribers.items():
            if rendition in renditions:
                subscriber.open()
            elif subscriber.close():
                self._slots[rendition].clear()

    def set_videos(self, renditions: Collection[str], lazy: bool = False) -> None:
        """Set the videos watched on this node; receive only their units."""
        for name, subscriber in self._video_subscribers.items():
            if name in renditions:
                subscriber.open()
            elif subscriber.close():
                self.videos[name].lose()

    def request_key(self, rendition: str) -> None:
        """Ask its node for a key frame of a video it encodes, at most once a second."""
        track = self.videos.get(rendition)
        now = time.monotonic()
        last = self._keys_asked_at.get(rendition, -KEY_PERIOD_S)
        if track is None or track.passed_through or now - last < KEY_PERIOD_S:
            return
        if self._video_subscribers[rendition].is_open:
            self._keys_asked_at[rendition] = now
            self._wake(rendition, video=True, key=True)

    def request_frame(self) -> None:
        """Ask its node for the source's next picture."""
        for rendition, subscriber in self._subscribers.items():
            if subscriber.is_open:
                self._wake(rendition.name)

    def execute(self, who: str, command: CameraCommand) -> None:
        """Send an operator's command to its node; block until it is carried out."""
        if self.away is not None:
            raise RequestError("unavailable", self.away)
        status = self._requests.ask(self.owner_id, who, command)
        if status is not None and status.name == self.name:
            self._take(status)

    # Announcements.

    def receive(self, status: Status, owner_id: str, host: str) -> None:
        """Update it from an announcement of its node."""
        self.owner_id, self.host = owner_id, host
        self.heard_at = time.monotonic()
        was_away, self.away = self.away, None
        self.was_shut_down = False
        self._take(status, changed=was_away is not None)

    def is_replaced_by(self, status: Status, node: str) -> bool:
        """Return whether an announcement replaces it with a camera of other renditions."""
        is_authoritative = node == self.owner_id or self.away is not None
        return is_authoritative and ladder_of(tuple(status.widths)) != self.ladder

    def lose(self, reason: str) -> None:
        """Mark it as unavailable, for a reason."""
        if self.away == reason:
            return
        if self.away is None:
            self._away_since_unix = time.time()
        self.away = reason
        self._clear()
        self._on_change(self)

    def close(self) -> None:
        """Stop receiving frames."""
        for subscriber in (*self._subscribers.values(), *self._video_subscribers.values()):
            subscriber.close()

    def _take(self, status: Status, changed: bool = False) -> None:
        if status.figures is not None:
            self._figures = status.figures.model_dump()
            # Copied for /metrics, which reads meters. The counters reset when the node restarts,
            # which Prometheus handles.
            self.meter.captured = status.figures.captured
            self.meter.encoded = status.figures.encoded
            self.meter.lost = status.figures.lost
        seen = {"figures", "viewers"}
        changed = changed or status.model_dump(exclude=seen) != self._status.model_dump(
            exclude=seen
        )
        self._status = status
        self.title = status.title
        self._learn_videos(status)
        if status.state not in OPEN_STATES:
            self._clear()
        if changed:
            self._on_change(self)

    def _learn_videos(self, status: Status) -> None:
        self.prefers_video = status.prefers_video
        for name, track in self.videos.items():
            facts = status.videos.get(name)
            track.codec = facts.codec if facts else None
            track.passed_through = facts is not None and facts.passed_through
            track.kbps = (facts and facts.kbps) or 0

    def _put(self, slot: Slot, frame: Frame) -> None:
        if self._viewers and self.away is None:
            replaced = slot.replaced
            slot.put(frame)
            self.meter.drops["replaced"] += slot.replaced - replaced

    def _put_unit(self, track: VideoTrack, unit: Unit) -> None:
        if self._viewers and self.away is None:
            track.put(unit)

    def _clear(self) -> None:
        for slot in self._slots.values():
            slot.clear()
        for track in self.videos.values():
            track.lose()

    def _wake(self, rendition: str, **more: bool) -> None:
        wake = Wake(camera=self.name, rendition=rendition, **more)
        self._outbox.send(self._bus.name("wake"), wake)


def shown(host: str) -> str:
    """Return the name of a node's machine for display."""
    return "".join(one for one in host if one.isprintable()) or "without a name"
