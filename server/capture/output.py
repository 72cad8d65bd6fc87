"""Numbers and processes a camera's pictures, and puts them into its slot."""

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
    """Turns a camera's pictures into frames, and publishes them.

    Args:
        name: The camera's name.
        title: What people see.
        processors: Applied to each picture.
        meter: Counts frames.
        fps: Returns the frame rate to deliver.
        on_change: Called when something that people see changes, such as the size.
        on_notice: Called with level and message when trouble starts or ends.

    Attributes:
        meter: Counts frames.
        pipeline: Rotates, crops and processes pictures.
        slot: Holds the newest frame, as viewers get it.
        numbering: Assigns the sequence numbers.
        size: Width and height in pixels; 0 while unknown.
        on_reports: Called with the processors' reports about a frame.
        jpeg_quality: The quality of the source's JPEG while it is passed through; else 0.
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
        """Return the part of STATE about the pictures that people see."""
        width, height = self.size
        return {"width": width, "height": height, "passed_through": self.jpeg_quality > 0}

    def put(
        self, picture: Picture, at_unix: float, place: Place = UNCOUNTED, again: bool = True
    ) -> None:
        """Publish a captured picture, immediately or once it has been processed.

        Args:
            picture: Pixels, or the source's own JPEG.
            at_unix: When it was captured, in Unix seconds.
            place: Its place among the source's pictures.
            again: Whether to publish it even if it is identical to the current frame.
        """
        shown = None if again or self.pipeline.needed else self.slot.frame
        # On a native thread, because comparing large pictures takes long.
        if shown is not None and hub.run_native(is_same, shown.picture, picture):
            return
        before = self.numbering.newest
        seq = self.numbering.number(place)
        self.meter.captured += seq > before  # Otherwise its unit was counted already.
        frame = Frame(picture, seq, at_unix)
        if self.pipeline.needed:
            self.pipeline.put(frame)
        else:
            self._publish(frame)

    def note_size(self, width: int, height: int) -> None:
        """Note the size at which people see the video."""
        if (width, height) != self.size:
            self.size = width, height
            self._on_change()

    def clear(self) -> None:
        """Discard the frames in the pipeline and the slot: they would become outdated."""
        self.pipeline.clear()
        self.slot.clear()

    def _publish(self, frame: Frame) -> None:
        if self.slot.frame is not None and frame.seq <= self.slot.frame.seq:
            return  # A later frame no longer needed processing and overtook it.
        picture = frame.picture
        size = size_of(picture)
        before = self.jpeg_quality
        self.jpeg_quality = picture.quality if isinstance(picture, Jpeg) else 0
        # Quality alone is no change to announce: some cameras vary it with every picture.
        if size != self.size or (before > 0) != (self.jpeg_quality > 0):
            self.size = size
            self._on_change()
        self.meter.ready += 1
        self.meter.capture_s += max(0.0, time.time() - frame.at_unix)
        replaced = self.slot.replaced
        self.slot.put(frame)
        self.meter.drops["replaced"] += self.slot.replaced - replaced
