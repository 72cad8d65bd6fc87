"""Parses the Authorization header."""

import base64
import binascii
from dataclasses import dataclass
from typing import Literal

__all__ = ["Authorization", "read_authorization"]


@dataclass(frozen=True, slots=True)
class Authorization:
    """A credential as it was sent, not yet verified.

    Attributes:
        scheme: Normalized, because the log must not repeat arbitrary text from a client.
        token: The token, for ``bearer``.
        name: The user name, for ``basic``.
        password: The password or a token, for ``basic``.
    """

    scheme: Literal["basic", "bearer", "other"]
    token: str = ""
    name: str = ""
    password: str = ""


def read_authorization(header: str | None) -> Authorization | None:
    """Return the header's credential; None if there is none."""
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
    """Return the text encoded in Base64; empty if invalid."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    try:
        return data.decode()
    except UnicodeDecodeError:
        # We ask for UTF-8, as RFC 7617 allows, but aiohttp and requests send Latin-1 anyway.
        return data.decode("latin-1")
