"""Load the settings from the file, the environment and the command line.

Precedence: default < chosen on the page < file < environment < command line.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import ValidationError

from server.config.address import parse_address
from server.config.chosen import FILE, KEYS, read_chosen
from server.config.models import (
    CAMERA_NAME,
    ENVIRONMENT_PREFIX,
    Camera,
    CameraSettings,
    ServerSettings,
    Settings,
    accepted_by,
    server_options,
)
from server.config.nearest import suggest
from server.config.processors import parse_processors
from server.config.recording_settings import RecordingSettings
from server.errors import ConfigError

__all__ = ["CameraError", "camera_of", "load_settings"]

# The scheme of a source that is not a bare path.
SCHEME = re.compile(r"(test|device|file|exec|rtsps?|https?):", re.IGNORECASE)


def load_settings(
    sources: Iterable[str],
    config: Path | None,
    state_dir: Path | None,
    flags: Mapping[str, str],
    environment: Mapping[str, str],
) -> Settings:
    """Load and check all settings.

    Args:
        sources: ``[NAME=]SOURCE`` from the command line; with any, the file's cameras are ignored.
        config: The settings file, if there is one.
        state_dir: The state folder; ``.porthole`` beside the file if None.
        flags: ``[server]`` settings from the command line, name to text.
        environment: The process's environment; only ``PORTHOLE_*`` is read.

    Raises:
        ConfigError: In one line that names the key, the value and what would be accepted.
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
        raise ConfigError(f"{where}: server = {values!r} is not a table; accepted: [server]")
    state_dir = state_dir or folder / ".porthole"
    kept = read_chosen(state_dir).server
    _validate(ServerSettings, kept, f"{state_dir / FILE}: ")
    server = _validate(ServerSettings, kept | values, f"{where}: server.")
    paths = {name: getattr(server, name) for name in ("tls_cert", "tls_key")}
    server = server.model_copy(
        update={name: str(folder / path) for name, path in paths.items() if path is not None}
    )
    fixed = {name: "in the settings file" for name in KEYS if name in values}
    _check_variables(environment)
    for option in server_options():
        # Compose files pass unset variables as empty ones.
        if text := environment.get(option.variable):
            server = _override(server, option.name, text, f"environment: {option.variable}")
            fixed[option.name] = f"in the environment, as {option.variable}"
        if option.name in flags:
            server = _override(server, option.name, flags[option.name], option.flag)
            fixed[option.name] = f"on the command line, as {option.flag}"

    named = list(sources)
    if named:
        cameras = _cameras_from_arguments(named, server)
    elif "camera" in document:
        cameras = _cameras_from_file(document["camera"], server, folder, where)
    else:
        cameras = _cameras_from_arguments(["test:"], server)
    is_named = bool(named) or "camera" in document
    fixed = {name: place for name, place in fixed.items() if name in KEYS}
    return Settings(server, cameras, state_dir, is_named, folder, fixed, bool(named))


def _read_file(path: Path) -> dict[str, Any]:
    try:
        # Windows editors put a byte order mark in front.
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
            f"{path}: is not UTF-8 text ({error}); accepted: a TOML file saved as UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML ({error}); accepted: a TOML file") from error


def _hint_for_table(key: str) -> str:
    if key in ServerSettings.model_fields:
        return " here (it belongs under [server])"
    return suggest(key, ("server", "camera"))


def _check_variables(environment: Mapping[str, str]) -> None:
    """Reject unknown ``PORTHOLE_*`` variables, so that a mistyped one is not ignored."""
    known = [option.variable for option in server_options()]
    for name in environment:
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            # Suggest without the common prefix, which makes all names look alike.
            bare = [one.removeprefix(ENVIRONMENT_PREFIX) for one in known]
            own = name.removeprefix(ENVIRONMENT_PREFIX)
            only_flag = own in ("CONFIG", "STATE", "LOG_LEVEL")
            flag = "--" + own.lower().replace("_", "-")
            hint = f" (give it as {flag})" if only_flag else suggest(own, bare)
            raise ConfigError(
                f"environment: {name} is unknown{hint}; accepted: {ENVIRONMENT_PREFIX} and one of "
                f"{', '.join(bare)}"
            )


