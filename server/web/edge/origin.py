"""Checks a request's Host, Origin and query length."""

import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

from server.addresses import is_address
from server.errors import ConfigError

__all__ = ["OriginCheck"]

log = logging.getLogger(__name__)

DEFAULT_PORTS = {"http": 80, "https": 443}

# The longest query of our own page lists a few dozen cameras.
MAX_QUERY_BYTES = 4096
MAX_QUERY_FIELDS = 64

# The longest DNS name.
MAX_NAME = 253

# A client that makes up new names must not fill the log.
MAX_LOGGED_NAMES = 50

HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class OriginCheck:
    """Admits requests with one of our Hosts, a permitted Origin and a short query.

    A foreign page can make a browser connect here, with DNS rebinding even as its own origin. The
    Host header reveals that: it then has the foreign page's name. Rebinding works neither with IP
    addresses nor with our names.

    Args:
        application: The WSGI application behind this check.
        hosts: Our names, besides localhost and IP addresses.
        origins: Origins of other pages that may connect, such as ``https://panel.example``.
        count: Called with the reason for every refusal.

    Raises:
        ConfigError: If one of the origins is invalid.
    """

    def __init__(
        self,
        application: Application,
        hosts: Iterable[str],
        origins: Iterable[str],
        count: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._application = application
        self._hosts = {"localhost", *(host.lower() for host in hosts)}
        self._logged: set[str] = set()
        self._origins = {_allowed(origin) for origin in origins}
        self._count = count

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve the request, or answer with the reason for the refusal."""
        host = environ.get("HTTP_HOST", "")
        if not self._is_ours(host):
            return self._refuse(start_response, "421 Misdirected Request", self._explain_host(host))
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and not self._may_come_from(origin, environ):
            return self._refuse(
                start_response,
                "403 Forbidden",
                f"Pages of {origin!r} may not connect: this server was addressed as "
                f"{environ['wsgi.url_scheme']}://{host}. Add them to the setting allowed_origins, "
                "or, if a proxy in front handles TLS, add the proxy to trusted_proxies.",
            )
        query = environ.get("QUERY_STRING", "")
        if len(query) > MAX_QUERY_BYTES or query.count("&") >= MAX_QUERY_FIELDS:
            return self._refuse(
                start_response,
                "414 URI Too Long",
                f"A query may have at most {MAX_QUERY_BYTES} bytes and {MAX_QUERY_FIELDS} fields.",
            )
        return self._application(environ, start_response)

    def _refuse(
        self, start_response: Callable[..., Any], status: str, message: str
    ) -> Iterable[bytes]:
        self._count(status.split()[0])
        start_response(status, [("Content-Type", "text/plain"), ("Connection", "close")])
        return [message.encode("ascii", "backslashreplace") + b"\n"]

    def _is_ours(self, host: str) -> bool:
        name = _name_in(host)
        return name is not None and (name in self._hosts or is_address(name))

    def _explain_host(self, host: str) -> str:
        """Return a message that says how to allow a name; log it once per name."""
        name = _name_in(host)
        if name is None or len(name) > MAX_NAME:
            return f"{host[:MAX_NAME]!r} is not a valid host name."
        way = (
            f'start it with `--allowed-hosts {name}`, or put `allowed_hosts = ["{name}"]` under '
            "[server] in its settings file, with commas between several"
        )
        if name not in self._logged and len(self._logged) < MAX_LOGGED_NAMES:
            self._logged.add(name)
            log.warning("refused a request for %s; if that is this server, %s", name, way)
        return f"This server does not answer to {name!r}. If that is its name, {way}."

    def _may_come_from(self, origin: str, environ: dict[str, Any]) -> bool:
        """Return whether a page of ``origin`` may make this request; plain GETs are harmless."""
        is_upgrade = "HTTP_UPGRADE" in environ
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") and not is_upgrade:
            return True
        place = _origin(origin)
        ours = _origin(f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}")
        return place is not None and (place == ours or place in self._origins)


def _name_in(host: str) -> str | None:
    """Return the name or address in a Host header; None if it is malformed."""
    match = HOST.fullmatch(host)
    # A trailing full stop does not change a name.
    return match[1].strip("[]").lower().removesuffix(".") if match else None


def _origin(text: str) -> tuple[str, str, int] | None:
    """Return the scheme, host and port of an Origin; None if it is malformed."""
    scheme, _, place = text.lower().partition("://")
    match = HOST.fullmatch(place)
    if match is None or SCHEME.fullmatch(scheme) is None:
        return None
    return scheme, match[1], int(match[2] or DEFAULT_PORTS.get(scheme, 0))


def _allowed(text: str) -> tuple[str, str, int]:
    origin = _origin(text.rstrip("/"))
    if origin is None:
        raise ConfigError(
            f"allowed_origins: {text!r} cannot be used; "
            "accepted: a scheme, a host and optionally a port, such as https://panel.example"
        )
    return origin
