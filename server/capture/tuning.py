"""What operators have set on one camera: its source's controls, how its picture hangs, presets.

Lives on the hub. What the source lets one set is set by the camera's capture loop, which alone
touches the source: it calls :meth:`Tuning.attach`, :meth:`Tuning.serve` and :meth:`Tuning.detach`.
While no source is open, values wait for the next one. Turning, mirroring and cutting is ours, for
every source, and takes effect at once.
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

# A source takes values between two pictures, or says within two seconds why it does not.
DEADLINE_S = 2.8

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

# No camera has half as many controls; what more an earlier run has kept is none of them.
MAX_VALUES = 64

Values = dict[str, Value]


class Tuning:
    """Holds what is wanted of a camera's controls, and tells what holds.

    Args:
        wake: Has the capture loop look for orders.
        set_transform: Has the camera hang its picture anew.
        on_change: Called when anything told by :meth:`describe` has changed.
        on_refusal: Called with what a newly opened source did not take of what was kept.
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
        self._offered: tuple[ControlInfo, ...] = ()  # By the source, as last heard of it.
        self._wanted: Values = {}
        self._refused: dict[str, tuple[Value, str]] = {}  # What was kept and not taken, and why.
        self._presets: dict[str, Values] = {}
        self._last_preset: str | None = None
        self._attached = False
        self._orders: list[_Order] = []

    # What operators ask. Every method raises RequestError for what cannot be done.

    @property
    def controls(self) -> tuple[ControlInfo, ...]:
        """Everything that can be set, with what holds now."""
        return (*_picture_controls(self._transform), *map(self._as_it_is, self._offered))

    @property
    def presets(self) -> tuple[str, ...]:
        """The names of the presets, in the order of their making."""
        return tuple(self._presets)

    @property
    def preset(self) -> str | None:
        """The preset whose values all hold now: the last one applied, if it is one of several."""
        now = {control.name: control.value for control in self.controls} | self._unoffered
        held = [
            name
            for name, values in self._presets.items()
            if values and values.items() <= now.items()
        ]
        return self._last_preset if self._last_preset in held else next(iter(held), None)

    def find(self, name: str) -> ControlInfo:
        """Return one control."""
        for control in self.controls:
            if control.name == name:
                return control
        known = ", ".join(control.name for control in self.controls)
        later = "" if self._offered else "; the source may offer more once it is open"
        raise RequestError(
            "bad_request", f"there is no control {name[:40]!r} here; accepted: {known}{later}"
        )

    def set(self, name: str, value: object) -> bool:
        """Set one control, and return when it holds; return whether anything changed."""
        control = self.find(name)
        fitted = _fit(control, value)
        if not control.active:
            raise RequestError("unavailable", f"{control.title} cannot be set now: {control.note}")
        before = control.value
        self._raise(self._carry_out({name: fitted}))
        return self.find(name).value != before

    def reset(self, name: str | None = None) -> None:
        """Set one control, or all, back to the default."""
        controls = self.controls if name is None else (self.find(name),)
        defaults = {control.name: control.default for control in controls if control.active}
        refused = self._carry_out(defaults)
        for control in controls:
            # A device keeps what it was set to; where that is the default, nobody need ask again.
            if self._attached and control.name not in refused:
                self._wanted.pop(control.name, None)
        self._on_change()
        self._raise(refused)

    def save_preset(self, name: str) -> None:
        """Keep what holds now under a name, in place of what was kept under it."""
        if name not in self._presets and len(self._presets) >= MAX_PRESETS:
            raise RequestError(
                "bad_request", f"there are {MAX_PRESETS} presets, which is all; delete one first"
            )
        # What an automatic holds is the automatic's, and could not be set.
        self._presets[name] = {
            control.name: control.value for control in self.controls if control.active
        }
        self._last_preset = name
        self._on_change()

    def apply_preset(self, name: str) -> None:
        """Set everything as it is kept under a name."""
        values = self._find_preset(name)
        self._last_preset = name
        self._raise(self._carry_out(values))

    def delete_preset(self, name: str) -> None:
        """Forget what is kept under a name."""
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

    # Over a restart.

    def keep(self) -> dict[str, Any]:
        """Return what a later run needs, for JSON; :meth:`restore` takes it."""
        ours = {c.name: c.value for c in _picture_controls(self._transform) if c.value != c.default}
        return {
            "controls": self._wanted | ours,
            "presets": {name: dict(values) for name, values in self._presets.items()},
        }

    def restore(self, controls: object, presets: object) -> None:
        """Take what an earlier run kept; what makes no sense is passed over."""
        ours = {control.name: control for control in _picture_controls(self._transform)}
        for name, value in _read_values(controls).items():
            if name in ours:
                self._set_ours({name: value})
            else:
                self._wanted[name] = value
        for name, values in presets.items() if isinstance(presets, dict) else ():
            if len(self._presets) < MAX_PRESETS and is_preset_name(name):
                self._presets[name] = _read_values(values)

    # What the capture loop does, between two reads.

    @property
    def waiting(self) -> bool:
        """Whether there are orders to serve."""
        return bool(self._orders)

    def attach(self, reader: Reader) -> None:
        """Take over a source that has just been opened: what it offers, and give it what is wanted.

        Raises:
            SourceError: If it is lost over that.
        """
        self._attached = True  # From here on an order waits for its turn.
        self._offered = reader.controls
        # What it would not take it is not asked again: a size that ends its stream would do so
        # again and again.
        wanted = {
            name: value
            for name, value in self._wanted.items()
            if name not in self._refused or self._refused[name][0] != value
        }
        differing = _differing(self._offered, wanted)
        if differing:
            for name, why in self._settle(reader, differing).items():
                self._refused[name] = wanted[name], why
                self._on_refusal(why)
        self._on_change()

    def serve(self, reader: Reader) -> None:
        """Carry out what was ordered.

        Raises:
            SourceError: If the source is lost over that.
        """
        while self._orders:
            order = self._orders.pop(0)
            try:
                order.refused = self._settle(reader, order.values)
            finally:
                order.done.set()
        self._on_change()

    def detach(self) -> None:
        """Note that the source is closed; what was ordered of it waits for the next one."""
        self._attached = False
        for order in self._orders:
            order.refused = {}
            order.done.set()
        self._orders.clear()

    def _settle(self, reader: Reader, values: Values) -> dict[str, str]:
        try:
            refused = hub.run_native(reader.set_controls, values)
        except ControlError as error:
            refused = dict.fromkeys(values, str(error))
        except SourceError as error:
            # Never again by itself: it would be lost each time it is opened.
            for name in values:
                self._refused[name] = values[name], f"the camera was lost over it: {error}"
            raise
        self._offered = reader.controls
        return refused

    # One value after the other.

    def _carry_out(self, values: Mapping[str, Value]) -> dict[str, str]:
        """Set values and return, by name, what was not taken and why."""
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
        self._set_ours(fitting)
        ours = {control.name for control in _picture_controls(self._transform)}
        theirs = {name: value for name, value in fitting.items() if name not in ours}
        if theirs:
            refused |= self._order(theirs)
            for name in theirs.keys() - refused.keys():
                self._wanted[name] = theirs[name]
                self._refused.pop(name, None)
            # What an automatic has taken over is nobody's wish any more.
            for control in self._offered if self._attached else ():
                if not control.active:
                    self._wanted.pop(control.name, None)
        self._on_change()
        return refused

    def _order(self, values: Values) -> dict[str, str]:
        """Have the capture loop set values; return what was not taken."""
        if not self._attached:
            return {}
        order = _Order(values)
        self._orders.append(order)
        self._wake()
        if not order.done.wait(DEADLINE_S):
            if order in self._orders:
                self._orders.remove(order)
            raise RequestError("unavailable", f"the camera has not taken it for {DEADLINE_S:g} s")
        return order.refused

    def _set_ours(self, values: Mapping[str, Value]) -> None:
        """Hang the picture anew, if any of the values says so."""
        now = self._transform
        for control in _picture_controls(now):
            try:
                value = control.fit(values[control.name])
            except (KeyError, ValueError):
                continue  # Not asked for; or kept by an earlier run, and nonsense.
            if control.name == "rotate":
                now = replace(now, rotate=int(str(value)))
            elif control.name == "mirror":
                now = replace(now, mirror=value)  # type: ignore[arg-type]
            else:
                now = replace(now, crop=value)  # type: ignore[arg-type]
        if now != self._transform:
            self._transform = now
            self._set_transform(now)

    def _as_it_is(self, control: ControlInfo) -> ControlInfo:
        """Return a source's control with what waits for it, and with what it did not take."""
        name = control.name
        if not self._attached and name in self._wanted and name not in self._refused:
            control = replace(control, value=self._wanted[name])
        if name in self._refused and control.active:
            control = replace(control, note=self._refused[name][1])
        return control

    @property
    def _unoffered(self) -> Values:
        """What waits for a source of which nothing is known yet."""
        return {} if self._offered else self._wanted

    def _find_preset(self, name: str) -> Values:
        if name not in self._presets:
            known = ", ".join(self._presets) or "none yet"
            raise RequestError(
                "bad_request", f"there is no preset {name[:40]!r}; accepted: {known}"
            )
        return self._presets[name]

    def _raise(self, refused: Mapping[str, str]) -> None:
        if refused:
            raise RequestError("unavailable", "; ".join(refused.values()))


