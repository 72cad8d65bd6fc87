"""Validates a camera's settings from the page, with the same models as the settings file."""

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from server.config.load import CameraError, camera_of
from server.config.models import Camera, CameraSettings, ServerSettings, accepted_by
from server.errors import ConfigError

__all__ = ["FormError", "as_written", "read_camera", "schema"]

TITLES = {
    "name": "Name",
    "title": "Title",
    "group": "Group",
    "source": "Source",
    "fps": "Frame rate",
    "quality": "JPEG quality",
    "renditions": "Widths",
    "skip_unchanged": "Skip unchanged pictures",
    "check_every": "Check every",
    "transport": "RTSP transport",
    "verify": "Check the certificate",
    "video": "Video",
    "rewind": "Look back",
    "record": "Record",
    "record_before": "Record before motion",
    "record_after": "Record after motion",
    "keep_days": "Keep recordings for",
    "keep_gb": "Keep recordings up to",
    "motion": "Look for motion",
    "timelapse": "Time-lapse picture every",
    "process": "Processors",
}
SOURCES = "rtsp://HOST/... | http(s)://HOST/... | device:N | file:PATH in the media folder | test:"
"""The sources accepted on the page; the settings file accepts more."""

UNITS = {
    "fps": "frames per second",
    "check_every": "seconds",
    "renditions": "pixels",
    "rewind": "seconds",
    "record_before": "seconds",
    "record_after": "seconds",
    "keep_days": "days",
    "keep_gb": "GB",
    "timelapse": "seconds",
}


class FormError(ConfigError):
    """A form is invalid.

    Args:
        fields: What is wrong, for people, by field.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{TITLES.get(key, key)}: {why}" for key, why in fields.items()))
        self.fields = dict(fields)


def read_camera(
    values: Mapping[str, Any], server: ServerSettings, media: Path | None
) -> tuple[dict[str, Any], Camera]:
    """Return a form's entry for the store, and the camera's complete settings.

    Args:
        values: By setting, as in a settings file; null if not set.
        server: Provides the defaults.
        media: The only folder whose files may be used; None for no files.

    Raises:
        FormError: If a value is invalid, or may not be set from the page.
    """
    given = {key: value for key, value in values.items() if value is not None}
    try:
        settings = CameraSettings.model_validate(given)
    except ValidationError as error:
        raise FormError(_explain(error)) from None
    try:
        camera = camera_of(settings, server, media or Path())
    except CameraError as error:
        raise FormError({error.key: error.why}) from None
    if why := _why_not_source(camera, media):
        raise FormError({"source": why})
    if any(processor.module for processor in camera.process):
        raise FormError({"process": "your own functions can only be named in the settings file"})
    return as_written(given), replace(camera, address=replace(camera.address, guarded=True))


def as_written(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that differ from their defaults."""
    defaults = {name: info.default for name, info in CameraSettings.model_fields.items()}
    plain = {key: list(one) if isinstance(one, tuple) else one for key, one in values.items()}
    return {
        key: one
        for key, one in plain.items()
        if (tuple(one) if isinstance(one, list) else one) != defaults[key]
    }


@functools.cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of a camera's settings, with titles, units and help."""
    found = CameraSettings.model_json_schema()
    for name, field in found["properties"].items():
        field["title"] = TITLES[name]
        field["accepted"] = accepted_by(CameraSettings, name)
        if name in UNITS:
            field["unit"] = UNITS[name]
        # Links point into the documentation, which the page does not have.
        field["description"] = _without_links(field["description"])
    found["properties"]["source"]["accepted"] = SOURCES
    return found


def _explain(error: ValidationError) -> dict[str, str]:
    fields = {}
    for one in error.errors(include_input=False, include_url=False):
        key = str(one["loc"][0]) if one["loc"] else ""
        if key not in CameraSettings.model_fields:
            fields[key[:40]] = "there is no such setting"
        elif one["type"] == "missing":
            fields[key] = f"required; accepted: {_accepted(key)}"
        else:
            fields[key] = f"not valid; accepted: {_accepted(key)}"
    return fields


def _accepted(key: str) -> str:
    return SOURCES if key == "source" else accepted_by(CameraSettings, key)


def _why_not_source(camera: Camera, media: Path | None) -> str:
    """Return why a source may not be set from the page; empty if it may."""
    address = camera.address
    if address.scheme == "exec":
        return "commands can only be set in the settings file"
    if address.scheme == "file":
        if media is None:
            return "files can be added once the setting media_folder names their folder"
        # Check the target of links.
        if not Path(address.target).resolve().is_relative_to(media.resolve()):
            return "the file is not in the media folder"
    # A device is given by its index or its path.
    path = Path("/dev", address.target).resolve()
    if address.scheme == "device" and not path.is_relative_to("/dev"):
        return "a device must be below /dev"
    return ""


def _without_links(text: str) -> str:
    head, mark, rest = text.partition("; see [")
    return f"{head}." if mark and rest else text
