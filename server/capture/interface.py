"""A camera as those see it who deliver its frames and control it, wherever it is."""

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
"""What operators do to a camera."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What ``control`` and ``reset`` are about.

    Attributes:
        control: Its name; None for all, which can only be reset.
        value: What to set it to.
    """

    control: str | None
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class PresetOrder:
    """What ``preset`` is about."""

    preset: str
    do: Literal["save", "apply", "delete"]


SourcesOwn = Literal["source"]

SOURCES_OWN: SourcesOwn = "source"
"""In place of a number for ``fps`` and ``quality``: whatever the source itself has."""

Argument = float | SourcesOwn | Setting | PresetOrder | None
"""``fps`` and ``quality`` take a number or :data:`SOURCES_OWN`, ``start`` and ``stop`` nothing."""


class Owner(Protocol):
    """The node that owns a camera, if that is another one.

    Attributes:
        figures: What it counts and measures of the camera, as in the ``stats`` event.
    """

    @property
    def figures(self) -> Mapping[str, Any]: ...

    def ask(self, who: str, action: Action, value: Argument = None) -> None:
        """Have it carry out what an operator wants; returns when that is done.

        Raises:
            RequestError: What it says, or ``unavailable`` if it says nothing in time.
        """


class CameraInterface(Protocol):
    """One camera: its newest frame, its state, and what can be wanted of it.

    Attributes:
        name: Used in URLs, rooms and events.
        title: What people see.
        slot: Holds its newest frame.
        meter: What has been done with its frames in this process.
        fps: Frames a second that are wanted; None for the source's own.
        quality: JPEG quality that is wanted; None where nobody has said.
        ladder: Its renditions, the largest first.
        enabled: Whether no operator has stopped it.
        tuning: What is set on it; None where another node owns it.
        elsewhere: The node that owns it; None for this process itself.
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
        """Have the very next picture of its source, whatever its frame rate."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def set_fps(self, fps: float | None) -> None: ...

    def set_quality(self, quality: int | None) -> None: ...


def offered(camera: CameraInterface) -> list[Rendition]:
    """Return the renditions that differ: none as wide as the camera's pictures, or wider."""
    width = camera.width
    return [one for one in camera.ladder if not width or one.width is None or one.scales(width)]
