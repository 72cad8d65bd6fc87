"""Operators' commands, one class for each.

The class defines everything about a command: its event and payload with their ranges, who may send
it, and its entry in the audit log. On the bus a command has the same fields, flat, with the event's
name as ``action``. Its handler is in :class:`server.control.control.Control`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from server.config.recording_settings import RecordMode
from server.protocol import (
    CameraName,
    ControlName,
    ControlValue,
    Fps,
    FromSource,
    JobName,
    Payload,
    PresetName,
    Quality,
)
from server.users.needs import Need

__all__ = [
    "COMMANDS",
    "MAX_ZONES",
    "CameraCommand",
    "Command",
    "Preset",
    "Quit",
    "Record",
    "Reset",
    "SetControl",
    "SetFps",
    "SetMotion",
    "SetQuality",
    "SetTimelapse",
    "Start",
    "Stop",
    "Zone",
]

MIN_SIZE = 0.01

MAX_ZONES = 16
MAX_CORNERS = 64

Share = Annotated[float, Field(ge=0, le=1)]
Corner = Annotated[list[Share], Field(min_length=2, max_length=2)]
Zone = Annotated[list[Corner], Field(min_length=3, max_length=MAX_CORNERS)]


class Command(Payload):
    """A request by an operator.

    Attributes:
        event: Its name on the wire and, as ``action``, on the bus.
        needs: Who may send it.
    """

    event: ClassVar[str]
    needs: ClassVar[Need]

    def details(self) -> dict[str, Any]:
        """Return its fields for the audit log."""
        return {key: str(value) if isinstance(value, tuple) else value for key, value in self}


class CameraCommand(Command):
    """A command for one camera. Other nodes can send it over the bus.

    Its fields must not be named ``id``, ``node``, ``action`` or ``who``: requests use those.
    """

    needs = Need.OPERATOR

    camera: CameraName


class Start(CameraCommand):
    """Start a stopped camera again."""

    event = "start"


class Stop(CameraCommand):
    """Release a camera's source until it is started again."""

    event = "stop"


class SetFps(CameraCommand):
    """Set a camera's frame rate; ``source`` means the source's own, whatever the settings say."""

    event = "fps"

    fps: Fps | FromSource

    def details(self) -> dict[str, Any]:
        """Return its fields for the audit log."""
        return {"camera": self.camera, "value": self.fps}


class SetQuality(CameraCommand):
    """Set a camera's JPEG quality; ``source`` means that of the source's own JPEG."""

    event = "quality"

    quality: Quality | FromSource

    def details(self) -> dict[str, Any]:
        """Return its fields for the audit log."""
        return {"camera": self.camera, "value": self.quality}


class SetControl(CameraCommand):
    """Set one control of a camera, such as its brightness or rotation."""

    event = "control"

    control: ControlName
    value: ControlValue


class Reset(CameraCommand):
    """Set one control of a camera to its default, or all of them without ``control``."""

    event = "reset"

    control: ControlName | None = None


class Preset(CameraCommand):
    """Save, apply or delete all controls of a camera under a name."""

    event = "preset"

    preset: PresetName
    do: Literal["save", "apply", "delete"]


class Record(CameraCommand):
    """Set whether a camera is recorded: never, around motion, or always."""

    event = "record"

    mode: RecordMode


class SetTimelapse(CameraCommand):
    """Start a time-lapse film of a job; without a job, end the current one."""

    event = "timelapse"

    job: JobName | None


class SetMotion(CameraCommand):
    """Set up a camera's motion detection; omitted fields keep their values.

    ``sensitivity`` is 1 to 100, ``min_size`` in percent of the picture, ``min_s`` in seconds, and
    ``zones`` are polygons with corners as fractions of the picture's width and height.
    """

    event = "motion"

    on: bool | None = None
    sensitivity: Annotated[int, Field(ge=1, le=100)] | None = None
    min_size: Annotated[float, Field(ge=MIN_SIZE, le=100)] | None = None
    min_s: Annotated[float, Field(ge=0, le=60)] | None = None
    zones: Annotated[list[Zone], Field(max_length=MAX_ZONES)] | None = None

    def details(self) -> dict[str, Any]:
        """Return its fields for the audit log, with the number of zones instead of the zones."""
        zones = {} if self.zones is None else {"zones": len(self.zones)}
        return {"camera": self.camera} | self.given | zones

    @property
    def given(self) -> dict[str, Any]:
        """The fields to change."""
        return self.model_dump(exclude={"camera"}, exclude_none=True)


class Quit(Command):
    """Shut this server down."""

    event = "quit"
    needs = Need.OPERATOR_OF_ALL


COMMANDS: Mapping[str, type[Command]] = {
    command.event: command
    for command in (
        Start,
        Stop,
        SetFps,
        SetQuality,
        SetControl,
        Reset,
        Preset,
        Record,
        SetMotion,
        SetTimelapse,
        Quit,
    )
}
"""Every command, by event."""
