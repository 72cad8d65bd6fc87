"""What can be set on an open source, and how each value is checked and told.

A source says with :class:`ControlInfo` what it lets one set and what holds now; limits are the
device's own where there is one. Setting goes by name, and what the source does not take is a
:class:`ControlError` that says what was asked for and what it keeps.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, TypeAlias, TypeGuard

from server.errors import ControlError

__all__ = [
    "WHOLE",
    "Area",
    "ControlInfo",
    "Controllable",
    "Kind",
    "Value",
    "find_control",
    "read_controls",
    "read_values",
    "refuse",
    "set_controls",
    "write_controls",
]

Kind = Literal["range", "choice", "switch", "area"]

Area: TypeAlias = tuple[float, float, float, float]

Value: TypeAlias = bool | float | str | Area
"""Of a switch, a range, a choice, and an area: x, y, width and height as shares of the picture."""

WHOLE: Area = (0.0, 0.0, 1.0, 1.0)
"""The area that is all of a picture."""

SMALLEST_SHARE = 0.05
"""Of a side of the picture, that an area has at least."""


@dataclass(frozen=True, slots=True)
class ControlInfo:
    """One thing that can be set.

    Attributes:
        name: Letters, digits and underscores.
        title: What people see.
        kind: What its values are.
        group: The title that it stands under.
        default: What a reset sets.
        value: What holds now.
        min: Of a range.
        max: Of a range.
        step: Between two values of a range.
        unit: Of a range or choice, for people.
        options: Of a choice, in order.
        active: Whether it can be set now.
        note: Why not, or what the camera did not take; for people.
    """

    name: str
    title: str
    kind: Kind
    group: str
    default: Value
    value: Value
    min: float = 0.0
    max: float = 0.0
    step: float = 1.0
    unit: str = ""
    options: tuple[str, ...] = ()
    active: bool = True
    note: str = ""

    def fit(self, value: object) -> Value:
        """Return a value as it can be set: that of a range on the nearest step.

        Raises:
            ValueError: If it is none; says what is accepted.
        """
        if self.kind == "switch":
            if not isinstance(value, bool):
                raise ValueError(f"{_quote(value)}; accepted: true or false")
            return value
        if self.kind == "choice":
            if not isinstance(value, str) or value not in self.options:
                raise ValueError(f"{_quote(value)}; accepted: {', '.join(self.options)}")
            return value
        return self._fit_area(value) if self.kind == "area" else self._fit_range(value)

    def show(self, value: Value) -> str:
        """Return a value for people."""
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(value, tuple):
            if value == WHOLE:
                return "the whole picture"
            left, top, width, height = (f"{100 * share:.3g} %" for share in value)
            return f"{width} x {height} at {left}, {top}"
        text = f"{value:g}" if isinstance(value, int | float) else value
        # A degree sign follows its number without a gap, other units do not.
        return f"{text}{'' if self.unit in ('', '°') else ' '}{self.unit}"

    def describe(self) -> dict[str, Any]:
        """Return it for the wire: what would say nothing is left out."""
        told: dict[str, Any] = {"name": self.name, "title": self.title, "kind": self.kind}
        told |= {"group": self.group, "default": _plain(self.default), "value": _plain(self.value)}
        if self.kind == "range":
            told |= {"min": self.min, "max": self.max, "step": self.step}
        if self.kind == "choice":
            told["options"] = list(self.options)
        told |= {key: text for key in ("unit", "note") if (text := getattr(self, key))}
        return told | {"active": self.active}

    def _fit_range(self, value: object) -> float:
        if not _is_number(value) or not self.min <= value <= self.max:
            raise ValueError(f"{_quote(value)}; accepted: {self.min:g} to {self.max:g}")
        step = self.step or 1.0
        # The last step of a device may be shorter than the others, and past its end.
        steps = min(round((value - self.min) / step), math.floor((self.max - self.min) / step))
        return round(self.min + steps * step, 6)

    def _fit_area(self, value: object) -> Area:
        accepted = (
            "accepted: [x, y, width, height] as shares from 0 to 1 that lie within the picture, "
            f"each side at least {SMALLEST_SHARE:g}"
        )
        if not isinstance(value, list | tuple) or len(value) != 4:
            raise ValueError(f"{_quote(value)}; {accepted}")
        if not all(map(_is_number, value)):
            raise ValueError(f"{_quote(value)}; {accepted}")
        left, top, width, height = (round(float(share), 4) for share in value)
        if not (
            left >= 0
            and top >= 0
            and min(width, height) >= SMALLEST_SHARE
            and max(left + width, top + height) <= 1.0005
        ):
            raise ValueError(f"{_quote(value)}; {accepted}")
        # Rounding may have pushed it over the edge by a hair.
        return left, top, min(width, round(1 - left, 4)), min(height, round(1 - top, 4))


class Controllable(Protocol):
    """What :func:`set_controls` needs of a source."""

    def controls(self) -> tuple[ControlInfo, ...]: ...

    def set_control(self, name: str, value: Value) -> Value: ...


def set_controls(source: Controllable, values: Mapping[str, Value]) -> dict[str, str]:
    """Set all values. Runs natively.

    An automatic is switched off before what it held is set, and on after it.

    Returns:
        By name, what the source did not take, in words that name the control.
    """
    refused = {}
    known = [control.name for control in source.controls()]
    for name in sorted(filter(values.__contains__, known), key=lambda name: _turn(values[name])):
        try:
            source.set_control(name, values[name])
        except ControlError as error:
            refused[name] = str(error)
    unknown = (name for name in values if name not in known)
    return refused | {name: f"{name}: the camera has no such control" for name in unknown}


def _turn(value: Value) -> int:
    return {False: 0, True: 2}[value] if isinstance(value, bool) else 1


def find_control(controls: tuple[ControlInfo, ...], name: str) -> ControlInfo:
    """Return the control with this name.

    Raises:
        ControlError: If there is none, or it cannot be set now.
    """
    control = next((one for one in controls if one.name == name), None)
    if control is None:
        raise ControlError(f"{name}: the camera has no such control")
    if not control.active:
        raise ControlError(f"{control.title} cannot be set now: {control.note}")
    return control


def refuse(control: ControlInfo, value: Value, kept: Value) -> ControlError:
    """Return the error for a value that the camera did not take."""
    return ControlError(
        f"{control.title}: {control.show(value)} was asked for, "
        f"the camera keeps {control.show(kept)}"
    )


def read_controls(told: list[dict[str, Any]]) -> tuple[ControlInfo, ...]:
    """Return controls that went through JSON as :func:`dataclasses.asdict` made them."""
    return tuple(ControlInfo(**read_values(one)) for one in told)


def read_values(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return values that went through JSON, which knows no tuples."""
    return {key: tuple(one) if isinstance(one, list) else one for key, one in told.items()}


def write_controls(controls: tuple[ControlInfo, ...]) -> list[dict[str, Any]]:
    """Return controls for JSON; :func:`read_controls` takes them."""
    return [asdict(control) for control in controls]


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _plain(value: Value) -> bool | float | str | list[float]:
    return list(value) if isinstance(value, tuple) else value


def _quote(value: object) -> str:
    return f"{value!r:.60}"
