"""Starts and ends time-lapse films over HTTP, for printers and other programs."""

from collections.abc import Callable

import flask
from flask import Blueprint, Response

from server.commands import SetTimelapse
from server.errors import RequestError
from server.protocol import parse_payload
from server.web.auth.auth import Auth
from server.web.auth.guard import current_credential
from server.web.auth.permissions import may
from server.web.http.changes import answer_json, json_errors, read_change, refuse_change

__all__ = ["create_timelapse"]

# Status of error codes that ``changes.py`` does not map.
STATUS = {"bad_request": 422, "unknown_camera": 404}


def create_timelapse(execute: Callable[[str, SetTimelapse], None], auth: Auth) -> Blueprint:
    """Return the route.

    Args:
        execute: Carries out a user's command.
        auth: Logs who sent it.
    """
    routes = Blueprint("timelapse", __name__)

    @routes.post("/api/timelapse/<camera>")
    @json_errors(auth)
    def set_job(camera: str) -> Response:
        person = current_credential().person
        if current_credential().by == "basic":
            # Browsers repeat Basic credentials on their own, for any page that causes a request.
            raise RequestError("forbidden", "log in on the page, or send a token")
        body = read_change(auth)
        if not may(person, SetTimelapse.event, camera):
            if person.sees(camera):
                raise RequestError("forbidden", "only operators may start and end films")
            raise refuse_change(auth, 404, "unknown_camera", f"there is no camera {camera[:40]!r}")
        where = flask.request.remote_addr or ""
        who = person.name or where
        try:
            if body.get("job") == "":
                body["job"] = None  # Some notifiers cannot send null.
            command = parse_payload(SetTimelapse, ({**body, "camera": camera},))
            execute(who, command)
        except RequestError as error:
            status = STATUS.get(error.code)
            if status is None:
                raise
            raise refuse_change(auth, status, error.code, str(error)) from None
        auth.audit.note(
            who, SetTimelapse.event, where, "ok", by=current_credential().by, **command.details()
        )
        return answer_json({"camera": camera, "job": command.job})

    return routes
