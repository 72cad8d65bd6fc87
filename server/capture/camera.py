"""A named source with its capture loop and its state.

One green thread per camera owns the source: it opens it when somebody watches, reads it on a
native thread, puts what is due into the slot, and releases it when nobody has watched for a while.
Unwatched it is opened for a :meth:`Camera.check` only.
Everyone else only sets what they want (:meth:`Camera.start`, :meth:`Camera.set_fps` and so on).
"""

import logging
import random
import time
from collections.abc import Callable, Collection
from typing import Any

from server.capture.check import Check
from server.capture.frames.frame import Frame, Jpeg, Picture, size_of
from server.capture.frames.freeze import FreezeDetector
from server.capture.frames.rendition import Rendition, ladder_of
from server.capture.frames.slot import Slot
from server.capture.interface import State, offered
from server.capture.opening import OpenReader, open_reader
from server.capture.processing.pipeline import Host, ProcessingPipeline
from server.capture.processing.transform import Transform
from server.capture.sources.reader import AT_ONCE, Demand, Reader, Reading
from server.capture.sources.source import why_missing
from server.capture.tuning import Tuning
from server.config import models as config
from server.config.address import NETWORK_SCHEMES
from server.errors import PictureError, SourceEnded, SourceError
from server.loop import hub
from server.metrics import Meter

__all__ = ["Camera", "State"]

log = logging.getLogger(__name__)

DEFAULT_QUALITY = 80
"""Of JPEG made of pixels, where nobody has said otherwise."""
BEST_QUALITY = 100

RETRY_FIRST_S = 1.0
RETRY_LONGEST_S = 10.0
RETRY_GROWTH = 1.6

# A source that looks frozen is reopened after this many times the setting frozen_after.
FROZEN_PATIENCE = 3

# How long `stop` waits for the device to be free before it answers.
RELEASE_DEADLINE_S = 3.0

# How often the state is held against the clock: what stalls does so without an event.
WATCH_PERIOD_S = 0.25


