"""Settings: their ranges and defaults, and how file, environment and flags combine.

:class:`ServerSettings` and :class:`CameraSettings` are the only tables of settings: the file's
keys, the ``PORTHOLE_*`` environment, the command line's flags, ``--help`` and
``docs/configuration.md`` all come from their fields. Later ones win: default < file < environment <
command line.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.config.address import ACCEPTED, Address, parse_address
from server.config.nearest import suggest
from server.config.processors import ACCEPTED as ACCEPTED_PROCESSORS
from server.config.processors import Processor, parse_processors
from server.errors import ConfigError

__all__ = [
    "CAMERA_NAME",
    "Camera",
    "CameraSettings",
    "Option",
    "ServerSettings",
    "Settings",
    "load_settings",
    "server_options",
]

CAMERA_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")

ENVIRONMENT_PREFIX = "PORTHOLE_"


@dataclass(frozen=True, slots=True)
class Accepts:
    """What a setting accepts, in words, for error messages and the documentation."""

    words: str


Fps = Annotated[float, Field(ge=0.1, le=120), Accepts("a number from 0.1 to 120")]
Quality = Annotated[int, Field(ge=1, le=100), Accepts("a whole number from 1 to 100")]

Seconds = Annotated[float, Field(ge=0, le=86400), Accepts("seconds, from 0 to 86400")]

DEFAULT_WIDTHS = (960, 640, 320)

Widths = Annotated[
    tuple[Annotated[int, Field(ge=16, le=8192)], ...],
    Field(max_length=8, strict=False),
    Accepts("a list of up to 8 widths in pixels, each from 16 to 8192"),
]

Names = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    Field(strict=False),
    Accepts("a list of names; with commas between them outside the file"),
]


Origins = Annotated[
    tuple[Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?$")], ...],
    Field(strict=False),
    Accepts(
        "a list of origins, each SCHEME://HOST[:PORT] as in https://panel.example; "
        "with commas between them outside the file"
    ),
]


class _Table(BaseModel):
    # No coercion: only the environment and flags are text, and ``_read_text`` converts them.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ServerSettings(_Table):
    """The ``[server]`` table."""

    host: Annotated[str, Field(min_length=1), Accepts("a host name or address")] = Field(
        "127.0.0.1", description="Address to listen on."
    )
    port: Annotated[int, Field(ge=0, le=65535), Accepts("a whole number from 0 to 65535")] = Field(
        8000, description="Port to listen on; 0 takes any free one and prints it."
    )
    fps: Fps | None = Field(
        None, description="Frames a second for cameras that set none; unset keeps the source's own."
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
            description="Seconds with an identical picture after which a live source counts as "
            "stalled; 0 for never, as screens and slides need.",
        )
    )
    check_every: Seconds = Field(
        60.0,
        description="Seconds between checks of a camera that nobody watches, for cameras that set "
        "none; 0 for no checks.",
    )
    allowed_hosts: Names = Field(
        (),
        description="Names this server answers to, besides localhost, IP addresses and, where "
        "others can reach it, the machine's own names; requests under any other name are refused.",
    )
    allowed_origins: Names = Field(
        (),
        description="Origins whose pages may connect, and read pictures and states by script, such "
        "as https://panel.example.",
    )
    frame_ancestors: Origins = Field(
        (),
        description="Origins whose pages may show the dashboard and its kiosk in a frame, such as "
        "https://panel.example.",
    )
    trusted_proxies: Names = Field(
        (),
        description="Addresses or networks of reverse proxies whose X-Forwarded-For (the client's "
        "address) and X-Forwarded-Proto (whether it uses TLS) are trusted.",
    )
    max_connections: Annotated[
        int, Field(ge=8, le=100_000), Accepts("a whole number from 8 to 100000")
    ] = Field(2000, description="Most open connections in all; any more are refused.")
    max_per_address: Annotated[
        int, Field(ge=1, le=100_000), Accepts("a whole number from 1 to 100000")
    ] = Field(
        64, description="Most open connections from one address; this machine's own are exempt."
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
        "share a server.",
    )


class CameraSettings(_Table):
    """One ``[[camera]]`` table."""

    name: Annotated[
        str,
        Field(pattern=rf"^{CAMERA_NAME.pattern}$"),
        Accepts("1 to 40 letters, digits and dashes, not starting with a dash"),
    ] = Field(description="Used in URLs, rooms and events.")
    title: (
        Annotated[str, Field(min_length=1, max_length=80), Accepts("1 to 80 characters")] | None
    ) = Field(None, description="What people see; unset shows the name.")
    source: Annotated[str, Accepts(ACCEPTED)] = Field(description="Where pictures come from.")
    fps: Fps | None = Field(None, description="Frames a second; unset keeps the source's own.")
    quality: Quality | None = Field(None, description="JPEG quality; unset takes the server's.")
    renditions: Widths = Field(
        DEFAULT_WIDTHS,
        description="Widths in pixels that are offered besides the source's own size. A viewer "
        "gets the one that fits its tile and its link; with an empty list all get the full size.",
    )
    skip_unchanged: Annotated[bool, Accepts("true or false")] = Field(
        False,
        description="Send pictures that show nothing new only once a second. Saves nearly all "
        "bytes where little moves.",
    )
    check_every: Seconds | None = Field(
        None,
        description="Seconds between checks while nobody watches; 0 for no checks, unset takes the "
        "server's. A network camera is opened for one picture; a device or a file only has to "
        "exist.",
    )
    process: Annotated[tuple[str, ...], Field(strict=False), Accepts(ACCEPTED_PROCESSORS)] = Field(
        (),
        description="Processors that each picture passes before it is encoded, in this order; see "
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


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything :func:`server.app.create_app` needs to know."""

    server: ServerSettings
    cameras: tuple[Camera, ...]
    state_dir: Path


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
        Option(name, info.default, _accepts(ServerSettings, name), info.description or "")
        for name, info in ServerSettings.model_fields.items()
    ]


