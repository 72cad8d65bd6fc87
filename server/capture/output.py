"""Where a camera's pictures go: numbered, processed, and into the slot."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from server.capture.frames.frame import Frame, Jpeg, Picture, is_same, size_of
from server.capture.frames.numbering import UNCOUNTED, Numbering, Place
from server.capture.frames.slot import Slot
from server.capture.processing.pipeline import Host, ProcessingPipeline
from server.capture.processing.report import Report
from server.config.processors import Processor
from server.loop import hub
from server.metrics import Meter

__all__ = ["Output"]


class Output:
    """Makes frames of a camera's pictures, and publishes them.

    Args:
        name: The camera's name.
        title: What people see.
        processors: What is done to each picture.
        meter: Counts frames.
        fps: Returns the frames a second that are to be delivered.
        on_change: Called when there is news for people, such as another size.
        on_notice: Told of trouble and its end: level and message.

    Attributes:
        meter: Counts frames.
        pipeline: Turns, cuts and processes.
        slot: Holds the newest frame, as it is to be seen.
        numbering: Counts the frames.
        size: Width and height in pixels; 0 while unknown.
        on_reports: Called with what processors report of a frame.
        jpeg_quality: Of the source's own JPEG, while that is what is handed on; else 0.
    """

    def __init__(
        self,
        name: str,
        title: str,
        processors: tuple[Processor, ...],
        meter: Meter,
        fps: Callable[[], float],
        on_change: Callable[[], None],
        on_notice: Callable[[str, str], None],
    ) -> None:
        self.meter = meter
        self._on_change = on_change
        self.on_reports: Callable[[Sequence[Report], Frame], None] = lambda reports, frame: None
        host = Host(
            *(name, title, meter, fps, self._publish, on_change, on_notice),
            lambda reports, frame: self.on_reports(reports, frame),
        )
        self.pipeline = ProcessingPipeline(processors, host)
        self.slot = Slot()
        self.numbering = Numbering()
        self.size = (0, 0)
        self.jpeg_quality = 0

    def describe(self) -> dict[str, Any]:
        """Return what STATE says of the pictures that people see."""
        width, height = self.size
        return {"width": width, "height": height, "passed_through": self.jpeg_quality > 0}

    def put(
        self, picture: Picture, at_unix: float, place: Place = UNCOUNTED, again: bool = True
    ) -> None:
        """Take a captured picture; it is published at once, or when it has been processed.

        Args:
            picture: Pixels, or the source's own JPEG.
            at_unix: When it was captured, in Unix seconds.
            place: Which picture of the source it is.
            again: Whether it is published although exactly this is what people see.
        """
        shown = None if again or self.pipeline.needed else self.slot.frame
        # Natively, because it may be large.
        if shown is not None and hub.run_native(is_same, shown.picture, picture):
            return
        before = self.numbering.newest
        seq = self.numbering.number(place)
        self.meter.captured += seq > before  # Otherwise its unit was counted.
        frame = Frame(picture, seq, at_unix)
        if self.pipeline.needed:
            self.pipeline.put(frame)
        else:
            self._publish(frame)

    def note_size(self, width: int, height: int) -> None:
        """Take the size of what people see of a video."""
        if (width, height) != self.size:
            self.size = width, height
            self._on_change()

    def clear(self) -> None:
        """Forget frames on their way: they would only grow old."""
        self.pipeline.clear()
        self.slot.clear()

    def _publish(self, frame: Frame) -> None:
        if self.slot.frame is not None and frame.seq <= self.slot.frame.seq:
            return  # It was worked on while a later one needed no work any more.
        picture = frame.picture
        size = size_of(picture)
        before = self.jpeg_quality
        self.jpeg_quality = picture.quality if isinstance(picture, Jpeg) else 0
        # A camera that varies its quality from picture to picture would have itself announced so.
        if size != self.size or (before > 0) != (self.jpeg_quality > 0):
            self.size = size
            self._on_change()
        self.meter.ready += 1
        self.meter.capture_s += max(0.0, time.time() - frame.at_unix)
        replaced = self.slot.replaced
        self.slot.put(frame)
        self.meter.drops["replaced"] += self.slot.replaced - replaced
