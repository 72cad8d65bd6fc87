"""Checks connections and requests before Flask or Engine.IO see them.

Two parts, because eventlet parses HTTP in between. :class:`ConnectionLimiter` works at the socket:
it counts connections, and rejects requests that two servers in a row could read differently
(request smuggling, RFC 9112 section 11.2). :class:`OriginCheck` is a WSGI layer that checks Host
and Origin.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from server.errors import ConfigError
from server.web.edge.addresses import is_address, is_loopback, network_of

__all__ = ["MAX_HEADS", "ConnectionLimiter", "OriginCheck", "framing_fault"]

log = logging.getLogger(__name__)

DEFAULT_PORTS = {"http": 80, "https": 443}

# The longest body that is ever posted is a login form.
MAX_BODY_BYTES = 4096

# Our own page's longest query names some dozens of cameras.
MAX_QUERY_BYTES = 4096
MAX_QUERY_FIELDS = 64

MAX_HEADS = 256
"""Most connections whose request is incomplete; a genuine client completes it in a moment."""

# The longest name in DNS.
MAX_NAME = 253

# Requests under ever new names must not fill the log.
MAX_LOGGED_NAMES = 50

HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def refusal(status: str, message: str) -> bytes:
    """Return a complete HTTP response that closes the connection."""
    body = message.encode() + b"\n"
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + body


@dataclass(frozen=True, slots=True)
class _Connection:
    network: str
    exempt: bool
    end: Callable[[], None]


class ConnectionLimiter:
    """Counts open connections and decides whether to admit another one.

    Connections whose request head is incomplete are counted separately, so that half requests keep
    nobody out: when there are too many, the oldest is closed. Loopback is exempt from the limit per
    address, because proxies and benchmarks connect from there.

    Args:
        most: Limit of connections with a complete request head.
        most_per_address: Limit of either kind, per address or IPv6 network of 56 bits.
        count: Called with the reason of every refusal.
        most_heads: Limit of connections with an incomplete request head.
    """

    def __init__(
        self,
        most: int,
        most_per_address: int,
        count: Callable[[str], None] = lambda reason: None,
        most_heads: int = MAX_HEADS,
    ) -> None:
        self._count = count
        self._most = most
        self._most_per_address = most_per_address
        self._most_heads = most_heads
        self._heads: dict[object, _Connection] = {}  # The oldest first.
        self._admitted: dict[object, _Connection] = {}
        self._heads_of: Counter[str] = Counter()
        self._admitted_of: Counter[str] = Counter()

    def enter(self, key: object, address: str, end: Callable[[], None]) -> None:
        """Add a new connection; ``end`` is called at most once, to close it for a newer one."""
        self._await_head(key, _Connection(network_of(address), is_loopback(address), end))

    def admit(self, key: object) -> bytes | None:
        """Admit a connection whose request head is complete, or return the refusing response."""
        connection = self._take(key)
        if connection is None:
            return refusal("408 Request Timeout", "The request took too long to come.")
        crowded = len(self._admitted) >= self._most or (
            self._admitted_of[connection.network] >= self._most_per_address
            and not connection.exempt
        )
        if crowded:
            self._count("429")
            return refusal("429 Too Many Requests", "There are too many connections; try later.")
        self._admitted[key] = connection
        self._admitted_of[connection.network] += 1
        return None

    def await_next(self, key: object) -> None:
        """Note that a request was answered and the next head is awaited."""
        connection = self._take(key)
        if connection is not None:
            self._await_head(key, connection)

    def leave(self, key: object) -> None:
        """Remove a connection that has ended."""
        self._take(key)

    def _await_head(self, key: object, connection: "_Connection") -> None:
        network = connection.network
        if self._heads_of[network] >= self._most_per_address and not connection.exempt:
            self._give_way(network)
        elif len(self._heads) >= self._most_heads:
            self._give_way(max(self._heads_of, key=self._heads_of.__getitem__))
        self._heads[key] = connection
        self._heads_of[network] += 1

    def _give_way(self, network: str) -> None:
        """Close a network's oldest connection with an incomplete head."""
        key = next(key for key, one in self._heads.items() if one.network == network)
        connection = self._take(key)
        assert connection is not None
        self._count("408")
        connection.end()

    def _take(self, key: object) -> "_Connection | None":
        for those, per_network in (
            (self._heads, self._heads_of),
            (self._admitted, self._admitted_of),
        ):
            connection = those.pop(key, None)
            if connection is not None:
                per_network[connection.network] -= 1
                if not per_network[connection.network]:
                    del per_network[connection.network]
                return connection
        return None

    def fault(self, version: str, headers: Any) -> bytes | None:
        """Return the response to a request with invalid framing, or None if it is valid."""
        found = framing_fault(version, headers)
        if found is None:
            return None
        self._count("400")
        return refusal("400 Bad Request", found)


