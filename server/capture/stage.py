"""What is done to a camera's pictures between capture and delivery.

It costs nothing while there is nothing to do: then the camera hands its frames on itself. Otherwise
they are worked on natively, one at a time, in a green thread of their own: the capture loop goes on
at its own pace, and of the frames that come meanwhile only the newest is kept.
"""

import logging
from collections.abc import Callable

import cv2
import numpy as np

from server import hub
from server.capture.frame import Frame, Image, Jpeg
from server.capture.slot import Slot
from server.capture.transform import Transform
from server.metrics import Meter

__all__ = ["Stage"]

log = logging.getLogger(__name__)


class Stage:
    """Turns raw frames of one camera into those that are seen.

    Args:
        name: The camera's.
        publish: Takes each finished frame; on the hub.
        meter: Counts as ``processing`` the frames replaced before their turn came.
    """

    def __init__(self, name: str, publish: Callable[[Frame], None], meter: Meter) -> None:
        self.transform = Transform()
        self._name = name
        self._publish = publish
        self._meter = meter
        self._raw = Slot()
        self._wake = hub.Signal()
        self._task: hub.Task | None = None
        # Counts how often what was on its way was given up.
        self._round = 0

    @property
    def needed(self) -> bool:
        """Whether frames have to pass through here."""
        return not self.transform.identity

    def put(self, frame: Frame) -> None:
        """Take a raw frame, in place of one that has not had its turn."""
        replaced = self._raw.replaced
        self._raw.put(frame)
        self._meter.drops["processing"] += self._raw.replaced - replaced
        self._wake.set()
        if self._task is None:
            self._task = hub.spawn(self._run)

    def clear(self) -> None:
        """Forget the frames on their way."""
        self._round += 1
        self._raw.clear()

    def end(self) -> None:
        """Work no more, for good."""
        self.clear()
        if self._task is not None:
            self._task.kill()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            frame = self._raw.frame
            if frame is None:
                continue
            self._raw.clear()
            begun = self._round
            try:
                image = hub.run_native(_work, frame, self.transform)
            except Exception:
                self._meter.drops["error"] += 1
                log.exception("camera=%s stage", self._name)
                continue
            if begun == self._round:
                self._publish(Frame(image, frame.seq, frame.at_unix))


def _work(frame: Frame, transform: Transform) -> Image:
    """Do what is to be done to one frame. Runs natively."""
    return transform.apply(_pixels(frame))


def _pixels(frame: Frame) -> Image:
    """Return a frame's pixels: one may come as JPEG that was read before pixels were asked for."""
    if not isinstance(frame.picture, Jpeg):
        return frame.picture
    image = cv2.imdecode(np.frombuffer(frame.picture.data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("a JPEG that cannot be decoded")
    return image  # type: ignore[return-value]
