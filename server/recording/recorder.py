"""Decides what of each camera is recorded, and hands it to the writer. On the hub."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import takewhile

from server.capture.camera import Camera
from server.capture.frames.rendition import FULL
from server.capture.frames.unit import JPEG, Unit
from server.config.models import Settings
from server.delivery.fanout import Fanout
from server.loop import hub
from server.recording.disk.retention import Limits, Policy
from server.recording.disk.segmenter import completes_fragment
from server.recording.disk.storage import Storage
from server.recording.disk.writer import Writer
from server.recording.events import EventLog
from server.recording.jpeg_video import JpegVideo
from server.recording.keeper import Keeper
from server.recording.media.process import MediaProcess
from server.recording.rewind import Rewind

__all__ = ["Recorder"]

# Units are handed to the writer when they make a fragment, or are so many bytes.
MAX_CHUNK_BYTES = 1 << 20

# What completes a fragment is a key picture, as a rule, which takes longest to be sent to viewers.
# The thread that writes would want its turn at that moment.
LATER_S = 0.02

PERIOD_S = 0.5
"""How often what depends on the time is looked at."""

# What is encoded here has a key picture so often, for players to seek to.
KEY_EVERY_S = 2.0

# What is encoded here may be late by so much, at the end of motion.
MAX_BEHIND_S = 60.0

CLOSE_DEADLINE_S = 2.0

# What was dropped is told once in this time.
TELL_DROPS_S = 60.0

DUTY = "record"

JUMPED = (
    "The clock has jumped ahead by {}. Nothing is deleted because of that until it has stood for a "
    "day. If it is right, `python manage.py media trust-clock` deletes what is too old"
)

Notify = Callable[[str, str, str | None], None]


class Recorder:
    """Records the cameras of this process.

    Args:
        settings: Of the server.
        cameras: Of this process, by name; they come and go.
        fanouts: By camera name.
        rewinds: The last seconds of each camera, by name.
        storage: Where recordings are.
        writer: Writes them.
        events: The log of what happens at the cameras.
        encoder: Makes video of cameras that have none.
        notify: Tells people: level, message, and which camera.
    """

    def __init__(
        self,
        settings: Settings,
        cameras: Mapping[str, Camera],
        fanouts: Mapping[str, Fanout],
        rewinds: Mapping[str, Rewind],
        storage: Storage,
        writer: Writer,
        events: EventLog,
        encoder: MediaProcess,
        notify: Notify,
    ) -> None:
        self._server = settings.server
        self._cameras = cameras
        self._fanouts = fanouts
        self._rewinds = rewinds
        self._storage = storage
        self._writer = writer
        self._events = events
        self._notify = notify
        events.on_motion = self._on_motion
        self._lanes: dict[str, _Lane] = {}
        self._encoder = encoder
        self._problem = ""
        self._doubts = False  # Whether people were told that the clock may be wrong.
        self._removed = 0
        self._dropped: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._told_at = 0.0
        self._task: hub.Task | None = None

    def open(self) -> None:
        """Begin to record."""
        self._set_policy()
        self._writer.start()
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """End all files in good order."""
        if self._task is not None:
            self._task.kill()
        for lane in self._lanes.values():
            lane.stop()
        self._events.end_all()
        hub.run_native(self._writer.stop, CLOSE_DEADLINE_S)

    def refresh(self, camera: Camera) -> None:
        """Follow a camera whose STATE has changed, or that is new."""
        fanout, rewind = self._fanouts[camera.name], self._rewinds[camera.name]
        lane = self._lanes.get(camera.name)
        if lane is not None and (lane.camera is not camera or lane.rewind is not rewind):
            lane.stop()
            lane = None
        if lane is None:
            lane = self._lanes[camera.name] = _Lane(
                camera, fanout, rewind, self._writer, self._encoder
            )
            self._set_policy()
        camera.on_event = self._events.happen
        self._events.follow(camera)
        lane.refresh()

    def forget(self, name: str) -> None:
        """Let go of a camera that was removed."""
        lane = self._lanes.pop(name, None)
        if lane is not None:
            lane.stop()
            self._events.end_all(name)
            self._set_policy()

    def _on_motion(self, camera: str, moving: bool, at_unix: float) -> None:
        lane = self._lanes.get(camera)
        if lane is not None:
            lane.on_motion(moving, at_unix)

    def _set_policy(self) -> None:
        self._writer.policy = Policy(
            self._server.keep_gb,
            Limits(self._server.keep_days),
            {
                name: Limits(camera.keeping.days, camera.keeping.gb)
                for name, camera in self._cameras.items()
            },
        )

    def _run(self) -> None:
        while True:
            hub.rest(PERIOD_S)
            for name, lane in list(self._lanes.items()):
                if name in self._cameras:
                    lane.look()
                else:
                    self.forget(name)
            self._events.look()
            self._tell()

    def _tell(self) -> None:
        """Tell people what has become of the writer's work."""
        writer = self._writer
        if writer.problem != self._problem:
            self._problem = writer.problem
            if self._problem:
                self._notify("error", f"Recording is paused: {self._problem}", None)
            else:
                self._notify("info", "Recording goes on", None)
        if gone := self._storage.removed - self._removed:
            self._removed += gone
            what = "recording was" if gone == 1 else "recordings were"
            self._notify("warning", f"The disk is full: the oldest {gone} {what} deleted", None)
        if (self._storage.ahead_s > 0) != self._doubts:
            self._doubts = not self._doubts
            if self._doubts:
                hours = round(self._storage.ahead_s / 3600)
                ahead = f"{hours} hours" if hours < 72 else f"{round(hours / 24)} days"
                self._notify("warning", JUMPED.format(ahead), None)
        for name, dropped in list(writer.dropped.items()):
            more = dropped - self._dropped[name]
            self._dropped[name] = dropped
            camera = self._cameras.get(name)
            if more and camera is not None:
                camera.meter.drops["unrecorded"] += more
                self._untold[name] += more
        if self._untold and not self._problem and time.monotonic() - self._told_at > TELL_DROPS_S:
            self._told_at = time.monotonic()
            for name, count in self._untold.items():
                if (camera := self._cameras.get(name)) is not None:
                    what = "picture was" if count == 1 else "pictures were"
                    self._notify("warning", f"{camera.title}: {count} {what} not recorded", name)
            self._untold.clear()