class OriginCheck:
    """Admits requests whose Host is ours, whose Origin is our own page, and whose query is short.

    Another site's page can make a browser connect here, and with DNS rebinding even under the
    site's own name. The Host header reveals that: it then holds the site's name, while an IP
    address or one of our names cannot be rebound.

    Args:
        application: The WSGI application to protect.
        hosts: Names this server is reached by, besides localhost and IP addresses.
        origins: Origins of other pages that may connect, such as ``https://panel.example``.
        count: Called with the reason of every refusal.

    Raises:
        ConfigError: If one of the origins is not valid.
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
        """Serve the request, or refuse it with the reason."""
        host = environ.get("HTTP_HOST", "")
        if not self._is_ours(host):
            return self._refuse(start_response, "421 Misdirected Request", self._tell_way(host))
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and not self._may_come_from(origin, environ):
            return self._refuse(
                start_response,
                "403 Forbidden",
                f"Pages of {origin!r} may not connect: this server is asked as "
                f"{environ['wsgi.url_scheme']}://{host}. The setting allowed_origins lets them; "
                "where a proxy in front speaks TLS, trusted_proxies names it.",
            )
        query = environ.get("QUERY_STRING", "")
        if len(query) > MAX_QUERY_BYTES or query.count("&") >= MAX_QUERY_FIELDS:
            return self._refuse(
                start_response,
                "414 URI Too Long",
                f"A query has {MAX_QUERY_BYTES} bytes and {MAX_QUERY_FIELDS} fields at most.",
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

    def _tell_way(self, host: str) -> str:
        """Return how to make this server answer to a name; log that once per name."""
        name = _name_in(host)
        if name is None or len(name) > MAX_NAME:
            return f"{host[:MAX_NAME]!r} is no name of a server."
        way = (
            f'start it with `--allowed-hosts {name}`, or put `allowed_hosts = ["{name}"]` under '
            "[server] in its settings file, with commas between several"
        )
        if name not in self._logged and len(self._logged) < MAX_LOGGED_NAMES:
            self._logged.add(name)
            log.warning("asked for as %s, and refused; if that is this server: %s", name, way)
        return f"This server does not answer to {name!r}. If that is its name, {way}."

    def _may_come_from(self, origin: str, environ: dict[str, Any]) -> bool:
        """Return whether a page of ``origin`` may make this request; a plain GET is harmless."""
        is_upgrade = "HTTP_UPGRADE" in environ
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") and not is_upgrade:
            return True
        place = _origin(origin)
        ours = _origin(f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}")
        return place is not None and (place == ours or place in self._origins)


def _name_in(host: str) -> str | None:
    """Return the name or address in a Host header, or None if it is not valid."""
    match = HOST.fullmatch(host)
    # A trailing dot does not change a name.
    return match[1].strip("[]").lower().removesuffix(".") if match else None


def _origin(text: str) -> tuple[str, str, int] | None:
    """Return the scheme, host and port of an Origin header; None if it is not valid."""
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
            "accepted: a scheme, a host and maybe a port, such as https://panel.example"
        )
    return origin


def framing_fault(version: str, headers: Any) -> str | None:
    """Return what is ambiguous or invalid about a request's framing, or None.

    Args:
        version: The request line's version, such as ``HTTP/1.1``.
        headers: As parsed by ``http.client``.
    """
    lengths = headers.get_all("Content-Length", [])
    hosts = headers.get_all("Host", [])
    if version not in ("HTTP/1.0", "HTTP/1.1"):
        return "the version must be HTTP/1.0 or HTTP/1.1"
    folded = any("\n" in value or "\r" in value for value in headers.values())
    if folded or headers.defects or headers.get_payload():
        return "a header line is malformed"
    if len(lengths) > 1 or any(not (text.isascii() and text.isdigit()) for text in lengths):
        return "Content-Length must be one whole number"
    if lengths and int(lengths[0]) > MAX_BODY_BYTES:
        return f"the body is longer than {MAX_BODY_BYTES} bytes"
    if headers.get_all("Transfer-Encoding"):
        return "Transfer-Encoding is not accepted"
    if len(hosts) > 1 or (not hosts and version != "HTTP/1.0"):
        return "there must be one Host"
    return None
