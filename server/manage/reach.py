"""Checks where a source set from the page may make the server connect to.

An address that an admin types makes this machine connect somewhere. Cameras are on local networks,
so private addresses must be allowed. Link-local addresses and clouds' metadata services, which hand
out credentials to any client, are not.
"""

import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urljoin, urlsplit

from server.capture.streams.source_errors import no_host
from server.capture.streams.tls import make_context
from server.config.address import NETWORK_SCHEMES, Address
from server.config.reserved import is_refused, refusal_of
from server.errors import SourceError
from server.loop import hub, native

__all__ = ["ReachError", "check_reachable", "resolve"]

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}

MAX_REDIRECTS = 5
TIMEOUT_S = 4.0

Resolve = Callable[[str, int], list[str]]


class ReachError(SourceError):
    """The page may not try an address; the message says why."""


def check_reachable(address: Address, *, follow: bool = True, find: Resolve | None = None) -> None:
    """Raise ReachError if an address leads to a forbidden host, by its name or by a redirect.

    Blocks this green thread. Each later connection resolves the name again and checks the result
    (``Address.guarded``).

    Args:
        address: The source's address.
        follow: Whether to check redirects, which takes a connection.
        find: Returns the IP addresses of a host and port.

    Raises:
        ReachError: If it leads to a link-local address or a cloud's metadata service.
        SourceError: If the host is unknown.
    """
    if address.scheme == "exec":
        raise ReachError("commands can only be set in the settings file")
    if address.scheme not in NETWORK_SCHEMES:
        return
    find = find or resolve
    url = address.target
    for _ in range(MAX_REDIRECTS):
        place = _check(url, find)
        if not follow or urlsplit(url).scheme.lower() not in ("http", "https"):
            return
        following = _redirect(url, place)
        if following is None:
            return
        url = following
    raise ReachError("the address is redirected too often")


def resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host, on a native thread; raises OSError if it is unknown."""
    found = hub.run_native(native.socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


def _check(url: str, find: Resolve) -> str:
    """Return an IP address of a URL's host; raises ReachError if any of them is refused."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme.lower()]
    except (ValueError, KeyError):
        raise ReachError("the address redirects to something that is not a camera") from None
    try:
        found = find(host, port)
    except (OSError, UnicodeError):
        raise SourceError(no_host(host)) from None
    if not found or any(is_refused(one) for one in found):
        raise ReachError(refusal_of(host))
    return found[0]


def _redirect(url: str, place: str) -> str | None:
    """Return the target of a URL's redirect; None without a redirect or an answer.

    Connects to the address that was checked. Only the status and one header are read.
    """
    parts = urlsplit(url)
    kind = _PinnedHttps if parts.scheme.lower() == "https" else _Pinned
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = kind(place, parts.hostname or "", parts.port or PORTS[parts.scheme.lower()])
    try:
        # Without the password, which only the camera itself may get.
        connection.request("GET", path, headers={"User-Agent": "Porthole"})
        answer = connection.getresponse()
        to = answer.getheader("Location") if answer.status in (301, 302, 303, 307, 308) else None
    except (OSError, HTTPException, ValueError):
        return None  # Opening the source will report what is wrong.
    finally:
        connection.close()
    return urljoin(url, to) if to else None


class _Pinned(HTTPConnection):
    """Connects to a checked IP address, and sends the host's name in the request."""

    def __init__(self, place: str, host: str, port: int) -> None:
        super().__init__(host, port, timeout=TIMEOUT_S)
        self._place = place

    def connect(self) -> None:
        self.sock: Any = socket.create_connection((self._place, self.port), TIMEOUT_S)


class _PinnedHttps(_Pinned):
    default_port = 443

    def connect(self) -> None:
        super().connect()
        # Nothing from this connection is trusted, and cameras have self-signed certificates.
        context = make_context(verify=False)
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
