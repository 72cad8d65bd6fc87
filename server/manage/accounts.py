"""Models of the page's forms about users and tokens, and the messages for invalid ones."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.config.models import CAMERA_NAME
from server.errors import ConfigError
from server.manage.form import FormError
from server.users.password import normalize_password
from server.users.users import Role

__all__ = [
    "ChangedToken",
    "NewPassword",
    "NewToken",
    "NewUser",
    "OwnPassword",
    "Rights",
    "read_account",
]

MAX_CAMERAS = 64

ACCEPTED = {
    "name": "1 to 40 letters, digits and . _ @ -, beginning with a letter or digit",
    "role": "viewer, operator or admin",
    "cameras": "the names of 1 to 64 cameras, or null for all cameras",
    "embed": "true or false",
    "clips": "true or false, and true with embed only",
    "password": "8 to 256 characters, or null to have one generated",
    "old": "your password",
    "new": "8 to 256 characters",
}

SOME_ADMIN = "an admin sees all cameras; accepted: all cameras, or another role"
NOT_ONE_VIEWER = "an embed token is for viewing one camera; accepted: role viewer and one camera"

Text = Annotated[str, Field(max_length=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Rights(_Body):
    """A user's rights: the role, and the cameras they may see; null for all."""

    role: Role
    cameras: Annotated[list[str], Field(min_length=1, max_length=MAX_CAMERAS)] | None


class NewUser(Rights):
    """A user to add; without a password, one is generated."""

    name: Text
    password: Annotated[Text | None, Field(repr=False)] = None


class NewPassword(_Body):
    """A user's new password; without one, one is generated."""

    password: Annotated[Text | None, Field(repr=False)] = None


class NewToken(Rights):
    """A token to add; tokens for other websites have ``embed``, and perhaps ``clips``."""

    name: Text
    embed: bool = False
    clips: bool = False


class ChangedToken(Rights):
    """A token's new name and rights."""

    name: Text


class OwnPassword(_Body):
    """The current and the new password of the user who sends it."""

    old: Annotated[Text, Field(repr=False)]
    new: Annotated[Text, Field(repr=False)]


B = TypeVar("B", bound=_Body)


def read_account(kind: type[B], values: Mapping[str, Any]) -> B:
    """Validate a form and return it.

    Raises:
        FormError: If it is invalid; never quotes a value, which may be a password.
    """
    try:
        body = kind.model_validate(values)
    except ValidationError as error:
        raise FormError(_explain(kind, error)) from None
    if isinstance(body, Rights):
        _check_rights(body)
    for field in ("password", "new"):
        password = getattr(body, field, None)
        try:
            if password is not None:
                normalize_password(password)
        except ConfigError as error:
            raise FormError({field: str(error)}) from None
    return body


def _check_rights(rights: Rights) -> None:
    for camera in rights.cameras or ():
        if not CAMERA_NAME.fullmatch(camera):
            raise FormError({"cameras": f"accepted: {ACCEPTED['cameras']}"})
    embed = isinstance(rights, NewToken) and rights.embed
    if embed and (rights.role != "viewer" or len(set(rights.cameras or ())) != 1):
        raise FormError({"cameras": NOT_ONE_VIEWER})
    if isinstance(rights, NewToken) and rights.clips and not embed:
        raise FormError({"clips": f"accepted: {ACCEPTED['clips']}"})
    if rights.role == "admin" and rights.cameras is not None:
        raise FormError({"role": SOME_ADMIN})


def _explain(kind: type[_Body], error: ValidationError) -> dict[str, str]:
    fields = {}
    for one in error.errors(include_input=False, include_url=False):
        key = str(one["loc"][0]) if one["loc"] else ""
        if key in kind.model_fields:
            missing = "is missing; " if one["type"] == "missing" else ""
            fields[key] = f"{missing}accepted: {ACCEPTED[key]}"
        else:
            fields[key[:40]] = "there is no such field"
    return fields
