"""Choose what to record of each camera, and pass it to the writer. On the hub."""

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
from server.recording.jpeg_demand import JpegDemand
from server.recording.jpeg_video import JpegVideo
from server.recording.media.process import MediaProcess
from server.recording.rewind import Rewind

__all__ = ["Recorder"]

# Units go to the writer when they complete a fragment or exceed this size.
MAX_CHUNK_BYTES = 1 << 20

# A fragment is usually completed by a key frame, which takes longest to send to viewers. Delay
# the writer's thread until that is done.
FLUSH_DELAY_S = 0.02

PERIOD_S = 0.5
"""Interval of the periodic work."""

# Interval of key frames in video that the camera's process encodes, for players to seek to.
KEY_EVERY_S = 2.0

# Longest wait, after motion, for JPEG that is still being encoded.
MAX_ENCODE_DELAY_S = 60.0

CLOSE_DEADLINE_S = 2.0

# Shortest interval between notices about dropped pictures.
REPORT_S = 60.0

DUTY = "record"

CLOCK_JUMPED = (
    "The clock has jumped ahead by {}. Until it has run for a day without another jump, recordings "
    "and events are deleted as if it had not jumped. If it is right, "
    "run `python manage.py media trust-clock`"
)

Notify = Callable[[str, str, str | None], None]


class Recorder:
    """Records the cameras of this process.

    Args:
        settings: The server's settings.
        cameras: This process's cameras, by name; they come and go.
        fanouts: By camera name.
        rewinds: The rewind buffer of each camera, by name.
        storage: Stores recordings.
        writer: Writes them.
        events: The event log.
        encoder: Encodes video for cameras that have none.
        notify: Shows a notice: level, message, and the camera's name.
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
        self._recorders: dict[str, _CameraRecorder] = {}
        self._encoder = encoder
        self._problem = ""
        self._clock_distrusted = False  # Whether a notice has said that the clock may be wrong.
        self._removed = 0
        self._dropped: Counter[str] = Counter()
        self._unreported: Counter[str] = Counter()
        self._reported_at = 0.0
        self._task: hub.Task | None = None

    def open(self) -> None:
        """Begin recording."""
        self._set_policy()
        self._writer.start()
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Stop recording and close all files."""
        if self._task is not None:
            self._task.kill()
        for recorder in self._recorders.values():
            recorder.stop()
        self._events.end_all()
        hub.run_native(self._writer.stop, CLOSE_DEADLINE_S)

    def refresh(self, camera: Camera) -> None:
        """Adapt to a new camera, or one whose STATE has changed."""
        fanout, rewind = self._fanouts[camera.name], self._rewinds[camera.name]
        recorder = self._recorders.get(camera.name)
        if recorder is not None and (
            recorder.camera is not camera or recorder.rewind is not rewind
        ):
            recorder.stop()
            recorder = None
        if recorder is None:
            recorder = self._recorders[camera.name] = _CameraRecorder(
                camera, fanout, rewind, self._writer, self._encoder
            )
            self._set_policy()
        camera.on_event = self._events.happen
        self._events.follow(camera)
        recorder.refresh()

    def forget(self, name: str) -> None:
        """Stop recording a camera that was removed."""
        recorder = self._recorders.pop(name, None)
        if recorder is not None:
            recorder.stop()
            self._events.end_all(name)
            self._set_policy()

    def _on_motion(self, camera: str, moving: bool, at_unix: float) -> None:
        recorder = self._recorders.get(camera)
        if recorder is not None:
            recorder.on_motion(moving, at_unix)

    def _set_policy(self) -> None:
        self._writer.policy = Policy(
            self._server.keep_gb,
            Limits(self._server.keep_days),
            {
                name: Limits(camera.recording_settings.days, camera.recording_settings.gb)
                for name, camera in self._cameras.items()
            },
        )

    def _run(self) -> None:
        while True:
            hub.rest(PERIOD_S)
            for name, recorder in list(self._recorders.items()):
                if name in self._cameras:
                    recorder.poll()
                else:
                    self.forget(name)
            self._events.flush()
            self._notify_changes()

    def _notify_changes(self) -> None:
        """Show notices about the writer's state, deleted recordings, the clock and drops."""
        writer = self._writer
        if writer.problem != self._problem:
            self._problem = writer.problem
            if self._problem:
                self._notify("error", f"Recording is paused: {self._problem}", None)
            else:
                self._notify("info", "Recording has resumed", None)
        if gone := self._storage.removed - self._removed:
            self._removed += gone
            what = "recording was" if gone == 1 else "recordings were"
            self._notify("warning", f"The disk is full: the oldest {gone} {what} deleted", None)
        if (self._storage.ahead_s > 0) != self._clock_distrusted:
            self._clock_distrusted = not self._clock_distrusted
            if self._clock_distrusted:
                hours = round(self._storage.ahead_s / 3600)
                ahead = f"{hours} hours" if hours < 72 else f"{round(hours / 24)} days"
                self._notify("warning", CLOCK_JUMPED.format(ahead), None)
        for name, dropped in list(writer.dropped.items()):
            more = dropped - self._dropped[name]
            self._dropped[name] = dropped
            camera = self._cameras.get(name)
            if more and camera is not None:
                camera.meter.drops["unrecorded"] += more
                self._unreported[name] += more
        now = time.monotonic()
        if self._unreported and not self._problem and now - self._reported_at > REPORT_S:
            self._reported_at = now
            for name, count in self._unreported.items():
                if (camera := self._cameras.get(name)) is not None:
                    what = "picture was" if count == 1 else "pictures were"
                    self._notify("warning", f"{camera.title}: {count} {what} not recorded", name)
            self._unreported.clear()


