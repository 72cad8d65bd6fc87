"""What an Authorization header holds, read once for all who judge it."""

import base64
import binascii
from dataclasses import dataclass
from typing import Literal

__all__ = ["Authorization", "read_authorization"]


@dataclass(frozen=True, slots=True)
class Authorization:
    """A credential as it was shown, not yet believed.

    Attributes:
        scheme: In our own words, because a log must not repeat what a stranger made up.
        token: Shown as ``bearer``.
        name: Shown as ``basic``.
        password: Shown as ``basic``; a token may stand here as well.
    """

    scheme: Literal["basic", "bearer", "other"]
    token: str = ""
    name: str = ""
    password: str = ""


def read_authorization(header: str | None) -> Authorization | None:
    """Return what was shown; None if nothing was."""
    if not header:
        return None
    scheme, _, text = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return Authorization("bearer", token=text.strip())
    if scheme.lower() == "basic":
        name, _, password = _decode(text.strip()).partition(":")
        return Authorization("basic", name=name, password=password)
    return Authorization("other")


def _decode(text: str) -> str:
    """Return the text in Base64; empty if there is none."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    try:
        return data.decode()
    except UnicodeDecodeError:
        # RFC 7617 lets a server ask for UTF-8, and we do; aiohttp and requests send Latin-1
        # all the same.
        return data.decode("latin-1")
