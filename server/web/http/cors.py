"""CORS: lets scripts on other sites read pictures and states, but never with a cookie."""

from collections.abc import Iterable

import flask
from flask import Response

from server.web.auth.permissions import area_of

__all__ = ["share_with"]

SHARED = frozenset({"/video_feed", "/stream", "/snapshot", "/clip", "/api"})

# Seconds for which browsers cache the answer to a preflight request.
PREFLIGHT_AGE_S = 600


def share_with(application: flask.Flask, origins: Iterable[str]) -> None:
    """Let scripts from these origins read pictures and states.

    Access-Control-Allow-Credentials is never sent, so browsers hide every response to a request
    with a cookie: a script must send a token, or the server must be open to everybody.

    Call this before ``guard_requests``: the preflight request, which asks whether a token may be
    sent, comes without the token.

    Args:
        application: The Flask application.
        origins: The setting ``allowed_origins``.
    """
    allowed = {origin.lower().rstrip("/") for origin in origins}
    if not allowed:
        return

    def is_shared() -> bool:
        request = flask.request
        return area_of(request.path, request.args.get("action")) in SHARED

    def asks_from_allowed() -> bool:
        return flask.request.headers.get("Origin", "").lower() in allowed

    @application.before_request
    def answer_preflight() -> Response | None:
        if flask.request.method != "OPTIONS" or not is_shared() or not asks_from_allowed():
            return None
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = "GET, HEAD"
        response.headers["Access-Control-Allow-Headers"] = "Authorization"
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_AGE_S)
        return response

    @application.after_request
    def add_headers(response: Response) -> Response:
        if is_shared():
            response.vary.add("Origin")
            if asks_from_allowed():
                origin = flask.request.headers["Origin"]
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Expose-Headers"] = "X-Timestamp, Retry-After"
        return response