class _Order:
    """Values on their way to the source.

    Attributes:
        values: By name.
        done: Set when they have been there.
        refused: By name, what was not taken.
    """

    def __init__(self, values: Values) -> None:
        self.values = values
        self.done = hub.Signal()
        self.refused = dict.fromkeys(values, "the camera was lost over it")


def _picture_controls(now: Transform) -> tuple[ControlInfo, ...]:
    """Return what is ours to do with any picture."""
    return (
        ControlInfo(
            *("rotate", "Rotate", "choice", "Picture", "0", str(now.rotate)),
            unit="°",
            options=("0", "90", "180", "270"),
        ),
        ControlInfo(
            *("mirror", "Mirror", "choice", "Picture", "none", now.mirror),
            options=("none", "horizontal", "vertical", "both"),
        ),
        ControlInfo("crop", "Crop", "area", "Picture", WHOLE, now.crop),
    )


def _fit(control: ControlInfo, value: object) -> Value:
    try:
        return control.fit(value)
    except ValueError as error:
        raise RequestError("bad_request", f"{control.title}: {error}") from None


def _differing(offered: tuple[ControlInfo, ...], wanted: Values) -> Values:
    """Return what is wanted and does not hold already."""
    now = {control.name: control.value for control in offered}
    return {name: value for name, value in wanted.items() if now.get(name) != value}


def _read_values(told: object) -> Values:
    """Return values that went through JSON; what is none is passed over."""
    values: Values = {}
    for name, value in told.items() if isinstance(told, dict) else ():
        if not (isinstance(name, str) and NAME.fullmatch(name)):
            continue
        try:
            values[name] = check_value(value)
        except ValueError:
            continue
        if len(values) == MAX_VALUES:
            break
    return values
