"""The rooms of one camera and the pump that serves them: wait, encode once, send to who has credit.

A room is one rendition and its viewers. For every frame the pump goes through the rooms from the
largest rendition to the smallest, and leaves out those in which nobody can take it.
"""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from server.capture.frames.frame import Frame
from server.capture.frames.rendition import FULL, Rendition
from server.capture.frames.slot import Slot
from server.capture.interface import CameraInterface
from server.delivery.encoder import EncodedFrame
from server.delivery.renditions import RenditionEncoder
from server.errors import EncodeError
from server.loop import hub

__all__ = ["Fanout", "Room", "Viewer"]

log = logging.getLogger(__name__)

# After so many viewers the hub gets a turn, so that a large room delays nobody's control events.
VIEWERS_PER_TURN = 32


class Viewer(Protocol):
    """One connected consumer of one camera.

    Attributes:
        last_seq: The newest frame it was sent; written by the fanout only.
        room: Which rendition it sees; written by the fanout only.
        obstacle: Why it cannot take a frame now (``credit``: it owes acknowledgements; ``unsent``:
            its previous bytes are not out yet; ``gone``: its connection has ended), or None when
            it can.
    """

    last_seq: int
    room: "Room"

    @property
    def obstacle(self) -> str | None: ...

    def send(self, frame: EncodedFrame, now: float) -> str | None:
        """Take the frame without blocking; return the obstacle if there is one.

        Args:
            frame: One it has not had.
            now: Monotonic seconds.
        """

    def miss(self, obstacle: str) -> None:
        """Note that a frame went by because of ``obstacle``."""


class Room:
    """The viewers of one rendition.

    Args:
        rendition: What they see.
        slot: Where the frames come from that it is made of.

    Attributes:
        viewers: By key.
        newest: What they were sent last, or could have been.
        missed_seq: The newest frame that none of them could take.
        frames: How many frames were sent to anyone here.
        sent_bytes: JPEG bytes sent, counted once per viewer.
    """

    def __init__(self, rendition: Rendition, slot: Slot) -> None:
        self.rendition = rendition
        self.slot = slot
        self.viewers: dict[object, Viewer] = {}
        self.newest: EncodedFrame | None = None
        self.missed_seq = 0
        self.frames = 0
        self.sent_bytes = 0

    def is_behind(self, frame: Frame) -> bool:
        """Return whether a frame is newer than what was sent here."""
        return self.newest is None or frame.seq > self.newest.seq