def load_settings(
    sources: Iterable[str],
    config: Path | None,
    state_dir: Path | None,
    flags: Mapping[str, str],
    environment: Mapping[str, str],
) -> Settings:
    """Return the settings from a file, the environment and the command line combined.

    Args:
        sources: ``[NAME=]SOURCE`` from the command line; if any, the file's cameras are ignored.
        config: The settings file, if one was named.
        state_dir: Where run-time changes are stored; ``.porthole`` beside the file if None.
        flags: ``[server]`` settings from the command line, name to text.
        environment: The process's environment; only ``PORTHOLE_*`` is read.

    Raises:
        ConfigError: One line with the key, the value and what would be accepted.
    """
    document = _read_file(config) if config else {}
    folder = config.parent if config else Path()
    where = str(config)
    for key in document:
        if key not in ("server", "camera"):
            raise ConfigError(
                f"{where}: {key!r} is unknown{_hint_for_table(key)}; "
                "accepted: [server] and [[camera]]"
            )

    values = document.get("server", {})
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: server = {values!r} is no table; accepted: [server]")
    server = _validate(ServerSettings, values, f"{where}: server.")
    _check_variables(environment)
    for option in server_options():
        if option.variable in environment:
            text = environment[option.variable]
            server = _override(server, option.name, text, f"environment: {option.variable}")
        if option.name in flags:
            server = _override(server, option.name, flags[option.name], option.flag)

    named = list(sources)
    if named:
        cameras = _cameras_from_arguments(named, server)
    elif "camera" in document:
        cameras = _cameras_from_file(document["camera"], server, folder, where)
    else:
        cameras = _cameras_from_arguments(["test:"], server)
    return Settings(server, cameras, state_dir or folder / ".porthole")


def _read_file(path: Path) -> dict[str, Any]:
    try:
        # Windows editors write a byte order mark.
        text = path.read_text(encoding="utf-8-sig")
        # UTF-16 without such a mark decodes as UTF-8, with a zero beside each letter.
        if "\0" in text:
            raise UnicodeError("zero bytes")
        return tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); accepted: a readable TOML file"
        ) from error
    except UnicodeError as error:
        raise ConfigError(
            f"{path}: is no text in UTF-8 ({error}); accepted: a TOML file saved as UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is no TOML ({error}); accepted: a TOML file") from error


def _hint_for_table(key: str) -> str:
    if key in ServerSettings.model_fields:
        return " here (it belongs under [server])"
    return suggest(key, ("server", "camera"))


def _check_variables(environment: Mapping[str, str]) -> None:
    """Reject unknown ``PORTHOLE_*`` variables, so that no mistyped setting is silently ignored."""
    known = [option.variable for option in server_options()]
    for name in environment:
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            # Without the common prefix, which makes all names look similar.
            bare = [one.removeprefix(ENVIRONMENT_PREFIX) for one in known]
            hint = suggest(name.removeprefix(ENVIRONMENT_PREFIX), bare)
            raise ConfigError(
                f"environment: {name} is unknown{hint}; accepted: {ENVIRONMENT_PREFIX} and one of "
                f"{', '.join(bare)}"
            )


