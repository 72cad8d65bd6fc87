"""One connected dashboard: its WebSocket, and the cameras it watches."""

import functools
import json
import re
import time
from collections.abc import Callable
from typing import Any

from server.capture.frames.rendition import FULL
from server.delivery.adaptation import Acknowledged, RenditionSelector
from server.delivery.choice import FixedChoice, VideoSelector
from server.delivery.credit import Credit
from server.delivery.fanout import Fanout
from server.delivery.link import Link
from server.recording.memory import Memory
from server.recording.player import Player
from server.web.auth.connections import EVERYBODY, Credential
from server.web.edge.bucket import Bucket
from server.web.socket.heartbeat import PONG, Heartbeat
from server.web.socket.message_filter import Json
from server.web.socket.past_viewer import PastViewer
from server.web.socket.viewer import Choice, SocketViewer
from server.web.socket.websocket import Message, WebSocket

__all__ = ["Session"]

ACK = re.compile(r'42\["ack", ?"([A-Za-z0-9-]{1,40})", ?([0-9]{1,15})(?:, ?([0-9]{1,6}))?\]')
"""A Socket.IO event ``ack`` that expects no reply, as JSON encoders write it."""
ACK_PREFIX = '42["ack",'
"""The start of an ``ack`` in any other form."""

# A longer hold is ignored: it says nothing about the link.
MAX_HOLD_MS = 999_999

EVENT_ID = re.compile(r"42([0-9]{0,10})\[")
RATE_LIMITED = json.dumps(
    [{"ok": False, "error": "rate_limited", "message": "too many events; wait a second"}]
)

# Dragging a slider sends a tenth as many.
EVENTS_PER_S = 60
EVENT_BURST = 120

# Sixteen cameras at 120 fps need fewer acknowledgements; no dashboard sends more.
MESSAGES_PER_S = 3000
MESSAGES_PER_CHECK = 32
"""The rate limit is checked once per this many messages: there are thousands a second."""

CONNECT_PREFIX = "40"

NO_CODECS: frozenset[str] = frozenset()
"""Codecs of a viewer that gets JPEG only."""


