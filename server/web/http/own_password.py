"""The HTTP path for changing one's own password."""

import flask
from flask import Blueprint, Response

from server.manage.accounts import OwnPassword, read_account
from server.web.auth.auth import Auth
from server.web.auth.guard import current_credential
from server.web.http.changes import answer_json, json_errors, keep_csrf, read_change, refuse_change

__all__ = ["create_own_password"]


def create_own_password(auth: Auth) -> Blueprint:
    """Return the route ``/api/password``."""
    routes = Blueprint("own_password", __name__)

    @routes.post("/api/password")
    @json_errors(auth)
    def change() -> Response:
        credential = current_credential()
        name = credential.person.name
        if credential.by != "cookie" or name is None:
            message = "only users who are logged in on the page can change their password"
            raise refuse_change(auth, 403, "forbidden", message)
        body = read_account(OwnPassword, read_change(auth))
        where = flask.request.remote_addr or ""
        # Limited like a login, so that nobody can guess the password on a page left open.
        person = auth.check(name, body.old, where)
        if person is None:
            wrong = {"old": "this is not your password"}
            raise refuse_change(auth, 403, "wrong_password", wrong["old"], fields=wrong)
        with keep_csrf():
            auth.renew(credential, person, body.new)
        auth.audit.note(name, "password", where, "ok", by=credential.by)
        answer = answer_json({"ok": True})
        # This browser reconnects with its new cookie, so it must receive that first.
        answer.call_on_close(auth.sweep)
        return answer

    return routes
