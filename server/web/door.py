"""The front door: what a connection must look like before Flask or Engine.IO hear of it.

Two parts, because eventlet parses HTTP in between. :class:`Doorkeeper` stands at the socket: it
counts connections, and refuses requests that two servers in a row could understand differently
(request smuggling, RFC 9112 section 11.2). :class:`Door` is a WSGI layer for Host and Origin.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from server.web.peer import is_address, is_loopback, network_of

__all__ = ["Door", "Doorkeeper", "framing_fault"]

log = logging.getLogger(__name__)

DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}

# Nothing that is posted here is longer than a login form.
MAX_BODY_BYTES = 64 * 1024

# The longest name that DNS has.
MAX_NAME = 253

# Whoever asks under ever new names must not fill the log.
MAX_LOGGED_NAMES = 50

HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def refusal(status: str, message: str) -> bytes:
    """Return a whole HTTP answer that ends the connection."""
    body = message.encode() + b"\n"
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + body


class Doorkeeper:
    """Counts open connections and says whether one more is welcome.

    Args:
        most: Connections in all.
        most_per_address: From one address, or one IPv6 network of 64 bits.
            Loopback is exempt: a proxy or a bench sits there.
        count: Called with the reason for every refusal.
    """

    def __init__(
        self,
        most: int,
        most_per_address: int,
        count: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._count = count
        self._most = most
        self._most_per_address = most_per_address
        self._per_address: Counter[str] = Counter()
        self.open = 0
        """Connections there are now."""

    def enter(self, address: str) -> bytes | None:
        """Count a connection in, or return the answer that turns it away."""
        network = network_of(address)
        crowded = self.open >= self._most or (
            self._per_address[network] >= self._most_per_address and not is_loopback(address)
        )
        if crowded:
            self._count("429")
            return refusal("429 Too Many Requests", "There are too many connections; try later.")
        self.open += 1
        self._per_address[network] += 1
        return None

    def leave(self, address: str) -> None:
        """Count a connection out."""
        self.open -= 1
        network = network_of(address)
        self._per_address[network] -= 1
        if self._per_address[network] <= 0:
            del self._per_address[network]

    def fault(self, version: str, headers: Any) -> bytes | None:
        """Return the answer to a request that is refused for its framing, or None."""
        found = framing_fault(version, headers)
        if found is None:
            return None
        self._count("400")
        return refusal("400 Bad Request", found)


class Door:
    """Lets requests in whose Host is ours and whose Origin is our own page.

    A page from elsewhere can make a browser connect here, and by DNS rebinding even under a name of
    its own. The Host header gives that away: it then holds the other page's name, while an address
    in digits, or one of our names, cannot be had by rebinding.

    Args:
        application: What is behind the door.
        hosts: Names we are reached by, besides localhost and addresses in digits.
        origins: Origins of other pages that may connect, such as ``https://panel.example``.
        count: Called with the reason for every refusal.
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
        self._origins = {origin.lower().rstrip("/") for origin in origins}
        self._count = count

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve the request, or answer why not."""
        host = environ.get("HTTP_HOST", "")
        if not self._is_ours(host):
            return self._refuse(start_response, "421 Misdirected Request", self._tell_way(host))
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and not self._may_come_from(origin, environ):
            return self._refuse(
                start_response,
                "403 Forbidden",
                f"Pages of {origin!r} may not connect; the setting allowed_origins lets them.",
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
        """Return how somebody who runs this server has it answer to a name; log it once a name."""
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
        """Whether a page of ``origin`` may do this; merely looking (GET) does no harm."""
        is_upgrade = "HTTP_UPGRADE" in environ
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") and not is_upgrade:
            return True
        if origin.lower() in self._origins:
            return True
        place = _place(origin)
        return place is not None and place == _place("//" + environ["HTTP_HOST"])


def _name_in(host: str) -> str | None:
    """Return the name or address that a Host header holds, or None if it is none."""
    match = HOST.fullmatch(host)
    # With a full stop at its end a name is still the same one.
    return match[1].strip("[]").lower().removesuffix(".") if match else None


def _place(url: str) -> tuple[str, int | None] | None:
    """Return host and port; a scheme's default port counts as none, as in a Host header."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if port in (80, 443) or port == DEFAULT_PORTS.get(parts.scheme):
        port = None
    return ((parts.hostname or "").lower(), port) if parts.hostname else None


def framing_fault(version: str, headers: Any) -> str | None:
    """Return what is ambiguous or useless about a request's framing, or None.

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
