"""The messages between nodes other than frames: JSON, validated like any untrusted input."""

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from server.capture.interface import State
from server.commands import COMMANDS, MAX_ZONES, CameraCommand, Zone
from server.config.models import CAMERA_NAME
from server.config.recording_settings import RecordMode
from server.errors import ErrorCode, RequestError
from server.protocol import ControlName, ControlValue, PresetName, Quality

__all__ = [
    "CameraName",
    "ControlStatus",
    "Count",
    "Figures",
    "Message",
    "MessageError",
    "NodeId",
    "Notice",
    "Presence",
    "Processing",
    "Reply",
    "Request",
    "Status",
    "Text",
    "VideoFacts",
    "Wake",
    "parse_message",
    "request_of",
]

# More than twice the size that a node with the largest allowed number of cameras sends.
MAX_BYTES = 512 * 1024

NodeId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
CameraName = Annotated[str, Field(pattern=rf"^{CAMERA_NAME.pattern}$")]
# FFmpeg reports 90,000 fps for some network sources.
Fps = Annotated[float, Field(gt=0, le=1e9)]
Side = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Measure = Annotated[float, Field(ge=0, le=1e15)]
Text = Annotated[str, Field(max_length=400)]


class MessageError(Exception):
    """A message is not valid."""


class Message(BaseModel):
    """Base of all messages. Ignores unknown keys, so that newer nodes can add some."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class Figures(Message):
    """A camera's counters and measurements on its node, as in the ``stats`` event."""

    captured_fps: Measure = 0.0
    encoded_fps: Measure = 0.0
    encode_ms: Measure | None = None
    captured: Count = 0
    encoded: Count = 0
    lost: Count = 0


class Processing(Message):
    """The status of one of a camera's processors, as in STATE."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    state: Literal["ok", "slow", "failing", "skipped", "stuck"]
    message: Text
    ms: Measure | None
    errors: Count = 0


class ControlStatus(Message):
    """One control, as in STATE. Kinds unknown to this version are not shown."""

    name: ControlName
    title: Text
    kind: Annotated[str, Field(max_length=20)]
    group: Annotated[str, Field(max_length=40)]
    default: ControlValue
    value: ControlValue
    min: float | None = None
    max: float | None = None
    step: float | None = None
    unit: Annotated[str, Field(max_length=20)] | None = None
    options: Annotated[list[Annotated[str, Field(max_length=80)]], Field(max_length=64)] | None = (
        None
    )
    active: bool = True
    note: Text | None = None


class Chosen(Message):
    """The settings made by an operator, as in STATE; None for the source's own."""

    fps: Fps | None = None
    quality: Quality | None = None


class SourceFacts(Message):
    """The known properties of a camera's source, as in STATE; None if unknown."""

    width: Side | None = None
    height: Side | None = None
    fps: Fps | None = None
    codec: Annotated[str, Field(max_length=40)] | None = None
    group: Count | None = None
    kbps: Count | None = None


class VideoFacts(Message):
    """A video, as in STATE."""

    codec: Annotated[str, Field(pattern=r"^[A-Za-z0-9.]{1,39}$")]
    passed_through: bool
    kbps: Count | None = None


class MotionFacts(Message):
    """The settings of motion detection and its result, as in STATE."""

    sensitivity: Annotated[int, Field(ge=1, le=100)]
    min_size: Annotated[float, Field(ge=0, le=100)]
    min_s: Measure
    zones: Annotated[list[Zone], Field(max_length=MAX_ZONES)] = []
    moving: bool = False


class TimelapseFacts(Message):
    """The time-lapse film in progress, as in STATE."""

    film: Annotated[str, Field(max_length=40)]
    job: Annotated[str, Field(max_length=40)] | None = None
    every: Measure
    pictures: Count = 0