class Session:
    """One connected dashboard and what it watches.

    Args:
        sid: Its Socket.IO id.
        websocket: Its transport; the session sees each message first.
        who: The user name or address, for notices.
        role: ``viewer``, ``operator`` or ``admin``.
        credit_frames: The initial credit window.
        count_refusal: Called with the reason for every event rejected here.
        credential: Who is connected, and by which right.
        lag_s: Returns a quantile of the hub's recent delay, in seconds.
    """

    def __init__(
        self,
        sid: str,
        websocket: WebSocket,
        who: str,
        role: str,
        credit_frames: int,
        count_refusal: Callable[[str], None] = lambda reason: None,
        credential: Credential = EVERYBODY,
        lag_s: Callable[[float], float] = lambda share: 0.0,
    ) -> None:
        self._count_refusal = count_refusal
        self._lag_s = lag_s
        self.sid = sid
        self.who = who
        self.role = role
        self.credential = credential
        self.address = ""
        """The address it connects from."""
        self.websocket = websocket
        self._credit_frames = credit_frames
        self._watching: dict[str, tuple[Fanout, SocketViewer]] = {}
        self._rewatch: dict[str, Callable[[], object]] = {}  # Watches each camera live again.
        self._past: dict[str, PastViewer] = {}  # Viewers of cameras that show the past.
        self._link: Link | None = None  # The latest estimate, from whichever camera.
        self._seeks = 0
        self._last_seqs: dict[str, int] = {}
        self.bare_s = 0.0
        """Round trip of a message on the unloaded link, in seconds; 0 while unknown."""
        self._owed_before_s = 0.0  # Carried over from viewers that ended without any ack.
        self._events = Bucket(EVENTS_PER_S, EVENT_BURST, time.monotonic())
        self._received = 0
        self._messages = Bucket(MESSAGES_PER_S, MESSAGES_PER_S, time.monotonic())
        self.heartbeat = Heartbeat(websocket, time.monotonic())
        websocket.admitted = True
        websocket.on_message = self._on_message
        websocket.on_drained = self._on_drained

    @property
    def is_watching(self) -> bool:
        """Whether this dashboard watches any camera."""
        return bool(self._watching)

    def watching(self) -> list[str]:
        """Return the names of the watched cameras."""
        return list(self._watching)

    def watch(
        self,
        fanout: Fanout,
        rendition: str = FULL.name,
        codecs: frozenset[str] = NO_CODECS,
        acks: int = 1,
    ) -> SocketViewer:
        """Become a viewer of a camera; watching it again starts with fresh credit.

        Args:
            fanout: The camera's fanout.
            rendition: Name of the rendition.
            codecs: Video codecs the dashboard decodes, such as ``h264``; empty for JPEG only.
            acks: The most frames that one acknowledgement may cover.
        """
        self._rewatch[fanout.camera.name] = lambda: self.watch(
            fanout, rendition if rendition in fanout.rooms else FULL.name, codecs, acks
        )
        choice = FixedChoice(fanout.camera, rendition, codecs) if codecs else None
        return self._start_watching(fanout, rendition, choice, codecs, acks, self._initial_link())

    def watch_auto(
        self,
        fanout: Fanout,
        width: int | None,
        codecs: frozenset[str] = NO_CODECS,
        acks: int = 1,
    ) -> SocketViewer:
        """Become a viewer of a camera in the rendition that fits, which its ``choice`` picks.

        Args:
            fanout: The camera's fanout.
            width: Width of the tile in device pixels; None for the widest rendition.
            codecs: Video codecs the dashboard decodes, such as ``h264``; empty for JPEG only.
            acks: The most frames that one acknowledgement may cover.
        """
        self._rewatch[fanout.camera.name] = lambda: self.watch_auto(fanout, width, codecs, acks)
        # If only the tile has changed, the estimates of the link still hold.
        _, before = self._watching.get(fanout.camera.name, (None, None))
        known = before is not None and before.codecs == codecs
        choice = before.choice if before is not None and known else None
        link = before.link if before is not None else self._initial_link()
        now = time.monotonic()
        if not isinstance(choice, RenditionSelector | VideoSelector):
            choice = RenditionSelector(fanout.camera, fanout.bytes_of, now, self._lag_s)
            if codecs:
                choice = VideoSelector(
                    *(fanout.camera, fanout.kbps_of, fanout.bytes_of), choice, codecs, link
                )
                choice.begin(now)
        choice.aim(width, before.last_seq if before is not None else 0, now)
        return self._start_watching(fanout, choice.rendition, choice, codecs, acks, link)

    def _initial_link(self) -> Link:
        """Return the link estimate to begin with for another camera."""
        return self._link.copy() if self._link is not None else Link()

    def _start_watching(
        self,
        fanout: Fanout,
        rendition: str,
        choice: Choice | None,
        codecs: frozenset[str],
        acks: int,
        link: Link,
    ) -> SocketViewer:
        name = fanout.camera.name
        self._carry_over(name)
        # After a short break, do not send a frame that the dashboard already has.
        last_seq = self._last_seqs.get(name, 0)
        credit = Credit(self._credit_frames, time.monotonic(), acks)
        viewer = SocketViewer(self.websocket, credit, last_seq, choice, codecs, link)
        self._watching[name] = fanout, viewer
        fanout.join(self.sid, viewer, rendition, choice.video if choice is not None else None)
        self._end_past(name)
        return viewer

    def unwatch(self, name: str) -> None:
        """Stop being a viewer of a camera."""
        self._carry_over(name)
        self._rewatch.pop(name, None)
        watched = self._watching.pop(name, None)
        if watched is not None:
            watched[0].leave(self.sid)
        self._end_past(name)

    def next_seek(self) -> int:
        """Return the number for a new seek."""
        self._seeks += 1
        return self._seeks

    def codecs_of(self, name: str) -> frozenset[str] | None:
        """Return the codecs the dashboard decodes for a camera; None if it is not watched."""
        watched = self._watching.get(name)
        return watched[1].codecs if watched is not None else None

    def past_viewer_of(self, name: str) -> PastViewer | None:
        """Return the viewer of a camera's past; None if live or not watched."""
        return self._past.get(name)

    def show_past(self, name: str, memory: Memory) -> PastViewer:
        """Switch a watched camera from live to its past; return the viewer of the past."""
        known = self._past.get(name)
        if known is not None:
            return known
        fanout, _ = self._watching[name]
        self._carry_over(name)
        credit = Credit(self._credit_frames, time.monotonic())
        on_live = functools.partial(self.show_live, name)
        past_viewer = PastViewer(fanout, self.websocket, Player(memory), credit, on_live)
        self._past[name] = past_viewer
        fanout.leave(self.sid)
        return past_viewer

    def show_live(self, name: str) -> None:
        """Return a camera that shows the past to live, watched as before."""
        if name in self._past:
            self._rewatch[name]()

    def _end_past(self, name: str) -> None:
        past_viewer = self._past.pop(name, None)
        if past_viewer is not None:
            past_viewer.close()

    def follow(self, fanout: Fanout) -> None:
        """Continue with the new camera of a fanout whose camera has been replaced."""
        name = fanout.camera.name
        watched = self._watching.get(name)
        choice = watched[1].choice if watched is not None else None
        past_viewer = self._past.get(name)
        if past_viewer is not None:
            past_viewer.hold()
        if watched is None or choice is None:
            return
        _, viewer = watched
        choice.follow(fanout.camera, viewer.last_seq, time.monotonic())
        if past_viewer is not None:
            return
        video = viewer.video.name if viewer.video is not None else None
        if (viewer.room.rendition.name, video) != (choice.rendition, choice.video):
            self._move(name, fanout, choice)

    def leave(self) -> None:
        """Stop being a viewer of anything."""
        for name in list(self._watching):
            self.unwatch(name)

    def _carry_over(self, name: str) -> None:
        """Carry the sequence number and the overdue time over to the next viewer."""
        watched = self._watching.get(name)
        if watched is not None:
            _, viewer = watched
            past_viewer = self._past.get(name)
            past_seq = past_viewer.newest_seq if past_viewer else 0
            self._last_seqs[name] = max(viewer.last_seq, past_seq)
            now = time.monotonic()
            owing_s = past_viewer.waiting_s(now) if past_viewer else viewer.credit.waiting_s(now)
            self._owed_before_s += owing_s

    def owing_s(self, now: float) -> float:
        """Return how long its oldest missing acknowledgement has been due; 0 if none is.

        Only an acknowledgement counts as progress: a peer that never reads could send pongs or
        ``watch`` forever.
        """
        longest_s = 0.0
        for name, (_, viewer) in self._watching.items():
            waiting = self._past.get(name) or viewer.credit
            longest_s = max(longest_s, waiting.waiting_s(now))
        return longest_s + self._owed_before_s if longest_s else 0.0

    def acknowledge(self, name: object, seq: object, hold_ms: object = 0) -> None:
        """Return the credit of frames up to ``seq``; invalid values are ignored.

        Args:
            name: Name of the camera.
            seq: Number of the newest frame that the viewer has painted.
            hold_ms: Time from arrival to painting of that frame, in milliseconds.
        """
        if isinstance(name, str) and isinstance(seq, int) and not isinstance(seq, bool):
            known = isinstance(hold_ms, int | float) and 0 <= hold_ms <= MAX_HOLD_MS
            self._acknowledge(name, seq, hold_ms if known else 0, time.monotonic())  # type: ignore[arg-type]

    def _acknowledge(self, name: str, seq: int, hold_ms: float, now: float) -> None:
        watched = self._watching.get(name)
        if watched is None:
            return
        past_viewer = self._past.get(name)
        if past_viewer is not None:
            if past_viewer.acknowledge(seq, now):
                self._owed_before_s = 0.0
            return
        fanout, viewer = watched
        credit = viewer.credit
        frames = credit.acknowledge(seq, now, fanout.rate)
        if not frames:
            return
        self._owed_before_s = 0.0
        if viewer.choice is not None:
            round_trip_s = credit.round_trip_s or 0.0
            ack = Acknowledged(seq, frames, round_trip_s, hold_ms / 1000, viewer.flows)
            if viewer.codecs:
                viewer.link.take(credit.delivery, ack.transit_s, self.bare_s)
                self._link = viewer.link
            if viewer.choice.take(ack, viewer.last_seq, self.bare_s, now):
                self._move(name, fanout, viewer.choice)
        fanout.serve(viewer)

    def _move(self, name: str, fanout: Fanout, choice: Choice) -> None:
        """Tell the viewer the choice's rendition or video, and why; then switch it."""
        message: dict[str, Any] = {"camera": name, "rendition": choice.rendition}
        message["reason"] = choice.reason
        if choice.video is not None:
            message |= {"rendition": choice.video, "video": fanout.codec_of(choice.video)}
        # Bypass Socket.IO's queue: this may run in a hub callback, which must not wait.
        self.websocket.send_text("42" + json.dumps(["rendition", message]))
        fanout.move(self.sid, choice.rendition, choice.video)

    def _on_message(self, message: Message) -> bool:
        """Handle acknowledgements here; return whether the message was handled.

        Through Flask-SocketIO each would cost a request context and a green thread: at thousands a
        second, most of the server's work. Even parsing them as JSON would double their cost.
        """
        now = time.monotonic()
        self._received += 1
        if self._received % MESSAGES_PER_CHECK == 0 and not self._messages.take(
            now, MESSAGES_PER_CHECK
        ):
            self._count_refusal("flood")
            self.websocket.close()
            return True
        ack = ACK.fullmatch(message) if isinstance(message, str) else None
        if ack is not None:
            name, seq, hold_ms = ack.groups()
            self._acknowledge(name, int(seq), int(hold_ms or 0), now)
            return True
        if message == PONG:
            self.heartbeat.answer(now)
            return True
        if isinstance(message, str) and message.startswith(CONNECT_PREFIX):
            # Already connected, and connecting is the most expensive event.
            self._count_refusal("flood")
            self.websocket.close()
            return True
        if not isinstance(message, str) or not message.startswith(ACK_PREFIX):
            return not self._events.take(now) and self._refuse(message)
        try:
            _, *arguments = Json.loads(message[2:])
        except (ValueError, RecursionError):
            return False
        if len(arguments) not in (2, 3):
            return False
        self.acknowledge(*arguments)
        return True

    def _refuse(self, message: Message) -> bool:
        """Reject an event over the rate limit here, where rejecting costs almost nothing."""
        asked = EVENT_ID.match(message) if isinstance(message, str) else None
        if asked is None:
            return False  # An Engine.IO packet.
        self._count_refusal("rate_limited")
        if asked[1]:
            self.websocket.send_text(f"43{asked[1]}{RATE_LIMITED}")
        return True

    def _on_drained(self) -> None:
        for name, (fanout, viewer) in list(self._watching.items()):
            if (past_viewer := self._past.get(name)) is not None:
                past_viewer.wake()
            else:
                fanout.serve(viewer)
