"""Processes a camera's pictures between capture and delivery.

Without processors or a transform the camera publishes its frames itself, at no extra cost.
Otherwise frames are processed on a native thread, one at a time, while the capture loop continues;
of the frames that arrive meanwhile only the newest is kept.

Masks come first, on the source's own picture, so that no later step and no rotation can reveal what
they hide. Then the picture is transformed, and then the other processors run in the order of the
settings: in this process if all of them are built in, otherwise in a process of their own
(:mod:`server.capture.processing.sandbox`).
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from server.capture.frames.frame import Frame, Image, Jpeg
from server.capture.frames.slot import Slot
from server.capture.processing.health import Health
from server.capture.processing.report import Report
from server.capture.processing.runner import Facts, Outcome, ProcessorRunner
from server.capture.processing.sandbox import STUCK_AFTER_S, ProcessorSandbox, SandboxError
from server.capture.processing.transform import Transform
from server.config.processors import Processor
from server.errors import PictureError
from server.loop import hub
from server.metrics import Meter

__all__ = ["Host", "ProcessingPipeline"]

log = logging.getLogger(__name__)

# If pictures are withheld for longer than this, the camera's state says so.
WITHHELD_S = 1.0

# Likewise if processing one picture takes longer than this.
BUSY_S = 2.0

# A processor's time is announced again after it changed by this fraction, and at most this often.
ANNOUNCED_CHANGE = 0.25
ANNOUNCE_EVERY_S = 2.0

# At most one notice and one log entry about a failing processor in this time.
NOTICE_EVERY_S = 60.0

# For a slow processor to be ok again, all must take less than this fraction of the available time.
RECOVERED_FRACTION = 0.8


class Host(NamedTuple):
    """What a pipeline needs of its camera.

    Attributes:
        name: The camera's name.
        title: Its title, for people.
        meter: Counts frames replaced before their turn as ``processing``, and frames withheld
            because processing failed as ``unprocessed``.
        fps: Returns the target rate in frames per second.
        publish: Called with each finished frame.
        on_change: Called when the description has changed.
        on_notice: Called with level and message when a processor begins to fail.
        on_reports: Called with the processors' reports about a finished frame.
    """

    name: str
    title: str
    meter: Meter
    fps: Callable[[], float]
    publish: Callable[[Frame], None]
    on_change: Callable[[], None]
    on_notice: Callable[[str, str], None]
    on_reports: Callable[[Sequence[Report], Frame], None] = lambda reports, frame: None


class ProcessingPipeline:
    """Turns one camera's raw frames into those that people see. Called by green threads only."""

    def __init__(self, processors: Sequence[Processor], host: Host) -> None:
        self._transform = Transform()
        self.needed = bool(processors)
        """Whether frames must pass through here."""
        self._host = host
        self._health = [Health(one) for one in processors]
        numbered = list(enumerate(processors))
        self._masks = [one for one in numbered if one[1].is_mask]
        self._others = [one for one in numbered if not one[1].is_mask]
        self._has_user_code = any(processor.module for processor in processors)
        self._sandbox: ProcessorSandbox | None = None
        # Made on a native thread with the first picture, because they load OpenCV.
        self._mask_runner: ProcessorRunner | None = None
        self._local: ProcessorRunner | None = None
        self._finished: list[ProcessorSandbox] = []  # To be closed by the task.
        self._raw = Slot()
        self._wake = hub.Signal()
        self._task: hub.Task | None = None
        self._ending = False
        self._life = 0  # Counts openings of the source.
        self._round = 0  # Counts how often frames in progress were discarded.
        self._withheld_since: float | None = None
        self._withheld_reason = ""
        self._busy_since: float | None = None
        self._logged_at = float("-inf")
        self._announced: list[dict[str, Any]] = [one.describe() for one in self._health]
        self._announced_at = 0.0
        self._noticed_at = dict.fromkeys(range(len(self._health)), float("-inf"))
        self._failing: set[int] = set()

    @property
    def transform(self) -> Transform:
        """How pictures are rotated, mirrored and cropped."""
        return self._transform

    @transform.setter
    def transform(self, transform: Transform) -> None:
        self._transform = transform
        self.needed = bool(self._health) or not transform.identity

    @property
    def withheld(self) -> str:
        """Why no picture is shown, if that has lasted for a while; else empty."""
        busy = self._busy_since
        if busy is not None and time.monotonic() - busy > BUSY_S:
            return f"no picture: processing has taken more than {BUSY_S:g} s"
        since = self._withheld_since
        if since is None or time.monotonic() - since < WITHHELD_S:
            return ""
        return self._withheld_reason

    def describe(self) -> list[dict[str, Any]]:
        """Return ``process`` of STATE: the health of each processor."""
        return [dict(one) for one in self._announced]

    def open(self) -> None:
        """Prepare for the source to be opened."""
        self._life += 1
        if self._find_sandbox() is not None:
            self._wake_task()

    def put(self, frame: Frame) -> None:
        """Queue a raw frame, replacing one that has not been processed yet."""
        replaced = self._raw.replaced
        self._raw.put(frame)
        self._host.meter.drops["processing"] += self._raw.replaced - replaced
        self._wake_task()

    def clear(self) -> None:
        """Discard queued and unfinished frames."""
        self._round += 1
        self._raw.clear()
        self._withheld_since = None

    def rest(self) -> None:
        """End the processors' process: nobody wants pictures."""
        self.clear()
        if self._sandbox is not None:
            self._sandbox.abandon()
            self._finished.append(self._sandbox)
            self._sandbox = None
            self._wake_task()

    def retry(self) -> None:
        """Run failed processors again now, with their current code."""
        if any(one.state in ("failing", "skipped", "stuck") for one in self._health):
            for one in self._health:
                one.reset()
            self.rest()
            self.open()
            self._announce(time.monotonic())

    def end(self) -> None:
        """Stop for good."""
        self._ending = True
        self.rest()
        self._wake.set()

    def _find_sandbox(self) -> ProcessorSandbox | None:
        """Return the sandbox, if there are users' processors; create it if necessary."""
        if self._has_user_code and self._sandbox is None and not self._ending:
            self._sandbox = ProcessorSandbox(
                self._others, self._host.name, self._host.title, STUCK_AFTER_S
            )
        return self._sandbox

    def _wake_task(self) -> None:
        self._wake.set()
        if self._task is None or self._task.done:
            self._task = hub.spawn(self._run)

    def _run(self) -> None:
        while not self._ending or self._finished:
            self._wake.wait()
            try:
                while self._finished:
                    hub.run_native(self._finished.pop().close)
                self._process_newest()
            except PictureError:
                self._host.meter.drops["broken"] += 1
            except Exception:  # noqa: BLE001  it is logged, but not every time
                # No error may stop the pipeline: it serves all viewers.
                self._host.meter.drops["error"] += 1
                self._log_error()

    def _log_error(self) -> None:
        """Log an unexpected error, but not with every frame."""
        now = time.monotonic()
        if now - self._logged_at > NOTICE_EVERY_S:
            self._logged_at = now
            log.exception("camera=%s pipeline", self._host.name)

    def _process_newest(self) -> None:
        """Process the newest raw frame, if there is one."""
        frame = self._raw.frame
        if frame is None:
            if self._sandbox is not None:
                self._prepare(self._sandbox)
            return
        self._raw.clear()
        sandbox = self._find_sandbox()
        begun, now = self._round, time.monotonic()
        facts = Facts(frame.seq, frame.at_unix, self._host.fps(), self._life)
        places = [index for index, _ in self._others if self._health[index].may_run(now)]
        if any(self._health[i].required for i, _ in self._others if i not in places):
            self._withhold()
            return
        try:
            self._busy_since = now
            done = hub.run_native(self._process, frame, facts, places, self.transform, sandbox)
        except SandboxError as error:
            if begun == self._round:
                self._record_failure(error, places)
                self._withhold()
            return
        finally:
            self._busy_since = None
        if begun != self._round:
            return
        self._evaluate(done.outcomes)
        if self._is_fit(done.outcomes):
            self._withheld_since = None
            finished = Frame(done.image, frame.seq, frame.at_unix)
            self._host.publish(finished)
            if done.reports:
                self._host.on_reports(done.reports, finished)
        else:
            self._withhold()

    def _prepare(self, sandbox: ProcessorSandbox) -> None:
        """Load the processors before the first frame arrives."""
        try:
            hub.run_native(sandbox.prepare)
        except SandboxError:
            pass  # The first frame will report it.

    def _process(
        self,
        frame: Frame,
        facts: Facts,
        places: Sequence[int],
        transform: Transform,
        sandbox: ProcessorSandbox | None,
    ) -> "_Result":
        """Mask, transform and process one frame. Runs on a native thread."""
        image = _pixels(frame)
        outcomes: list[Outcome] = []
        if self._masks:
            if self._mask_runner is None:
                self._mask_runner = self._make_runner(self._masks)
            places_of_masks = [index for index, _ in self._masks]
            image, outcomes = self._mask_runner.run(image.copy(), facts, places_of_masks)
        image = transform.apply(image)
        if not places:
            return _Result(image, outcomes, ())
        if sandbox is not None:
            image, more = sandbox.run(image, facts, places)
            return _Result(image, outcomes + more, sandbox.reports)
        else:
            if image is frame.picture:
                image = image.copy()
            if self._local is None:
                self._local = self._make_runner(self._others)
            image, more = self._local.run(image, facts, places)
        return _Result(image, outcomes + more, ())

    def _make_runner(self, processors: Sequence[tuple[int, Processor]]) -> ProcessorRunner:
        return ProcessorRunner(processors, self._host.name, self._host.title)

    # The health of the processors.

    def _evaluate(self, outcomes: Sequence[Outcome]) -> None:
        now = time.monotonic()
        for place, ms, error in outcomes:
            if error:
                self._health[place].fail(now, error)
            else:
                self._health[place].succeed(now, ms)
        self._check_pace()
        self._announce(now)

    def _record_failure(self, error: SandboxError, places: Sequence[int]) -> None:
        """Record a lost frame for the processor that caused it; if unknown, for all."""
        now = time.monotonic()
        for place in places if error.place is None else [error.place]:
            self._health[place].fail(now, str(error), error.stuck)
        self._announce(now)

    def _is_fit(self, outcomes: Sequence[Outcome]) -> bool:
        """Return whether the picture may be shown: no required processor has failed."""
        return not any(error and self._health[place].required for place, _, error in outcomes)

    def _withhold(self) -> None:
        self._host.meter.drops["unprocessed"] += 1
        if self._withheld_since is None:
            self._withheld_since = time.monotonic()
        required = [one for one in self._health if one.required and one.message]
        causes = required or [one for one in self._health if one.message]
        self._withheld_reason = "no picture: its processing failed"
        if causes:
            self._withheld_reason = f"no picture: {causes[0].name} {causes[0].message}"

    def _check_pace(self) -> None:
        """Mark the slowest as slow while all together take longer than the frame interval."""
        known = [one for one in self._health if one.ms is not None]
        if not known:
            return
        available_ms = 1000 / self._host.fps()
        taken_ms = sum(one.ms or 0.0 for one in known)
        slowest = max(known, key=lambda one: one.ms or 0.0)
        was_slow = any(one.state == "slow" for one in known)
        late = taken_ms > available_ms * (RECOVERED_FRACTION if was_slow else 1)
        others = "" if len(known) == 1 else f", {taken_ms:.0f} with the others"
        message = (
            f"takes {slowest.ms:.0f} ms a frame{others}; "
            f"{self._host.fps():g} fps leave {available_ms:.0f} ms"
        )
        for one in known:
            one.keep_pace(late and one is slowest, message)

    def _announce(self, now: float) -> None:
        """Announce changes of the processors: states immediately, figures occasionally."""
        self._notify(now)
        news = [one.describe() for one in self._health]
        states = [one["state"] for one in news] != [one["state"] for one in self._announced]
        if states or (
            now - self._announced_at > ANNOUNCE_EVERY_S and _differ(news, self._announced)
        ):
            self._announced, self._announced_at = news, now
            self._host.on_change()

    def _notify(self, now: float) -> None:
        for index, one in enumerate(self._health):
            bad = one.state in ("failing", "skipped", "stuck")
            if bad and index not in self._failing:
                self._failing.add(index)
                if now - self._noticed_at[index] > NOTICE_EVERY_S:
                    self._noticed_at[index] = now
                    log.warning("camera=%s processor=%s %s", self._host.name, one.name, one.message)
                    self._host.on_notice("warning", f"{self._host.title}: {one.name} {one.message}")
            elif not bad and index in self._failing:
                self._failing.discard(index)
                log.info("camera=%s processor=%s works again", self._host.name, one.name)


class _Result(NamedTuple):
    image: Image
    outcomes: list[Outcome]
    reports: Sequence[Report]


def _differ(news: list[dict[str, Any]], before: list[dict[str, Any]]) -> bool:
    """Return whether a message, a count of errors or a time has changed enough to announce."""
    for new, old in zip(news, before, strict=True):
        if (new["message"], new["errors"]) != (old["message"], old["errors"]):
            return True
        if (new["ms"] is None) != (old["ms"] is None):
            return True
        new_ms, old_ms = new["ms"] or 0, old["ms"] or 0
        if abs(new_ms - old_ms) > max(0.5, ANNOUNCED_CHANGE * old_ms):
            return True
    return False


def _pixels(frame: Frame) -> Image:
    """Return a frame's pixels; decode a JPEG that was read before pixels were requested."""
    if not isinstance(frame.picture, Jpeg):
        return frame.picture
    import cv2  # Loaded only when needed, as in jpeg.py.
    import numpy as np

    image = cv2.imdecode(np.frombuffer(frame.picture.data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise PictureError("its JPEG cannot be decoded")
    return image  # type: ignore[return-value]
