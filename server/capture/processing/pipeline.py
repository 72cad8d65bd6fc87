"""What is done to a camera's pictures between capture and delivery.

It costs nothing while there is nothing to do: then the camera hands its frames on itself. Otherwise
they are worked on natively, one at a time: the capture loop goes on at its own pace, and of the
frames that come meanwhile only the newest is kept.

Masks come first, on the source's own picture: whatever happens afterwards, and however an operator
turns the camera, what they hide is gone. Then the picture is turned and cut, and then come the
other processors in the order of the settings: here while all of them are built in, else in a
process of their own (:mod:`server.capture.processing.sandbox`).
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from server.capture.frames.frame import Frame, Image, Jpeg
from server.capture.frames.slot import Slot
from server.capture.processing.health import Health
from server.capture.processing.runner import Facts, Outcome, ProcessorRunner
from server.capture.processing.sandbox import STUCK_AFTER_S, ProcessorSandbox, SandboxError
from server.capture.processing.transform import Transform
from server.config.processors import Processor
from server.errors import PictureError
from server.loop import hub
from server.metrics import Meter

__all__ = ["Host", "ProcessingPipeline"]

log = logging.getLogger(__name__)

# A picture withheld for longer than this is a state of the camera, not an accident.
WITHHELD_S = 1.0

# And one that is worked on for longer than this is late.
BUSY_S = 2.0

# What a processor takes is told anew when it has changed by so much, and at most so often.
TOLD_SHARE = 0.25
TOLD_EVERY_S = 2.0

# One that fails now and then is news once in a while.
NOTICE_EVERY_S = 60.0

# Less than this share of the time there is, and a slow one is slow no more.
ENOUGH = 0.8


class Host(NamedTuple):
    """The camera, as its stage knows it.

    Attributes:
        name: Of the camera.
        title: What people see.
        meter: Counts frames replaced before their turn came as ``processing``, and those that are
            not shown because they could not be worked on as ``unprocessed``.
        fps: Returns the frames a second that are to be delivered.
        publish: Takes each finished frame.
        on_change: Called when there is news for people.
        on_notice: Told of trouble and its end: level and message.
    """

    name: str
    title: str
    meter: Meter
    fps: Callable[[], float]
    publish: Callable[[Frame], None]
    on_change: Callable[[], None]
    on_notice: Callable[[str, str], None]


class ProcessingPipeline:
    """Turns raw frames of one camera into those that are seen. Only green code calls it."""

    def __init__(self, processors: Sequence[Processor], host: Host) -> None:
        self.transform = Transform()
        self._host = host
        self._health = [Health(one) for one in processors]
        numbered = list(enumerate(processors))
        masks = [one for one in numbered if one[1].is_mask]
        self._others = [one for one in numbered if not one[1].is_mask]
        self._masks = ProcessorRunner(masks, host.name, host.title)
        self._mask_places = [index for index, _ in masks]
        self._apart = any(processor.module for processor in processors)
        self._sandbox: ProcessorSandbox | None = None
        self._local: ProcessorRunner | None = None
        self._finished: list[ProcessorSandbox] = []  # To be closed.
        self._raw = Slot()
        self._wake = hub.Signal()
        self._task: hub.Task | None = None
        self._ending = False
        self._life = 0  # Counts the openings of the source.
        self._round = 0  # Counts how often what was on its way was given up.
        self._withheld_since: float | None = None
        self._withheld_for = ""
        self._busy_since: float | None = None
        self._logged_at = float("-inf")
        self._told: list[dict[str, Any]] = [one.describe() for one in self._health]
        self._told_at = 0.0
        self._noticed_at = dict.fromkeys(range(len(self._health)), float("-inf"))
        self._troubled: set[int] = set()

    @property
    def needed(self) -> bool:
        """Whether frames have to pass through here."""
        return bool(self._health) or not self.transform.identity

    @property
    def withheld(self) -> str:
        """Why no picture is to be seen, if that has been so for a while; else empty."""
        busy = self._busy_since
        if busy is not None and time.monotonic() - busy > BUSY_S:
            return f"no picture: it has been worked on for more than {BUSY_S:g} s"
        since = self._withheld_since
        if since is None or time.monotonic() - since < WITHHELD_S:
            return ""
        return self._withheld_for

    def describe(self) -> list[dict[str, Any]]:
        """Return ``process`` of STATE: how each processor does."""
        return [dict(one) for one in self._told]

    def open(self) -> None:
        """Get ready: the source is about to be opened."""
        self._life += 1
        if self._find_sandbox() is not None:
            self._stir()

    def put(self, frame: Frame) -> None:
        """Take a raw frame, in place of one that has not had its turn."""
        replaced = self._raw.replaced
        self._raw.put(frame)
        self._host.meter.drops["processing"] += self._raw.replaced - replaced
        self._stir()

    def clear(self) -> None:
        """Forget the frames on their way."""
        self._round += 1
        self._raw.clear()
        self._withheld_since = None

    def rest(self) -> None:
        """Let the processors' process go: nobody wants pictures."""
        self.clear()
        if self._sandbox is not None:
            self._sandbox.abandon()
            self._finished.append(self._sandbox)
            self._sandbox = None
            self._stir()

    def retry(self) -> None:
        """Let whatever was left out try anew at once, with the code there is now."""
        if any(one.state in ("failing", "skipped", "stuck") for one in self._health):
            for one in self._health:
                one.forgive()
            self.rest()
            self.open()
            self._tell(time.monotonic())

    def end(self) -> None:
        """Work no more, for good."""
        self._ending = True
        self.rest()
        self._wake.set()

    def _find_sandbox(self) -> ProcessorSandbox | None:
        """Return where the other processors work, if that is in a process of their own."""
        if self._apart and self._sandbox is None and not self._ending:
            self._sandbox = ProcessorSandbox(
                self._others, self._host.name, self._host.title, STUCK_AFTER_S
            )
        return self._sandbox

    def _stir(self) -> None:
        self._wake.set()
        if self._task is None or self._task.done:
            self._task = hub.spawn(self._run)

    def _run(self) -> None:
        while not self._ending or self._finished:
            self._wake.wait()
            try:
                while self._finished:
                    hub.run_native(self._finished.pop().close)
                self._work()
            except PictureError:
                self._host.meter.drops["broken"] += 1
            except Exception:  # noqa: BLE001  it is logged, but not every time
                # Nothing may end this: it serves everybody.
                self._host.meter.drops["error"] += 1
                self._log_fault()

    def _log_fault(self) -> None:
        """Log what nobody foresaw, but not with every frame."""
        now = time.monotonic()
        if now - self._logged_at > NOTICE_EVERY_S:
            self._logged_at = now
            log.exception("camera=%s stage", self._host.name)

    def _work(self) -> None:
        """Work on the newest raw frame, if there is one."""
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
                self._blame(error, places)
                self._withhold()
            return
        finally:
            self._busy_since = None
        if begun != self._round:
            return
        self._judge(done.outcomes)
        if self._is_fit(done.outcomes):
            self._withheld_since = None
            self._host.publish(Frame(done.image, frame.seq, frame.at_unix))
        else:
            self._withhold()

    def _prepare(self, sandbox: ProcessorSandbox) -> None:
        """Have the processors loaded before the first frame comes."""
        try:
            hub.run_native(sandbox.prepare)
        except SandboxError:
            pass  # The first frame will say so.

    def _process(
        self,
        frame: Frame,
        facts: Facts,
        places: Sequence[int],
        transform: Transform,
        sandbox: ProcessorSandbox | None,
    ) -> "_Done":
        """Do all that is to be done to one frame. Runs natively."""
        image = _pixels(frame)
        outcomes: list[Outcome] = []
        if self._mask_places:
            image, outcomes = self._masks.run(image.copy(), facts, self._mask_places)
        image = transform.apply(image)
        if not places:
            return _Done(image, outcomes)
        if sandbox is not None:
            made, more = sandbox.run(image, facts, places)
        else:
            if image is frame.picture:
                image = image.copy()
            made, more = self._chain().run(image, facts, places)
        return _Done(made, outcomes + more)

    def _chain(self) -> ProcessorRunner:
        """Return what is done here; loaded late, as a camera may never be watched."""
        if self._local is None:
            self._local = ProcessorRunner(self._others, self._host.name, self._host.title)
        return self._local

    # What is made of how they did.

    def _judge(self, outcomes: Sequence[Outcome]) -> None:
        now = time.monotonic()
        for place, ms, error in outcomes:
            if error:
                self._health[place].fail(now, error)
            else:
                self._health[place].succeed(now, ms)
        self._look_at_pace()
        self._tell(now)

    def _blame(self, error: SandboxError, places: Sequence[int]) -> None:
        """Note that a frame was lost; where it is not known by whom, by all."""
        now = time.monotonic()
        guilty = places if error.place is None else [error.place]
        for place in guilty:
            self._health[place].fail(now, str(error), error.stuck)
        self._tell(now)

    def _is_fit(self, outcomes: Sequence[Outcome]) -> bool:
        """Return whether the picture may be seen: nothing that is required has failed."""
        return not any(error and self._health[place].required for place, _, error in outcomes)

    def _withhold(self) -> None:
        self._host.meter.drops["unprocessed"] += 1
        if self._withheld_since is None:
            self._withheld_since = time.monotonic()
        required = [one for one in self._health if one.required and one.message]
        guilty = required or [one for one in self._health if one.message]
        self._withheld_for = "no picture without its processing"
        if guilty:
            self._withheld_for = f"no picture: {guilty[0].name} {guilty[0].message}"

    def _look_at_pace(self) -> None:
        """Name the slowest as slow while all together take more time than there is."""
        known = [one for one in self._health if one.ms is not None]
        if not known:
            return
        there_is_ms = 1000 / self._host.fps()
        taken_ms = sum(one.ms or 0.0 for one in known)
        slowest = max(known, key=lambda one: one.ms or 0.0)
        was_slow = any(one.state == "slow" for one in known)
        late = taken_ms > there_is_ms * (ENOUGH if was_slow else 1)
        others = "" if len(known) == 1 else f", {taken_ms:.0f} with the others"
        message = (
            f"takes {slowest.ms:.0f} ms a frame{others}; "
            f"{self._host.fps():g} fps leave {there_is_ms:.0f} ms"
        )
        for one in known:
            one.keep_pace(late and one is slowest, message)

    def _tell(self, now: float) -> None:
        """Announce what is new of the processors: at once what went wrong, figures at leisure."""
        self._notice(now)
        news = [one.describe() for one in self._health]
        states = [one["state"] for one in news] != [one["state"] for one in self._told]
        if states or (now - self._told_at > TOLD_EVERY_S and _differ(news, self._told)):
            self._told, self._told_at = news, now
            self._host.on_change()

    def _notice(self, now: float) -> None:
        for index, one in enumerate(self._health):
            bad = one.state in ("failing", "skipped", "stuck")
            if bad and index not in self._troubled:
                self._troubled.add(index)
                if now - self._noticed_at[index] > NOTICE_EVERY_S:
                    self._noticed_at[index] = now
                    log.warning("camera=%s processor=%s %s", self._host.name, one.name, one.message)
                    self._host.on_notice("warning", f"{self._host.title}: {one.name} {one.message}")
            elif not bad and index in self._troubled:
                self._troubled.discard(index)
                log.info("camera=%s processor=%s works again", self._host.name, one.name)


class _Done(NamedTuple):
    image: Image
    outcomes: list[Outcome]


def _differ(news: list[dict[str, Any]], told: list[dict[str, Any]]) -> bool:
    for new, old in zip(news, told, strict=True):
        said = ("message", "errors")
        if [new[key] for key in said] != [old[key] for key in said] or (new["ms"] is None) != (
            old["ms"] is None
        ):
            return True
        if abs((new["ms"] or 0) - (old["ms"] or 0)) > max(0.5, TOLD_SHARE * (old["ms"] or 0)):
            return True
    return False


def _pixels(frame: Frame) -> Image:
    """Return a frame's pixels: one may come as JPEG that was read before pixels were asked for."""
    if not isinstance(frame.picture, Jpeg):
        return frame.picture
    image = cv2.imdecode(np.frombuffer(frame.picture.data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise PictureError("its JPEG cannot be decoded")
    return image  # type: ignore[return-value]
