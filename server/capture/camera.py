"""A named source with its capture loop and its state.

One green thread per camera owns the source: it opens it when somebody watches, reads it on a
native thread, puts due frames into the slot, and closes it when nobody has watched for a while.
Everyone else only sets what they want (:meth:`Camera.start`, :meth:`Camera.set_fps`).
"""

import logging
import time
from collections.abc import Callable, Collection
from typing import Any

from server.capture.camera_motion import CameraMotion
from server.capture.check import Check
from server.capture.connection import Connection
from server.capture.frames.event_report import EventReport
from server.capture.frames.frame import size_of
from server.capture.frames.rendition import Rendition, ladder_of
from server.capture.frames.slot import Slot
from server.capture.interface import State, offered
from server.capture.opening import OpenReader
from server.capture.output import Output
from server.capture.pacing.demand import PictureDemand
from server.capture.pacing.measured import Measured
from server.capture.pacing.schedule import Schedule
from server.capture.processing.transform import Transform
from server.capture.sources.reader import Reader
from server.capture.state import CameraState
from server.capture.tuning import Tuning
from server.capture.video import CameraVideo
from server.config import models as config
from server.config.address import NETWORK_SCHEMES
from server.errors import LoginRefused, PictureError, SourceEnded, SourceError
from server.loop import hub
from server.metrics import Meter

__all__ = ["Camera", "State"]

log = logging.getLogger(__name__)

DEFAULT_QUALITY, BEST_QUALITY = 80, 100
"""Without a setting: the quality at which pixels are encoded, and the limit for a source's JPEG."""

# Seconds between checks for a stall, which causes no event; UNWATCHED times that without viewers.
WATCH_PERIOD_S, UNWATCHED = 0.25, 4