class Camera:
    """One camera: settings, capture loop, newest frame and state.

    Args:
        settings: Its complete settings; ``fps`` and ``quality`` can be changed later.
        server: For the time-outs.
        open_reader: How to open an address; a parameter so that tests need no device.
    """

    elsewhere = None
    """It is owned by this process."""

    def __init__(
        self,
        settings: config.Camera,
        server: config.ServerSettings,
        open_reader: OpenReader = open_reader,
    ) -> None:
        self.name = settings.name
        self.title = settings.title
        self.slot = Slot()
        self.meter = Meter()
        self.fps = settings.fps
        self.quality = settings.quality
        self.ladder = ladder_of(settings.renditions)
        self.check_every = settings.check_every if settings.address.scheme != "test" else 0.0
        self.tried_at: float | None = None
        """When it was last found out whether it works, in monotonic seconds; None for never."""
        self.enabled = True
        self.on_change: Callable[[Camera], None] = lambda camera: None
        self.on_notice: Callable[[Camera, str, str], None] = lambda camera, level, message: None

        self._address = settings.address
        self._server = server
        self._open_reader = open_reader
        self._viewers = 0
        self._pixels_from = 0
        self._wake = hub.Signal()
        self._tasks: list[hub.Task] = []
        self._closing = False

        self._seq = 0
        self._pipeline = ProcessingPipeline(
            settings.process,
            Host(
                self.name,
                self.title,
                self.meter,
                lambda: self.rate,
                self._publish,
                lambda: self._refresh(changed=True),
                lambda level, message: self.on_notice(self, level, message),
            ),
        )
        self.tuning = Tuning(
            self._wake.set,
            self.set_transform,
            lambda: self._refresh(changed=True),
            lambda why: self.on_notice(self, "error", f"{self.title}: {why}"),
        )
        self._due = 0.0
        self._source: Reader | None = None
        self._demand = Demand(
            self._due_now, self._best_jpeg, lambda: self._pixels_from, settings.skip_unchanged
        )
        self._holding = False  # From before the source is opened until after it is closed.
        self._size = (0, 0)
        self._source_fps = 0.0
        self._picture_at: float | None = None  # Monotonic; the last grab since open or since idle.
        self._waiting_since: float | None = None  # Monotonic; for the first one after either.
        self._broken = ""  # What was wrong with the last picture, if it could not be decoded.
        self._unwatched_since = 0.0
        self._left_silent = ""  # That no picture came when the last viewer left, if so.
        self._jpeg_quality = 0  # Of the source's own JPEG, while that is what we hand on.
        self._stillness = FreezeDetector()
        self._still_s = 0.0
        self._failure: str | None = None  # Since the last success, whether watched or not.
        self._missing = False  # The failure is that there is no such device or file.
        self._check: Check | None = None  # While nobody watches.
        self._attempt = 0
        self._retry_at = 0.0
        self._ended = False

        self._state: State = "idle"
        self._reason = "nobody is watching"
        self._since_unix = time.time()

    # What others may ask and set, on the hub.

    @property
    def state(self) -> State:
        """Its state as last announced."""
        return self._state

    @property
    def reason(self) -> str:
        """Why it is in its state, for people."""
        return self._reason

    @property
    def address(self) -> str:
        """Where its source is, without a password."""
        return self._address.public

    @property
    def rate(self) -> float:
        """Frames a second that it delivers at most, as far as is known."""
        return self.fps or self._source_fps or 30.0

    @property
    def width(self) -> int:
        """The width of its pictures in pixels; 0 while unknown."""
        return self._size[0]

    def slot_of(self, _rendition: Rendition) -> Slot:
        """Return where the frames come from that a rendition is made of."""
        return self.slot

    def describe(self) -> dict[str, Any]:
        """Return STATE of the wire contract."""
        return {
            "name": self.name,
            "title": self.title,
            "state": self._state,
            "reason": self._reason,
            "since": round(self._since_unix, 3),
            "fps": self.fps or self._source_fps or None,
            "quality": self.quality or self._jpeg_quality or DEFAULT_QUALITY,
            "set": {"fps": self.fps, "quality": self.quality},
            "width": self._size[0],
            "height": self._size[1],
            "source_fps": self._source_fps or None,
            "passed_through": self._jpeg_quality > 0,
            "viewers": self._viewers,
            "renditions": [rendition.name for rendition in offered(self)],
            "process": self._pipeline.describe(),
            **self.tuning.describe(),
        }

    @property
    def seq(self) -> int:
        """The number of its newest frame."""
        return self._seq

    def continue_from(self, seq: int) -> None:
        """Number the next frames after ``seq``: somebody may have seen an earlier life's."""
        self._seq = max(self._seq, seq)

    def open(self) -> None:
        """Begin to work; nothing is opened until somebody watches, or has it checked."""
        self._tasks = [hub.spawn(self._run), hub.spawn(self._watch)]

    def close(self, timeout_s: float) -> bool:
        """Release the source and end; return False if it is stuck beyond ``timeout_s``."""
        self._closing = True
        self._pipeline.end()
        self._wake.set()
        if not self._tasks:
            return True
        self._tasks[1].kill()
        return self._tasks[0].join(timeout_s)

    @property
    def closed(self) -> bool:
        """Whether its capture loop has ended, or never began."""
        return not self._tasks or self._tasks[0].done

    def set_viewers(self, viewers: int) -> None:
        """Say how many watch; the first brings the source up, the last lets it go."""
        if bool(viewers) != bool(self._viewers):
            self._left_silent = "" if viewers else self._silence
        if self._viewers and not viewers:
            self._unwatched_since = time.monotonic()
            self._picture_at = None
            self._still_s = 0.0
            self._stillness = (
                FreezeDetector()
            )  # Anew: the old one may be in use on a native thread.
            self._clear()
        if viewers and not self._viewers and self._source is not None:
            self._waiting_since = time.monotonic()
        arrived = viewers > self._viewers
        self._viewers = viewers
        if viewers and self._check is not None:
            # What it has opened, or is opening, is theirs now.
            self._end_check()
            self._pipeline.open()
        if arrived:
            self.request_frame()
        self._refresh(changed=True)
        self._wake.set()

    def set_renditions(self, renditions: Collection[Rendition]) -> None:
        """Say which renditions are watched; the smaller ones need pixels, also of a JPEG."""
        self._pixels_from = max((one.width for one in renditions if one.width), default=0)

    def request_frame(self) -> None:
        """Make the source's very next picture due, for someone who has none yet, or an old one."""
        self._due = AT_ONCE

    def start(self) -> None:
        """Let it work, from the beginning if its source had ended or failed."""
        self.enabled = True
        self._ended = False
        self._failure, self._missing = None, False
        self.tried_at = None  # A check is due at once, if nobody watches.
        self._pipeline.retry()
        self._refresh(changed=True)
        self._wake.set()

    def stop(self) -> None:
        """Release its source and keep it released; returns when the device is free.

        A source in mid-read cannot be interrupted, so this may take a moment, but not for ever.
        """
        self.enabled = False
        self._refresh(changed=True)
        self._wake.set()
        deadline = time.monotonic() + RELEASE_DEADLINE_S
        while self._holding and not self.enabled and time.monotonic() < deadline:
            hub.sleep(0.01)

    @property
    def resting(self) -> bool:
        """Whether its source is closed because nobody watches, and for no other reason."""
        idle = self.enabled and not self._ended and not self._viewers
        return idle and not self._holding and not self._closing and bool(self._tasks)

    def check(self, open_reader: OpenReader | None = None) -> None:
        """Find out whether it works while nobody watches: open it, take one picture, close it.

        A device or a file is only looked for: no light goes on. Returns when that is done, or as
        soon as somebody watches or it is stopped; does nothing if it is not resting.

        Args:
            open_reader: How to open the source, if not as usual.
        """
        if not self.resting:
            return
        if self._address.scheme not in NETWORK_SCHEMES:
            self._look()
            return
        patience_s = 2 * self._server.read_timeout  # The source itself has given up by then.
        self._check = check = Check(open_reader or self._open_reader, patience_s)
        self._wake.set()
        check.wait()

    def _look(self) -> None:
        missing = hub.run_native(why_missing, self._address)
        self.tried_at = time.monotonic()
        if not self.resting:
            return
        if missing:
            self._fail(missing)
            self._missing = True
        elif self._missing:
            self._recover()
            self._refresh()

    def _end_check(self) -> None:
        check, self._check = self._check, None
        if check is not None:
            check.end()

    def set_fps(self, fps: float | None) -> None:
        """Capture at ``fps`` frames a second from the next picture on; None is the source's own."""
        self.fps = fps
        self.request_frame()
        self._refresh(changed=True)

    @property
    def transform(self) -> Transform:
        """How its pictures are turned, mirrored and cut."""
        return self._pipeline.transform

    def set_transform(self, transform: Transform) -> None:
        """Turn, mirror and cut pictures like this from the next frame on; also when closed."""
        self._pipeline.transform = transform
        self.request_frame()
        if self._tasks:
            self._refresh(changed=True)

    @property
    def encoding_quality(self) -> int:
        """The JPEG quality, 1 to 100, at which its pixels are to be encoded."""
        return self.quality or DEFAULT_QUALITY

    def set_quality(self, quality: int | None) -> None:
        """Deliver JPEG of at most quality ``quality``, 1 to 100, from the next frame on.

        None hands on the source's own JPEG, whatever its quality.
        """
        self.quality = quality
        self._refresh(changed=True)

    # The capture loop: only this green thread touches the source.

    def _run(self) -> None:
        while not self._closing:
            if not self._wanted():
                self._end_check()
                self._pipeline.rest()
                self._refresh()
                self._wake.wait()
                continue
            if self._viewers and self._failure is not None and time.monotonic() < self._retry_at:
                self._wake.wait(self._retry_at - time.monotonic())
                continue
            seq = self._seq
            try:
                self._open()
                self._drain()
            except SourceEnded:
                self._ended = True
            except SourceError as error:
                self._fail(str(error))
            except Exception:
                log.exception("camera=%s capture failed", self.name)
                self._fail("an unexpected error, which the server's log tells in full")
            finally:
                self._release()
            if self._check is not None:
                self._end_check()  # Who begins to watch now need not wait because it failed.
            elif self._failure is not None:
                self._attempt = self._attempt + 1 if self._seq == seq else 1
                self._back_off()

    def _wanted(self) -> bool:
        asked_for = self._viewers > 0 or self._check is not None
        return self.enabled and not self._ended and not self._closing and asked_for

    def _lingers(self) -> bool:
        """Whether an open source should stay so, although nobody may be watching."""
        if not self.enabled or self._closing:
            return False
        if self._viewers or self._check is not None:
            return True
        return time.monotonic() - self._unwatched_since < self._server.release_after

    def _open(self) -> None:
        self._picture_at = self._waiting_since = None
        self._broken = self._left_silent = ""
        self._stillness.forget()
        self._holding = True
        check = self._check
        if check is None:  # What a check brings is not processed.
            self._pipeline.open()
        open_reader = self._open_reader if check is None else check.open_reader
        source = hub.run_native(open_reader, self._address, self.name, self._server.read_timeout)
        if check is not None:
            check.wait_for_picture()
        self._source = source
        self.meter.opened += 1
        self.tuning.attach(source)
        self._size = self.transform.size_after(source.info.width, source.info.height)
        self._source_fps = round(source.info.fps, 3)
        self._waiting_since = time.monotonic()
        self._refresh(changed=True)

    def _drain(self) -> None:
        """Read until nobody wants it, or a check has its picture; raises what ends the source."""
        source = self._source
        assert source is not None
        while self._lingers():
            if self.tuning.waiting:
                self.tuning.serve(source)
                self._source_fps = round(source.info.fps, 3)
            if self._check is not None:
                self._check.enforce(self._broken)
            elif not self._viewers and not source.info.live:
                # A file loses nothing by waiting, and decoding it unseen is work for nobody.
                self._wake.wait(WATCH_PERIOD_S)
                continue
            try:
                taken = hub.run_native(_take, source, self._demand, self._stillness)
            except PictureError as error:
                self.meter.drops["broken"] += 1
                self._broken = str(error)
                continue
            if taken is None:
                continue
            reading, still_s = taken
            if self._check is not None and reading.picture is None:
                continue  # It may be one that cannot be decoded.
            self._picture_at = time.monotonic()
            if self._check is not None:
                self._refresh()
                return
            if reading.picture is not None and self._viewers:
                self._still_s = still_s
                self._broken = ""
                self._put(reading.picture, reading.at_unix)
                self._give_up_if_frozen()
            if self._state != "live":
                self._refresh()
        if self._left_silent and self._picture_at is None:
            raise SourceError(self._left_silent)

    def _give_up_if_frozen(self) -> None:
        """Raise when the picture has stood still for so long that only a reopening may help."""
        limit_s = FROZEN_PATIENCE * self._server.frozen_after
        if limit_s and self._still_s > limit_s:
            raise SourceError(f"the picture has not changed for {limit_s:g} s; opened anew")

    def _due_now(self) -> float:
        """When a picture is next due; asked natively, so that a request counts during a read."""
        if self._check is not None:
            return 0.0
        # One may come early by half of the source's own interval: it is nearer than the next.
        slack_s = 0.5 / self._source_fps if self._source_fps else 0.005
        return self._due - slack_s if self._viewers else float("inf")

    def _best_jpeg(self) -> int:
        """Up to which quality the source's own JPEG will do; asked natively, as late as can be."""
        if self._pipeline.needed:
            return 0
        return self.quality or BEST_QUALITY

    def _put(self, picture: Picture, at_unix: float) -> None:
        now = time.monotonic()
        if self.fps and (not self._source_fps or self.fps < self._source_fps * 0.99):
            # On schedule, so that the average is right; but never in a burst after a gap.
            before = self._due if self._due > 0 else now
            self._due = max(before + 1 / self.fps, now + 0.5 / self.fps)
        else:
            self._due = 0.0
        self._seq += 1
        self.meter.captured += 1
        frame = Frame(picture, self._seq, at_unix)
        if self._pipeline.needed:
            self._pipeline.put(frame)
        else:
            self._publish(frame)

    def _publish(self, frame: Frame) -> None:
        """Hand a frame on to be delivered, as it is to be seen."""
        if self.slot.frame is not None and frame.seq <= self.slot.frame.seq:
            return  # It was worked on while a later one needed no work any more.
        picture = frame.picture
        size = size_of(picture)
        before, self._jpeg_quality = self._jpeg_quality, _quality_of(picture)
        # A camera that varies its quality from picture to picture would have itself announced so.
        if size != self._size or (before > 0) != (self._jpeg_quality > 0):
            self._size = size
            self._refresh(changed=True)
        self.meter.ready += 1
        self.meter.capture_s += max(0.0, time.time() - frame.at_unix)
        replaced = self.slot.replaced
        self.slot.put(frame)
        self.meter.drops["replaced"] += self.slot.replaced - replaced

    def _clear(self) -> None:
        """Forget frames on their way: they would only grow old."""
        self._pipeline.clear()
        self.slot.clear()

    def _fail(self, reason: str) -> None:
        self._picture_at = None
        self._still_s = 0.0
        if not self.enabled or self._closing:
            return
        first = self._failure is None
        self._failure, self._missing = reason, False
        self.meter.lost += 1
        self._refresh(changed=True)
        if first:
            log.warning("camera=%s lost: %s", self.name, reason)
            self.on_notice(self, "warning", f"{self.title} went offline: {reason}")

    def _recover(self) -> None:
        self._failure, self._missing = None, False
        log.info("camera=%s is back", self.name)
        self.on_notice(self, "info", f"{self.title} is back online")

    def _release(self) -> None:
        source, self._source = self._source, None
        self.tuning.detach()
        self._jpeg_quality = 0
        self._picture_at = self._waiting_since = None
        self._clear()
        if source is not None:
            try:
                hub.run_native(source.close)
            except Exception:
                log.exception("camera=%s could not be released", self.name)
        self._holding = False
        self.tried_at = time.monotonic()
        self._refresh()

    def _back_off(self) -> None:
        """Set when to try again: later each time, and not in step with other cameras.

        Kept while nobody watches, so that viewers who come and go do not hammer a dead camera.
        """
        delay = min(RETRY_LONGEST_S, RETRY_FIRST_S * RETRY_GROWTH ** min(self._attempt - 1, 10))
        self._retry_at = time.monotonic() + delay * random.uniform(0.8, 1.2)

    # The state: derived from facts, announced when it changes.

    def _watch(self) -> None:
        while True:
            hub.sleep(WATCH_PERIOD_S)
            self._refresh()

    def _derive(self) -> tuple[State, str]:
        if not self.enabled:
            return "stopped", "stopped by an operator"
        if self._ended:
            return "ended", "the file has been played to its end"
        if self._failure is not None and self._picture_at is None:
            return "retrying", self._failure
        if not self._viewers:
            if self._left_silent and self._source is not None and self._picture_at is None:
                return "stalled", self._left_silent
            return "idle", "nobody is watching"
        if silence := self._silence:
            return "stalled", silence
        if self._picture_at is None:
            return "starting", "waiting for the first picture"
        if self._pipeline.withheld:
            return "stalled", self._pipeline.withheld
        frozen_s = self._server.frozen_after
        if frozen_s and self._still_s > frozen_s:
            return "stalled", f"the picture has not changed for more than {frozen_s:g} s"
        return "live", ""

    @property
    def _silence(self) -> str:
        """What to say of a source that is open and brings no picture; nothing if it does."""
        since = self._waiting_since if self._picture_at is None else self._picture_at
        limit_s = max(self._server.stall_after, 3 / self._source_fps if self._source_fps else 0)
        if since is None or time.monotonic() - since <= limit_s:
            return ""
        broken = f"; {self._broken}" if self._broken else ""
        return f"no picture for more than {limit_s:g} s{broken}"

    def _refresh(self, changed: bool = False) -> None:
        """Announce the state if it, or with ``changed`` anything else people see, is new."""
        state, reason = self._derive()
        if state in ("live", "idle") and self._failure is not None:
            self._recover()
        if state != self._state:
            # Viewers come and go; what an operator of the machine wants to know is trouble.
            level = logging.DEBUG if state in ("idle", "starting", "live") else logging.INFO
            log.log(level, "camera=%s state=%s reason=%s", self.name, state, reason)
            self._since_unix = time.time()
        if changed or (state, reason) != (self._state, self._reason):
            self._state, self._reason = state, reason
            self.on_change(self)


def _quality_of(picture: Picture) -> int:
    return picture.quality if isinstance(picture, Jpeg) else 0


def _take(
    source: Reader, demand: Demand, stillness: FreezeDetector
) -> tuple[Reading, float] | None:
    """Read, and say for how long nothing in the picture has changed. Runs natively."""
    reading = source.read(demand)
    if reading is None:
        return None
    if reading.picture is None or not source.info.live:
        return reading, 0.0
    return reading, stillness.see(reading.picture, time.monotonic())
