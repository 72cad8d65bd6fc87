"""Arranges motion detection for one camera, and passes on the reports of its processors."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from server.capture.frames.event_report import EventReport
from server.capture.frames.frame import Frame
from server.capture.motion.settings import LABEL, MOTION_INTERVAL_S, MotionSettings
from server.capture.output import Output
from server.capture.pacing.demand import PictureDemand
from server.capture.processing.reports import Reports
from server.capture.sources.reader import Reader
from server.config.recording_settings import RecordingSettings
from server.errors import PictureError
from server.loop import hub

if TYPE_CHECKING:
    from server.capture.motion.tracker import MotionTracker

__all__ = ["CameraMotion"]


class Host(Protocol):
    """What :class:`CameraMotion` needs from its camera."""

    name: str
    recording_settings: RecordingSettings
    on_event: Callable[[Any, EventReport], None]

    def set_duty(self, duty: str, on: bool) -> None: ...

    def announce(self, **more: Any) -> None: ...

    def follow_demand(self) -> None: ...


class CameraMotion:
    """Looks for motion in one camera's pictures, even while nobody watches. Runs on the hub.

    The camera's child process does this where it can. Pictures made or changed in this process are
    searched here, on a native thread, so that masks apply, and zones refer to what people see.

    Args:
        camera: The camera.
        output: Publishes its pictures.
        demand: Asks for pictures to search.
    """

    def __init__(self, camera: Host, output: Output, demand: PictureDemand) -> None:
        self.on = camera.recording_settings.motion
        """Whether motion detection is switched on, apart from recordings that need it."""
        self.settings = MotionSettings()
        self._camera = camera
        self._output = output
        self._demand = demand
        self._reader: Reader | None = None
        self._sent: dict[str, Any] | None = None  # Settings last sent to the child.
        self._in_child = False  # Whether the child looks for motion.
        self._moving = False
        self._watch: MotionTracker | None = None  # For detection in this process.
        self._watch_settings: MotionSettings | None = None  # None if only the child looks.
        self._busy = False
        self._due = 0.0
        self._announced: dict[str, Any] | None = None
        output.slot.listen(self._on_frame)
        output.on_reports = Reports(camera.name, self._report).take

    @property
    def active(self) -> bool:
        """Whether to look for motion, for its own sake or for recordings."""
        return self.on or self._camera.recording_settings.record == "motion"

    def set(self, given: Mapping[str, Any]) -> None:
        """Change the given settings, in the form that :meth:`keep` returns."""
        self.restore(given)
        self.refresh()

    def keep(self) -> dict[str, Any]:
        """Return what the next run needs, as JSON data for :meth:`restore`."""
        return {"on": self.on} | self.settings.describe()

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Restore the settings of an earlier run, before the camera is opened."""
        given = dict(kept)
        self.on = given.pop("on", self.on)
        self.settings = self.settings.with_changes(given)

    # For the capture loop.

    def attach(self, reader: Reader) -> None:
        """Use a newly opened source."""
        self._reader, self._sent, self._in_child = reader, None, False
        self.refresh()

    def detach(self) -> None:
        """Let go of the source before it is closed; this ends any motion."""
        self._reader = None
        self._forget()

    def take(self) -> None:
        """Report what the child has found; called between two reads."""
        for one in self._reader.take_event_reports() if self._reader is not None else ():
            if self._in_child:
                self._report(one)

    def refresh(self) -> None:
        """Apply the settings where the pictures look as people see them: in the child, or here."""
        self._announce()
        reader = self._reader
        wanted = self.settings.describe() if self.active and reader is not None else None
        asked = None if self._output.pipeline.needed else wanted
        if asked != self._sent and reader is not None:
            self._sent = asked
            self._in_child = reader.set_motion(asked) and asked is not None
            self._forget()
        searches = wanted is not None and not self._in_child
        watched = self.settings if searches else None
        if watched != self._watch_settings:
            self._watch_settings = watched
            self._forget()
            self._demand.set_searching(searches)
            self._camera.follow_demand()

    def _announce(self) -> None:
        """Announce the settings, and whether anything moves."""
        news = self.settings.describe() | {"moving": self._moving} if self.active else None
        if news == self._announced:
            return
        began, self._announced = self._announced is None, news
        if began or news is None:
            self._camera.set_duty(LABEL, self.active)
        self._camera.announce(motion=news)

    def _forget(self) -> None:
        self._watch = None
        if self._moving:
            self._report(EventReport(LABEL, time.time(), ended=True))

    def _report(self, one: EventReport) -> None:
        if one.label == LABEL and self._moving == one.ended:
            self._moving = not one.ended
            self._announce()
        self._camera.on_event(self._camera, one)

    # Detection in this process.

    def _on_frame(self) -> None:
        if self._watch_settings is None or self._busy or (now := time.monotonic()) < self._due:
            return
        self._busy = True
        self._due = max(self._due + MOTION_INTERVAL_S, now + MOTION_INTERVAL_S / 2)
        hub.spawn(self._search, now)

    def _search(self, now: float) -> None:
        try:
            frame, settings = self._output.slot.frame, self._watch_settings
            if frame is None or settings is None:
                return
            before = self._watch
            watch, found = hub.run_native(_see, before, settings, frame, now)
            if settings is self._watch_settings and before is self._watch:
                self._watch = watch
                for one in found:
                    self._report(one)
        finally:
            self._busy = False


def _see(
    watch: "MotionTracker | None", settings: MotionSettings, frame: Frame, at: float
) -> "tuple[MotionTracker, Sequence[EventReport]]":
    """Look for motion in a frame. Runs on a native thread."""
    from server.capture.motion.pictures import encode_small, shrink
    from server.capture.motion.tracker import MotionTracker

    watch = watch or MotionTracker(settings)
    picture = frame.picture
    try:
        seen = watch.see(shrink(picture), at, frame.at_unix, lambda: encode_small(picture))
        return watch, list(seen)
    except PictureError:
        return watch, ()
