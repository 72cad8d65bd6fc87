"""A camera's past, over HTTP; see ``docs/recording.md``."""

from collections.abc import Callable, Mapping
from typing import Any

import flask
from flask import Blueprint, Response

from server.delivery.fanout import Fanout
from server.errors import RequestError
from server.recording.library import Query
from server.recording.memory import Memory
from server.web.auth.guard import current_credential
from server.web.http.changes import answer_json
from server.web.past.libraries import Libraries

__all__ = ["create_past"]

# Marks per camera; a scrubber shows no more.
MAX_MARKS = 500


def create_past(
    fanouts: Mapping[str, Fanout],
    memory_of: Callable[[str], Memory | None],
    libraries: Libraries,
) -> Blueprint:
    """Return the routes for a camera's past.

    Args:
        fanouts: By camera name.
        memory_of: Returns a camera's memory; None if it has none.
        libraries: Has the events.
    """
    routes = Blueprint("past", __name__)

    @routes.get("/api/cameras/<camera>/past")
    def past(camera: str) -> Response:
        if camera not in fanouts or not current_credential().person.sees(camera):
            flask.abort(404, f"there is no camera {camera[:40]!r}")
        kept = memory_of(camera)
        try:
            span = kept.span if kept is not None else None
            gaps = list(kept.gaps) if kept is not None and span else []
        except RequestError as error:
            flask.abort(503, str(error))
        begin, end = span or (None, None)
        shows_events = span is not None and current_credential().person.kind != "embed"
        marks = marks_of(camera, begin, end) if shows_events else []
        return answer_json({"from": begin, "to": end, "gaps": gaps, "marks": marks})

    def marks_of(camera: str, begin: float | None, end: float | None) -> list[dict[str, Any]]:
        try:
            found = libraries.events(Query([camera], begin, end, MAX_MARKS)).rows
        except RequestError:
            return []  # The past can be viewed even if the index cannot be read.
        return [{"at": one.begin, "label": one.label, "id": one.id} for one in reversed(found)]

    return routes
