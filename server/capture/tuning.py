"""The settings of one camera at run time: its source's controls, the picture transform, presets.

Runs on the hub. Only the camera's capture loop touches the source, so it sets the controls: it
calls :meth:`Tuning.attach`, :meth:`Tuning.serve` and :meth:`Tuning.detach`. While no source is
open, values wait for the next one. Rotate, mirror and crop are done here, for every source, and
take effect immediately.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from server.capture.devices.controls import WHOLE, ControlInfo, Value
from server.capture.processing.transform import Transform
from server.capture.sources.reader import Reader
from server.errors import ControlError, RequestError, SourceError
from server.loop import hub
from server.protocol import check_value, is_preset_name

__all__ = ["MAX_PRESETS", "Tuning"]

MAX_PRESETS = 24

# A source accepts values between two pictures, or rejects them within two seconds.
DEADLINE_S = 2.8

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

# No camera has half as many controls, so further values in the state file are ignored.
MAX_VALUES = 64

Values = dict[str, Value]


class Tuning:
    """Holds the wanted values of a camera's controls, and their actual values.

    Args:
        wake: Wakes the capture loop to serve requests.
        set_transform: Rotates, mirrors and crops the camera's pictures from now on.
        on_change: Called when the result of :meth:`describe` has changed.
        on_refusal: Called with the reason when a newly opened source rejects a kept value.
    """

    def __init__(
        self,
        wake: Callable[[], None],
        set_transform: Callable[[Transform], None],
        on_change: Callable[[], None],
        on_refusal: Callable[[str], None],
    ) -> None:
        self._wake = wake
        self._set_transform = set_transform
        self._on_change = on_change
        self._on_refusal = on_refusal
        self._transform = Transform()
        self._offered: tuple[ControlInfo, ...] = ()  # The source's controls, as last known.
        self._wanted: Values = {}
        # Kept values that the source rejected, and why.
        self._refused: dict[str, tuple[Value, str]] = {}
        self._presets: dict[str, Values] = {}
        self._last_preset: str | None = None
        self._attached = False
        self._requests: list[_Request] = []

    # For operators. Each method raises RequestError if it cannot do what was requested.

    @property
    def controls(self) -> tuple[ControlInfo, ...]:
        """All controls with their current values."""
        return (*_picture_controls(self._transform), *map(self._with_pending, self._offered))

    @property
    def presets(self) -> tuple[str, ...]:
        """The names of the presets, oldest first."""
        return tuple(self._presets)

    @property
    def preset(self) -> str | None:
        """The preset whose values are all in effect; if there are several, the last one applied."""
        now = {control.name: control.value for control in self.controls} | self._pending
        matching = [
            name
            for name, values in self._presets.items()
            if values and values.items() <= now.items()
        ]
        return self._last_preset if self._last_preset in matching else next(iter(matching), None)

    def find(self, name: str) -> ControlInfo:
        """Return the control with this name."""
        for control in self.controls:
            if control.name == name:
                return control
        known = ", ".join(control.name for control in self.controls)
        later = "" if self._offered else "; the source may offer more once it is open"
        raise RequestError(
            "bad_request", f"there is no control {name[:40]!r} here; accepted: {known}{later}"
        )

    def set(self, name: str, value: object) -> bool:
        """Set one control and wait until it is set; return whether its value changed."""
        control = self.find(name)
        fitted = _validate(control, value)
        if not control.active:
            raise RequestError("unavailable", f"{control.title} cannot be set now: {control.note}")
        before = control.value
        self._raise_refused(self._apply({name: fitted}))
        return self.find(name).value != before

    def reset(self, name: str | None = None) -> None:
        """Reset one control, or all of them, to its default."""
        controls = self.controls if name is None else (self.find(name),)
        defaults = {control.name: control.default for control in controls if control.active}
        refused = self._apply(defaults)
        for control in controls:
            # The device now has its default and keeps it, so it need not be set again.
            if self._attached and control.name not in refused:
                self._wanted.pop(control.name, None)
        self._on_change()
        self._raise_refused(refused)

    def save_preset(self, name: str) -> None:
        """Save the current values as a preset, replacing one with the same name."""
        if name not in self._presets and len(self._presets) >= MAX_PRESETS:
            raise RequestError(
                "bad_request", f"there are {MAX_PRESETS} presets, the maximum; delete one first"
            )
        # Inactive controls are driven by an automatic mode, and could not be set.
        self._presets[name] = {
            control.name: control.value for control in self.controls if control.active
        }
        self._last_preset = name
        self._on_change()

    def apply_preset(self, name: str) -> None:
        """Set all values of a preset."""
        values = self._find_preset(name)
        self._last_preset = name
        self._raise_refused(self._apply(values))

    def delete_preset(self, name: str) -> None:
        """Delete a preset."""
        self._find_preset(name)
        del self._presets[name]
        self._on_change()

    def describe(self) -> dict[str, Any]:
        """Return its part of STATE."""
        return {
            "controls": [control.describe() for control in self.controls],
            "presets": list(self._presets),
            "preset": self.preset,
        }

    # For a restart.

    def keep(self) -> dict[str, Any]:
        """Return what the next run needs, as JSON data for :meth:`restore`."""
        changed = {
            control.name: control.value
            for control in _picture_controls(self._transform)
            if control.value != control.default
        }
        return {
            "controls": self._wanted | changed,
            "presets": {name: dict(values) for name, values in self._presets.items()},
        }

    def restore(self, controls: object, presets: object) -> None:
        """Restore the values of an earlier run; invalid entries are skipped."""
        picture_names = {control.name for control in _picture_controls(self._transform)}
        for name, value in _read_values(controls).items():
            if name in picture_names:
                self._set_picture({name: value})
            else:
                self._wanted[name] = value
        for name, values in presets.items() if isinstance(presets, dict) else ():
            if len(self._presets) < MAX_PRESETS and is_preset_name(name):
                self._presets[name] = _read_values(values)

    # For the capture loop, between two reads.

    @property
    def waiting(self) -> bool:
        """Whether there are requests to serve."""
        return bool(self._requests)

    def attach(self, reader: Reader) -> None:
        """Take over the controls of a newly opened source, and set the wanted values.

        Raises:
            SourceError: If the source fails while they are set.
        """
        self._attached = True  # From here on, requests wait for their turn.
        self._offered = reader.controls
        # Do not retry rejected values: a size that ends the stream would end it every time.
        wanted = {
            name: value
            for name, value in self._wanted.items()
            if name not in self._refused or self._refused[name][0] != value
        }
        differing = _differing(self._offered, wanted)
        if differing:
            for name, why in self._set_on_source(reader, differing).items():
                self._refused[name] = wanted[name], why
                self._on_refusal(why)
        self._on_change()

    def serve(self, reader: Reader) -> None:
        """Serve the pending requests.

        Raises:
            SourceError: If the source fails while they are served.
        """
        while self._requests:
            request = self._requests.pop(0)
            try:
                request.refused = self._set_on_source(reader, request.values)
            finally:
                request.done.set()
        self._on_change()

    def detach(self) -> None:
        """Record that the source is closed; pending values wait for the next one."""
        self._attached = False
        for request in self._requests:
            request.refused = {}
            request.done.set()
        self._requests.clear()

    def _set_on_source(self, reader: Reader, values: Values) -> dict[str, str]:
        try:
            refused = hub.run_native(reader.set_controls, values)
        except ControlError as error:
            refused = dict.fromkeys(values, str(error))
        except SourceError as error:
            # Do not set it again: the source would fail each time it is opened.
            for name in values:
                self._refused[name] = values[name], f"the camera failed while setting it: {error}"
            raise
        self._offered = reader.controls
        return refused

    # Applying values.

    def _apply(self, values: Mapping[str, Value]) -> dict[str, str]:
        """Set values; return, by name, why some were rejected."""
        refused = {}
        fitting: Values = {}
        known = {control.name: control for control in self.controls}
        for name, value in values.items():
            if name not in known and self._offered:
                refused[name] = f"{name}: the camera has no such control"
                continue
            try:
                fitting[name] = known[name].fit(value) if name in known else value
            except ValueError as error:
                refused[name] = f"{known[name].title}: {error}"
        self._set_picture(fitting)
        picture_names = {control.name for control in _picture_controls(self._transform)}
        for_source = {name: value for name, value in fitting.items() if name not in picture_names}
        if for_source:
            refused |= self._send_request(for_source)
            for name in for_source.keys() - refused.keys():
                self._wanted[name] = for_source[name]
                self._refused.pop(name, None)
            # Controls that an automatic mode has taken over are no longer wanted values.
            for control in self._offered if self._attached else ():
                if not control.active:
                    self._wanted.pop(control.name, None)
        self._on_change()
        return refused

    def _send_request(self, values: Values) -> dict[str, str]:
        """Have the capture loop set values; return why some were rejected."""
        if not self._attached:
            return {}
        request = _Request(values)
        self._requests.append(request)
        self._wake()
        if not request.done.wait(DEADLINE_S):
            if request in self._requests:
                self._requests.remove(request)
            raise RequestError(
                "unavailable", f"the camera did not accept it within {DEADLINE_S:g} s"
            )
        return request.refused

    def _set_picture(self, values: Mapping[str, Value]) -> None:
        """Rotate, mirror and crop the picture as these values say."""
        now = self._transform
        for control in _picture_controls(now):
            try:
                value = control.fit(values[control.name])
            except (KeyError, ValueError):
                continue  # Not among the values, or an invalid one from an earlier run.
            if control.name == "rotate":
                now = replace(now, rotate=int(str(value)))
            elif control.name == "mirror":
                now = replace(now, mirror=value)  # type: ignore[arg-type]
            else:
                now = replace(now, crop=value)  # type: ignore[arg-type]
        if now != self._transform:
            self._transform = now
            self._set_transform(now)

    def _with_pending(self, control: ControlInfo) -> ControlInfo:
        """Return a source's control with its pending value, or the reason of a rejection."""
        name = control.name
        if not self._attached and name in self._wanted and name not in self._refused:
            control = replace(control, value=self._wanted[name])
        if name in self._refused and control.active:
            control = replace(control, note=self._refused[name][1])
        return control

    @property
    def _pending(self) -> Values:
        """The values for a source whose controls are not known yet."""
        return {} if self._offered else self._wanted

    def _find_preset(self, name: str) -> Values:
        if name not in self._presets:
            known = ", ".join(self._presets) or "none yet"
            raise RequestError(
                "bad_request", f"there is no preset {name[:40]!r}; accepted: {known}"
            )
        return self._presets[name]

    def _raise_refused(self, refused: Mapping[str, str]) -> None:
        if refused:
            raise RequestError("unavailable", "; ".join(refused.values()))