class _Lane:
    """The way of one camera's units to the writer.

    Attributes:
        camera: The camera.
        rewind: Its last seconds.
    """

    def __init__(
        self,
        camera: Camera,
        fanout: Fanout,
        rewind: Rewind,
        writer: Writer,
        encoder: MediaProcess,
    ) -> None:
        self._encoder = encoder
        self.camera = camera
        self.rewind = rewind
        self._fanout = fanout
        self._writer = writer
        self._mode = "off"
        self._moving = False
        self._moved_unix = 0.0  # When what is recorded began to move.
        self._keeper: Keeper | None = None
        self._made: JpegVideo | None = None
        self._until: float | None = None  # Monotonic: after motion.
        self._ends: list[Callable[[], None]] = []  # What ends the listening.
        self._source = ""
        self._units: list[Unit] = []
        self._nbytes = 0
        self._key_at = 0.0
        self._first: Unit | None = None  # Of the fragment that the units belong to.
        self._seq = 0
        self._broken = True  # Whether the next key picture is waited for.

    def refresh(self) -> None:
        """Follow what is set, and what the camera offers by now."""
        mode = self.camera.keeping.record
        if mode != self._mode:
            self._finish()
            self._mode, self._until = mode, None
            self.camera.set_duty(DUTY, mode != "off")
        self._keep_jpeg(self._needs_jpeg)
        source = self._choose() if self._wants else ""
        if source != self._source:
            self._source = source  # First: what follows changes STATE, which leads here again.
            self._stop_listening()
            if source:
                self._listen(source)

    def stop(self) -> None:
        """Record this camera no longer."""
        self._stop_listening()
        self._finish()
        self._source = ""
        self._keep_jpeg(False)
        self.camera.set_duty(DUTY, False)

    def look(self) -> None:
        """End what motion began; keep STATE up to date."""
        now = time.monotonic()
        if self._until is not None and not self._moving and self._has_come(now, self._until):
            self._until = None
            self.refresh()
        if self._source == "encoded" and now - self._key_at >= KEY_EVERY_S:
            self._key_at = now
            self.camera.request_key(FULL.name)
        recording = self.camera.name in self._writer.open
        if self.camera.more.get("recording") != recording:
            self.camera.tell(recording=recording)

    def _has_come(self, now: float, until: float) -> bool:
        """Return whether it is a moment, and all that was captured before it was taken."""
        if now < until or now - until > MAX_BEHIND_S or self._made is None:
            return now >= until
        behind_unix = self._made.behind_unix
        return behind_unix is None or time.time() - behind_unix < now - until

    def on_motion(self, moving: bool, at_unix: float) -> None:
        """Begin when something moves, and note until when to go on when it does no more."""
        self._moving = moving
        if not self._source:
            self._moved_unix = at_unix
        if self._mode == "motion":
            self._until = time.monotonic() + (0.0 if moving else self.camera.keeping.after_s)
            self.refresh()

    @property
    def _wants(self) -> bool:
        moved = self._mode == "motion" and (self._moving or self._until is not None)
        return self._mode == "always" or moved

    @property
    def _needs_jpeg(self) -> bool:
        """Whether only JPEG can tell what was before motion: video would be made with it."""
        full = self.camera.videos.get(FULL.name)
        has_own = full is not None and full.codec is not None and full.passed_through
        before = self._mode == "motion" and self.camera.keeping.before_s > 0
        works = self.camera.state == "live" or self._keeper is not None
        return before and works and not has_own

    def _keep_jpeg(self, needed: bool) -> None:
        """Have JPEG made and remembered, although nothing moves."""
        self.rewind.takes_video = not needed
        if needed and self._keeper is None:
            self._keeper = Keeper()
            self._fanout.join(self._keeper, self._keeper, counts=False)
        elif not needed and self._keeper is not None:
            keeper, self._keeper = self._keeper, None
            self._fanout.leave(keeper)

    def _choose(self) -> str:
        """Return where units come from: the camera, its process, its JPEG, or nowhere yet."""
        full = self.camera.videos.get(FULL.name)
        if full is None or full.codec is None or self._keeper is not None:
            # It may be known only when the camera works, and stays so while that is away.
            works = self.camera.state == "live" or self._source == "made"
            return "made" if works else ""
        return "passed" if full.passed_through else "encoded"

    def _listen(self, source: str) -> None:
        self._broken = True
        begin_unix = time.time()
        if self._mode == "motion":
            begin_unix = min(begin_unix, self._moved_unix) - self.camera.keeping.before_s
        if source == "made":
            self._made = video = JpegVideo(
                *(self._fanout, self.rewind, begin_unix),
                *(self._encoder, self._take_made, self._drop),
            )
            self._ends = [video.close]
            return
        if source == "passed":
            units = self.rewind.between(begin_unix, float("inf"))
            for unit in units:
                self._take(unit)
            self._ends = [self.rewind.listen(self._take)]
            return
        track = self.camera.videos[FULL.name]
        self._ends = [track.listen(self._on_track), lambda: self._fanout.leave(self)]
        self._fanout.hold_video(self, FULL.name, counts=False, lazy=True)

    def _on_track(self) -> None:
        units = self.camera.videos[FULL.name].units
        if not units:
            self._take(None)
            return
        fresh = list(takewhile(lambda unit: unit.seq > self._seq, reversed(units)))
        for unit in reversed(fresh):
            self._take(unit)

    def _stop_listening(self) -> None:
        ends, self._ends, self._made = self._ends, [], None
        for end in ends:
            end()
        if ends:
            self._finish()

    def _take(self, unit: Unit | None) -> None:
        if unit is None:
            self._finish()
            return
        if unit.seq <= self._seq or (self._broken and not unit.key) or unit.codec == JPEG:
            return
        self._broken = False
        self._seq = unit.seq
        self._units.append(unit)
        self._nbytes += len(unit.data)
        first = self._first = self._first or unit
        complete = completes_fragment(first, unit)
        if complete:
            self._first = unit
        if self._nbytes > MAX_CHUNK_BYTES:
            self._flush()
        elif complete:
            hub.call_on_hub(LATER_S, self._flush)

    def _take_made(self, unit: Unit | None) -> None:
        """Take what was encoded of JPEG, which has no numbers."""
        self._seq = -1
        self._take(unit)

    def _drop(self, pictures: int) -> None:
        self._writer.dropped[self.camera.name] += pictures

    def _flush(self) -> None:
        units, self._units, self._nbytes = self._units, [], 0
        if units and not self._writer.put(self.camera.name, units, self._mode):
            self._writer.end(self.camera.name)
            self._broken = True

    def _finish(self) -> None:
        """End the file: what follows begins a new one."""
        self._flush()
        self._first = None
        if not self._broken:
            self._broken = True
            self._writer.end(self.camera.name)
