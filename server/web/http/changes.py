"""Requests that change something: what protects them, and the JSON they carry."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import flask
from flask import Response
from werkzeug.exceptions import HTTPException

from server.errors import AccountError, ConfigError, RequestError, ViewError
from server.manage.cameras import Conflict
from server.manage.form import FormError
from server.web.auth.auth import Auth
from server.web.auth.guard import asking
from server.web.auth.throttle import TooManyAttempts
from server.web.http.login import CSRF, csrf_token, is_ours

__all__ = ["answer_json", "answering", "keep_csrf", "read_change", "refuse_change"]

STATUS = {"forbidden": 403, "rate_limited": 429, "unavailable": 503}

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
        # Half of a surrogate pair can be written in JSON, but is no text, and cannot be kept.
        json.dumps(body, ensure_ascii=False).encode()
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


def refuse_view(auth: Auth, error: ViewError) -> HTTPException:
    """Return the exception that answers why a saved view is not changed."""
    if not error.field:
        return refuse_change(auth, 404, "unknown_view", str(error))
    fields = {error.field: str(error)}
    return refuse_change(auth, 422, "bad_request", str(error), fields=fields)


def answer_json(data: Any, status: int = 200) -> Response:
    """Return JSON that is not cached, with keys in the order in which they are given."""
    text = flask.json.dumps(data, sort_keys=False)
    headers = {"Cache-Control": "no-store"}
    return Response(text, status, headers, content_type="application/json")


def answering(auth: Auth) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Answer what a route raises as JSON, and log that it was refused."""

    def decorate(route: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(route)
        def answer(*args: Any, **kwargs: Any) -> Response:
            try:
                return route(*args, **kwargs)
            except FormError as error:
                refusal = refuse_change(auth, 422, "bad_request", str(error), fields=error.fields)
            except AccountError as error:
                fields = {error.field: str(error)}
                refusal = refuse_change(auth, 422, "bad_request", str(error), fields=fields)
            except ViewError as error:
                refusal = refuse_view(auth, error)
            except Conflict as error:
                refusal = refuse_change(auth, 412, "conflict", str(error), camera=error.current)
            except RequestError as error:
                refusal = refuse_change(auth, STATUS[error.code], error.code, str(error))
            except TooManyAttempts as error:
                refusal = refuse_change(auth, 429, "rate_limited", str(error))
                assert refusal.response is not None
                refusal.response.headers["Retry-After"] = str(error.retry_after_s)
            except ConfigError as error:
                refusal = refuse_change(auth, 503, "unavailable", f"Nothing was changed: {error}")
            raise refusal

        return answer

    return decorate


@contextmanager
def keep_csrf() -> Iterator[None]:
    """Keep this browser's CSRF token while it gets a new login: its page goes on using it."""
    token = csrf_token()
    yield
    flask.session[CSRF] = token


def area() -> str:
    """Return the current request's route, without what a caller can choose."""
    rule = flask.request.url_rule
    return rule.rule if rule else flask.request.path[:80]
