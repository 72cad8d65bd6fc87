"""The HTTP API of saved views, personal and shared; see ``docs/views.md``."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import flask
from flask import Blueprint, Response

from server.capture.interface import CameraInterface
from server.errors import RequestError
from server.views.query import limited_to
from server.views.views import EVERYBODY, SavedView, Views
from server.web.auth.auth import Auth
from server.web.auth.connections import Credential
from server.web.auth.guard import current_credential
from server.web.edge.bucket import Bucket
from server.web.http.changes import answer_json, json_errors, read_change

__all__ = ["ShownViews", "create_views"]

# Each change is flushed to disk.
CHANGES_PER_S = 2
CHANGES_AT_ONCE = 40

LIMITED = "only operators of every camera may change what is shared"
NO_LOGIN = "only people who log in have views of their own"
BASIC = "log in on the page, or send a token"


class ShownViews:
    """Selects the saved views that a person may see.

    Args:
        views: All saved views.
        cameras: Returns all cameras.
    """

    def __init__(self, views: Views, cameras: Callable[[], Iterable[CameraInterface]]) -> None:
        self._views = views
        self._cameras = cameras

    def to(self, credential: Credential) -> dict[str, Any]:
        """Return a person's own views and the shared ones, in the form the page uses."""
        person = credential.person
        keeps_own = has_own(credential)
        own = self._views.of(person.name) if keeps_own and person.name else None
        return {
            "own": self._seen(own.views if own else [], credential),
            "shared": self._seen(self._views.shared(), credential),
            "default": own.default if own else None,
            "keeps_own": keeps_own,
            "may_share": may_share(credential),
        }

    def _seen(self, views: Iterable[SavedView], credential: Credential) -> list[dict[str, str]]:
        person = credential.person
        if person.cameras is None:
            return [one.model_dump() for one in views]
        states = [one.describe() for one in self._cameras() if person.sees(one.name)]
        groups = {one["group"] for one in states}
        seen = [(one, limited_to(one.query, person.sees, groups)) for one in views]
        return [one.model_dump() | {"query": query} for one, query in seen if query is not None]


def create_views(views: Views, shown: ShownViews, auth: Auth) -> Blueprint:
    """Return the routes below ``/api/views``."""
    routes = Blueprint("views", __name__)
    changes = Bucket(CHANGES_PER_S, CHANGES_AT_ONCE, time.monotonic())

    @routes.get("/api/views")
    def everything() -> Response:
        return answer_json(shown.to(current_credential()))

    @routes.post("/api/views")
    @json_errors(auth)
    def add() -> Response:
        values = read()
        whose = list_of(values.get("shared") is True)
        added = views.add(whose, values)
        note("view add", whose, added)
        return answer_json(added.model_dump(), 201)

    @routes.patch("/api/views")
    @json_errors(auth)
    def choose() -> Response:
        key = read().get("default")
        name = list_of(shared=False)
        assert name is not None
        views.choose_default(name, key if isinstance(key, str) else None)
        return answer_json(shown.to(current_credential()))

    @routes.patch("/api/views/<key>")
    @json_errors(auth)
    def change(key: str) -> Response:
        values = read()
        whose = owner_of(key)
        changed = views.change(whose, key, values)
        note("view change", whose, changed)
        return answer_json(changed.model_dump())

    @routes.delete("/api/views/<key>")
    @json_errors(auth)
    def remove(key: str) -> Response:
        read()
        whose = owner_of(key)
        removed = views.remove(whose, key)
        note("view remove", whose, removed)
        return answer_json(removed.model_dump())

    def read() -> dict[str, Any]:
        if current_credential().by == "basic":
            # Browsers repeat Basic credentials on their own, for any page that causes a request.
            raise RequestError("forbidden", BASIC)
        values = read_change(auth)
        if not changes.take(time.monotonic()):
            raise RequestError("rate_limited", "views were changed too often; wait a few seconds")
        return values

    def list_of(shared: bool) -> str | None:
        """Return the owner of the list to change; raise RequestError if not allowed."""
        credential = current_credential()
        if shared and not may_share(credential):
            raise RequestError("forbidden", LIMITED)
        if not shared and not has_own(credential):
            raise RequestError("forbidden", NO_LOGIN)
        return EVERYBODY if shared else credential.person.name

    def owner_of(key: str) -> str | None:
        # A person without views of their own can only mean a shared one, perhaps just removed.
        is_shared = any(one.id == key for one in views.shared()) or not has_own(
            current_credential()
        )
        return list_of(is_shared)

    def note(what: str, whose: str | None, view: SavedView) -> None:
        if whose is not EVERYBODY:
            return
        where = flask.request.remote_addr or ""
        who = current_credential().person.name or where
        auth.audit.note(
            who, what, where, "ok", by=current_credential().by, view=view.id, name=view.name
        )

    return routes


def has_own(credential: Credential) -> bool:
    """Return whether the server keeps views for a person: only for users who log in."""
    return credential.person.kind == "user"


def may_share(credential: Credential) -> bool:
    """Return whether a person may change the shared views."""
    person = credential.person
    return person.operates and person.cameras is None and person.kind != "embed"