class Fanout:
    """The rooms of one camera, and the pump that serves them.

    Args:
        camera: Where frames come from; it is told how many viewers there are, and of what.
        clock: Monotonic seconds.
    """

    def __init__(
        self, camera: CameraInterface, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.camera = camera
        self.rooms = {one.name: Room(one, camera.slot_of(one)) for one in camera.ladder}
        """By rendition's name, the largest first."""
        self._clock = clock
        self._seats: dict[object, Viewer] = {}
        self._encoder = RenditionEncoder(camera)
        self._wake = hub.Signal()
        self._task: hub.Task | None = None
        for slot in {room.slot for room in self.rooms.values()}:
            slot.listen(self._wake.set)

    def __len__(self) -> int:
        return len(self._seats)

    def open(self) -> None:
        """Begin to pump."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Let all viewers go and end."""
        for key in list(self._seats):
            self.leave(key)
        if self._task:
            self._task.kill()

    def join(self, key: object, viewer: Viewer, rendition: str = FULL.name) -> None:
        """Add a viewer, in place of one with the same key, and send it what there is."""
        self._unseat(key)
        self._seat(key, viewer, rendition)
        self._tell_camera()
        self.serve(viewer)

    def move(self, key: object, rendition: str) -> None:
        """Have a viewer see another rendition from the next frame on that it has not had."""
        viewer = self._seats.get(key)
        if viewer is None or viewer.room.rendition.name == rendition:
            return
        self._unseat(key)
        self._seat(key, viewer, rendition)
        self.camera.set_renditions(self._watched())
        self.serve(viewer)

    def leave(self, key: object) -> None:
        """Remove a viewer; does nothing if there is none by that key."""
        if self._unseat(key):
            if not self._seats:
                self._encoder.clear()
            self._tell_camera()

    def get(self, key: object) -> Viewer | None:
        """Return the viewer with this key, if it is here."""
        return self._seats.get(key)

    def bytes_of(self, rendition: str) -> float:
        """Return about how many bytes a frame of a rendition has; 0 while nothing is known."""
        return self._encoder.bytes_of(self.rooms[rendition].rendition)

    def serve(self, viewer: Viewer) -> None:
        """Serve a viewer that has become ready between two frames.

        It is sent the newest encoded frame at once if it has not had it. If capture is already
        further, the pump is woken to encode that one instead.
        """
        room = viewer.room
        frame = room.slot.frame
        if frame is None:
            return  # The source is gone, and what was encoded of it only grows old.
        if room.is_behind(frame):
            self._wake.set()
        elif room.newest is not None and room.newest.seq > viewer.last_seq:
            self._send(room, room.newest, viewer, self._clock())

    def _seat(self, key: object, viewer: Viewer, rendition: str) -> None:
        self._seats[key] = viewer
        room = viewer.room = self.rooms[rendition]
        if not room.viewers:
            # What was encoded for viewers long gone must not greet this one.
            room.newest = None
        room.viewers[key] = viewer

    def _unseat(self, key: object) -> bool:
        viewer = self._seats.pop(key, None)
        if viewer is None:
            return False
        room = viewer.room
        del room.viewers[key]
        if not room.viewers:
            room.newest = None  # Nobody is going to be sent it, and it may hold a descriptor.
        return True

    def _watched(self) -> list[Rendition]:
        return [room.rendition for room in self.rooms.values() if room.viewers]

    def _tell_camera(self) -> None:
        self.camera.set_renditions(self._watched())
        self.camera.set_viewers(len(self._seats))

    def _run(self) -> None:
        while True:
            self._wake.wait()
            for room in self.rooms.values():
                try:
                    self._pump(room)
                except EncodeError as error:
                    self.camera.meter.drops["encode"] += 1
                    log.debug("%s", error)
                except Exception:
                    # Nothing may end the pump: it serves everybody.
                    self.camera.meter.drops["error"] += 1
                    log.exception("camera=%s pump", self.camera.name)

    def _pump(self, room: Room) -> None:
        """Encode the newest frame if it is new and somebody here can take it, and send it."""
        frame = room.slot.frame
        if frame is None or not room.viewers or not room.is_behind(frame):
            return
        if all(viewer.obstacle for viewer in room.viewers.values()):
            self._pass_by(room, frame)
            return
        room.slot.take()
        encoded = self._encoder.encode(frame, room.rendition)
        if encoded is None:
            return  # A JPEG without the pixels that a smaller rendition takes; the next has them.
        room.newest = encoded
        room.frames += 1
        for now, viewer in self._in_turns(room):
            self._send(room, encoded, viewer, now)

    def _pass_by(self, room: Room, frame: Frame) -> None:
        """Tell everybody here of a frame that none of them can take; once, however often we ask."""
        if frame.seq <= room.missed_seq:
            return
        room.missed_seq = frame.seq
        for viewer in room.viewers.values():
            viewer.miss(viewer.obstacle or "")

    def _in_turns(self, room: Room) -> Iterator[tuple[float, Viewer]]:
        """Yield the time and each viewer that is still here; now and then the hub gets a turn."""
        viewers = list(room.viewers.items())
        for begin in range(0, len(viewers), VIEWERS_PER_TURN):
            if begin:
                hub.sleep(0)
            now = self._clock()
            for key, viewer in viewers[begin : begin + VIEWERS_PER_TURN]:
                if room.viewers.get(key) is viewer:
                    yield now, viewer

    def _send(self, room: Room, encoded: EncodedFrame, viewer: Viewer, now: float) -> None:
        """Send a frame unless the viewer has had it, or cannot take it now."""
        if encoded.seq <= viewer.last_seq:
            return
        meter = self.camera.meter
        obstacle = viewer.send(encoded, now)
        if obstacle is None:
            viewer.last_seq = encoded.seq
            meter.sent += 1
            meter.sent_bytes += len(encoded.jpeg)
            meter.sent_age_s += time.time() - encoded.at_unix
            room.sent_bytes += len(encoded.jpeg)
        else:
            viewer.miss(obstacle)
            meter.drops[obstacle] += 1
