"""Settings, with their ranges and defaults.

The fields of :class:`ServerSettings` and :class:`CameraSettings` are the single source for the
keys of the file, the ``PORTHOLE_*`` variables, the flags, ``--help`` and
``docs/configuration.md``. :mod:`server.config.load` reads the values.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from server import protocol
from server.config.address import ACCEPTED, Address, Transport
from server.config.processors import ACCEPTED as ACCEPTED_PROCESSORS
from server.config.processors import Processor
from server.config.recording_settings import RecordingSettings, RecordMode
from server.ranges import MAX_FPS, MAX_QUALITY, MIN_FPS, MIN_QUALITY

__all__ = [
    "CAMERA_NAME",
    "ENVIRONMENT_PREFIX",
    "Camera",
    "CameraSettings",
    "Option",
    "ServerSettings",
    "Settings",
    "VideoMode",
    "accepted_by",
    "server_options",
]

CAMERA_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")

VideoMode = Literal["auto", "always", "off"]

ENVIRONMENT_PREFIX = "PORTHOLE_"


@dataclass(frozen=True, slots=True)
class Accepts:
    """The accepted values in words, for error messages and the documentation."""

    words: str


Fps = Annotated[protocol.Fps, Accepts(f"a number from {MIN_FPS:g} to {MAX_FPS:g}")]
Quality = Annotated[
    protocol.Quality, Accepts(f"a whole number from {MIN_QUALITY} to {MAX_QUALITY}")
]

Seconds = Annotated[float, Field(ge=0, le=86400), Accepts("seconds, from 0 to 86400")]

RewindSeconds = Annotated[float, Field(ge=0, le=3600), Accepts("seconds, from 0 to 3600")]
Days = Annotated[float, Field(ge=0, le=36500), Accepts("days, from 0 to 36500")]
Gigabytes = Annotated[float, Field(ge=0, le=1e6), Accepts("gigabytes, from 0 to 1000000")]

DEFAULT_WIDTHS = (960, 640, 320)

Widths = Annotated[
    tuple[Annotated[int, Field(ge=16, le=8192)], ...],
    Field(max_length=8, strict=False),
    Accepts("a list of up to 8 widths in pixels, each from 16 to 8192"),
]

HostNames = Annotated[
    tuple[
        Annotated[str, Field(pattern=r"^([A-Za-z0-9_][A-Za-z0-9._-]*|\[?[0-9A-Fa-f:.]+\]?)$")], ...
    ],
    Field(strict=False),
    Accepts(
        "a list of host names, without scheme, port or *; separated by commas outside the file"
    ),
]

Names = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    Field(strict=False),
    Accepts("a list of names; separated by commas outside the file"),
]


Origins = Annotated[
    tuple[Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$")], ...],
    Field(strict=False),
    Accepts(
        "a list of origins, each SCHEME://HOST[:PORT] as in https://panel.example; "
        "separated by commas outside the file"
    ),
]


FilePath = Annotated[
    str,
    Field(min_length=1),
    Accepts("the path of a file; in the settings file, relative to its folder"),
]


class _Table(BaseModel):
    # No coercion: only variables and flags are text, and ``_read_text`` converts them.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ServerSettings(_Table):
    """The ``[server]`` table."""

    host: Annotated[str, Field(min_length=1), Accepts("a host name or address")] = Field(
        "127.0.0.1", description="Address to listen on."
    )
    port: Annotated[int, Field(ge=0, le=65535), Accepts("a whole number from 0 to 65535")] = Field(
        8000, description="Port to listen on; 0 takes any free one and prints it."
    )
    tls: Annotated[Literal["off", "auto"], Accepts('"off" or "auto"')] = Field(
        "off",
        description="Whether browsers connect over TLS (https). With auto, the server makes a "
        "certificate for this machine's names and addresses and keeps it in the state folder; "
        "browsers warn about it once. Setting tls_cert turns TLS on as well.",
    )
    tls_cert: FilePath | None = Field(
        None,
        description="Certificate of your own, with its chain, in PEM; read again when the file "
        "changes.",
    )
    tls_key: FilePath | None = Field(
        None,
        description="Private key of tls_cert, in PEM; leave unset if the certificate's file "
        "contains it.",
    )
    fps: Fps | None = Field(
        None,
        description="Frames per second for cameras that set none; unset keeps the source's own.",
    )
    quality: Quality | None = Field(
        None,
        description="JPEG quality for cameras that set none; unset means 80, and a source's own "
        "JPEG is passed through unchanged. Lower saves bytes, higher keeps detail.",
    )
    credit_frames: Annotated[int, Field(ge=1, le=8), Accepts("a whole number from 1 to 8")] = Field(
        2,
        description="Frames sent ahead of a viewer's acknowledgement. "
        "More smooths a long link, fewer cuts delay.",
    )
    release_after: Annotated[float, Field(ge=0, le=86400), Accepts("seconds, from 0 to 86400")] = (
        Field(
            10.0,
            description="Seconds a source stays open when nobody watches. "
            "More starts the next viewer faster, fewer frees the device sooner.",
        )
    )
    stall_after: Annotated[float, Field(ge=0.5, le=600), Accepts("seconds, from 0.5 to 600")] = (
        Field(
            2.0,
            description="Seconds without a picture after which a camera counts as stalled.",
        )
    )
    read_timeout: Annotated[float, Field(ge=1, le=120), Accepts("seconds, from 1 to 120")] = Field(
        5.0,
        description="Seconds a network source may take to open or deliver before it is reopened.",
    )
    frozen_after: Annotated[float, Field(ge=0, le=86400), Accepts("seconds, from 0 to 86400")] = (
        Field(
            10.0,
            description="Seconds of identical pictures after which a live source counts as "
            "stalled; 0 for never, as screens and slides need.",
        )
    )
    check_every: Seconds = Field(
        60.0,
        description="Seconds between checks of a camera that nobody watches, for cameras that set "
        "none; 0 for no checks.",
    )
    rewind: RewindSeconds = Field(
        60.0,
        description="Seconds of each open camera kept in memory for looking back; 0 for none. "
        "Cameras can set their own.",
    )
    rewind_mb: Annotated[int, Field(ge=1, le=65536), Accepts("megabytes, from 1 to 65536")] = Field(
        128, description="Memory limit of rewind for all cameras together, in megabytes."
    )
    keep_days: Days = Field(
        7.0,
        description="Days after which recordings and events are deleted, for cameras that set "
        "none; 0 for never.",
    )
    keep_gb: Gigabytes = Field(
        10.0,
        description="Size limit of all recordings together, in gigabytes; the oldest are deleted "
        "first. 0 for no limit but the disk.",
    )
    allowed_hosts: HostNames = Field(
        (),
        description="Names this server answers to, besides localhost, IP addresses and, where "
        "others can reach it, the machine's own names; requests under any other name are refused.",
    )
    allowed_origins: Names = Field(
        (),
        description="Origins whose pages may connect, and whose scripts may read pictures and "
        "states, such as https://panel.example.",
    )
    frame_ancestors: Origins = Field(
        (),
        description="Origins whose pages may show the dashboard and its kiosk in a frame, such as "
        "https://panel.example.",
    )
    media_folder: Annotated[str, Field(min_length=1), Accepts("the path of a folder")] | None = (
        Field(
            None,
            description="Folder whose video files admins may add as cameras on the page; relative "
            "to the settings file. Unset, they may add none.",
        )
    )
    trusted_proxies: Names = Field(
        (),
        description="Addresses or networks of reverse proxies whose X-Forwarded-For (the client's "
        "address) and X-Forwarded-Proto (whether it uses TLS) are trusted.",
    )
    max_connections: Annotated[
        int, Field(ge=8, le=100_000), Accepts("a whole number from 8 to 100000")
    ] = Field(2000, description="Maximum number of open connections; any more are refused.")
    max_per_address: Annotated[
        int, Field(ge=1, le=100_000), Accepts("a whole number from 1 to 100000")
    ] = Field(
        64,
        description="Maximum number of open connections from one address; this machine's own are "
        "exempt.",
    )
    bus: (
        Annotated[
            str,
            Field(pattern=r"^rediss?://[^\s/?#]+[^\s]*$"),
            Accepts("redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS"),
        ]
        | None
    ) = Field(
        None,
        repr=False,
        description="Redis server through which several nodes share cameras, users and logins; "
        "set it in the environment if it contains a password.",
    )
    bus_prefix: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,39}$"),
        Accepts("1 to 40 letters, digits and dashes, not starting with a dash"),
    ] = Field(
        "porthole",
        description="Prefix of every key and channel on the bus, so that two installations can "
        "share a Redis server.",
    )


class CameraSettings(_Table):
    """One ``[[camera]]`` table."""

    name: Annotated[
        str,
        Field(pattern=rf"^{CAMERA_NAME.pattern}$"),
        Accepts("1 to 40 letters, digits and dashes, not starting with a dash"),
    ] = Field(description="Name of the camera in links, tokens and programs.")
    title: (
        Annotated[str, Field(min_length=1, max_length=80), Accepts("1 to 80 characters")] | None
    ) = Field(None, description="Title that people see; unset shows the name.")
    source: Annotated[str, Accepts(ACCEPTED)] = Field(description="Where pictures come from.")
    group: (
        Annotated[str, Field(min_length=1, max_length=40), Accepts("1 to 40 characters")] | None
    ) = Field(
        None,
        description="Group of the camera, such as a building; the page can group cameras by it.",
    )
    fps: Fps | None = Field(None, description="Frames per second; unset keeps the source's own.")
    quality: Quality | None = Field(None, description="JPEG quality; unset takes the server's.")
    renditions: Widths = Field(
        DEFAULT_WIDTHS,
        description="Widths in pixels offered besides the source's own size. A viewer gets the one "
        "that fits its tile and its link; with an empty list, all viewers get the full size.",
    )
    skip_unchanged: Annotated[bool, Accepts("true or false")] = Field(
        False,
        description="Send only one picture a second while the view does not change. Saves nearly "
        "all bytes where little moves.",
    )
    check_every: Seconds | None = Field(
        None,
        description="Seconds between checks while nobody watches; 0 for no checks, unset takes the "
        "server's. A network camera is opened for one picture; a device or a file only has to "
        "exist.",
    )
    transport: Annotated[Transport, Accepts('"auto", "tcp" or "udp"')] = Field(
        "auto",
        description='How an RTSP camera sends its packets; "auto" tries TCP, then UDP if the '
        "camera refuses TCP.",
    )
    verify: Annotated[bool, Accepts("true or false")] | None = Field(
        None,
        description="Whether the TLS certificate of a network camera must be valid. Unset, any is "
        "accepted from private addresses, because cameras there use self-signed ones.",
    )
    video: Annotated[VideoMode, Accepts('"auto", "always" or "off"')] = Field(
        "auto",
        description='Whether viewers that can decode video get it instead of JPEG: with "auto", if '
        'the source sends it or the link is too narrow for JPEG; with "always", wherever possible.',
    )
    rewind: RewindSeconds | None = Field(
        None, description="Seconds kept in memory for looking back; unset takes the server's."
    )
    record: Annotated[RecordMode, Accepts('"off", "motion" or "always"')] = Field(
        "off",
        description="When the camera is recorded: never, around motion, or always. Unless off, the "
        "camera stays open even while nobody watches.",
    )
    record_before: Annotated[float, Field(ge=0, le=300), Accepts("seconds, from 0 to 300")] = Field(
        5.0, description="Seconds recorded before motion."
    )
    record_after: Annotated[float, Field(ge=0, le=3600), Accepts("seconds, from 0 to 3600")] = (
        Field(10.0, description="Seconds recorded after motion.")
    )
    keep_days: Days | None = Field(
        None, description="Days after which its recordings are deleted; unset takes the server's."
    )
    keep_gb: Gigabytes | None = Field(
        None,
        description="Size limit of its recordings, in gigabytes; unset leaves only the server's.",
    )
    motion: Annotated[bool, Accepts("true or false")] = Field(
        False,
        description="Whether to look for motion, even while nobody watches; zones are set on the "
        'page. record = "motion" turns it on as well.',
    )
    timelapse: Seconds = Field(
        0.0,
        description="Seconds between the pictures of a time-lapse film; 0 for no film.",
    )
    process: Annotated[tuple[str, ...], Field(strict=False), Accepts(ACCEPTED_PROCESSORS)] = Field(
        (),
        description="Processors run on each picture before it is encoded, in this order; see "
        "[processors](processors.md).",
    )


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera's complete settings, with all defaults filled in."""

    name: str
    title: str
    address: Address
    fps: float | None
    quality: int | None
    skip_unchanged: bool = False
    renditions: tuple[int, ...] = DEFAULT_WIDTHS
    process: tuple[Processor, ...] = ()
    check_every: float = 0.0
    group: str | None = None
    video: VideoMode = "auto"
    recording_settings: RecordingSettings = field(default_factory=RecordingSettings)


