"""Requests that change something: what protects them, and the JSON they carry."""

import json
from typing import Any

import flask
from flask import Response
from werkzeug.exceptions import HTTPException

from server.web.auth.auth import Auth
from server.web.auth.guard import asking
from server.web.http.login import is_ours

__all__ = ["answer_json", "read_change", "refuse_change"]

CSRF_HEADER = "X-CSRF-Token"

EXPIRED = "This page had been open for too long. Reload it, and try again."
NO_JSON = "the body must be a JSON object, sent as application/json"


def read_change(auth: Auth) -> dict[str, Any]:
    """Return the JSON object that the current request carries.

    The front door has compared a browser's Origin with the Host already. Beyond that, a cookie
    counts only together with the page's CSRF token, and no form of another site can send JSON.

    Raises:
        HTTPException: If the token or the JSON is missing; the refusal is in the audit log.
    """
    request = flask.request
    if asking().by == "cookie" and not is_ours(request.headers.get(CSRF_HEADER, "")):
        raise refuse_change(auth, 403, "expired", EXPIRED)
    if request.mimetype != "application/json":
        raise refuse_change(auth, 415, "bad_request", NO_JSON)
    try:
        body = json.loads(request.get_data(cache=False) or b"{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise refuse_change(auth, 400, "bad_request", NO_JSON)
    return body


def refuse_change(auth: Auth, status: int, code: str, message: str, **more: Any) -> HTTPException:
    """Return the exception that answers a request with why it is refused, after logging that.

    Args:
        status: Of HTTP.
        code: One of the protocol's error codes.
        message: For people.
        more: Further fields of the answer.
    """
    who = asking().person.name
    auth.refuse(who, f"{flask.request.method} {area()}", code)
    return HTTPException(response=answer_json({"error": code, "message": message} | more, status))


def answer_json(data: Any, status: int = 200) -> Response:
    """Return JSON that is not cached, with keys in the order in which they are given."""
    text = flask.json.dumps(data, sort_keys=False)
    headers = {"Cache-Control": "no-store"}
    return Response(text, status, headers, content_type="application/json")


def area() -> str:
    """Return the current request's route, without what a caller can choose."""
    rule = flask.request.url_rule
    return rule.rule if rule else flask.request.path[:80]
