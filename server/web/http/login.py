"""The pages for logging in and out."""

import hmac
import secrets
from urllib.parse import parse_qsl

import flask
from flask import Blueprint, Response

from server.web.auth.auth import Auth
from server.web.auth.guard import answer, asked_view, redirect
from server.web.auth.throttle import TooManyAttempts

__all__ = ["CSRF", "create_login", "csrf_token", "is_ours"]

CSRF = "csrf"

# A login form has three fields.
MAX_FIELDS = 8

NO_FORM = (
    "a login form has the fields name, password and csrf, as application/x-www-form-urlencoded"
)
# Flask-Login's session key; if it is still set when the login page is shown, the login has ended.
LOGIN = "_user_id"

WHY = {
    "ended": "Your login has ended: you logged out, your user was changed or removed, or 30 days "
    "have passed.",
    "users": "This server has users now. Log in to continue.",
}
"""Messages of the login page when the dashboard redirects to it, by ``?why=``."""

EXPIRED = "This page has been open for too long. Please try again."
WRONG = "Name or password is wrong."


def create_login(auth: Auth) -> Blueprint:
    """Return the routes ``/login`` and ``/logout``."""
    routes = Blueprint("login", __name__)

    @routes.get("/login")
    def show() -> Response:
        if auth.identify() is not None:
            return redirect("./" + asked_view())
        return page(message=reason())

    @routes.post("/login")
    def log_in() -> Response:
        if not auth.closed:
            return redirect("./")
        form = read_form()
        if form is None:
            return answer(400, NO_FORM)
        name = form.get("name", "").strip()
        where = flask.request.remote_addr or ""
        if not is_ours(form.get(CSRF, "")):
            auth.refuse(None, "login", "expired", tried=known(name))
            return page(400, EXPIRED, name)
        try:
            person = auth.check(name, form.get("password", ""), where)
        except TooManyAttempts as error:
            auth.refuse(None, "login", "rate_limited", tried=known(name))
            response = page(429, too_often(error.retry_after_s), name)
            response.headers["Retry-After"] = str(error.retry_after_s)
            return response
        if person is None:
            auth.refuse(None, "login", "unauthorized", tried=known(name))
            return page(401, WRONG, name)
        auth.log_in(person)
        auth.audit.note(person.name, "login", where)
        return redirect("./" + asked_view())

    @routes.post("/logout")
    def log_out() -> Response:
        credential = auth.identify()
        where = flask.request.remote_addr or ""
        if credential is not None and credential.by == "cookie":
            form = read_form() or {}
            if not is_ours(form.get(CSRF, "")):
                auth.refuse(credential.person.name, "logout", "expired")
                return Response(EXPIRED + "\n", 400, content_type="text/plain")
            auth.log_out(credential)
            auth.audit.note(credential.person.name, "logout", where)
        return redirect("./")

    def known(name: str) -> str:
        """Return a known user's name for the audit log; some people type their password here."""
        return auth.people.name_of(name) or "(no user)"

    return routes


def reason() -> str:
    """Return why a user who was logged in has to log in again; empty for others."""
    if LOGIN in flask.session:
        return WHY["ended"]
    return WHY.get(flask.request.args.get("why", ""), "")


def read_form() -> dict[str, str] | None:
    """Return the current request's form; None if it is not a login form.

    Flask's parser is not used: it accepts files and any number of fields, and spends time on each.
    """
    if flask.request.mimetype != "application/x-www-form-urlencoded":
        return None
    text = flask.request.get_data(cache=False).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        return None


def csrf_token() -> str:
    """Return the token that this browser's forms must send back."""
    token = flask.session.get(CSRF)
    if not isinstance(token, str):
        token = flask.session[CSRF] = secrets.token_urlsafe(24)
    return token


def is_ours(token: str) -> bool:
    """Return whether a CSRF token is the one that this browser was given."""
    own = flask.session.get(CSRF)
    return isinstance(own, str) and hmac.compare_digest(own.encode(), token.encode())


def page(status: int = 200, message: str = "", name: str = "") -> Response:
    """Return the login page, with a message about the last attempt."""
    text = flask.render_template(
        "login.html", csrf=csrf_token(), message=message, name=name[:80], view=asked_view()
    )
    # The page contains a CSRF token, so it must not be cached.
    return Response(text, status, {"Cache-Control": "no-store"})


def too_often(seconds: int) -> str:
    wait = f"{seconds} seconds" if seconds < 90 else f"{round(seconds / 60)} minutes"
    return f"There were too many attempts. Try again in {wait}."
