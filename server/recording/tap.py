"""Puts what a camera sends into its rewind buffer, without having anything made for it."""

from server.capture.frames.frame import Frame, Jpeg
from server.capture.frames.rendition import FULL
from server.capture.frames.unit import JPEG, Unit
from server.capture.interface import CameraInterface
from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Fanout
from server.recording.rewind import Rewind

__all__ = ["Tap"]


class Tap:
    """Takes a camera's own video where that is passed through; otherwise its JPEG, or viewers'.

    Args:
        rewind: Where it is kept.

    Attributes:
        fanout: Of the camera.
    """

    def __init__(self, fanout: Fanout, rewind: Rewind) -> None:
        self.fanout = fanout
        self._rewind = rewind
        self._camera: CameraInterface | None = None
        self._takes_video = False
        self._seq = 0  # Of the last unit that was kept.
        fanout.listen(self._on_encoded)
        self.refresh()

    def refresh(self) -> None:
        """Take what there is to be taken by now: called when anything about the camera is new."""
        camera = self.fanout.camera
        if camera is not self._camera:
            self._camera = camera
            camera.slot.listen(lambda: self._on_frame(camera))
            full = camera.videos.get(FULL.name)
            if full is not None:
                full.listen(lambda: self._on_video(camera))
        full = camera.videos.get(FULL.name)
        takes = full is not None and full.passed_through and full.codec is not None
        if takes != self._takes_video:
            self._takes_video = takes
            self._rewind.lose()
            if takes:
                self.fanout.hold_video(self, FULL.name, counts=False, lazy=True)
            else:
                self.fanout.leave(self)

    def _on_video(self, camera: CameraInterface) -> None:
        if camera is not self._camera or not self._takes_video:
            return
        units = camera.videos[FULL.name].units
        if not units:
            self._rewind.lose()
            return
        fresh: list[Unit] = []
        for unit in reversed(units):
            if unit.seq <= self._seq:
                break
            fresh.append(unit)
        for unit in reversed(fresh):
            self._keep(unit)

    def _on_frame(self, camera: CameraInterface) -> None:
        frame = camera.slot.frame
        if camera is self._camera and frame is not None and isinstance(frame.picture, Jpeg):
            self._keep_jpeg(frame)

    def _keep_jpeg(self, frame: Frame) -> None:
        jpeg = frame.picture
        assert isinstance(jpeg, Jpeg)
        if not self._takes_video and frame.seq > self._seq:
            self._keep(
                Unit(jpeg.data, True, frame.seq, frame.at_unix, JPEG, jpeg.width, jpeg.height)
            )

    def _on_encoded(self, one: EncodedFrame) -> None:
        if not self._takes_video and one.seq > self._seq:
            self._keep(Unit(one.jpeg, True, one.seq, one.at_unix, JPEG, one.width, one.height))

    def _keep(self, unit: Unit) -> None:
        self._seq = unit.seq
        self._rewind.put(unit)
