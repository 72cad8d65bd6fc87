"""This process as a node on the bus: shared cameras and shared state."""

import functools
import logging
import secrets
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from server.capture.camera import Camera
from server.capture.frames.unit import Unit
from server.cluster.bus.bus import Bus
from server.cluster.bus.library_message import Happened, Question
from server.cluster.bus.listener import Listener, handler_of
from server.cluster.bus.messages import Notice, Presence, Reply, Request, Wake
from server.cluster.bus.outbox import Outbox
from server.cluster.bus.past_message import PastPart, PastRequest
from server.cluster.incoming.directory import Directory
from server.cluster.incoming.remote import RemoteCamera
from server.cluster.incoming.remote_library import RemoteLibraries
from server.cluster.incoming.remote_memory import PastRequests, RemoteMemory
from server.cluster.incoming.rpc import Requests
from server.cluster.outgoing.exporter import Execute, Exporter, Note
from server.cluster.outgoing.library_server import LibraryServer
from server.cluster.outgoing.past_server import PastServer
from server.cluster.outgoing.publisher import JoinableFanout
from server.cluster.shared.file import SharedFile
from server.cluster.shared.logins import SharedLogins
from server.cluster.shared.secret import Secret
from server.cluster.shared.users import share_users
from server.errors import RequestError
from server.recording.disk.index import Event
from server.recording.memory import Memory
from server.recording.recording import Recording

__all__ = ["Node", "SharedState"]

log = logging.getLogger(__name__)

# Login attempts counted on the bus at the same time; more are counted by this process alone.
MAX_LIMIT_CONNECTIONS = 16


class OwnViews(Protocol):
    """This node's copy of the saved views; see :mod:`server.views.views`."""

    def text(self) -> bytes | None: ...

    def replace(self, text: bytes) -> None: ...


class SharedState:
    """State shared by all nodes that people log in to: key, users, logins, limits and saved views.

    Args:
        bus: Holds the shared state.
        folder: The state folder, which keeps copies.
        views: This node's saved views.

    Raises:
        ConfigError: If the bus or the folder cannot be used.
    """

    def __init__(self, bus: Bus, folder: Path, views: OwnViews) -> None:
        secret = Secret(bus, folder)
        secret.share()
        self._users = share_users(bus, folder, secret.restore)
        self._users.sync_first()
        # Not synced at the start: a bus with the ACL of an earlier release refuses them.
        self._views = SharedFile(
            bus,
            "views",
            "saved views",
            views.text,
            views.replace,
            folder / "views.before-bus.json",
        )
        self.logins = SharedLogins(bus)
        self.limits_url = "redis://"
        """The storage Flask-Limiter counts in; the address itself is in the options."""
        self.limits_options: dict[str, Any] = {
            "connection_pool": bus.pool(MAX_LIMIT_CONNECTIONS),
            "key_prefix": bus.name("limits"),
            "wrap_exceptions": True,
        }

    def open(self) -> None:
        """Start following changes of users and views."""
        self._users.open()
        self._views.open()

    def close(self) -> None:
        """Stop following changes."""
        self._views.close()
        self._users.close()
        self.logins.close()


