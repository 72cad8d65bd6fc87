"""Carries out operators' commands, keeps their changes over restarts, and notifies everybody."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import singledispatchmethod
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from server.capture.camera import Camera
from server.capture.interface import CameraInterface
from server.capture.tuning import Tuning
from server.commands import (
    CameraCommand,
    Command,
    Preset,
    Quit,
    Record,
    Reset,
    SetControl,
    SetFps,
    SetMotion,
    SetQuality,
    SetTimelapse,
    Start,
    Stop,
)
from server.config.nearest import suggest
from server.config.recording_settings import RecordMode
from server.errors import RequestError
from server.loop import hub
from server.protocol import FROM_SOURCE, Fps, FromSource, JobName, Quality
from server.state import StateFile

__all__ = ["Control", "unknown_camera"]

log = logging.getLogger(__name__)


# A dragged control is announced once it has been still for this long.
REST_S = 0.7

# A slow disk must not hold up the shutdown for longer.
CLOSE_DEADLINE_S = 2.0

T = TypeVar("T")

STRICT = ConfigDict(strict=True, allow_inf_nan=False)
KEPT_FPS: TypeAdapter[float | FromSource] = TypeAdapter(Fps | FromSource, config=STRICT)
KEPT_MOTION = TypeAdapter(SetMotion)
KEPT_QUALITY: TypeAdapter[int | FromSource] = TypeAdapter(Quality | FromSource, config=STRICT)
KEPT_JOB: TypeAdapter[str] = TypeAdapter(JobName, config=STRICT)
KEPT_SINCE: TypeAdapter[float] = TypeAdapter(float, config=STRICT)
KEPT_RECORD: TypeAdapter[RecordMode] = TypeAdapter(RecordMode, config=STRICT)

RECORDED = {
    "off": "is no longer recorded",
    "motion": "is recorded around motion",
    "always": "is always recorded",
}


class Control:
    """The only way to change a camera at run time.

    A new command is a class in :mod:`server.commands` and a handler here.

    Args:
        cameras: By name.
        file: Where changes are kept.
        notify: Notifies every dashboard; called with level, message, camera and user.
        shut_down: Starts the server's shutdown; does not block.
    """

    def __init__(
        self,
        cameras: Mapping[str, CameraInterface],
        file: StateFile,
        notify: Callable[[str, str, str | None, str | None], None],
        shut_down: Callable[[], None],
    ) -> None:
        self._cameras = cameras
        self._file = file
        self._notify = notify
        self._shut_down = shut_down
        self._kept: dict[str, dict[str, Any]] = {}
        self._changed = hub.Signal()
        self._saver: hub.Task | None = None
        self._closing = False
        self._unsaved = False
        self._moves: dict[tuple[str, str], int] = {}

    def restore(self) -> None:
        """Apply the changes kept by the last run; invalid entries are skipped."""
        kept = self._file.load().get("cameras", {})
        for name, values in kept.items() if isinstance(kept, dict) else ():
            camera = self._cameras.get(name)
            if not isinstance(values, dict):
                continue
            if isinstance(camera, Camera):
                self._restore(camera, values)
                continue
            self._kept[name] = values  # The camera may be in the settings again next time.
            if self._cameras:
                hint = suggest(name, self._cameras)
                log.info("no camera %.42r%s; its changes are kept for later", name, hint)

    def take_in(self, camera: Camera, kept: Mapping[str, Any] | None = None) -> None:
        """Apply the kept changes to a camera that was added.

        Args:
            camera: The camera.
            kept: The result of :meth:`forget`; None for the changes kept under its name.
        """
        self._restore(camera, dict(self._kept.get(camera.name, {}) if kept is None else kept))
        self._save_soon()

    def forget(self, name: str) -> dict[str, Any]:
        """Remove and return the kept changes of a camera that is being removed."""
        kept = self._kept.pop(name, {})
        self._save_soon()
        return kept

    def unset(self, camera: Camera, *keys: str) -> None:
        """Discard operators' changes of these keys, because the settings have changed."""
        for key in keys:
            self._keep(camera, key, None)

    def _restore(self, camera: Camera, values: dict[str, Any]) -> None:
        own = self._kept.setdefault(camera.name, {})
        if (fps := _read(KEPT_FPS, values.get("fps"))) is not None:
            own["fps"] = fps
            camera.set_fps(None if fps == FROM_SOURCE else fps)
        if (quality := _read(KEPT_QUALITY, values.get("quality"))) is not None:
            own["quality"] = quality
            camera.quality = None if quality == FROM_SOURCE else quality
        if (mode := _read(KEPT_RECORD, values.get("record"))) is not None:
            own["record"] = mode
            camera.recording_settings = replace(camera.recording_settings, record=mode)
        if (job := _read(KEPT_JOB, values.get("job"))) is not None:
            # Earlier versions did not keep when the job began.
            since = _read(KEPT_SINCE, values.get("job_since")) or time.time()
            own |= {"job": job, "job_since": since}
            camera.recording_settings = replace(
                camera.recording_settings, job=job, job_since_unix=since
            )
        if values.get("stopped") is True:
            own["stopped"] = True
            camera.enabled = False
        if (motion := _read_motion(values.get("motion"))) is not None:
            own["motion"] = motion
            camera.motion.restore(motion)
        camera.tuning.restore(values.get("controls"), values.get("presets"))
        own |= {key: kept for key, kept in camera.tuning.keep().items() if kept}
        if own:
            log.info("camera=%s kept from the last run: %s", camera.name, own)

    def open(self) -> None:
        """Start saving changes."""
        self._saver = hub.spawn(self._save)

    def close(self) -> None:
        """Write the changes that are not yet on disk."""
        if self._saver is None:
            self._write()
            return
        # Do not kill the saver: its write would continue in a native thread, and a second write
        # would corrupt the file.
        self._closing = True
        self._changed.set()
        if not self._saver.join(CLOSE_DEADLINE_S):
            log.error("changes cannot be saved: the disk is not responding")

    def camera(self, name: str) -> CameraInterface:
        """Return the camera with this name.

        Raises:
            RequestError: ``unknown_camera``.
        """
        camera = self._cameras.get(name)
        if camera is None:
            raise unknown_camera(name)
        return camera

    def execute(self, who: str, command: Command) -> None:
        """Carry out a command, here or on the node that owns its camera; returns when it is done.

        Args:
            who: The operator.
            command: The command.

        Raises:
            RequestError: If there is no such camera, or the camera or its node rejects it.
        """
        if isinstance(command, CameraCommand):
            owner = self.camera(command.camera).owner
            if owner is not None:
                # The owner also keeps the change and notifies everybody.
                owner.execute(who, command)
                return
        self._handle(command, who)

    # One handler per command.

    @singledispatchmethod
    def _handle(self, command: Command, who: str) -> None:
        raise NotImplementedError(f"{type(command).__name__} has no handler")

    @_handle.register
    def _start(self, command: Start, who: str) -> None:
        camera = self._own(command)
        was_stopped = not camera.enabled
        camera.start()
        if was_stopped:
            self._keep(camera, "stopped", None)
            self._tell(f"{camera.title} was started", camera, who)

    @_handle.register
    def _stop(self, command: Stop, who: str) -> None:
        camera = self._own(command)
        if camera.enabled:
            self._keep(camera, "stopped", True)
            self._tell(f"{camera.title} was stopped", camera, who)
        camera.stop()

    @_handle.register
    def _set_fps(self, command: SetFps, who: str) -> None:
        camera = self._own(command)
        fps = None if command.fps == FROM_SOURCE else command.fps
        if fps != camera.fps:
            camera.set_fps(fps)
            self._keep(camera, "fps", command.fps)
            to = "its source's own frame rate" if fps is None else f"{fps:g} fps"
            self._tell(f"{camera.title} set to {to}", camera, who)

    @_handle.register
    def _set_quality(self, command: SetQuality, who: str) -> None:
        camera = self._own(command)
        quality = None if command.quality == FROM_SOURCE else command.quality
        if quality != camera.quality:
            camera.set_quality(quality)
            self._keep(camera, "quality", command.quality)
            to = "its source's own quality" if quality is None else f"quality {quality}"
            self._tell(f"{camera.title} set to {to}", camera, who)

    @_handle.register
    def _set_control(self, command: SetControl, who: str) -> None:
        camera = self._own(command)
        with self._tuning(camera) as tuning:
            if tuning.set(command.control, command.value):
                self._tell_when_still(who, camera, tuning, command.control)

    @_handle.register
    def _reset(self, command: Reset, who: str) -> None:
        camera = self._own(command)
        with self._tuning(camera) as tuning:
            tuning.reset(command.control)
            if command.control is None:
                self._tell(f"{camera.title}: all controls were reset", camera, who)
            else:
                self._tell_when_still(who, camera, tuning, command.control)

    @_handle.register
    def _preset(self, command: Preset, who: str) -> None:
        camera = self._own(command)
        with self._tuning(camera) as tuning:
            if command.do == "save":
                tuning.save_preset(command.preset)
                done = "saved"
            elif command.do == "delete":
                tuning.delete_preset(command.preset)
                done = "deleted"
            else:
                tuning.apply_preset(command.preset)
                done = "applied"
            self._tell(f"{camera.title}: preset {command.preset} was {done}", camera, who)

    @_handle.register
    def _record(self, command: Record, who: str) -> None:
        camera = self._own(command)
        if command.mode != camera.recording_settings.record:
            camera.recording_settings = replace(camera.recording_settings, record=command.mode)
            camera.announce()
            self._keep(camera, "record", command.mode)
            self._tell(f"{camera.title} {RECORDED[command.mode]}", camera, who)

    @_handle.register
    def _set_timelapse(self, command: SetTimelapse, who: str) -> None:
        camera = self._own(command)
        before = camera.recording_settings.job
        if command.job != before:
            since = time.time()
            camera.recording_settings = replace(
                camera.recording_settings, job=command.job, job_since_unix=since
            )
            camera.announce()
            self._keep(camera, "job", command.job)
            self._keep(camera, "job_since", since if command.job is not None else None)
            ended = f"the time-lapse film {before} ended"
            said = ended if command.job is None else f"a time-lapse film of {command.job} began"
            self._tell(f"{camera.title}: {said}", camera, who)

    @_handle.register
    def _set_motion(self, command: SetMotion, who: str) -> None:
        camera = self._own(command)
        was_on, before = camera.motion.on, camera.motion.keep()
        camera.motion.set(command.given)
        if camera.motion.keep() != before:
            self._keep(camera, "motion", camera.motion.keep())
            on = camera.motion.on
            done = "set up" if on == was_on else "turned on" if on else "turned off"
            self._tell(f"{camera.title}: motion detection was {done}", camera, who)

    @_handle.register
    def _quit(self, command: Quit, who: str) -> None:
        log.info("quit by %s", who)
        self._notify("warning", "The server is being shut down", None, who)
        self._shut_down()

    # Shared by the handlers.

    def _own(self, command: CameraCommand) -> Camera:
        camera = self.camera(command.camera)
        assert isinstance(camera, Camera), "other nodes carry out commands for their cameras"
        return camera

    @contextmanager
    def _tuning(self, camera: Camera) -> Iterator[Tuning]:
        """Yield a camera's controls and presets; keep the accepted values, even if some fail."""
        try:
            yield camera.tuning
        finally:
            for key, kept in camera.tuning.keep().items():
                self._keep(camera, key, kept or None)

    def _tell_when_still(self, who: str, camera: Camera, tuning: Tuning, name: str) -> None:
        """Announce a control once it has been still for a moment: a slider sends many values."""
        key = camera.name, name
        move = self._moves[key] = self._moves.get(key, 0) + 1
        control = tuning.find(name)  # Now, because the source may be replaced meanwhile.

        def tell() -> None:
            if self._moves.get(key) == move:
                del self._moves[key]
                # The four numbers of a crop mean nothing to people; the picture shows it.
                cropped = control.kind == "area" and control.value != control.default
                change = "changed" if cropped else f"set to {control.show(control.value)}"
                self._tell(f"{camera.title}: {control.title} {change}", camera, who)

        hub.call_later(REST_S, tell)

    def _tell(self, message: str, camera: Camera, who: str) -> None:
        log.info("camera=%s %s by %s", camera.name, message, who)
        self._notify("info", message, camera.name, who)

    # The state file.

    def _keep(self, camera: Camera, key: str, value: object) -> None:
        own = self._kept.setdefault(camera.name, {})
        if value is None:
            own.pop(key, None)
        else:
            own[key] = value
        self._save_soon()

    def _save_soon(self) -> None:
        self._unsaved = True
        self._changed.set()

    def _save(self) -> None:
        """Write after every change; changes made during a write share the next one."""
        last = False
        while not last:
            self._changed.wait()
            last = self._closing
            self._write()

    def _write(self) -> None:
        if not self._unsaved:
            return  # A node without cameras may share its folder with one that has cameras.
        self._unsaved = False
        document = {"cameras": {name: dict(own) for name, own in self._kept.items() if own}}
        try:
            hub.run_native(self._file.save, document)
        except (OSError, RecursionError) as error:
            # RecursionError: an earlier file may have held deeply nested values.
            self._unsaved = True  # Tried again with the next change and at the end.
            why = getattr(error, "strerror", None) or str(error)
            log.error("changes cannot be saved: %s", error)
            self._notify("error", f"Changes will not survive a restart: {why}", None, None)


def unknown_camera(name: str) -> RequestError:
    """Return the error for a camera that does not exist or that the client may not see."""
    return RequestError("unknown_camera", f"there is no camera {name[:40]!r}")


def _read_motion(value: object) -> dict[str, Any] | None:
    """Return the kept motion settings, or None if they are invalid."""
    fields = value if isinstance(value, dict) else {"on": None}
    command = _read(KEPT_MOTION, fields | {"camera": "any"})
    return None if command is None else command.given or None


def _read(kind: TypeAdapter[T], value: object) -> T | None:
    """Return a kept value, or None if it is invalid."""
    try:
        return kind.validate_python(value)
    except ValidationError:
        return None
