"""Answers the events that dashboards send: requests, and operators' commands."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask_socketio import SocketIO

from server import protocol
from server.commands import COMMANDS, CameraCommand, Command
from server.control.control import Control, unknown_camera
from server.control.timeline import Timeline
from server.delivery.fanout import Fanout
from server.errors import RequestError
from server.recording.as_jpeg import ToJpeg, refuse_jpeg
from server.recording.memory import Memory
from server.web.auth.auth import Auth
from server.web.auth.permissions import may
from server.web.socket.announcements import Announcements, visibility_of
from server.web.socket.seek_requests import SeekRequests
from server.web.socket.session import Session
from server.web.socket.sessions import Sessions
from server.web.statistics import Statistics

__all__ = ["Events"]

log = logging.getLogger(__name__)

AUTO = "auto"
"""Requested in place of a rendition: whichever fits."""

P = TypeVar("P", bound=protocol.Payload)


class Events:
    """Everything sent over Socket.IO except frames.

    Args:
        socketio: Receives and sends the events.
        fanouts: By camera name, in the order of the settings.
        control: Carries out commands.
        statistics: Sent once a second; counts refusals.
        auth: Identifies clients, and closes connections whose access is revoked.
        credit_frames: The initial credit window of a viewer.
        timeline: Keeps the notices.
        memory_of: Returns a camera's memory; None if it has none.
        to_jpeg: Converts kept video to JPEG.
    """

    def __init__(
        self,
        socketio: SocketIO,
        fanouts: Mapping[str, Fanout],
        control: Control,
        statistics: Statistics,
        auth: Auth,
        credit_frames: int,
        timeline: Timeline,
        memory_of: Callable[[str], Memory | None] = lambda name: None,
        to_jpeg: ToJpeg = refuse_jpeg,
    ) -> None:
        self._timeline = timeline
        self._socketio = socketio
        self._fanouts = fanouts
        self._control = control
        self._statistics = statistics
        self._auth = auth
        self._sessions = Sessions(
            *(socketio, auth, statistics, credit_frames),
            lambda session: self._announcements.greet(session),
        )
        self._announcements = Announcements(
            socketio, fanouts, self._sessions.by_id, statistics, timeline
        )
        self.announce = self._announcements.announce
        self.notify = self._announcements.notify
        self.tell_event = self._announcements.tell_event
        self.list_cameras = self._announcements.list_cameras
        self.tell_views = self._announcements.tell_views

        socketio.on_event("ack", self._on_ack)
        self._answer("watch", protocol.WatchPayload, self._watch)
        self._answer("unwatch", protocol.CameraPayload, self._unwatch)
        seeks = SeekRequests(control, memory_of, to_jpeg)
        self._answer("seek", protocol.SeekPayload, seeks.seek)
        self._answer("play", protocol.PlayPayload, seeks.play)
        self._answer("clock", protocol.ClockPayload, self._clock)
        self._answer("notices", protocol.NoticesPayload, self._notices)
        for event, command in COMMANDS.items():
            self._answer(event, command, self._execute)
        socketio.on_event("*", self._on_unknown)

    def open(self) -> None:
        """Start announcing and evicting."""
        self._announcements.open()
        self._sessions.open()

    def close(self) -> None:
        """Send what is still queued, then close every connection."""
        self._sessions.flush()
        self._announcements.close()
        self._sessions.close()

    def forget(self, camera: str) -> None:
        """Stop everyone from watching a removed camera, and send everyone the new list."""
        self._socketio.server.close_room(protocol.room_of(camera))
        for session in list(self._sessions.by_id.values()):
            session.unwatch(camera)
        self._announcements.list_cameras()

    def follow(self, fanout: Fanout) -> None:
        """Switch everyone who watches a replaced camera to the new one."""
        for session in list(self._sessions.by_id.values()):
            session.follow(fanout)

    def greet_all(self) -> None:
        """Send hello to everyone again."""
        self._announcements.greet_all()

    def _answer(
        self, event: str, kind: type[P], handle: Callable[[Session, P], dict[str, Any]]
    ) -> None:
        """Register an event: parse it, check permission, handle, audit, and always reply."""

        def on_event(*arguments: object) -> dict[str, Any]:
            session = self._sessions.current()
            payload: P | None = None
            try:
                if session is None:
                    raise RequestError("unavailable", "this connection has ended")
                payload = protocol.parse_payload(kind, arguments)
                _permit(session, event, payload)
                reply = {"ok": True} | handle(session, payload)
            except RequestError as error:
                reply = self._refuse(error)
            except Exception:
                log.exception("event failed")
                reply = self._refuse(RequestError("unavailable", "the server could not do this"))
            if issubclass(kind, Command) and session is not None:
                details = payload.details() if isinstance(payload, Command) else {}
                self._audit(session, event, reply.get("error", "ok"), details)
            return reply

        self._socketio.on_event(event, on_event)

    def _audit(self, session: Session, event: str, result: str, details: dict[str, Any]) -> None:
        by = session.credential.by
        self._auth.audit.note(session.who, event, session.address, result, by=by, **details)

    def _refuse(self, error: RequestError) -> dict[str, Any]:
        self._statistics.count_refusal(error.code)
        return {"ok": False, "error": error.code, "message": str(error)}

    def _on_unknown(self, event: object, *_arguments: object) -> dict[str, Any]:
        return self._refuse(RequestError("bad_request", f"there is no event {str(event)[:40]!r}"))

    def _on_ack(self, *arguments: object) -> None:
        """Handle an ``ack`` that :class:`Session` did not recognise on the socket."""
        session = self._sessions.current()
        if session is not None and len(arguments) in (2, 3):
            session.acknowledge(*arguments)

    def _watch(self, session: Session, payload: protocol.WatchPayload) -> dict[str, Any]:
        camera = self._control.camera(payload.camera)
        fanout = self._fanouts[camera.name]
        if payload.rendition != AUTO and payload.rendition not in fanout.rooms:
            accepted = ", ".join((AUTO, *fanout.rooms))
            raise RequestError(
                "bad_request",
                f"rendition: {payload.rendition!r} is unknown; accepted: {accepted}",
            )
        self._socketio.server.enter_room(session.sid, protocol.room_of(camera.name))
        codecs, acks = frozenset(payload.video), payload.acks or 1
        if payload.rendition == AUTO:
            viewer = session.watch_auto(fanout, payload.width, codecs, acks)
        else:
            viewer = session.watch(fanout, payload.rendition, codecs, acks)
        choice = viewer.choice
        reply: dict[str, Any] = {
            "camera": camera.describe(),
            "rendition": choice.rendition if choice is not None else payload.rendition,
            "reason": choice.reason if choice is not None else "fixed",
        }
        if payload.video:
            offered = choice.offered if choice is not None else None
            reply["video"] = fanout.codec_of(offered) if offered is not None else None
        if payload.acks is not None:
            reply["window"] = viewer.credit.widest
        return reply

    def _unwatch(self, session: Session, payload: protocol.CameraPayload) -> dict[str, Any]:
        camera = self._control.camera(payload.camera)
        self._socketio.server.leave_room(session.sid, protocol.room_of(camera.name))
        session.unwatch(camera.name)
        return {"camera": camera.describe()}

    def _clock(self, session: Session, payload: protocol.ClockPayload) -> dict[str, Any]:
        session.bare_s = payload.round_trip or session.bare_s
        return {"t": payload.t, "server": time.time()}

    def _notices(self, session: Session, payload: protocol.NoticesPayload) -> dict[str, Any]:
        if payload.camera is not None:
            self._control.camera(payload.camera)
        person = session.credential.person
        notices, more = self._timeline.newest(
            person.sees, payload.since, payload.before, payload.camera
        )
        names = visibility_of(session).names
        return {"notices": [notice.payload(names) for notice in notices], "more": more}

    def _execute(self, session: Session, command: Command) -> dict[str, Any]:
        self._control.execute(session.who, command)
        if isinstance(command, CameraCommand):
            return {"camera": self._control.camera(command.camera).describe()}
        return {}


def _permit(session: Session, event: str, payload: protocol.Payload) -> None:
    """Raise RequestError if the session's user may not do this."""
    person = session.credential.person
    if not may(person, event):
        whose = "operators" if not person.operates else "operators of every camera"
        raise RequestError("forbidden", f"only {whose} may do this")
    camera = getattr(payload, "camera", None)
    if camera is not None and not may(person, event, camera):
        raise unknown_camera(camera)
