"""The HTTP API with which admins choose how others reach the server; see ``docs/manage.md``."""

from collections.abc import Callable

import flask
from flask import Blueprint, Response

from server.errors import RequestError
from server.loop import hub
from server.manage.access import NETWORK, Access
from server.web.auth.auth import Auth
from server.web.auth.guard import current_credential
from server.web.edge.host_names import own_addresses
from server.web.http.changes import answer_json, json_errors, read_change

__all__ = ["create_access"]


def create_access(access: Access, auth: Auth, restart: Callable[[], None]) -> Blueprint:
    """Return the route ``/api/admin/access``.

    Args:
        access: Stores the choice.
        auth: Knows whether there are users.
        restart: Restarts the server with the new choice; does not block.
    """
    routes = Blueprint("access", __name__)

    @routes.get("/api/admin/access")
    @json_errors(auth)
    def show() -> Response:
        known = hub.run_native(access.describe)
        return answer_json(known | {"addresses": own_addresses(), "users": auth.closed})

    @routes.post("/api/admin/access")
    @json_errors(auth)
    def choose() -> Response:
        values = read_change(auth)
        if values.get("host") == NETWORK and not auth.closed:
            message = "anyone who reaches this server could do everything: add an admin first"
            raise RequestError("forbidden", message)
        is_other = hub.run_native(access.choose, values)
        person = current_credential().person
        where = flask.request.remote_addr or ""
        chosen = {key: str(value) for key, value in values.items()}
        auth.audit.note(
            person.name or where, "access", where, "ok", by=current_credential().by, **chosen
        )
        answer = answer_json({"restarts": is_other})
        if is_other:
            answer.call_on_close(restart)
        return answer

    return routes