class Status(Message):
    """A camera's STATE, as in the wire protocol, and more for other nodes."""

    name: CameraName
    title: Annotated[str, Field(min_length=1, max_length=80)]
    group: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    state: State
    reason: Text
    since: Measure
    fps: Fps | None
    quality: Quality
    set: Chosen | None = None
    width: Side
    height: Side
    source_fps: Fps | None
    source: SourceFacts | None = None
    passed_through: bool = False
    record: RecordMode = "off"
    recording: bool = False
    video: VideoFacts | None = None
    motion: MotionFacts | None = None
    timelapse: TimelapseFacts | None = None
    videos: Annotated[
        dict[Annotated[str, Field(max_length=40)], VideoFacts], Field(max_length=9)
    ] = {}
    """Videos that its node has or can encode, by rendition."""
    prefers_video: bool = False
    rewind: Measure | None = None
    """Seconds kept in memory; None from earlier versions, which keep nothing."""
    library: bool = False
    """Whether its node answers questions about its recordings; earlier versions do not."""
    viewers: Count
    renditions: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=9)] = [
        "full"
    ]
    widths: Annotated[list[Annotated[int, Field(ge=16, le=8192)]], Field(max_length=8)] = []
    process: Annotated[list[Processing], Field(max_length=64)] = []
    controls: Annotated[list[ControlStatus], Field(max_length=64)] = []
    presets: Annotated[list[PresetName], Field(max_length=64)] = []
    preset: PresetName | None = None
    figures: Figures | None = None


class Presence(Message):
    """A node announces its cameras, or that it is leaving."""

    node: NodeId
    host: Annotated[str, Field(max_length=64)]
    leaving: bool = False
    cameras: Annotated[list[Status], Field(max_length=256)]
    removed: Annotated[list[CameraName], Field(max_length=256)] = []
    """Cameras that it no longer has."""


class Wake(Message):
    """A node has just subscribed to a camera's frames or, if None, has just joined the bus."""

    camera: CameraName | None = None
    rendition: Annotated[str, Field(max_length=40)] = "full"
    video: bool = False
    """Whether it has subscribed to video instead of JPEG."""
    key: bool = False
    """Whether it needs a key frame of the video."""


class Request(Message):
    """A command for a camera of another node: ``action`` is its event, extra keys its fields.

    Fields of other commands are ignored: earlier versions send them all, as null.
    """

    model_config = ConfigDict(extra="allow")

    id: Annotated[str, Field(min_length=1, max_length=40)]
    node: NodeId
    camera: CameraName
    action: str
    who: Annotated[str, Field(min_length=1, max_length=80)]

    @property
    def command(self) -> CameraCommand:
        """The operator's command.

        Raises:
            RequestError: ``bad_request`` if a field is missing.
        """
        kind = COMMANDS.get(self.action)
        if kind is None or not issubclass(kind, CameraCommand):
            raise ValueError("not a command for a camera")
        sent = (self.model_extra or {}) | {"camera": self.camera}
        given = {name: sent[name] for name in kind.model_fields if sent.get(name) is not None}
        if any(one.is_required() and name not in given for name, one in kind.model_fields.items()):
            raise RequestError("bad_request", f"{self.action}: a required field is missing")
        return kind.model_validate(given)

    def details(self) -> dict[str, Any]:
        """Return the command's fields for the audit log; only its camera if incomplete."""
        try:
            return self.command.details()
        except RequestError:
            return {"camera": self.camera}

    @model_validator(mode="after")
    def _reject_wrong_fields(self) -> Self:
        """Fail for an unknown command or a value out of range."""
        try:
            self.command  # noqa: B018
        except RequestError:
            pass  # Incomplete: the sender gets an error reply.
        return self


class Reply(Message):
    """The result of a request."""

    id: Annotated[str, Field(min_length=1, max_length=40)]
    node: NodeId
    error: ErrorCode | None = None
    message: Text = ""
    camera: Status | None = None


class Notice(Message):
    """A notice about a camera, for people."""

    node: NodeId
    level: Literal["info", "warning", "error"]
    message: Text
    camera: CameraName
    who: Annotated[str | None, Field(min_length=1, max_length=80)] = None


def request_of(command: CameraCommand, **sender: Any) -> Request:
    """Return a command as a request; ``sender`` has its ``id``, ``node`` and ``who``."""
    return Request(action=command.event, **command.model_dump(), **sender)


M = TypeVar("M", bound=Message)


def parse_message(kind: type[M], data: bytes) -> M:
    """Parse and validate a message.

    Raises:
        MessageError: If the data is not a valid message of this kind.
    """
    if len(data) > MAX_BYTES:
        raise MessageError(f"too long: {len(data)} bytes")
    try:
        return kind.model_validate_json(data)
    except (ValidationError, RecursionError):
        raise MessageError(f"not a valid {kind.__name__.lower()}") from None