@dataclass(frozen=True, slots=True)
class Settings:
    """The complete settings, for :func:`server.app.create_app`.

    Attributes:
        named: Whether a file or the command line names the cameras; otherwise there is only the
            test pattern, until others are added from the page.
        on_command_line: Whether the command line names them.
        folder: The settings file's folder, or without one the working directory.
        fixed: Where settings are set that can then not be chosen on the page, in words, by name.
    """

    server: ServerSettings
    cameras: tuple[Camera, ...]
    state_dir: Path
    named: bool = True
    folder: Path = Path()
    fixed: Mapping[str, str] = field(default_factory=dict)
    on_command_line: bool = False

    @property
    def media_folder(self) -> Path | None:
        """The folder whose files may be added as cameras from the page."""
        name = self.server.media_folder
        return None if name is None else self.folder / Path(name).expanduser()


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the ``[server]`` table, for the command line and the documentation."""

    name: str
    default: Any
    accepts: str
    help: str

    @property
    def flag(self) -> str:
        """The name of the command-line flag."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The name of the environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()


def server_options() -> list[Option]:
    """Return the ``[server]`` table, one row per setting."""
    return [
        Option(name, info.default, accepted_by(ServerSettings, name), info.description or "")
        for name, info in ServerSettings.model_fields.items()
    ]


def accepted_by(table: type[BaseModel], key: str) -> str:
    """Return what a field accepts, in words, from its annotation or one level inside it."""
    info = table.model_fields[key]
    found = list(info.metadata)
    for part in get_args(info.annotation):
        found.extend(getattr(part, "__metadata__", ()))
    return next(item.words for item in found if isinstance(item, Accepts))
