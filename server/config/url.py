"""URLs of network cameras as people write them, often with unencoded passwords.

A password with ``@ : / ? # %`` or a space in it is accepted if the URL is unambiguous, and rejected
otherwise, because a password cut off in the wrong place would be sent to a wrong host.
"""

import ipaddress
import re
from urllib.parse import quote

from server.errors import ConfigError

__all__ = ["NETWORK_SCHEMES", "hide_in_text", "hide_password", "must_verify", "parse_url"]

NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https")

HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[\w.-]+)(?::([0-9]*))?")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")

ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
# Characters that RFC 3986 forbids in user information; one of them shows that it is not encoded.
NOT_ENCODED = re.compile(r"[^\w.~!$&'()*+,;=:%-]|%(?![0-9A-Fa-f]{2})", re.ASCII)
ALLOWED = "!$&'()*+,;=:"

# Some cameras take the password in the path: /user=admin_password=..._channel=1.sdp
SECRET_IN_PATH = re.compile(
    r"((?:pass|pwd|pw|token|secret|key|auth|user|login)[^=/&;]*=)[^/&;]*", re.I
)

# Host names in private networks, where no authority issues certificates.
LOCAL_SUFFIXES = (".local", ".lan", ".home", ".internal", ".home.arpa")

URL_IN_TEXT = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")


def parse_url(scheme: str, text: str) -> tuple[str, str]:
    """Return a URL with its password encoded, and its public form without secrets.

    Args:
        scheme: Its scheme, in lower case.
        text: The whole URL.

    Raises:
        ConfigError: If it is invalid or ambiguous; says how to write it.
    """
    slashes, rest = text[len(scheme) + 1 :][:2], text[len(scheme) + 3 :]
    if slashes != "//" or CONTROL.search(text):
        raise _not_a_url(scheme, text)
    # Where the host may begin: at the start, or after any @.
    starts = [0, *(found.end() for found in re.finditer("@", rest))]
    readings = [start for start in starts if _host_at(rest, start)]
    if not readings:
        raise _not_a_url(scheme, text)
    start = readings[0]
    person = rest[: max(0, start - 1)]
    user, colon, password = person.partition(":")
    if len(readings) > 1 or _is_half_encoded(user) or _is_half_encoded(password):
        raise ConfigError(
            f"{hide_password(text)!r} can be read in several ways; accepted: "
            f"{scheme}://USER:PASSWORD@HOST/... with %40 for @, %2F for /, %3F for ?, %23 for #, "
            "%25 for % and %20 for a space in the password, and %40 for each @ after the host"
        )
    credentials = f"{_encode(user)}{colon}{_encode(password)}@" if person else ""
    place = _host_at(rest, start)
    tail = rest[start + len(_authority(rest, start)) :]
    hidden = "···@" if person else ""
    return f"{scheme}://{credentials}{place}{tail}", f"{scheme}://{hidden}{place}{_hide_tail(tail)}"


def hide_password(text: str) -> str:
    """Return a source, valid or not, with all possible secrets replaced by dots.

    Cameras take passwords in the user information and, just as often, in the query.
    """
    found = re.fullmatch(r"(\s*[A-Za-z][\w+.-]*:/*)?(.*@)?(.*)", text, re.DOTALL)
    assert found
    prefix, person, rest = found.groups("")
    # Without an @ after it, an invalid port may be a password.
    rest = re.sub(r"^([^/?#:\[]*):(?![0-9]{0,5}(?:[/?#]|$))[^/]*", r"\1:···", rest)
    return prefix + ("···@" if person else "") + _hide_tail(rest)


def hide_in_text(text: str) -> str:
    """Return a program's output with the secrets of all URLs in it replaced by dots."""
    return URL_IN_TEXT.sub(lambda found: hide_password(found[0]), text)


def must_verify(verify: bool | None, host: str) -> bool:
    """Return whether a host's TLS certificate must be valid.

    Args:
        verify: The setting; None for only if the host is not in a private network.
        host: Its name or address.
    """
    if verify is not None:
        return verify
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        host = host.lower().rstrip(".")
        return "." in host and not host.endswith(LOCAL_SUFFIXES)


def _not_a_url(scheme: str, text: str) -> ConfigError:
    port = re.search(r":[0-9]+(?=[/?#]|$)", text.rpartition("@")[2].rpartition("]")[2])
    why = " (ports are 1 to 65535)" if port and not 0 < int(port[0][1:]) < 65536 else ""
    return ConfigError(f"{hide_password(text)!r} is not a URL{why}; accepted: {scheme}://HOST/...")


def _authority(rest: str, start: int) -> str:
    return re.split(r"[/?#]", rest[start:], maxsplit=1)[0]


def _host_at(rest: str, start: int) -> str:
    """Return the host and port that begin at ``start``; empty if they are invalid."""
    authority = _authority(rest, start)
    found = HOST_AND_PORT.fullmatch(authority)
    if not found or re.search(r"\s", rest[start:]):
        return ""
    host, port = found[1], found[2] or ""
    if port and not 0 < int(port) < 65536:
        return ""
    if host.startswith("["):
        # RFC 6874 writes the zone as %25eth0; everyone else, including getaddrinfo, as %eth0.
        host = host.replace("%25", "%")
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return ""
    return f"{host}:{port}" if port else host


def _is_half_encoded(part: str) -> bool:
    """Return whether a part has both escapes and characters that should be escaped."""
    return bool(ENCODED.search(part) and NOT_ENCODED.search(part))


def _encode(part: str) -> str:
    if not NOT_ENCODED.search(part):
        return part
    # Arguments that are not UTF-8 keep their bytes.
    return quote(part, safe=ALLOWED, errors="surrogateescape")


def _hide_tail(tail: str) -> str:
    """Return path and query without secrets; the fragment is dropped."""
    path, mark, query = tail.partition("#")[0].partition("?")
    path = SECRET_IN_PATH.sub(r"\1···", path)
    return path + mark + re.sub(r"([^&;=]*=)?[^&;]+", r"\1···", query)
