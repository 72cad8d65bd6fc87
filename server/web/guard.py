"""Looks at every HTTP request before a route does: who asks, and may they?"""

from urllib.parse import urlencode

import flask
from flask import Response

from server.people import Person
from server.web.auth import Auth
from server.web.forwarded import asked_from_here
from server.web.guesses import TooManyGuesses
from server.web.permit import ASKS_FOR_BASIC, area_of, may
from server.web.presence import Credential

__all__ = ["asked_view", "asking", "redirect", "stand_guard"]

LOCAL = Credential(Person(None, "viewer", kind="local"), "local")
"""A program on this machine, which may ask how the server is."""

OPEN_TO_LOCAL = ("/readyz", "/metrics")


def stand_guard(application: flask.Flask, auth: Auth) -> None:
    """Have every request checked; what a route finds in :func:`asking` may use that route."""

    @application.before_request
    def check() -> Response | None:
        request = flask.request
        flask.g.credential = None
        if request.url_rule is None:
            return None  # Nothing is there, and that is no secret.
        area = area_of(request.path, request.args.get("action"))
        try:
            credential = auth.identify(basic=area in ASKS_FOR_BASIC)
        except TooManyGuesses as error:
            auth.audit.note(None, area, request.remote_addr or "", "rate_limited")
            return too_many(error)
        person = credential.person if credential else None
        if person is None and area in OPEN_TO_LOCAL and asked_from_here(request.environ):
            credential = LOCAL
            person = credential.person
        flask.g.credential = credential
        if may(person, area):
            return None
        return refuse(area, person)

    def refuse(area: str, person: Person | None) -> Response:
        request = flask.request
        if person is not None:
            auth.audit.note(person.name, area, request.remote_addr or "", "forbidden")
            return answer(403, f"{person.name} may not see this")
        if area == "/":
            return redirect("login" + asked_view())
        shown = request.authorization
        if shown is not None:
            auth.audit.note(None, area, request.remote_addr or "", "unauthorized", by=shown.type)
        response = answer(401, "log in, or show a token")
        # A script of our own page that is refused must not make the browser ask for a password.
        if area in ASKS_FOR_BASIC and request.headers.get("Sec-Fetch-Site") != "same-origin":
            response.headers["WWW-Authenticate"] = 'Basic realm="Porthole", charset="UTF-8"'
        return response


def asking() -> Credential:
    """Return who makes the running request; only for routes that need somebody known."""
    credential = flask.g.credential
    assert isinstance(credential, Credential)
    return credential


def asked_view() -> str:
    """Return the query of the running request, to come back to the same view after a login."""
    args = flask.request.args.items(multi=True)
    asked = [pair for pair in args if pair[0] not in ("action", "why")]
    # Written anew: what a client sends must not get into a header or a page as it came.
    return "?" + urlencode(asked, safe=",") if asked else ""


def redirect(to: str) -> Response:
    """Return the answer that leads elsewhere; relative, so that it holds behind a path prefix."""
    return Response("", 303, {"Location": to, "Cache-Control": "no-store"})


def too_many(error: TooManyGuesses) -> Response:
    response = answer(429, str(error))
    response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def answer(status: int, message: str) -> Response:
    return Response(
        message + "\n", status, {"Cache-Control": "no-store"}, content_type="text/plain"
    )
