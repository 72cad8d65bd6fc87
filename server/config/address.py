"""Parse the address of a source.

An address is parsed once, at start, so that an invalid one prevents the start instead of failing
later on. Its text may contain a password; people are only shown :attr:`Address.public`. URLs are
parsed in ``url.py``, commands in ``command.py``.
"""

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from server.config.command import parse_command, split_command
from server.config.local import short_name, why_no_device, why_no_file, why_no_program
from server.config.nearest import suggest
from server.config.url import NETWORK_SCHEMES, hide_password, parse_url
from server.errors import ConfigError
from server.ranges import MAX_FPS, MIN_FPS

__all__ = ["ACCEPTED", "NETWORK_SCHEMES", "Address", "Transport", "parse_address"]

ACCEPTED = (
    "test: | device:N | device:/dev/... | file:PATH | rtsp://HOST/... | http(s)://HOST/... | "
    "exec:COMMAND"
)

# V4L2 has 64 minor numbers at most; OpenCV crashes on a negative index.
MAX_DEVICE = 63


Transport = Literal["auto", "tcp", "udp"]


@dataclass(frozen=True, slots=True)
class Address:
    """A source's parsed address.

    Attributes:
        scheme: ``test``, ``device``, ``file``, ``exec``, ``rtsp``, ``rtsps``, ``http`` or
            ``https``.
        target: Empty, the device's index or path, the file's absolute path, the command, or the
            whole URL with its password, encoded.
        public: The address without secrets, to show to people.
        options: The options after ``?`` of ``test:`` and ``file:``.
        folder: Where a command runs.
        transport: How RTSP carries its packets; ``auto`` tries TCP, then UDP.
        verify: Whether a TLS certificate must be valid; None only where the host is not private.
        guarded: Whether to refuse link-local addresses, because the page has set this one.
    """

    scheme: str
    target: str
    public: str
    options: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    transport: Transport = "auto"
    verify: bool | None = None
    guarded: bool = False

    @property
    def name(self) -> str:
        """A camera name made from the address: letters, digits and dashes."""
        if self.scheme == "file":
            words = Path(self.target).stem
        elif self.scheme in NETWORK_SCHEMES:
            words = urlsplit(self.target).hostname or self.scheme
        elif self.scheme == "exec":
            words = Path(split_command(self.target)[0]).name
        elif self.target.startswith("/"):
            words = short_name(self.target)
        else:
            words = f"{self.scheme} {self.target}"
        return re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-").lower()[:40] or self.scheme

    @property
    def missing(self) -> str:
        """Why the local file, device or program cannot be used now, for people; else empty."""
        if self.scheme == "file":
            return why_no_file(self.target)
        if self.scheme == "device":
            return why_no_device(self.target)
        if self.scheme == "exec":
            return why_no_program(split_command(self.target)[0], self.folder)
        return ""


def parse_address(text: str, folder: Path) -> Address:
    """Parse an address; a bare path means a file, or a device in ``/dev``.

    Args:
        text: As written in the settings or on the command line.
        folder: The base of relative paths.

    Raises:
        ConfigError: If the form or an option is unknown or out of range.
    """
    scheme, colon, rest = text.partition(":")
    scheme = scheme.strip().lower()
    if colon and scheme == "test":
        return _parse_test(text.strip(), rest.strip())
    if colon and scheme == "device":
        return _parse_device(text, rest.strip())
    if colon and scheme == "file":
        return _parse_file(rest, folder)
    if colon and scheme == "exec":
        command, public = parse_command(rest)
        return Address("exec", command, public, folder=str(folder.absolute()))
    if colon and scheme in NETWORK_SCHEMES:
        return Address(scheme, *parse_url(scheme, text.strip()))
    if "://" in text or not text or (colon and re.fullmatch(r"[a-z][a-z0-9+]*", scheme)):
        known = ("test", "device", "file", "exec", *NETWORK_SCHEMES)
        hint = suggest(scheme, known) if colon else ""
        path = ", or ./NAME for a file with a colon in its name" if _is_name(text) else ""
        raise ConfigError(
            f"{hide_password(text)!r} is not a source{hint}; accepted: {ACCEPTED}{path}"
        )
    if text.startswith("/dev/") and not text.startswith("/dev/shm/") and not os.path.isfile(text):
        return _parse_device(text, text.strip())
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


def _parse_device(text: str, rest: str) -> Address:
    if rest.isascii() and rest.isdigit() and int(rest) <= MAX_DEVICE:
        rest = str(int(rest))
    elif not rest.startswith("/") or "\0" in rest:
        raise ConfigError(
            f"{text!r} is not a device; accepted: device:0 to device:{MAX_DEVICE}, or "
            "device:/dev/..., such as a path in /dev/v4l/by-id"
        )
    return Address("device", rest, f"device:{rest}")


def _parse_file(rest: str, folder: Path) -> Address:
    path, options = _split_options(rest, folder)
    if not path or "\0" in path:
        raise ConfigError(f"'file:{rest}' names no file; accepted: file:PATH")
    if path.startswith("//"):
        path = _path_of_url(path)
    return Address("file", str(_locate(path, folder)), f"file:{rest}", options)


def _locate(path: str, folder: Path) -> Path:
    # Absolute, because FFmpeg would take a:b.mp4 for a URL. Unlike Path.expanduser, this leaves the
    # tilde of an unknown user unchanged.
    return folder.absolute() / os.path.expanduser(path)


def _split_options(rest: str, folder: Path) -> tuple[str, dict[str, str]]:
    """Return the path and the options after it. A file's name may contain a question mark."""
    path, mark, query = rest.rpartition("?")
    is_name = _is_name(query) and not _is_name(path)
    if not mark or is_name or not re.fullmatch(r"\w+=.*", query) or _exists(rest, folder):
        return rest, {}
    options = _parse_options(rest, query, ("loop",))
    if options.get("loop", "1") not in ("0", "1"):
        raise ConfigError(f"loop={options['loop']!r} in {rest!r} cannot be used; accepted: 0 or 1")
    return path, options


def _is_name(text: str) -> bool:
    """Return whether a text ends with a file name and its extension."""
    return bool(re.search(r"[^/:]\.[A-Za-z]\w{1,4}$", text)) and "//" not in text


def _exists(path: str, folder: Path) -> bool:
    try:
        return _locate(path, folder).exists()
    except (OSError, ValueError):
        return False


def _path_of_url(path: str) -> str:
    """Return the path of a ``file://`` URL, which only some programs percent-encode."""
    host, _, local = path[2:].partition("/")
    if host not in ("", "localhost"):
        raise ConfigError(
            f"'file:{path}' names the host {host!r}; accepted: file:PATH or file:///PATH"
        )
    local = f"/{local}"
    return local if _exists(local, Path("/")) else unquote(local)


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
