"""Checks who makes each HTTP request, and whether they may, before its route runs."""

from urllib.parse import urlencode

import flask
from flask import Response

from server.users.users import Person
from server.web.auth.auth import UNKNOWN_TOKEN, Auth, shows_token
from server.web.auth.authorization import read_authorization
from server.web.auth.connections import Credential
from server.web.auth.permissions import ASKS_FOR_BASIC, NOWHERE, area_of, may
from server.web.auth.throttle import TooManyAttempts
from server.web.edge.forwarded import asked_from_here

__all__ = ["answer", "asked_view", "current_credential", "guard_requests", "redirect"]

LOCAL = Credential(Person(None, "viewer", kind="local"), "local")
"""A program on this machine, which may check the server's health."""

# Query fields that are not part of a view: mjpg-streamer's action, a token, and our page's reason
# for going to the login.
NO_VIEW = ("action", "token", "why")

OPEN_TO_LOCAL = ("/readyz", "/metrics")


def guard_requests(application: flask.Flask, auth: Auth) -> None:
    """Check every request; a route runs only for a person who may use it.

    The route gets that person's credential from :func:`current_credential`.
    """

    @application.before_request
    def check() -> Response | None:
        request = flask.request
        flask.g.credential = None
        area = area_of(request.path, request.args.get("action"))
        if request.url_rule is None or area == NOWHERE:
            return None  # Let Flask answer 404; that there is no such route is no secret.
        try:
            credential = auth.identify(basic=area in ASKS_FOR_BASIC)
        except TooManyAttempts as error:
            auth.refuse(None, area, "rate_limited")
            return too_many(error)
        person = credential.person if credential else None
        if person is None and area in OPEN_TO_LOCAL and asked_from_here(request.environ):
            credential = LOCAL
            person = credential.person
        flask.g.credential = credential
        if may(person, request.path if area == "/api" else area):
            return None
        return refuse(area, person)

    def refuse(area: str, person: Person | None) -> Response:
        request = flask.request
        if person is not None:
            auth.refuse(person.name, area, "forbidden")
            return answer(403, f"{person.name} may not see this")
        # A token's owner has no password, and a login would not work inside a frame.
        embedded = "token" in request.args
        if area == "/" and not embedded:
            return redirect("login" + asked_view())
        header = read_authorization(request.headers.get("Authorization"))
        if header is not None:
            auth.refuse(None, area, "unauthorized", by=header.scheme)
        if embedded and auth.people.bearer(request.args["token"]) is not None:
            message = "this token is not accepted in a URL; send it as a Bearer token"
        elif embedded or shows_token():
            message = UNKNOWN_TOKEN
        elif header is not None and header.scheme == "basic" and area in ASKS_FOR_BASIC:
            message = "name or password is wrong"
        else:
            message = "log in, or send a token"
        response = answer(401, message)
        # If a script of our own page is refused, the browser must not prompt for a password.
        asks = area in ASKS_FOR_BASIC and not embedded
        if asks and request.headers.get("Sec-Fetch-Site") != "same-origin":
            response.headers["WWW-Authenticate"] = 'Basic realm="Porthole", charset="UTF-8"'
        return response


def current_credential() -> Credential:
    """Return who makes the current request; only for routes that require a login or token."""
    credential = flask.g.credential
    assert isinstance(credential, Credential)
    return credential


def asked_view() -> str:
    """Return the current request's query, to return to the same view after a login."""
    asked = [pair for pair in flask.request.args.items(multi=True) if pair[0] not in NO_VIEW]
    # Encode it again: no client input may get into a header or a page unchanged.
    return "?" + urlencode(asked, safe=",") if asked else ""


def redirect(to: str) -> Response:
    """Return a relative redirect, which also works behind a path prefix."""
    return Response("", 303, {"Location": to, "Cache-Control": "no-store"})


def too_many(error: TooManyAttempts) -> Response:
    response = answer(429, str(error))
    response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def answer(status: int, message: str) -> Response:
    return Response(
        message + "\n", status, {"Cache-Control": "no-store"}, content_type="text/plain"
    )