def _validate(table: type[Any], values: Mapping[str, Any], where: str) -> Any:
    try:
        return table.model_validate(dict(values))
    except ValidationError as error:
        # Report an unknown key first: it may be the reason why another one is missing.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        key = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            accepted = ", ".join(table.model_fields)
            hint = suggest(key, table.model_fields)
            raise ConfigError(f"{where}{key} is unknown{hint}; accepted: {accepted}") from None
        accepted = _accepts(table, key)
        if first["type"] == "missing":
            raise ConfigError(f"{where}{key} is missing; accepted: {accepted}") from None
        value = "that" if key == "bus" else _show(values[key], key)
        raise ConfigError(f"{where}{key} = {value} cannot be used; accepted: {accepted}") from None


def _show(value: object, key: str = "") -> str:
    text = repr(value)
    if "://" in text and key != "frame_ancestors":
        return f"a {type(value).__name__}"  # It may contain a source with a password.
    return text if len(text) <= 80 else text[:77] + "..."


def _accepts(table: type[BaseModel], key: str) -> str:
    """Return what a field accepts; found in the annotation or one level inside it."""
    info = table.model_fields[key]
    found = list(info.metadata)
    for part in get_args(info.annotation):
        found.extend(getattr(part, "__metadata__", ()))
    return next(item.words for item in found if isinstance(item, Accepts))


def _override(server: ServerSettings, name: str, text: str, where: str) -> ServerSettings:
    accepted = _accepts(ServerSettings, name)
    try:
        value = _read_text(ServerSettings.model_fields[name].annotation, text)
        changed = ServerSettings.model_validate(server.model_dump() | {name: value})
    except (ValueError, ValidationError):
        shown = repr(text) if name != "bus" else "that"  # The bus's URL may contain a password.
        raise ConfigError(f"{where}: {shown} cannot be used; accepted: {accepted}") from None
    return changed


def _read_text(kind: Any, text: str) -> object:
    if NoneType in get_args(kind):
        kind = next(one for one in get_args(kind) if one is not NoneType)
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if kind is str:
        return text
    if kind is int:
        return int(text)
    if get_origin(kind) is tuple:
        return tuple(filter(None, (name.strip() for name in text.split(","))))
    return float(text)


def _cameras_from_arguments(named: list[str], server: ServerSettings) -> tuple[Camera, ...]:
    cameras: dict[str, Camera] = {}
    for argument in named:
        name, equals, source = argument.partition("=")
        if not equals or not CAMERA_NAME.fullmatch(name):
            name, source = "", argument
        try:
            address = parse_address(source, Path())
        except ConfigError as error:
            raise ConfigError(f"source {error}") from None
        if name in cameras:
            raise ConfigError(f"name {name!r} is given twice; accepted: a name of its own for each")
        name = name or _free_name(address.name, cameras)
        title = name if equals and name in argument else name.replace("-", " ").capitalize()
        cameras[name] = Camera(
            name, title, address, server.fps, server.quality, check_every=server.check_every
        )
    return tuple(cameras.values())


def _free_name(name: str, taken: Mapping[str, object]) -> str:
    candidates = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)


def _cameras_from_file(
    tables: object, server: ServerSettings, folder: Path, where: str
) -> tuple[Camera, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(
            f"{where}: camera = {_show(tables)} is no list of tables; accepted: [[camera]]"
        )
    if not tables:
        raise ConfigError(f"{where}: camera is an empty list; accepted: [[camera]] tables")
    cameras: dict[str, Camera] = {}
    for number, table in enumerate(tables, start=1):
        place = f"{where}: camera {table.get('name', number)!r:.42}: "
        settings = _validate(CameraSettings, table, place)
        if settings.name in cameras:
            raise ConfigError(
                f"{where}: camera {number}: name = {settings.name!r} is taken by another camera; "
                "accepted: a name of its own for each"
            )
        try:
            address = parse_address(settings.source, folder)
        except ConfigError as error:
            raise ConfigError(f"{place}source = {error}") from None
        try:
            process = parse_processors(settings.process, folder)
        except ConfigError as error:
            raise ConfigError(f"{place}process: {error}") from None
        cameras[settings.name] = Camera(
            settings.name,
            settings.title or settings.name,
            address,
            settings.fps or server.fps,
            settings.quality or server.quality,
            settings.skip_unchanged,
            settings.renditions,
            process,
            server.check_every if settings.check_every is None else settings.check_every,
        )
    return tuple(cameras.values())