class Camera:
    """One camera: settings, capture loop, newest frame and state.

    Args:
        settings: Its complete settings; ``fps`` and ``quality`` can be changed later.
        server: The server's settings, for the timeouts.
        open_reader: Opens an address; a parameter so that tests need no device.
    """

    owner = None  # No other node: this process owns it.

    def __init__(
        self,
        settings: config.Camera,
        server: config.ServerSettings,
        open_reader: OpenReader | None = None,
    ) -> None:
        self.name, self.title, self.group = settings.name, settings.title, settings.group
        self.meter, self.ladder = Meter(), ladder_of(settings.renditions)
        self.fps, self.quality = settings.fps, settings.quality
        self.recording_settings = settings.recording_settings
        self.prefers_video = settings.video == "always"
        self.check_every = settings.check_every if settings.address.scheme != "test" else 0.0
        self.tried_at: float | None = None  # When it was last tried, in monotonic seconds.
        self.on_change: Callable[[Camera], None] = lambda camera: None
        self.on_notice: Callable[[Camera, str, str], None] = lambda camera, level, message: None
        self.on_event: Callable[[Camera, EventReport], None] = lambda camera, report: None
        self.more: dict[str, Any] = {"recording": False, "motion": None, "timelapse": None}
        self._address, self._server, self._closing = settings.address, server, False
        self._tasks: list[hub.Task] = []
        self._connection = Connection(settings.address, self.name, server.read_timeout, open_reader)
        self._measured = Measured()
        self._schedule = Schedule(lambda: self.fps, self._measured)
        self.rate = self._schedule.rate  # As last announced.
        output = self._output = Output(
            *(self.name, self.title, settings.process, self.meter, lambda: self.rate),
            *(self.announce, self._warn),
        )
        self.slot, self.numbering, self._pipeline = output.slot, output.numbering, output.pipeline
        known = self._measured, self._schedule
        self._state = CameraState(
            *(self.name, self.title, server, *known),
            lambda: self._pipeline.withheld,
            lambda: self.slot.frame is not None or not self._demand.pictures,
            self._on_state,
            self._warn,
        )
        self.tuning = Tuning(
            *(self._connection.interrupt, self.set_transform, self.announce),
            lambda why: self._warn("error", f"{self.title}: {why}"),
        )
        self._demand = PictureDemand(self._schedule, self._best_jpeg, settings.skip_unchanged)
        self._video = CameraVideo(settings, self.ladder, *known, output, self._state.arrived)
        self.videos, self.motion = self._video.tracks, CameraMotion(self, output, self._demand)
        self._check: Check | None = None  # Only while nobody watches.

    @property
    def state(self) -> State:
        """Its state as last announced."""
        return self._state.current

    @property
    def reason(self) -> str:
        """Why it is in its state, for people."""
        return self._state.reason

    @property
    def enabled(self) -> bool:
        """Whether it may run; False after an operator has stopped it."""
        return self._state.enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._state.enabled = enabled

    @property
    def width(self) -> int:
        """The width of its pictures in pixels; 0 while unknown."""
        return self._output.size[0]

    def slot_of(self, _rendition: Rendition) -> Slot:
        """Return the slot with the frames that a rendition is made from."""
        return self.slot

    def describe(self) -> dict[str, Any]:
        """Return STATE of the wire protocol."""
        measured = self._measured.describe()
        return {
            "name": self.name,
            "title": self.title,
            "group": self.group,
            "fps": self._schedule.limit or measured["source_fps"],
            "quality": self.quality or self._output.jpeg_quality or DEFAULT_QUALITY,
            "set": {"fps": self.fps, "quality": self.quality},
            "renditions": [rendition.name for rendition in offered(self)],
            "process": self._pipeline.describe(),
            "video": self._video.describe(),
            "rewind": self.recording_settings.rewind_s,
            **measured,
            **self._state.describe(),
            **self._output.describe(),
            **self.tuning.describe(),
            "record": self.recording_settings.record,
            **self.more,
        }

    @property
    def seq(self) -> int:
        """The number of its newest frame."""
        return self.numbering.newest

    def open(self) -> None:
        """Start the capture loop; the source is opened when somebody watches, or for a check."""
        self._tasks = [hub.spawn(self._run), hub.spawn(self._watch)]

    def close(self, timeout_s: float) -> bool:
        """Close the source and end; return False if that takes longer than ``timeout_s``."""
        self._closing = True
        self._pipeline.end()
        self._connection.interrupt()
        for task in self._tasks[1:]:
            task.kill()
        return all(task.join(timeout_s) for task in self._tasks[:1])

    @property
    def closed(self) -> bool:
        """Whether its capture loop has ended, or was never started."""
        return not self._tasks or self._tasks[0].done

    def set_viewers(self, viewers: int) -> None:
        """Set the number of viewers; the first opens the source, the last releases it."""
        more = viewers > self._state.viewers
        self._want(viewers, self._state.duties)
        if more:
            self.request_frame()

    def set_duty(self, duty: str, on: bool) -> None:
        """Add or remove a duty, such as ``record``, that keeps the source open without viewers."""
        duties = self._state.duties
        self._want(self._state.viewers, duties | {duty} if on else duties - {duty})

    def _want(self, viewers: int, duties: frozenset[str]) -> None:
        before = self._state.wanted
        self._state.watched_by(viewers, duties)
        wanted = self._state.wanted
        self._demand.watch(wanted, viewers > 0)
        if before and not wanted:
            self._connection.forget(self._state.frozen)
            self._output.clear()
        if wanted and self._check is not None:
            # The viewers take over the source that the check has opened or is opening.
            self._end_check()
            self._pipeline.open()
        self.announce()
        self._connection.interrupt()

    def set_renditions(self, renditions: Collection[Rendition]) -> None:
        """Set which renditions are watched as JPEG; without any, only key frames are decoded."""
        self._demand.set_renditions(renditions)
        self.follow_demand()

    def follow_demand(self) -> None:
        """Start or stop decoding pictures, as the demand now requires."""
        before, self._state.sparse = self._state.sparse, not self._demand.pictures
        if before and self._demand.pictures:
            self.request_frame()
            self._connection.accept_any_picture()
        elif not before and not self._demand.pictures:
            self.slot.clear()  # Its frame would become outdated.

    def set_videos(self, renditions: Collection[str], lazy: bool = False) -> None:
        """Set which of its videos are wanted, and whether units may be sent in batches."""
        self._video.set_wanted(renditions, lazy)

    def request_key(self, rendition: str) -> None:
        """Ask for a key frame in a video that is encoded here."""
        self._video.request_key(rendition)

    def request_frame(self) -> None:
        """Make the source's next picture due, for a viewer that has none yet or an old one."""
        self._schedule.request()

    def start(self) -> None:
        """Enable it; start over if its source had ended or failed."""
        self._state.start_over()
        self.tried_at = None  # If nobody watches, a check is due now.
        self._pipeline.retry()
        self.announce()
        self._connection.interrupt()

    def stop(self) -> None:
        """Close its source and keep it closed; return once it is released, or after a deadline."""
        self.enabled = False
        self.announce()
        self._connection.interrupt()
        self._connection.wait_until_free(lambda: not self.enabled)

    @property
    def resting(self) -> bool:
        """Whether its source is closed only because nobody watches.

        False after a refused login: another try could lock the account.
        """
        idle = self.enabled and not self._state.ended and not self._state.wanted
        ready = idle and not self._connection.held and not self._state.retry_in_s
        return ready and not self._closing and bool(self._tasks)

    def check(self, open_reader: OpenReader | None = None) -> None:
        """Check a resting camera: open it, take one picture, close it.

        Devices and files only need to exist, so no camera light goes on. Blocks until the check is
        over or somebody watches. ``open_reader`` opens the source.
        """
        if not self.resting:
            return
        if self._address.scheme not in NETWORK_SCHEMES:
            missing = hub.run_native(lambda: self._address.missing)
            self.tried_at = time.monotonic()
            if missing and self.resting:
                self._fail(missing, missing=True)
            elif self.resting:
                self._state.find()
            return
        # After two timeouts the source itself has given up.
        self._check = check = Check(open_reader, 2 * self._server.read_timeout)
        self._demand.checked = True
        self._connection.interrupt()
        check.wait()

    def _end_check(self) -> None:
        check, self._check, self._demand.checked = self._check, None, False
        if check is not None:
            check.end()

    def set_title(self, title: str, group: str | None) -> None:
        """Change the title and group that people see."""
        self.title, self._state.title, self.group = title, title, group
        self.announce()

    def announce(self, **more: Any) -> None:
        """Add ``more`` to its STATE, and announce it."""
        self.more |= more
        self._state.refresh(changed=True)

    def _on_state(self) -> None:
        self.rate = self._schedule.rate
        self.on_change(self)

    def _warn(self, level: str, message: str) -> None:
        self.on_notice(self, level, message)

    def _best_jpeg(self) -> int:
        return 0 if self._pipeline.needed else self.quality or BEST_QUALITY  # Also run natively.

    def set_fps(self, fps: float | None) -> None:
        """Capture ``fps`` frames per second from the next picture on; None for the source's."""
        self.fps = fps
        self.request_frame()
        self.announce()

    @property
    def transform(self) -> Transform:
        """How its pictures are rotated, mirrored and cropped."""
        return self._pipeline.transform

    def set_transform(self, transform: Transform) -> None:
        """Rotate, mirror and crop pictures from the next frame on; allowed before :meth:`open`."""
        self._pipeline.transform = transform
        self.request_frame()
        if self._tasks:
            self.announce()

    @property
    def encoding_quality(self) -> int:
        """The JPEG quality, 1 to 100, at which its pixels are encoded."""
        return self.quality or DEFAULT_QUALITY

    def set_quality(self, quality: int | None) -> None:
        """Deliver JPEG of at most this quality, 1 to 100; None passes the source's through."""
        self.quality = quality
        self.announce()

    def _run(self) -> None:
        while not self._closing:
            if not self._state.wants_source(checked=self._check is not None):
                self._end_check()
                self._pipeline.rest()
                self._connection.rest()
                self._state.refresh()
                self._connection.wake.wait()
                continue
            if retry_in_s := self._state.retry_in_s:
                self._connection.wake.wait(retry_in_s)
                continue
            try:
                self._drain(self._open())
            except SourceEnded:
                self._state.ended = True
            except SourceError as error:
                self._fail(str(error), refused=isinstance(error, LoginRefused))
            except Exception:
                log.exception("camera=%s capture failed", self.name)
                self._fail("unexpected error; see the server's log")
            finally:
                self._release()
            if self._check is not None:
                self._end_check()  # No back-off: a viewer who comes now should not have to wait.
            else:
                self._state.back_off()
        self._connection.rest()

    def _open(self) -> Reader:
        self._state.opening()
        check = self._check
        if check is None:  # A check's picture is not processed.
            self._pipeline.open()
        source = self._connection.open(check, self._state.frozen)
        if check is not None:
            check.wait_for_picture()
        self.meter.opened += 1
        self.tuning.attach(source)
        self._demand.restart()
        self._output.size = self.transform.size_after(source.info.width, source.info.height)
        self._state.opened(source.info)
        self._video.attach(source)
        self.motion.attach(source)
        self.announce()
        return source

    def _drain(self, source: Reader) -> None:
        """Read until the source is not wanted or a check has its picture; raise if it ends."""
        while not self._closing and self._state.keeps_source(self._check is not None):
            if self.tuning.waiting:
                self.tuning.serve(source)
                self._refresh()
            if self._check is not None:
                self._check.enforce(self._state.broken, self._state.key_wait_s)
            elif not self._state.wanted and not source.info.live:
                # A file loses nothing by waiting; decoding it unseen would be wasted work.
                self._connection.pause()
                self._connection.wake.wait(WATCH_PERIOD_S)
                continue
            try:
                taken = self._connection.read(self._demand.demand)
            except PictureError as error:
                self.meter.drops["broken"] += 1
                self._state.arrived(broken=str(error))
                if source.info.polled:
                    self._demand.advance()  # The next one comes only on request.
                continue
            self.motion.take()
            if taken is None:
                continue
            (picture, at_unix, place), still_s = taken
            if self._check is not None:
                if picture is None:
                    continue  # Something arrived, but perhaps nothing that can be decoded.
                self._state.delivered(still_s)
                self._state.refresh()
                return
            if picture is None:
                self._state.arrived()
            elif self._state.wanted:
                self._measured.size = size_of(picture)
                self._state.delivered(still_s)
                again = not source.info.still or self._schedule.asked
                if self._demand.pictures:
                    self._output.put(picture, at_unix, place, again)
                self._demand.advance()
                self._state.give_up_if_frozen()
            if self._state.current != "live":
                self._refresh()
        self._state.give_up_if_silent()

    def _fail(self, reason: str, missing: bool = False, refused: bool = False) -> None:
        self._state.lose_picture()
        if self.enabled and not self._closing:
            self.meter.lost += 1
            self._state.fail(reason, missing, refused)

    def _release(self) -> None:
        self.tuning.detach()
        self._video.detach()
        self.motion.detach()
        self._output.jpeg_quality = 0
        self._state.closing()
        self._output.clear()
        self._connection.close()
        self.tried_at = time.monotonic()
        self._state.refresh()

    def _refresh(self) -> None:
        open_ = self._connection.reader
        news = open_ is not None and self._measured.update(open_.figures, open_.info)
        self._state.refresh(self._video.refresh() or news)
        self.motion.refresh()

    def _watch(self) -> None:
        while True:
            hub.rest(WATCH_PERIOD_S * (1 if self._state.viewers else UNWATCHED))
            self._connection.end_silent_read()
            if self._state.may_be_late():
                self._refresh()
