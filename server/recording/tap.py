"""Fill a camera's rewind buffer with what is encoded anyway."""

import functools
import time

from server.capture.frames.frame import Jpeg
from server.capture.frames.rendition import FULL
from server.capture.frames.unit import JPEG, Unit
from server.capture.interface import CameraInterface
from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Fanout
from server.recording.rewind import Rewind

__all__ = ["Tap"]

# A source without a picture for this long has ended, and may be replaced by a narrower one.
SOURCE_TIMEOUT_S = 1.5


class Tap:
    """Keeps a camera's own video if that is passed through, otherwise the widest of the others.

    These are the camera's JPEG, and JPEG or video encoded for viewers or for a recording.

    Args:
        fanout: The camera's.
        rewind: The buffer to fill.

    Attributes:
        fanout: The camera's.
    """

    def __init__(self, fanout: Fanout, rewind: Rewind) -> None:
        self.fanout = fanout
        self._rewind = rewind
        self._camera: CameraInterface | None = None
        self._takes_own = False
        self._source = JPEG  # What is kept now: JPEG, or the name of a video.
        self._width = 0
        self._seq = 0  # Of the last unit kept.
        self._kept_at = 0.0
        fanout.listen(self._on_encoded)
        self.refresh()

    def refresh(self) -> None:
        """Follow the camera's sources; called when anything about the camera changes."""
        camera = self.fanout.camera
        if camera is not self._camera:
            self._camera = camera
            camera.slot.listen(functools.partial(self._on_frame, camera))
            for name, track in camera.videos.items():
                track.listen(functools.partial(self._on_video, camera, name))
        full = camera.videos.get(FULL.name)
        takes = full is not None and full.passed_through and full.codec is not None
        if takes != self._takes_own:
            self._takes_own = takes
            self._source, self._width = FULL.name if takes else JPEG, 0
            self._rewind.lose()
            if takes:
                self.fanout.read_video(self, FULL.name, counts=False, lazy=True)
            else:
                self.fanout.leave(self)

    def _on_video(self, camera: CameraInterface, name: str) -> None:
        if camera is not self._camera or (self._takes_own and name != FULL.name):
            return
        units = camera.videos[name].units
        if not units:
            if self._source == name:
                self._rewind.lose()
            return
        fresh: list[Unit] = []
        for unit in reversed(units):
            if unit.seq <= self._seq:
                break
            fresh.append(unit)
        for unit in reversed(fresh):
            self._offer(name, unit)

    def _on_frame(self, camera: CameraInterface) -> None:
        frame = camera.slot.frame
        if camera is self._camera and frame is not None and isinstance(frame.picture, Jpeg):
            jpeg = frame.picture
            size = jpeg.width, jpeg.height
            self._offer(JPEG, Unit(jpeg.data, True, frame.seq, frame.at_unix, JPEG, *size))

    def _on_encoded(self, one: EncodedFrame) -> None:
        if one.seq <= self._seq:
            return  # Most JPEG passes through, and was kept by _on_frame.
        size = one.width, one.height
        self._offer(JPEG, Unit(one.jpeg, True, one.seq, one.at_unix, JPEG, *size))

    def _offer(self, source: str, unit: Unit) -> None:
        """Keep a unit if it is from the current source or a better one."""
        if unit.seq <= self._seq:
            return
        if self._source == source != JPEG and not (self._takes_own or self._rewind.takes_video):
            self._source, self._width = JPEG, 0  # takes_video has been cleared.
            self._rewind.lose()
            return
        if source != self._source:
            if self._takes_own or (source != JPEG and not self._rewind.takes_video):
                return
            now = time.monotonic()
            if unit.width <= self._width and now - self._kept_at < SOURCE_TIMEOUT_S:
                return
            if not unit.key:
                self.fanout.camera.request_key(source)
                return
            self._source = source
        self._width, self._seq, self._kept_at = unit.width, unit.seq, time.monotonic()
        self._rewind.put(unit)
