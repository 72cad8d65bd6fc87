"""Source addresses: ``test:``, ``device:N``, ``file:PATH``, ``rtsp://...`` or ``http(s)://...``.

An address is parsed once, at start, so that a wrong one stops the start instead of a camera later
on. Its text may contain a password; people are only shown :attr:`Address.public`.
"""

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from server.config.nearest import suggest
from server.errors import ConfigError
from server.ranges import MAX_FPS, MIN_FPS

__all__ = ["ACCEPTED", "Address", "Transport", "parse_address"]

ACCEPTED = "test: | device:N | file:PATH | rtsp://HOST/... | http(s)://HOST/..."

NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https")

# V4L2 has 64 minor numbers at most; OpenCV crashes on a negative index.
MAX_DEVICE = 63


Transport = Literal["auto", "tcp", "udp"]


@dataclass(frozen=True, slots=True)
class Address:
    """A source's parsed address.

    Attributes:
        scheme: ``test``, ``device``, ``file``, ``exec``, ``rtsp``, ``rtsps``, ``http`` or
            ``https``.
        target: Nothing, the device's index or path, the file's path, the command, or the whole URL
            with its password.
        public: The address without its password, to show to people.
        options: The options after ``?`` of ``test:`` and ``file:``.
        transport: How RTSP carries its packets; ``auto`` tries TCP, then UDP.
        verify: Whether a TLS certificate must be valid; None only where the host is not private.
    """

    scheme: str
    target: str
    public: str
    options: dict[str, str] = field(default_factory=dict)
    transport: Transport = "auto"
    verify: bool | None = None

    @property
    def name(self) -> str:
        """A camera name made from the address: letters, digits and dashes."""
        if self.scheme == "file":
            words = Path(self.target).stem
        elif self.scheme in NETWORK_SCHEMES:
            words = urlsplit(self.target).hostname or self.scheme
        else:
            words = f"{self.scheme} {self.target}"
        return re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-").lower()[:40] or self.scheme

    @property
    def missing(self) -> str:
        """The local file or device that does not exist now, for people; else empty."""
        if self.scheme == "file" and not os.path.exists(self.target):
            return f"file {self.target}"
        device = f"/dev/video{self.target}"
        return device if self.scheme == "device" and not os.path.exists(device) else ""


def parse_address(text: str, folder: Path) -> Address:
    """Return the address that ``text`` names; a bare path means a file.

    Args:
        text: As written in the settings or on the command line.
        folder: What relative paths are relative to.

    Raises:
        ConfigError: If the form or an option is unknown or out of range.
    """
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if colon and scheme == "test":
        return _parse_test(text, rest)
    if colon and scheme == "device":
        if not (rest.isascii() and rest.isdigit() and int(rest) <= MAX_DEVICE):
            raise ConfigError(
                f"{text!r} is not a device; accepted: device:0 to device:{MAX_DEVICE}"
            )
        return Address("device", str(int(rest)), f"device:{int(rest)}")
    if colon and scheme == "file":
        return _parse_file(rest, folder)
    if colon and scheme in NETWORK_SCHEMES:
        return _parse_url(scheme, text)
    if "://" in text or not text or (colon and re.fullmatch(r"[a-z][a-z0-9+]*", scheme)):
        hint = suggest(scheme, ("test", "device", "file", *NETWORK_SCHEMES)) if colon else ""
        raise ConfigError(f"{_hide_password(text)!r} is not a source{hint}; accepted: {ACCEPTED}")
    return _parse_file(text, folder)


def _parse_test(text: str, rest: str) -> Address:
    options = _parse_options(text, rest.removeprefix("?"), ("size", "fps", "noise"))
    if "size" in options:
        match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", options["size"])
        if not match or not (128 <= int(match[1]) <= 7680 and 72 <= int(match[2]) <= 4320):
            raise ConfigError(
                f"size={options['size']!r} in {text!r} is not a size; "
                "accepted: WIDTHxHEIGHT from 128x72 to 7680x4320"
            )
    for key, low, high in (("fps", MIN_FPS, MAX_FPS), ("noise", 0.0, 1.0)):
        if key in options and not _in_range(options[key], low, high):
            raise ConfigError(
                f"{key}={options[key]!r} in {text!r} is out of range; "
                f"accepted: a number from {low:g} to {high:g}"
            )
    return Address("test", "", text, options)


def _parse_file(rest: str, folder: Path) -> Address:
    path, mark, query = rest.rpartition("?")
    # A file name may contain a question mark; options are what looks like NAME=VALUE.
    if mark and re.fullmatch(r"\w+=.*", query):
        options = _parse_options(rest, query, ("loop",))
        if options.get("loop", "1") not in ("0", "1"):
            raise ConfigError(f"loop={options['loop']!r} in {rest!r} is neither; accepted: 0 or 1")
    else:
        path, options = rest, {}
    if not path or "\0" in path:
        raise ConfigError(f"'file:{rest}' names no file; accepted: file:PATH")
    # Unlike Path.expanduser, this leaves the tilde of an unknown user unchanged.
    target = folder / os.path.expanduser(path)
    return Address("file", str(target), f"file:{rest}", options)


def _parse_url(scheme: str, text: str) -> Address:
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if usable and "@" not in parts.netloc and "@" in text:
        raise ConfigError(
            f"{_hide_password(text)!r} is ambiguous; accepted: a password with / ? # @ written as "
            "%2F %3F %23 %40, and @ elsewhere as %40"
        )
    if not usable or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise ConfigError(f"{_hide_password(text)!r} is not a URL; accepted: {scheme}://HOST/...")
    return Address(scheme, text, _hide_password(text))


def _parse_options(text: str, query: str, known: tuple[str, ...]) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    if query and not pairs:
        raise ConfigError(f"{text!r} is not a source; accepted options: {', '.join(known)}")
    for key, _ in pairs:
        if key not in known:
            raise ConfigError(
                f"option {key!r} in {text!r} is unknown{suggest(key, known)}; "
                f"accepted options: {', '.join(known)}"
            )
    return dict(pairs)


def _in_range(text: str, low: float, high: float) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    return math.isfinite(value) and low <= value <= high


def _hide_password(text: str) -> str:
    """Return a URL with all possible secrets replaced by dots.

    Cameras take passwords in the user information and, just as often, in the query.
    """
    # Greedy, so that an unescaped slash in a password does not leave the rest of it visible.
    text = re.sub(r"//.*@", "//···@", text)
    parts = text.partition("?")
    if not parts[1]:
        return text
    try:
        split = urlsplit(text)
    except ValueError:
        return parts[0] + "?···"
    query = re.sub(r"=[^&;]*", "=···", split.query)
    return urlunsplit(split._replace(query=query, fragment=""))
