"""Response headers that restrict what our pages may do and who may frame them."""

import functools
from collections.abc import Iterable

import flask
from flask import Response

__all__ = ["protect_pages", "restrictions"]

NOBODY = "'none'"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "manifest-src 'self'",
        # In browsers before 2022, 'self' does not include WebSockets to the same host.
        "connect-src 'self'{sockets}",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors {ancestors}",
    )
)

PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in ("camera", "microphone", "geolocation", "payment", "usb", "serial", "midi")
)

# Browsers use TLS only, for a year. Subdomains are left out: they may not be ours.
STAY_SECURE = "max-age=31536000"

HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]")


def protect_pages(
    application: flask.Flask, ancestors: Iterable[str] = (), stay_secure: bool = True
) -> None:
    """Add the headers to every response of Flask.

    Args:
        application: The Flask application.
        ancestors: Origins whose pages may frame the dashboard. No page may frame the login page,
            because that would permit clickjacking.
        stay_secure: Whether to tell browsers that came over TLS to use only TLS.
    """
    framed_by = " ".join(ancestors) or NOBODY

    @application.after_request
    def add(response: Response) -> Response:
        request = flask.request
        response.headers.update(
            restrictions(
                request.environ.get("HTTP_HOST", ""),
                framed_by if request.path == "/" else NOBODY,
                # Used only if the URL contains a token, because no-referrer makes browsers send
                # "Origin: null" with our own forms.
                referrer="no-referrer" if "token" in request.args else "same-origin",
                stay_secure=stay_secure and request.is_secure,
            )
        )
        return response


@functools.lru_cache(maxsize=64)
def restrictions(
    host: str, framed_by: str = NOBODY, referrer: str = "same-origin", stay_secure: bool = False
) -> tuple[tuple[str, str], ...]:
    """Return the headers of one response.

    Args:
        host: The Host header as the client sent it.
        framed_by: Origins that may frame the response.
        referrer: The referrer policy.
        stay_secure: Whether to tell the browser to use only TLS.
    """
    # Any other character could end the directive and start a new one.
    known = bool(host) and HOST_CHARACTERS.issuperset(host)
    sockets = f" ws://{host} wss://{host}" if known else ""
    headers = (
        ("Content-Security-Policy", POLICY.format(sockets=sockets, ancestors=framed_by)),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", referrer),
        ("Permissions-Policy", PERMISSIONS),
    )
    return (*headers, ("Strict-Transport-Security", STAY_SECURE)) if stay_secure else headers