class _Request:
    """Values to be set on the source.

    Attributes:
        values: By name.
        done: Set when they have been served.
        refused: By name, why a value was rejected.
    """

    def __init__(self, values: Values) -> None:
        self.values = values
        self.done = hub.Signal()
        self.refused = dict.fromkeys(values, "the camera failed while setting it")


def _picture_controls(now: Transform) -> tuple[ControlInfo, ...]:
    """Return the controls of the transform, which every camera has."""
    return (
        ControlInfo(
            name="rotate",
            title="Rotate",
            kind="choice",
            group="Picture",
            default="0",
            value=str(now.rotate),
            unit="°",
            options=("0", "90", "180", "270"),
        ),
        ControlInfo(
            name="mirror",
            title="Mirror",
            kind="choice",
            group="Picture",
            default="none",
            value=now.mirror,
            options=("none", "horizontal", "vertical", "both"),
        ),
        ControlInfo(
            name="crop",
            title="Crop",
            kind="area",
            group="Picture",
            default=WHOLE,
            value=now.crop,
        ),
    )


def _validate(control: ControlInfo, value: object) -> Value:
    try:
        return control.fit(value)
    except ValueError as error:
        raise RequestError("bad_request", f"{control.title}: {error}") from None


def _differing(offered: tuple[ControlInfo, ...], wanted: Values) -> Values:
    """Return the wanted values that differ from the current ones."""
    now = {control.name: control.value for control in offered}
    return {name: value for name, value in wanted.items() if now.get(name) != value}


def _read_values(data: object) -> Values:
    """Return values from JSON; invalid entries are skipped."""
    values: Values = {}
    for name, value in data.items() if isinstance(data, dict) else ():
        if not (isinstance(name, str) and NAME.fullmatch(name)):
            continue
        try:
            values[name] = check_value(value)
        except ValueError:
            continue
        if len(values) == MAX_VALUES:
            break
    return values