class _CameraRecorder:
    """Passes one camera's units to the writer while they are to be recorded.

    Attributes:
        camera: The camera.
        rewind: Its rewind buffer.
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
        self._motion_unix = 0.0  # When the motion being recorded began.
        self._jpeg_demand: JpegDemand | None = None
        self._jpeg_video: JpegVideo | None = None
        self._until: float | None = None  # When to stop after motion, in monotonic seconds.
        self._unlisten: list[Callable[[], None]] = []
        self._source = ""
        self._units: list[Unit] = []
        self._nbytes = 0
        self._key_at = 0.0
        self._fragment_first: Unit | None = None  # First unit of the current fragment.
        self._seq = 0
        self._broken = True  # Whether to wait for the next key frame.

    def refresh(self) -> None:
        """Adapt to the settings and to what the camera offers now."""
        mode = self.camera.recording_settings.record
        if mode != self._mode:
            self._finish()
            self._mode, self._until = mode, None
            self.camera.set_duty(DUTY, mode != "off")
        self._hold_jpeg(self._needs_jpeg)
        source = self._choose() if self._is_wanted else ""
        if source != self._source:
            self._source = source  # First, because the following changes STATE and re-enters.
            self._stop_listening()
            if source:
                self._listen(source)

    def stop(self) -> None:
        """Stop recording this camera."""
        self._stop_listening()
        self._finish()
        self._source = ""
        self._hold_jpeg(False)
        self.camera.set_duty(DUTY, False)

    def poll(self) -> None:
        """Stop after motion, request key frames, and update STATE."""
        now = time.monotonic()
        if self._until is not None and not self._moving and self._is_due(now, self._until):
            self._until = None
            self.refresh()
        if self._source == "encoded" and now - self._key_at >= KEY_EVERY_S:
            self._key_at = now
            self.camera.request_key(FULL.name)
        recording = self.camera.name in self._writer.open
        if self.camera.more.get("recording") != recording:
            self.camera.announce(recording=recording)

    def _is_due(self, now: float, until: float) -> bool:
        """Return whether ``until`` has passed, and everything captured before is encoded."""
        if now < until or now - until > MAX_ENCODE_DELAY_S or self._jpeg_video is None:
            return now >= until
        behind_unix = self._jpeg_video.behind_unix
        return behind_unix is None or time.time() - behind_unix < now - until

    def on_motion(self, moving: bool, at_unix: float) -> None:
        """Begin recording when motion begins; when it ends, schedule the end."""
        self._moving = moving
        if not self._source:
            self._motion_unix = at_unix
        if self._mode == "motion":
            self._until = time.monotonic() + (
                0.0 if moving else self.camera.recording_settings.after_s
            )
            self.refresh()

    @property
    def _is_wanted(self) -> bool:
        moved = self._mode == "motion" and (self._moving or self._until is not None)
        return self._mode == "always" or moved

    @property
    def _needs_jpeg(self) -> bool:
        """Whether to keep JPEG for the seconds before motion: the camera has no own video."""
        full = self.camera.videos.get(FULL.name)
        has_own = full is not None and full.codec is not None and full.passed_through
        before = self._mode == "motion" and self.camera.recording_settings.before_s > 0
        works = self.camera.state == "live" or self._jpeg_demand is not None
        return before and works and not has_own

    def _hold_jpeg(self, needed: bool) -> None:
        """Have JPEG encoded and kept in the rewind buffer, or no longer."""
        self.rewind.takes_video = not needed
        if needed and self._jpeg_demand is None:
            self._jpeg_demand = JpegDemand()
            self._fanout.join(self._jpeg_demand, self._jpeg_demand, counts=False)
        elif not needed and self._jpeg_demand is not None:
            demand, self._jpeg_demand = self._jpeg_demand, None
            self._fanout.leave(demand)

    def _choose(self) -> str:
        """Return the source: "passed" (camera's video), "encoded", "made" (of JPEG), or ""."""
        full = self.camera.videos.get(FULL.name)
        if full is None or full.codec is None or self._jpeg_demand is not None:
            # Only a working camera shows what it offers; keep the choice while it is lost.
            works = self.camera.state == "live" or self._source == "made"
            return "made" if works else ""
        return "passed" if full.passed_through else "encoded"

    def _listen(self, source: str) -> None:
        self._broken = True
        begin_unix = time.time()
        if self._mode == "motion":
            begin_unix = (
                min(begin_unix, self._motion_unix) - self.camera.recording_settings.before_s
            )
        if source == "made":
            self._jpeg_video = video = JpegVideo(
                *(self._fanout, self.rewind, begin_unix),
                *(self._encoder, self._take_encoded, self._drop),
            )
            self._unlisten = [video.close]
            return
        if source == "passed":
            units = self.rewind.between(begin_unix, float("inf"))
            for unit in units:
                self._take(unit)
            self._unlisten = [self.rewind.listen(self._take)]
            return
        track = self.camera.videos[FULL.name]
        self._unlisten = [track.listen(self._on_track), lambda: self._fanout.leave(self)]
        self._fanout.read_video(self, FULL.name, counts=False, lazy=True)

    def _on_track(self) -> None:
        units = self.camera.videos[FULL.name].units
        if not units:
            self._take(None)
            return
        fresh = list(takewhile(lambda unit: unit.seq > self._seq, reversed(units)))
        for unit in reversed(fresh):
            self._take(unit)

    def _stop_listening(self) -> None:
        ends, self._unlisten, self._jpeg_video = self._unlisten, [], None
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
        first = self._fragment_first = self._fragment_first or unit
        complete = completes_fragment(first, unit)
        if complete:
            self._fragment_first = unit
        if self._nbytes > MAX_CHUNK_BYTES:
            self._flush()
        elif complete:
            hub.call_on_hub(FLUSH_DELAY_S, self._flush)

    def _take_encoded(self, unit: Unit | None) -> None:
        """Take a unit that was encoded from JPEG, which has no sequence number."""
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
        """End the file; the next unit begins a new one."""
        self._flush()
        self._fragment_first = None
        if not self._broken:
            self._broken = True
            self._writer.end(self.camera.name)
