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
        scheme: One of our own words, because the log must not repeat text that a client made up.
        token: For ``bearer``.
        name: For ``basic``.
        password: For ``basic``; may be a token as well.
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
    """Return the text that is encoded in Base64; empty if it is not valid."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    try:
        return data.decode()
    except UnicodeDecodeError:
        # RFC 7617 lets a server ask for UTF-8, and we do, but aiohttp and requests send Latin-1
        # regardless.
        return data.decode("latin-1")
