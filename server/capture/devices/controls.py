"""The controls of an open source: how their values are validated, shown and sent.

A source lists its controls and their current values as :class:`ControlInfo`; a device reports its
own limits. Controls are set by name. If the source does not accept a value, a
:class:`ControlError` says which was requested and which the source keeps.
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
    "Uncontrolled",
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
"""The value of a switch, range, choice or area (x, y, width and height as fractions)."""

WHOLE: Area = (0.0, 0.0, 1.0, 1.0)
"""The area that covers the whole picture."""

MIN_SHARE = 0.05
"""The shortest side of an area, as a fraction of the picture's."""


@dataclass(frozen=True, slots=True)
class ControlInfo:
    """One control.

    Attributes:
        name: Letters, digits and underscores.
        title: The name that people see.
        kind: The kind of its values.
        group: The heading under which it is shown.
        default: The value that a reset sets.
        value: The current value.
        min: The lowest value of a range.
        max: The highest value of a range.
        step: The difference between neighbouring values of a range.
        unit: The unit of a range or choice, as people see it.
        options: The options of a choice, in order.
        active: Whether it can be set now.
        note: Why it cannot be set, or which value the camera rejected; for people.
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
        """Validate a value and return it; in a range it is rounded to the nearest step.

        Raises:
            ValueError: If the value is invalid; says what is accepted.
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
        """Format a value for people."""
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(value, tuple):
            if value == WHOLE:
                return "the whole picture"
            left, top, width, height = (f"{100 * share:.3g} %" for share in value)
            return f"{width} x {height} at {left}, {top}"
        text = f"{value:g}" if isinstance(value, int | float) else value
        # A degree sign follows its number without a space; other units take one.
        return f"{text}{'' if self.unit in ('', '°') else ' '}{self.unit}"

    def describe(self) -> dict[str, Any]:
        """Return its wire form, without empty fields."""
        fields: dict[str, Any] = {"name": self.name, "title": self.title, "kind": self.kind}
        fields |= {
            "group": self.group,
            "default": _plain(self.default),
            "value": _plain(self.value),
        }
        if self.kind == "range":
            fields |= {"min": self.min, "max": self.max, "step": self.step}
        if self.kind == "choice":
            fields["options"] = list(self.options)
        fields |= {key: text for key in ("unit", "note") if (text := getattr(self, key))}
        return fields | {"active": self.active}

    def _fit_range(self, value: object) -> float:
        if not _is_number(value) or not self.min <= value <= self.max:
            raise ValueError(f"{_quote(value)}; accepted: {self.min:g} to {self.max:g}")
        step = self.step or 1.0
        # The range need not be a multiple of the step: do not round past its end.
        steps = min(round((value - self.min) / step), math.floor((self.max - self.min) / step))
        return round(self.min + steps * step, 6)

    def _fit_area(self, value: object) -> Area:
        accepted = (
            "accepted: [x, y, width, height] as fractions from 0 to 1, within the picture, "
            f"each side at least {MIN_SHARE:g}"
        )
        if not isinstance(value, list | tuple) or len(value) != 4:
            raise ValueError(f"{_quote(value)}; {accepted}")
        if not all(map(_is_number, value)):
            raise ValueError(f"{_quote(value)}; {accepted}")
        left, top, width, height = (round(float(share), 4) for share in value)
        if not (
            left >= 0
            and top >= 0
            and min(width, height) >= MIN_SHARE
            and max(left + width, top + height) <= 1.0005
        ):
            raise ValueError(f"{_quote(value)}; {accepted}")
        # Rounding may have pushed it slightly over the edge.
        return left, top, min(width, round(1 - left, 4)), min(height, round(1 - top, 4))


class Controllable(Protocol):
    """The part of a source that :func:`set_controls` uses."""

    def controls(self) -> tuple[ControlInfo, ...]: ...

    def set_control(self, name: str, value: Value) -> Value: ...


def set_controls(source: Controllable, values: Mapping[str, Value]) -> dict[str, str]:
    """Set all values. Runs natively.

    An automatic mode is switched off before the control that it drives is set, and on afterwards.

    Returns:
        Why the source rejected values, by the control's name; each text names its control.
    """
    refused = {}
    known = [control.name for control in source.controls()]
    for name in sorted(
        filter(values.__contains__, known), key=lambda name: _priority(values[name])
    ):
        try:
            source.set_control(name, values[name])
        except ControlError as error:
            refused[name] = str(error)
    unknown = (name for name in values if name not in known)
    return refused | {name: f"{name}: the camera has no such control" for name in unknown}


def _priority(value: Value) -> int:
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
    """Return the error for a value that the camera did not accept."""
    return ControlError(
        f"{control.title}: {control.show(value)} was requested, "
        f"but the camera keeps {control.show(kept)}"
    )


def read_controls(data: list[dict[str, Any]]) -> tuple[ControlInfo, ...]:
    """Return controls from the JSON of :func:`write_controls`."""
    return tuple(ControlInfo(**read_values(one)) for one in data)


def read_values(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return values from JSON, which turned tuples into lists."""
    return {key: tuple(one) if isinstance(one, list) else one for key, one in data.items()}


def write_controls(controls: tuple[ControlInfo, ...]) -> list[dict[str, Any]]:
    """Return controls as JSON data, for :func:`read_controls`."""
    return [asdict(control) for control in controls]


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _plain(value: Value) -> bool | float | str | list[float]:
    return list(value) if isinstance(value, tuple) else value


def _quote(value: object) -> str:
    return f"{value!r:.60}"


class Uncontrolled:
    """A base for sources without controls; see :class:`server.capture.sources.source.Source`."""

    def controls(self) -> tuple[ControlInfo, ...]:
        """Return nothing: there are no controls."""
        return ()

    def set_control(self, name: str, _value: Value) -> Value:
        """Reject every value.

        Raises:
            ControlError: Always.
        """
        raise ControlError(f"{name}: the camera has no such control")
