"""The interface of a camera for delivery and control, on this node or another."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from server.capture.devices.controls import Value
from server.capture.frames.rendition import Rendition
from server.capture.frames.slot import Slot
from server.capture.tuning import Tuning
from server.metrics import Meter

__all__ = [
    "SOURCES_OWN",
    "Action",
    "Argument",
    "CameraInterface",
    "Owner",
    "PresetOrder",
    "Setting",
    "SourcesOwn",
    "State",
    "offered",
]

State = Literal["idle", "starting", "live", "stalled", "retrying", "ended", "stopped"]

Action = Literal["start", "stop", "fps", "quality", "control", "reset", "preset"]
"""What operators can do to a camera."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The argument of ``control`` and ``reset``.

    Attributes:
        control: The control's name; None, for ``reset`` only, means all of them.
        value: The value to set.
    """

    control: str | None
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class PresetOrder:
    """The argument of ``preset``."""

    preset: str
    do: Literal["save", "apply", "delete"]


SourcesOwn = Literal["source"]

SOURCES_OWN: SourcesOwn = "source"
"""In place of a number for ``fps`` and ``quality``: use the source's own."""

Argument = float | SourcesOwn | Setting | PresetOrder | None
"""``fps`` and ``quality`` take a number or :data:`SOURCES_OWN`, ``start`` and ``stop`` nothing."""


class Owner(Protocol):
    """The node that owns a camera, if it is not this one.

    Attributes:
        figures: The camera's statistics there, as in the ``stats`` event.
    """

    @property
    def figures(self) -> Mapping[str, Any]: ...

    def ask(self, who: str, action: Action, value: Argument = None) -> None:
        """Have it carry out an operator's request; return when that is done.

        Raises:
            RequestError: Its error, or ``unavailable`` if it does not answer in time.
        """


class CameraInterface(Protocol):
    """One camera: its newest frame, its state and its settings.

    Attributes:
        name: Used in URLs, rooms and events.
        title: Shown to people.
        slot: Holds its newest frame.
        meter: Counts its frames in this process.
        fps: The wanted frames a second; None for the source's own.
        quality: The wanted JPEG quality; None if none was set.
        ladder: Its renditions, the largest first.
        enabled: False after an operator stopped it.
        tuning: Its controls and presets; None if another node owns it.
        elsewhere: The node that owns it; None for this process.
    """

    name: str
    title: str
    slot: Slot
    meter: Meter
    fps: float | None
    quality: int | None
    ladder: tuple[Rendition, ...]
    enabled: bool

    @property
    def tuning(self) -> Tuning | None: ...

    @property
    def elsewhere(self) -> Owner | None: ...

    @property
    def state(self) -> State: ...

    @property
    def reason(self) -> str: ...

    @property
    def rate(self) -> float: ...

    @property
    def encoding_quality(self) -> int: ...

    @property
    def width(self) -> int: ...

    def slot_of(self, rendition: Rendition) -> Slot: ...

    def describe(self) -> dict[str, Any]: ...

    def set_viewers(self, viewers: int) -> None: ...

    def set_renditions(self, renditions: Collection[Rendition]) -> None: ...

    def request_frame(self) -> None:
        """Request the source's very next picture, whatever the frame rate."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def set_fps(self, fps: float | None) -> None: ...

    def set_quality(self, quality: int | None) -> None: ...


def offered(camera: CameraInterface) -> list[Rendition]:
    """Return the full rendition and those narrower than the camera's pictures."""
    width = camera.width
    return [one for one in camera.ladder if not width or one.width is None or one.scales(width)]
