"""Sends dashboards what they did not request: hello, changed cameras, notices, statistics.

Each message is built once per set of cameras that users may see: just once if no user is limited to
some cameras.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask_socketio import SocketIO

from server import __version__
from server.capture.interface import CameraInterface
from server.control.timeline import Timeline
from server.delivery.fanout import Fanout
from server.loop import hub
from server.protocol import PROTOCOL_VERSION
from server.recording.disk.index import Event
from server.web.socket.broadcast import Broadcast
from server.web.socket.session import Session
from server.web.statistics import Statistics

__all__ = ["Announcements", "Visibility", "visibility_of"]

# Viewers coming and going change STATE; changes within this time are announced together.
ANNOUNCE_PERIOD_S = 0.05

# Writing a change to one dashboard takes 20 us. Without this, many dashboards connecting one after
# the other would keep the server busy announcing them to each other.
ANNOUNCE_PERIOD_EACH_S = 0.0002

STATS_PERIOD_S = 1.0


class Visibility(NamedTuple):
    """What a group of users may see."""

    cameras: frozenset[str] | None
    """Names of the visible cameras; None for all."""
    names: bool
    """Whether they see the names of operators."""
    embedded: bool
    """Whether embedded in another site's page: gets states, but no notices, events or stats."""

    def sees(self, camera: str) -> bool:
        """Return whether a camera is visible to them."""
        return self.cameras is None or camera in self.cameras

    @property
    def room(self) -> str:
        """The Socket.IO room of everyone with this visibility."""
        cameras = "all" if self.cameras is None else "some:" + ",".join(sorted(self.cameras))
        return f"{cameras} {'named' if self.names else 'unnamed'}{' embedded' * self.embedded}"


def visibility_of(session: Session) -> Visibility:
    """Return what a session's user may see."""
    person = session.credential.person
    return Visibility(person.cameras, person.operates, person.kind == "embed")


class Announcements:
    """Announces changes to the dashboards.

    Args:
        socketio: Sends events.
        fanouts: By camera name, in the order of the settings.
        sessions: The connected dashboards' sessions, by Socket.IO id.
        statistics: Sent once a second.
        timeline: Keeps the notices.
    """

    def __init__(
        self,
        socketio: SocketIO,
        fanouts: Mapping[str, Fanout],
        sessions: Mapping[str, Session],
        statistics: Statistics,
        timeline: Timeline,
    ) -> None:
        self._socketio = socketio
        self._fanouts = fanouts
        self._sessions = sessions
        self._statistics = statistics
        self._timeline = timeline
        self._broadcast = Broadcast(socketio, sessions)
        self._changed: dict[str, CameraInterface] = {}
        self._announce = hub.Signal()
        self._tasks: list[hub.Task] = []

    def open(self) -> None:
        """Start announcing changes and statistics."""
        self._broadcast.open()
        self._tasks = [hub.spawn(self._send_changes), hub.spawn(self._send_stats)]

    def close(self) -> None:
        """Stop announcing."""
        for task in self._tasks:
            task.kill()
        self._broadcast.close()

    def announce(self, camera: CameraInterface) -> None:
        """Send a camera's STATE to everyone who may see it; does not block."""
        self._changed[camera.name] = camera
        self._announce.set()

    def notify(self, level: str, message: str, camera: str | None, who: str | None = None) -> None:
        """Keep a notice, and send it to everyone who may see the camera.

        Args:
            level: ``info``, ``warning`` or ``error``.
            message: What happened, without the name of who did it.
            camera: Name of the camera; None for the whole server.
            who: Who did it; sent to operators only.
        """
        notice = self._timeline.add(level, message, camera, who)
        for visibility in self._visibilities():
            if not visibility.embedded and (camera is None or visibility.sees(camera)):
                payload = notice.payload(visibility.names)
                self._broadcast.send("notice", payload, visibility.room, can_wait=True)

    def tell_event(self, event: Event) -> None:
        """Send an event that began, changed or ended to everyone who may see its camera."""
        for visibility in self._visibilities():
            if not visibility.embedded and visibility.sees(event.camera):
                self._broadcast.send("event", event.describe(), visibility.room)

    def greet(self, session: Session) -> None:
        """Send hello to a session, and add it to the room of its visibility."""
        if session.sid not in self._sessions:
            return  # It has disconnected meanwhile.
        person = session.credential.person
        # Nothing can reach the room before hello: no other green thread runs in between.
        self._socketio.server.enter_room(session.sid, visibility_of(session).room)
        hello = {
            "version": PROTOCOL_VERSION,
            "server": __version__,
            "role": session.role,
            "admin": person.administers,
            "user": person.name,
            "cameras": self._seen_by(visibility_of(session)),
        }
        self._broadcast.send("hello", hello, session.sid)

    def list_cameras(self) -> None:
        """Send everyone the cameras that they may see, in order; does not block."""
        for visibility in self._visibilities():
            self._broadcast.send("cameras", {"cameras": self._seen_by(visibility)}, visibility.room)

    def tell_views(self, whose: str | None) -> None:
        """Tell a user's pages, or everyone's if None, that the saved views have changed."""
        for session in self._sessions.values():
            person = session.credential.person
            if person.kind != "embed" and whose in (None, person.name):
                self._broadcast.send("views", {}, session.sid)  # Each session is a room, too.

    def greet_all(self) -> None:
        """Send hello to everyone again, because a camera has left the list."""
        for session in self._sessions.values():
            hub.spawn(self.greet, session)

    def _seen_by(self, visibility: Visibility) -> list[dict[str, Any]]:
        seen = (fanout for name, fanout in self._fanouts.items() if visibility.sees(name))
        return [fanout.camera.describe() for fanout in seen]

    def _visibilities(self) -> set[Visibility]:
        return set(map(visibility_of, self._sessions.values()))

    def _send_changes(self) -> None:
        while True:
            self._announce.wait()
            changed, self._changed = self._changed, {}
            for name, camera in changed.items():
                fanout = self._fanouts.get(name)
                if fanout is None or fanout.camera is not camera:
                    continue  # Removed or replaced meanwhile.
                for visibility in self._visibilities():
                    if visibility.sees(name):
                        state = camera.describe()
                        self._broadcast.send("camera", state, visibility.room, can_wait=True)
            each_s = ANNOUNCE_PERIOD_EACH_S * len(self._sessions)
            hub.sleep(max(ANNOUNCE_PERIOD_S, each_s))

    def _send_stats(self) -> None:
        while True:
            hub.rest(STATS_PERIOD_S)
            stats = self._statistics.take(len(self._sessions))
            for visibility in self._visibilities():
                if not visibility.embedded:
                    seen = {n: c for n, c in stats["cameras"].items() if visibility.sees(n)}
                    stats_seen = stats | {"cameras": seen}
                    self._broadcast.send("stats", stats_seen, visibility.room, can_wait=True)
