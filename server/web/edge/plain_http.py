"""Answers plain HTTP requests on the TLS port."""

import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["redirect_to_tls"]

# Characters allowed in a path and query, RFC 3986; % keeps what is already encoded.
SAFE = "/?%:@!$&'()*+,;=~-._"


def redirect_to_tls(
    environ: dict[str, Any], start_response: Callable[..., object]
) -> Iterable[bytes]:
    """Redirect GET and HEAD to the same URL over TLS; a WSGI application.

    Other methods are refused: their body was sent unencrypted, which must not go unnoticed.
    The Host must have been checked before.
    """
    headers = [
        ("Content-Type", "text/plain"),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
    ]
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        start_response("400 Bad Request", headers)
        return [b"This port uses TLS: use https:// instead of http://.\n"]
    path = environ.get("RAW_PATH_INFO", "/")
    place = path if path.startswith("/") else "/"
    if environ.get("QUERY_STRING"):
        place += "?" + environ["QUERY_STRING"]
    place = urllib.parse.quote(place, safe=SAFE, encoding="latin-1")
    url = f"https://{environ['HTTP_HOST']}{place}"
    # Must not be cached, because TLS may be turned off again. 308 keeps the method.
    start_response("308 Permanent Redirect", [("Location", url), *headers])
    return [f"This port uses TLS: {url}\n".encode()]
