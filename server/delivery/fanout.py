"""The rooms of one camera and the pump that serves them: wait, encode once, send to ready viewers.

A room is one rendition and its viewers. For every frame the pump visits the rooms from the largest
rendition to the smallest, and skips those in which no viewer can take it. A viewer whose video
flows (:mod:`server.delivery.video_fanout`) is in no room.
"""

import functools
import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from server.capture.frames.frame import Frame
from server.capture.frames.rendition import FULL, Rendition
from server.capture.frames.slot import Slot
from server.capture.interface import CameraInterface
from server.delivery.encoder import EncodedFrame
from server.delivery.renditions import RenditionEncoder
from server.delivery.video import Video
from server.delivery.video_fanout import VideoFanout, VideoViewer
from server.errors import EncodeError
from server.loop import hub

__all__ = ["Fanout", "Room", "Viewer"]

log = logging.getLogger(__name__)

# The pump yields to the hub after this many viewers, so that a large room delays no control events.
BATCH_SIZE = 64


class Viewer(Protocol):
    """One connected consumer of one camera.

    Attributes:
        last_seq: The newest frame it was sent; written by the fanout only.
        room: The room it is in; written by the fanout only.
        obstacle: Why it cannot take a frame now (``credit``: it owes acknowledgements; ``unsent``:
            earlier bytes are still being sent; ``gone``: its connection has ended), or None if it
            can.
    """

    last_seq: int
    room: "Room"

    @property
    def obstacle(self) -> str | None: ...

    def send(self, frame: EncodedFrame, now: float) -> str | None:
        """Send the frame without blocking; return the obstacle if there is one.

        Args:
            frame: A frame newer than ``last_seq``.
            now: Monotonic seconds.
        """

    def miss(self, obstacle: str) -> None:
        """Record that a frame was skipped because of ``obstacle``."""


