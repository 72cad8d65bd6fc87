"""Answers requests that come without TLS to the port where TLS is spoken."""

import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["lead_to_tls"]

# Of a path and a query, RFC 3986; what is encoded already stays so.
PLAIN = "/?%:@!$&'()*+,;=~-._"


def lead_to_tls(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Redirect what only looks to the same place over TLS; a WSGI application.

    Anything else is refused: its body was sent in the clear, and must not seem to be all right.
    The Host must have been checked.
    """
    headers = [
        ("Content-Type", "text/plain"),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
    ]
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        start_response("400 Bad Request", headers)
        return [b"This server speaks TLS: ask again with https:// instead of http://.\n"]
    path = environ.get("RAW_PATH_INFO", "/")
    place = path if path.startswith("/") else "/"
    if environ.get("QUERY_STRING"):
        place += "?" + environ["QUERY_STRING"]
    place = urllib.parse.quote(place, safe=PLAIN, encoding="latin-1")
    url = f"https://{environ['HTTP_HOST']}{place}"
    # Not cached: TLS may be turned off again. 308 keeps the method, as it should.
    start_response("308 Permanent Redirect", [("Location", url), *headers])
    return [f"This server speaks TLS: {url}\n".encode()]
