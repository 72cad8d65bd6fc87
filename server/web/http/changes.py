"""Requests that change something: their protection, JSON bodies and errors."""

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
from server.web.auth.guard import current_credential
from server.web.auth.throttle import TooManyAttempts
from server.web.http.login import CSRF, csrf_token, is_ours

__all__ = ["answer_json", "json_errors", "keep_csrf", "read_change", "refuse_change"]

STATUS = {"forbidden": 403, "rate_limited": 429, "unavailable": 503}

CSRF_HEADER = "X-CSRF-Token"

EXPIRED = "This page has been open for too long. Reload it and try again."
NO_JSON = "the body must be a JSON object, sent as application/json"


def read_change(auth: Auth) -> dict[str, Any]:
    """Return the JSON object in the current request's body.

    ``web/edge/origin.py`` has already compared a browser's Origin with the Host. In addition, a
    cookie is only accepted with the page's CSRF token, and other sites' forms cannot send JSON.

    Raises:
        HTTPException: If the token or the JSON is missing; the refusal is in the audit log.
    """
    request = flask.request
    if current_credential().by == "cookie" and not is_ours(request.headers.get(CSRF_HEADER, "")):
        raise refuse_change(auth, 403, "expired", EXPIRED)
    if request.method == "DELETE" and not request.content_length:
        return {}  # Other sites' pages cannot send this method either.
    if request.mimetype != "application/json":
        raise refuse_change(auth, 415, "bad_request", NO_JSON)
    try:
        body = json.loads(request.get_data(cache=False) or b"{}")
        # JSON allows a lone surrogate, which is not valid text and cannot be stored.
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise refuse_change(auth, 400, "bad_request", NO_JSON)
    return body


def refuse_change(auth: Auth, status: int, code: str, message: str, **more: Any) -> HTTPException:
    """Log a refusal, and return the exception that answers the request with it.

    Args:
        auth: Counts and logs the refusal.
        status: The HTTP status.
        code: One of the protocol's error codes.
        message: The reason, for people.
        more: Further fields of the answer.
    """
    who = current_credential().person.name
    auth.refuse(who, f"{flask.request.method} {area()}", code)
    return HTTPException(response=answer_json({"error": code, "message": message} | more, status))


def refuse_view(auth: Auth, error: ViewError) -> HTTPException:
    """Return the exception whose response says why a saved view was not changed."""
    if not error.field:
        return refuse_change(auth, 404, "unknown_view", str(error))
    fields = {error.field: str(error)}
    return refuse_change(auth, 422, "bad_request", str(error), fields=fields)


def answer_json(data: Any, status: int = 200) -> Response:
    """Return a JSON response, not cacheable, with its keys in the given order."""
    text = flask.json.dumps(data, sort_keys=False)
    headers = {"Cache-Control": "no-store"}
    return Response(text, status, headers, content_type="application/json")


def json_errors(auth: Auth) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Decorate a route to log the errors it raises and answer them as JSON."""

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
    """Keep this browser's CSRF token across a new login, because its open page still uses it."""
    token = csrf_token()
    yield
    flask.session[CSRF] = token


def area() -> str:
    """Return the current request's route pattern, for the audit log."""
    rule = flask.request.url_rule
    return rule.rule if rule else flask.request.path[:80]
