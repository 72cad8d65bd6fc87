"""What was, over HTTP; see ``docs/recording.md``."""

from collections.abc import Callable, Mapping
from typing import Any

import flask
from flask import Blueprint, Response

from server.delivery.fanout import Fanout
from server.errors import RequestError
from server.recording.memory import Memory
from server.web.auth.guard import asking
from server.web.http.changes import answer_json

__all__ = ["create_past"]


def create_past(
    fanouts: Mapping[str, Fanout],
    memory_of: Callable[[str], Memory | None],
    marks_in: Callable[[str, float, float], list[dict[str, Any]]],
) -> Blueprint:
    """Return the routes by which a camera's past is asked for.

    Args:
        fanouts: By camera name.
        memory_of: Returns what is kept of a camera; None for nothing.
        marks_in: Returns the events of a camera between two times, as they are answered.
    """
    routes = Blueprint("past", __name__)

    @routes.get("/api/cameras/<camera>/past")
    def past(camera: str) -> Response:
        if camera not in fanouts or not asking().person.sees(camera):
            flask.abort(404, f"there is no camera {camera[:40]!r}")
        kept = memory_of(camera)
        try:
            span = kept.span if kept is not None else None
            gaps = list(kept.gaps) if kept is not None and span else []
        except RequestError as error:
            flask.abort(503, str(error))
        begin, end = span or (None, None)
        marks = marks_in(camera, *span) if span else []
        return answer_json({"from": begin, "to": end, "gaps": gaps, "marks": marks})

    return routes
