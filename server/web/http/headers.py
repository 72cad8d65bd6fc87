"""Response headers that restrict what our pages may do, and who may show them in a frame."""

from collections.abc import Iterable

import flask
from flask import Response

__all__ = ["protect_pages"]

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self'",
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

# For a year, browsers use TLS only. Not for subdomains, which may belong to somebody else.
STAY_SECURE = "max-age=31536000"

HOST_SIGNS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]")


def protect_pages(
    application: flask.Flask, ancestors: Iterable[str] = (), stay_secure: bool = True
) -> None:
    """Add the headers to every response.

    Args:
        application: The Flask application.
        ancestors: Origins whose pages may show the dashboard in a frame. No page may frame the
            login page, which would permit clickjacking.
        stay_secure: Whether browsers that came over TLS are told to use nothing else.
    """
    framed_by = " ".join(ancestors) or "'none'"

    @application.after_request
    def add(response: Response) -> Response:
        host = flask.request.environ.get("HTTP_HOST", "")
        # Any other character could end the directive and start another one.
        known = bool(host) and HOST_SIGNS.issuperset(host)
        sockets = f" ws://{host} wss://{host}" if known else ""
        may_frame = framed_by if flask.request.path == "/" else "'none'"
        policy = POLICY.format(sockets=sockets, ancestors=may_frame)
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        # "no-referrer" only if the URL contains a token: it makes browsers send "Origin: null" with
        # our own forms.
        embedded = "token" in flask.request.args
        response.headers["Referrer-Policy"] = "no-referrer" if embedded else "same-origin"
        response.headers["Permissions-Policy"] = PERMISSIONS
        if stay_secure and flask.request.is_secure:
            response.headers["Strict-Transport-Security"] = STAY_SECURE
        return response
