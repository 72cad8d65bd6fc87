"""Limits open connections, and rejects requests with ambiguous framing.

The HTTP server calls this while it reads, before Flask sees a request.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from server.addresses import is_loopback, network_of

__all__ = ["MAX_HEADS", "ConnectionLimiter", "framing_fault"]

# Enough for the JSON that the page sends: the order of 250 cameras with long names.
MAX_BODY_BYTES = 16384

MAX_HEADS = 256
"""Connections without a complete request head; a normal client completes it at once."""


@dataclass(frozen=True, slots=True)
class _Connection:
    network: str
    exempt: bool
    end: Callable[[], None]


class ConnectionLimiter:
    """Counts open connections and decides whether to accept another.

    Also rejects requests that a proxy and this server could read differently (request smuggling,
    RFC 9112 section 11.2).

    Connections with an incomplete request head are counted separately, so that they cannot use up
    the limit; when there are too many, the oldest is closed. Loopback is exempt from the
    per-address limit, because proxies and benchmarks connect from it.

    Args:
        most: Maximum number of connections with a complete request head.
        most_per_address: Maximum of either kind, per IPv4 address or IPv6 /56.
        count: Called with the reason for every refusal.
        most_heads: Maximum number of connections with an incomplete request head.
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
        self._heads: dict[object, _Connection] = {}  # Oldest first.
        self._admitted: dict[object, _Connection] = {}
        self._heads_of: Counter[str] = Counter()
        self._admitted_of: Counter[str] = Counter()

    def enter(self, key: object, address: str, end: Callable[[], None]) -> None:
        """Register a new connection; ``end`` is called, at most once, to evict it."""
        self._await_head(key, _Connection(network_of(address), is_loopback(address), end))

    def admit(self, key: object) -> bytes | None:
        """Admit a connection whose request head is complete, or return the refusal to send."""
        connection = self._take(key)
        if connection is None:
            return refusal("408 Request Timeout", "The request took too long to arrive.")
        crowded = len(self._admitted) >= self._most or (
            self._admitted_of[connection.network] >= self._most_per_address
            and not connection.exempt
        )
        if crowded:
            self._count("429")
            return refusal("429 Too Many Requests", "Too many connections; try again later.")
        self._admitted[key] = connection
        self._admitted_of[connection.network] += 1
        return None

    def await_next(self, key: object) -> None:
        """Note that a request was answered, and the next head is awaited."""
        connection = self._take(key)
        if connection is not None:
            self._await_head(key, connection)

    def leave(self, key: object) -> None:
        """Forget a connection that has ended."""
        self._take(key)

    def _await_head(self, key: object, connection: "_Connection") -> None:
        network = connection.network
        if self._heads_of[network] >= self._most_per_address and not connection.exempt:
            self._evict_oldest(network)
        elif len(self._heads) >= self._most_heads:
            self._evict_oldest(max(self._heads_of, key=self._heads_of.__getitem__))
        self._heads[key] = connection
        self._heads_of[network] += 1

    def _evict_oldest(self, network: str) -> None:
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
        """Return the refusal of a request with bad framing, or None."""
        found = framing_fault(version, headers)
        if found is None:
            return None
        self._count("400")
        return refusal("400 Bad Request", found)


def framing_fault(version: str, headers: Any) -> str | None:
    """Return what is ambiguous or unacceptable about a request's framing, or None.

    Args:
        version: The request line's version, such as ``HTTP/1.1``.
        headers: The headers as parsed by ``http.client``.
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


def refusal(status: str, message: str) -> bytes:
    """Return a complete HTTP response that closes the connection."""
    body = message.encode() + b"\n"
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + body