class Node:
    """One process on the bus.

    Args:
        bus: The Redis server.
        cameras: This process's cameras to share, by name.
        fanouts: Their fanouts, by name.
        execute: Carries out commands from operators on other nodes.
        on_notice: Shows a notice on this node's dashboards: level, message, camera, and who did it.
        note: Writes each request from another node to the audit log.
        recording: The memory and library of our cameras.
        on_event: Called with every event of another node's camera.

    Attributes:
        libraries: The recordings and events of other nodes.
    """

    def __init__(
        self,
        bus: Bus,
        cameras: Mapping[str, Camera],
        fanouts: Mapping[str, JoinableFanout],
        execute: Execute,
        on_notice: Callable[[str, str, str, str | None], None],
        note: Note,
        recording: Recording,
        on_event: Callable[[Event], None],
    ) -> None:
        self._bus = bus
        self._id = secrets.token_hex(8)
        self._cameras = cameras
        self._on_notice = on_notice
        self._on_event = on_event
        self._outbox = Outbox(bus)
        self._requests = Requests(bus, self._id, self._outbox)
        self._past_requests = PastRequests(bus, self._id, self._outbox)
        self.libraries = RemoteLibraries(
            bus, self._id, self._outbox, lambda: self._others, self._recorded_picture
        )
        library = recording.library
        self._past_server = PastServer(
            bus, self._id, cameras, recording.memory_of, recording.past, library
        )
        self._library_server = LibraryServer(bus, self._id, cameras, library, note)
        self._exporter = Exporter(
            bus,
            self._id,
            socket.gethostname(),
            cameras,
            fanouts,
            self._outbox,
            execute,
            on_notice,
            note,
        )
        self._directory: Directory | None = None
        self._listener: Listener | None = None

    def claim(self) -> None:
        """Claim the cameras' names; raise ConfigError if another node holds one of them."""
        self._exporter.claim()

    def show_others(
        self,
        on_arrival: Callable[[RemoteCamera], None],
        on_departure: Callable[[RemoteCamera], None],
        on_change: Callable[[RemoteCamera], None],
    ) -> None:
        """Show the cameras of other nodes on this one; call before :meth:`open`."""
        self._directory = Directory(
            self._bus,
            self._id,
            self._cameras,
            self._outbox,
            self._requests,
            lambda: self._listener is not None and self._listener.connected,
            on_arrival,
            on_departure,
            on_change,
            self._on_notice,
            self._on_event,
        )

    def open(self) -> None:
        """Start sharing and showing cameras."""
        name = self._bus.name
        # A node without cameras needs these too: it may get some later.
        handlers: dict[str, Callable[[bytes], None]] = {
            name("wake"): handler_of(Wake, self._exporter.on_wake),
            name("request", self._id): handler_of(Request, self._exporter.on_request),
            name("remember", self._id): handler_of(PastRequest, self._past_server.on_request),
            name("library", self._id): handler_of(Question, self._library_server.on_question),
        }
        if self._directory is not None:
            handlers[name("presence")] = handler_of(Presence, self._directory.on_presence)
            handlers[name("notice")] = handler_of(Notice, self._directory.on_notice)
            handlers[name("reply", self._id)] = handler_of(Reply, self._requests.on_reply)
            handlers[name("past", self._id)] = self._past_requests.on_part
            handlers[name("kept", self._id)] = self.libraries.on_answer
            handlers[name("event")] = handler_of(Happened, self._directory.on_event)
        self._listener = Listener(self._bus, handlers, self._announce_arrival)
        self._outbox.open()
        self._listener.open()
        self._exporter.open()
        self._past_server.open()
        self._library_server.open()
        if self._directory is not None:
            self._directory.open()

    def close(self) -> None:
        """Announce that this node is leaving, and stop."""
        if self._listener is not None:
            self._listener.close()
        if self._directory is not None:
            self._directory.close()
        self._library_server.close()
        self._past_server.close()
        self._exporter.close()
        self._outbox.close()

    def memory_of(self, name: str, deep: bool = False) -> Memory | None:
        """Return the memory of another node's camera; None if it has none.

        Args:
            name: Name of the camera.
            deep: Whether to include what is on the node's disk.
        """
        camera = self._directory.camera(name) if self._directory is not None else None
        if camera is None or (camera.rewind_s == 0 and not deep):
            return None
        ask = functools.partial(self._ask_past, camera, deep=deep)
        return RemoteMemory(ask, camera.number)

    @property
    def _others(self) -> list[RemoteCamera]:
        return self._directory.cameras if self._directory is not None else []

    def _recorded_picture(self, camera: RemoteCamera, key: str, at_unix: float) -> list[Unit]:
        """Return the units needed to decode a recording's picture at a time; its unit is last."""
        ask = functools.partial(self._ask_past, camera, deep=True, recording=key)
        return RemoteMemory(ask).find(at_unix)

    def _ask_past(self, camera: RemoteCamera, at_unix: float, **more: Any) -> PastPart:
        if camera.away is not None:
            raise RequestError("unavailable", camera.away)
        if camera.rewind_s is None:
            raise RequestError("unavailable", "its node runs a version that keeps no past")
        return self._past_requests.ask(camera.owner_id, camera.name, at_unix, **more)

    def claim_one(self, name: str) -> int:
        """Claim the name of a camera to be added; return the seq to continue from.

        Raises:
            ConfigError: If another node holds it, or the bus is unavailable.
        """
        return self._exporter.claim_one(name)

    def release_one(self, name: str) -> None:
        """Release the name of a removed camera."""
        self._exporter.release_one(name)

    def share(self, camera: Camera, fanout: JoinableFanout) -> None:
        """Share a camera that was added or has replaced another."""
        self._exporter.share(camera, fanout)

    def unshare(self, name: str) -> None:
        """Stop sharing a camera that is being removed or replaced."""
        self._exporter.unshare(name)

    def on_change(self, camera: str) -> None:
        """Announce the new STATE of one of our cameras."""
        self._exporter.on_change(camera)

    def notify(self, level: str, message: str, camera: str, who: str | None = None) -> None:
        """Send a notice about one of our cameras to the dashboards of other nodes."""
        self._exporter.notify(level, message, camera, who)

    def tell_event(self, event: Event) -> None:
        """Send an event of one of our cameras to other nodes."""
        self._outbox.send(self._bus.name("event"), Happened(node=self._id, event=event))

    def _announce_arrival(self) -> None:
        if self._directory is not None:
            self._outbox.send(self._bus.name("wake"), Wake())
