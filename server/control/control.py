"""What operators may do to cameras, kept over restarts and told to everybody."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from server.capture.interface import (
    SOURCES_OWN,
    Action,
    Argument,
    CameraInterface,
    PresetOrder,
    Setting,
)
from server.capture.tuning import Tuning
from server.config.nearest import suggest
from server.errors import RequestError
from server.loop import hub
from server.state import StateFile

__all__ = ["Control", "unknown_camera"]

log = logging.getLogger(__name__)


# A slider on its way is told of when it has come to rest.
REST_S = 0.7

# A disk that takes longer must not hold up the shutdown.
CLOSE_DEADLINE_S = 2.0


class Control:
    """The one way to change a camera at run time.

    Args:
        cameras: By name.
        file: Where changes are kept.
        notify: Tells every dashboard: level, message, camera, and who did it.
        shut_down: Ends the server; returns at once.
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
        """Restore what the last run kept; what no longer fits is skipped and logged."""
        kept = self._file.load().get("cameras", {})
        for name, values in kept.items() if isinstance(kept, dict) else ():
            camera = self._cameras.get(name)
            if not isinstance(values, dict):
                continue
            if camera is None:
                self._kept[name] = values  # It may be in the settings again the next time.
                if self._cameras:
                    hint = suggest(name, self._cameras)
                    log.info("no camera %.42r%s; what was changed on it stays kept", name, hint)
                continue
            own = self._kept.setdefault(name, {})
            if values.get("fps") == SOURCES_OWN:
                own["fps"], camera.fps = SOURCES_OWN, None
            elif _is_number(values.get("fps"), 0.1, 120):
                own["fps"] = values["fps"]
                camera.fps = float(values["fps"])
            if values.get("quality") == SOURCES_OWN:
                own["quality"], camera.quality = SOURCES_OWN, None
            elif _is_number(values.get("quality"), 1, 100):
                own["quality"] = int(values["quality"])
                camera.quality = own["quality"]
            if values.get("stopped") is True:
                own["stopped"] = True
                camera.enabled = False
            if camera.tuning is not None:
                camera.tuning.restore(values.get("controls"), values.get("presets"))
                own |= {key: kept for key, kept in camera.tuning.keep().items() if kept}
            if own:
                log.info("camera=%s kept from the last run: %s", name, own)

    def open(self) -> None:
        """Begin to save."""
        self._saver = hub.spawn(self._save)

    def close(self) -> None:
        """Write what is not yet written."""
        if self._saver is None:
            self._write()
            return
        # Not killed: its write would go on, on a native thread, and two at once spoil the file.
        self._closing = True
        self._changed.set()
        if not self._saver.join(CLOSE_DEADLINE_S):
            log.error("changes cannot be kept: the disk does not answer")

    def camera(self, name: str) -> CameraInterface:
        """Return the camera with this name.

        Raises:
            RequestError: ``unknown_camera``.
        """
        camera = self._cameras.get(name)
        if camera is None:
            raise unknown_camera(name)
        return camera

    def carry_out(self, who: str, name: str, action: Action, value: Argument = None) -> None:
        """Do to a camera what an operator wants, wherever the camera is.

        Args:
            who: Wants it.
            name: Of the camera.
            action: What to do.
            value: What it takes, if it takes anything.

        Raises:
            RequestError: If the camera is not there, does not take it, or its node says so.
        """
        camera = self.camera(name)
        if camera.elsewhere is not None:
            # Its own node keeps what was changed, and tells everybody.
            camera.elsewhere.ask(who, action, value)
        elif action == "start":
            self.start(who, camera)
        elif action == "stop":
            self.stop(who, camera)
        elif camera.tuning is not None and isinstance(value, Setting | PresetOrder):
            self._tune(who, camera, camera.tuning, value)
        elif value == SOURCES_OWN or isinstance(value, int | float):
            number = None if value == SOURCES_OWN else value
            if action == "fps":
                self.set_fps(who, camera, number)
            else:
                self.set_quality(who, camera, None if number is None else int(number))

    def start(self, who: str, camera: CameraInterface) -> None:
        """Let a camera work."""
        was_stopped = not camera.enabled
        camera.start()
        if was_stopped:
            self._keep(camera, "stopped", None)
            self._tell(f"{camera.title} was started", camera, who)

    def stop(self, who: str, camera: CameraInterface) -> None:
        """Release a camera's source until it is started again; returns when that is done."""
        if camera.enabled:
            self._keep(camera, "stopped", True)
            self._tell(f"{camera.title} was stopped", camera, who)
        camera.stop()

    def set_fps(self, who: str, camera: CameraInterface, fps: float | None) -> None:
        """Change a camera's frame rate; None is the source's own, whatever the settings say."""
        if fps != camera.fps:
            camera.set_fps(fps)
            self._keep(camera, "fps", SOURCES_OWN if fps is None else fps)
            to = "its source's own frame rate" if fps is None else f"{fps:g} fps"
            self._tell(f"{camera.title} set to {to}", camera, who)

    def set_quality(self, who: str, camera: CameraInterface, quality: int | None) -> None:
        """Change a camera's JPEG quality; None is the source's own."""
        if quality != camera.quality:
            camera.set_quality(quality)
            self._keep(camera, "quality", SOURCES_OWN if quality is None else quality)
            to = "its source's own quality" if quality is None else f"quality {quality}"
            self._tell(f"{camera.title} set to {to}", camera, who)

    def _tune(
        self, who: str, camera: CameraInterface, tuning: Tuning, order: Setting | PresetOrder
    ) -> None:
        """Change what is set on a camera; what was taken is kept, also if the rest was not."""
        try:
            if isinstance(order, PresetOrder):
                self._do_preset(who, camera, tuning, order)
            elif order.control is None:
                tuning.reset()
                self._tell(f"{camera.title}: all controls were reset", camera, who)
            elif order.value is None:
                tuning.reset(order.control)
                self._tell_at_rest(who, camera, tuning, order.control)
            elif tuning.set(order.control, order.value):
                self._tell_at_rest(who, camera, tuning, order.control)
        finally:
            for key, kept in tuning.keep().items():
                self._keep(camera, key, kept or None)

    def _do_preset(
        self, who: str, camera: CameraInterface, tuning: Tuning, order: PresetOrder
    ) -> None:
        if order.do == "save":
            tuning.save_preset(order.preset)
            self._tell(f"{camera.title}: preset {order.preset} was saved", camera, who)
        elif order.do == "delete":
            tuning.delete_preset(order.preset)
            self._tell(f"{camera.title}: preset {order.preset} was deleted", camera, who)
        else:
            tuning.apply_preset(order.preset)
            self._tell(f"{camera.title}: preset {order.preset} was applied", camera, who)

    def _tell_at_rest(self, who: str, camera: CameraInterface, tuning: Tuning, name: str) -> None:
        """Tell of a control once it has not moved for a moment: a slider sends many values."""
        key = camera.name, name
        move = self._moves[key] = self._moves.get(key, 0) + 1
        control = tuning.find(name)  # Now: the source may be another before it is told.

        def tell() -> None:
            if self._moves.get(key) == move:
                del self._moves[key]
                now = control.show(control.value)
                self._tell(f"{camera.title}: {control.title} set to {now}", camera, who)

        hub.call_later(REST_S, tell)

    def quit(self, who: str) -> None:
        """Shut the server down, once the caller has had its answer."""
        log.info("quit by %s", who)
        self._notify("warning", "The server is being shut down", None, who)
        self._shut_down()

    def _tell(self, message: str, camera: CameraInterface, who: str) -> None:
        log.info("camera=%s %s by %s", camera.name, message, who)
        self._notify("info", message, camera.name, who)

    def _keep(self, camera: CameraInterface, key: str, value: object) -> None:
        own = self._kept.setdefault(camera.name, {})
        if value is None:
            own.pop(key, None)
        else:
            own[key] = value
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
            return  # A node without cameras may share its folder with one that has some.
        self._unsaved = False
        document = {"cameras": {name: dict(own) for name, own in self._kept.items() if own}}
        try:
            hub.run_native(self._file.save, document)
        except (OSError, RecursionError) as error:
            # Whatever an earlier run has left in the file must not end this.
            self._unsaved = True  # Tried again with the next change, and at the end.
            why = getattr(error, "strerror", None) or str(error)
            log.error("changes cannot be kept: %s", error)
            self._notify("error", f"Changes will not survive a restart: {why}", None, None)


def unknown_camera(name: str) -> RequestError:
    """Return the error for a camera that is not there, or not for the one who asks."""
    return RequestError("unknown_camera", f"there is no camera {name[:40]!r}")


def _is_number(value: object, low: float, high: float) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and low <= value <= high  # Which neither NaN is, nor a whole number too large for a float.
    )