class Room:
    """The viewers of one rendition.

    Args:
        rendition: The rendition.
        slot: Holds the frames that the rendition is made from.

    Attributes:
        viewers: Those that need JPEG now, by key.
        newest: The newest encoded frame.
        missed_seq: The newest frame that no viewer here could take.
        frames: How many frames were encoded for this room.
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


class Fanout:
    """The rooms of one camera, and the pump that serves them.

    Args:
        camera: The camera; it is notified of its viewers' number and of the renditions they watch.
        clock: Monotonic seconds.
    """

    def __init__(
        self, camera: CameraInterface, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._viewers: dict[object, Viewer] = {}
        self._readers: dict[object, str] = {}  # Video names, by reader of the track.
        self._uncounted: set[object] = set()  # Viewers that do not count: they open no source.
        self._encoded: list[Callable[[EncodedFrame], None]] = []
        self._lazy: set[object] = set()  # Readers that accept units late and several at a time.
        self._wake = hub.Signal()
        self._task: hub.Task | None = None
        self._use(camera)

    def _use(self, camera: CameraInterface) -> None:
        self.camera = camera
        self._watched: list[Rendition] | None = None  # As last reported to the camera.
        self.rooms = {one.name: Room(one, camera.slot_of(one)) for one in camera.ladder}
        """By the rendition's name, largest first."""
        self.videos = VideoFanout(
            camera,
            self._clock,
            lambda viewer: self._place(viewer.key),
            BATCH_SIZE,
            self._readers,
            self._lazy,
        )
        """The viewers of video."""
        for name, track in camera.videos.items():
            track.listen(functools.partial(self._on_units, self.videos.videos[name]))
        self.rate = camera.rate
        """The camera's frame rate at the newest frame, cached for thousands of acknowledgements a
        second."""
        self._encoder = RenditionEncoder(camera)
        for slot in {room.slot for room in self.rooms.values()}:
            slot.listen(self._wake.set)

    def __len__(self) -> int:
        return len(self._viewers) + len(self._readers) - len(self._uncounted)

    def listen(self, on_encoded: Callable[[EncodedFrame], None]) -> None:
        """Call ``on_encoded``, which must not block, with each JPEG, a frame's largest first."""
        self._encoded.append(on_encoded)

    def open(self) -> None:
        """Start the pump."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Remove all viewers and stop the pump."""
        for key in [*self._viewers, *self._readers]:
            self.leave(key)
        if self._task:
            self._task.kill()

    def take_over(self, camera: CameraInterface) -> None:
        """Replace the camera, for example after its source was changed, and keep the viewers.

        Viewers of a rendition that it does not have get the full one; of a missing video, JPEG.
        """
        watched = {
            key: (viewer, viewer.room.rendition.name, _video_of(viewer))
            for key, viewer in self._viewers.items()
        }
        for key in watched:
            self._remove(key)
        self._use(camera)
        for key, (viewer, name, video) in watched.items():
            self._add(key, viewer, name if name in self.rooms else FULL.name, video)
        self._update_camera()

    def join(
        self,
        key: object,
        viewer: Viewer,
        rendition: str = FULL.name,
        video: str | None = None,
        counts: bool = True,
    ) -> None:
        """Add a viewer, replacing one with the same key, and send it the newest frame.

        Args:
            key: Identifies the viewer.
            viewer: The viewer; for video a :class:`VideoViewer`.
            rendition: The rendition of its JPEG.
            video: The name of the video to send instead, as far as possible.
            counts: Whether it counts as a viewer, so that the source is opened.
        """
        self._remove(key)
        if not counts:
            self._uncounted.add(key)
        self._add(key, viewer, rendition, video)
        # Before the camera is notified: a viewer whose video flows needs no JPEG and no decoding.
        self.serve(viewer)
        self._update_camera()

    def move(self, key: object, rendition: str, video: str | None = None) -> None:
        """Move a viewer to another rendition or video, starting with its next frame."""
        viewer = self._viewers.get(key)
        if viewer is None:
            return
        if viewer.room.rendition.name != rendition:
            self._leave_room(key, viewer)
            viewer.room = self.rooms[rendition]
        if isinstance(viewer, VideoViewer):
            self.videos.join(viewer, video)
        self._place(key)
        self.serve(viewer)

    def read_video(
        self, key: object, rendition: str, counts: bool = True, lazy: bool = False
    ) -> None:
        """Keep a video running for a reader of its track, until :meth:`leave`.

        Args:
            key: Identifies the reader.
            rendition: The video's name.
            counts: Whether it counts as a viewer, so that the source is opened.
            lazy: Whether units may be half a second late, several at a time, while nobody
                else watches a video. Such a reader must take each unit in the track's callback:
                afterwards the next group may already have replaced it.
        """
        self._readers[key] = rendition
        (self._uncounted.discard if counts else self._uncounted.add)(key)
        (self._lazy.add if lazy else self._lazy.discard)(key)
        self._update_camera()
        self.camera.request_key(rendition)

    def holds_video(self, key: object) -> bool:
        """Return whether a reader with this key holds a video."""
        return key in self._readers

    def leave(self, key: object) -> None:
        """Remove a viewer; do nothing if there is none with that key."""
        read = self._readers.pop(key, None) is not None
        if self._remove(key) or read:
            self._uncounted.discard(key)
            self._lazy.discard(key)
            self._update_camera()

    def get(self, key: object) -> Viewer | None:
        """Return the viewer with this key, or None."""
        return self._viewers.get(key)

    def bytes_of(self, rendition: str) -> float:
        """Return the approximate size of a rendition's frame in bytes; 0 if unknown."""
        return self._encoder.bytes_of(self.rooms[rendition].rendition)

    def kbps_of(self, video: str) -> float:
        """Return a video's bit rate in kilobits per second; estimated if not yet measured."""
        return self.videos.kbps_of(video)

    def codec_of(self, video: str) -> str | None:
        """Return a video's codec; None while unknown."""
        return self.camera.videos[video].codec

    def serve(self, viewer: Viewer) -> None:
        """Serve a viewer that became ready between two frames.

        Sends it the newest encoded frame if it has not had that. If there is a newer captured
        frame, wakes the pump to encode that one instead.
        """
        if isinstance(viewer, VideoViewer) and viewer.video is not None:
            self.videos.serve(viewer)
            if viewer.flows:
                return
        room = viewer.room
        frame = room.slot.frame
        if frame is None:
            return  # The source is closed: the last encoded frame is outdated.
        newest = room.newest
        if newest is None or frame.seq > newest.seq:
            self._wake.set()
        elif newest.seq > viewer.last_seq:
            self._send(room, newest, (viewer,))

    def _on_units(self, video: Video) -> None:
        if video.viewers:  # For units that are only recorded, waking the pump would cost the most.
            self._wake.set()

    def _add(self, key: object, viewer: Viewer, rendition: str, video: str | None = None) -> None:
        viewer.room = self.rooms[rendition]
        self._viewers[key] = viewer
        if isinstance(viewer, VideoViewer):
            viewer.key = key
            self.videos.join(viewer, video)
        self._enter_room(key, viewer)

    def _remove(self, key: object) -> bool:
        viewer = self._viewers.pop(key, None)
        if viewer is None:
            return False
        self._uncounted.discard(key)
        if isinstance(viewer, VideoViewer):
            self.videos.leave(viewer)
        self._leave_room(key, viewer)
        return True

    def _place(self, key: object) -> None:
        """Keep a viewer in its room exactly while it needs JPEG."""
        viewer = self._viewers[key]
        if isinstance(viewer, VideoViewer) and viewer.flows:
            self._leave_room(key, viewer)
        else:
            self._enter_room(key, viewer)
        self._update_renditions()

    def _enter_room(self, key: object, viewer: Viewer) -> None:
        room = viewer.room
        if not room.viewers:
            # It was encoded for viewers that have left, and may be old.
            room.newest = None
        room.viewers[key] = viewer

    def _leave_room(self, key: object, viewer: Viewer) -> None:
        room = viewer.room
        if room.viewers.pop(key, None) is not None and not room.viewers:
            room.newest = None  # No longer needed, and it may hold a file descriptor.

    def _update_renditions(self) -> None:
        watched = [room.rendition for room in self.rooms.values() if room.viewers]
        if watched != self._watched:
            self._watched = watched
            if not watched:
                self._encoder.clear()
            self.camera.set_renditions(watched)

    def _update_camera(self) -> None:
        self._update_renditions()
        self.videos.update_camera()
        self.camera.set_viewers(len(self))

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self.rate = self.camera.rate
            if self.videos.watched:
                self._attempt(self.videos.pump)
            for room in self.rooms.values():
                if room.viewers:
                    self._attempt(self._pump, room)

    def _attempt(self, work: Callable[..., None], *args: object) -> None:
        try:
            work(*args)
        except EncodeError as error:
            self.camera.meter.drops["encode"] += 1
            log.debug("%s", error)
        except Exception:
            # An error must not stop the pump, which serves all viewers.
            self.camera.meter.drops["error"] += 1
            log.exception("camera=%s pump", self.camera.name)

    def _pump(self, room: Room) -> None:
        """Encode and send the newest frame if a viewer here can take it."""
        frame, newest = room.slot.frame, room.newest
        if frame is None or (newest is not None and frame.seq <= newest.seq):
            return
        for viewer in room.viewers.values():
            if viewer.obstacle is None:
                break
        else:
            self._skip(room, frame)
            return
        room.slot.take()
        encoded = self._encoder.encode(frame, room.rendition)
        if encoded is None:
            return  # A JPEG without the pixels that this rendition needs; the next one has them.
        room.newest = encoded
        room.frames += 1
        for on_encoded in self._encoded:
            on_encoded(encoded)
        viewers = list(room.viewers.items())
        for begin in range(0, len(viewers), BATCH_SIZE):
            if begin:
                hub.sleep(0)  # Let other green threads run.
            batch = viewers[begin : begin + BATCH_SIZE]
            present = [viewer for key, viewer in batch if room.viewers.get(key) is viewer]
            self._send(room, encoded, present)

    def _skip(self, room: Room, frame: Frame) -> None:
        """Record a frame that no viewer here can take, once however often the pump wakes."""
        if frame.seq <= room.missed_seq:
            return
        room.missed_seq = frame.seq
        for viewer in room.viewers.values():
            viewer.miss(viewer.obstacle or "")

    def _send(self, room: Room, encoded: EncodedFrame, viewers: Iterable[Viewer]) -> None:
        """Send a frame to the viewers that have not had it and can take it now."""
        meter, now, seq = self.camera.meter, self._clock(), encoded.seq
        sent = 0
        for viewer in viewers:
            if seq <= viewer.last_seq:
                continue
            obstacle = viewer.send(encoded, now)
            if obstacle is None:
                viewer.last_seq = seq
                sent += 1
            else:
                viewer.miss(obstacle)
                meter.drops[obstacle] += 1
        size = sent * len(encoded.jpeg)
        meter.sent += sent
        meter.sent_bytes += size
        meter.sent_age_s += sent * (time.time() - encoded.at_unix)
        room.sent_bytes += size


def _video_of(viewer: Viewer) -> str | None:
    """Return the name of the video that a viewer is sent, or None."""
    video = viewer.video if isinstance(viewer, VideoViewer) else None
    return video.name if video is not None else None
