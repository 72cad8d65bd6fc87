"""Client addresses and schemes as reported by trusted reverse proxies."""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from server.addresses import is_address, is_loopback, parse_address
from server.errors import ConfigError

__all__ = ["Forwarded", "asked_from_here"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# Any of these headers shows that a proxy passed the request on.
TRACES = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")

# Length of the prefix before an IPv4 address mapped to IPv6.
MAPPED_BITS = 96

FORWARDED = "porthole.forwarded"
"""Environment key: whether a proxy, trusted or not, forwarded the request."""


class Forwarded:
    """A WSGI layer that sets the client's address and scheme from a trusted proxy's headers.

    Everything behind it reads ``REMOTE_ADDR`` and ``wsgi.url_scheme``, unaware of proxies.
    X-Forwarded-Host is ignored: a proxy can pass on Host, and allowed_hosts can list its name.

    Args:
        application: The WSGI application behind this layer.
        proxies: Addresses and networks of trusted proxies.

    Raises:
        ConfigError: If one of them is not a valid address or network.
    """

    def __init__(self, application: Application, proxies: Iterable[str]) -> None:
        self._application = application
        self._networks = [_network(text) for text in proxies]

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve the request."""
        environ[FORWARDED] = any(trace in environ for trace in TRACES)
        if self._networks and self._trusts(environ.get("REMOTE_ADDR", "")):
            self._believe(environ)
        return self._application(environ, start_response)

    def _believe(self, environ: dict[str, Any]) -> None:
        # Each proxy appends its peer's address, so the client is the last address that is not a
        # trusted proxy's. The client may have forged everything before it.
        for hop in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            address = hop.strip()
            if not is_address(address):
                break
            environ["REMOTE_ADDR"] = address
            if not self._trusts(address):
                break
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme

    def _trusts(self, address: str) -> bool:
        parsed = parse_address(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def asked_from_here(environ: dict[str, Any]) -> bool:
    """Return whether the request comes from this machine, and not through a proxy."""
    return not environ.get(FORWARDED, True) and is_loopback(environ.get("REMOTE_ADDR", ""))


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigError(
            f"trusted_proxies: {text!r} cannot be used; "
            "accepted: addresses and networks such as 127.0.0.1 or 10.0.0.0/8"
        ) from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= MAPPED_BITS:
        return ipaddress.ip_network((mapped, network.prefixlen - MAPPED_BITS))
    return network