def _validate(table: type[Any], values: Mapping[str, Any], where: str) -> Any:
    try:
        return table.model_validate(dict(values))
    except ValidationError as error:
        # Report unknown keys first: a mistyped one may be why another is missing.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        key = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            accepted = ", ".join(table.model_fields)
            hint = suggest(key, table.model_fields)
            raise ConfigError(f"{where}{key} is unknown{hint}; accepted: {accepted}") from None
        accepted = accepted_by(table, key)
        if first["type"] == "missing":
            raise ConfigError(f"{where}{key} is missing; accepted: {accepted}") from None
        value = "that" if key == "bus" else _show(values[key], key)
        raise ConfigError(f"{where}{key} = {value} cannot be used; accepted: {accepted}") from None


def _show(value: object, key: str = "") -> str:
    text = repr(value)
    if ("://" in text and key != "frame_ancestors") or "exec:" in text:
        return f"a {type(value).__name__}"  # It may be a source with a password.
    return text if len(text) <= 80 else text[:77] + "..."


def _override(server: ServerSettings, name: str, text: str, where: str) -> ServerSettings:
    accepted = accepted_by(ServerSettings, name)
    try:
        value = _read_text(ServerSettings.model_fields[name].annotation, text)
        changed = ServerSettings.model_validate(server.model_dump() | {name: value})
    except (ValueError, ValidationError):
        shown = repr(text) if name != "bus" else "that"  # It may hold a password.
        raise ConfigError(f"{where}: {shown} cannot be used; accepted: {accepted}") from None
    return changed


def _read_text(kind: Any, text: str) -> object:
    if NoneType in get_args(kind):
        kind = next(one for one in get_args(kind) if one is not NoneType)
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if kind is str or get_origin(kind) is Literal:
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
            if equals and re.fullmatch(r"[^:/]*", name) and SCHEME.match(source):
                raise ConfigError(
                    f"name {name!r} cannot be used; "
                    "accepted: 1 to 40 letters, digits and dashes, not starting with a dash"
                )
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
            *(name, title, address, server.fps, server.quality),
            check_every=server.check_every,
            recording_settings=RecordingSettings(server.rewind, days=server.keep_days),
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
            f"{where}: camera = {_show(tables)} is not a list of tables; accepted: [[camera]]"
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
            cameras[settings.name] = camera_of(settings, server, folder)
        except CameraError as error:
            raise ConfigError(f"{place}{error}") from None
    return tuple(cameras.values())


class CameraError(ConfigError):
    """One of a camera's settings cannot be used.

    Args:
        key: The setting.
        why: What is wrong with its value, and what would be accepted.
    """

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key} = {why}" if key == "source" else f"{key}: {why}")
        self.key = key
        self.why = why


def camera_of(settings: CameraSettings, server: ServerSettings, folder: Path) -> Camera:
    """Return a camera's complete settings.

    Args:
        settings: The camera's table.
        server: Provides values for unset fields.
        folder: The base of relative paths.

    Raises:
        CameraError: If the source or a processor cannot be used.
    """
    try:
        address = parse_address(settings.source, folder)
    except ConfigError as error:
        raise CameraError("source", str(error)) from None
    try:
        process = parse_processors(settings.process, folder)
    except ConfigError as error:
        raise CameraError("process", str(error)) from None
    return Camera(
        settings.name,
        settings.title or settings.name,
        replace(address, transport=settings.transport, verify=settings.verify),
        settings.fps or server.fps,
        settings.quality or server.quality,
        settings.skip_unchanged,
        settings.renditions,
        process,
        server.check_every if settings.check_every is None else settings.check_every,
        settings.group,
        settings.video,
        _recording_settings(settings, server),
    )


def _recording_settings(settings: CameraSettings, server: ServerSettings) -> RecordingSettings:
    return RecordingSettings(
        server.rewind if settings.rewind is None else settings.rewind,
        settings.record,
        settings.record_before,
        settings.record_after,
        server.keep_days if settings.keep_days is None else settings.keep_days,
        settings.keep_gb,
        settings.motion or settings.record == "motion",
        settings.timelapse,
    )
