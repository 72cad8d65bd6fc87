"""The HTTP API of recordings, events, and the days that have some."""

import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import flask
from flask import Blueprint, Response

from server.errors import PictureError, RequestError
from server.recording.disk.index import Event, Recorded
from server.recording.disk.layout import camera_of
from server.recording.library import Found, Query
from server.recording.media.pictures import PictureMaker
from server.recording.media.process import MediaError
from server.recording.media.recent import Recent
from server.web.auth.auth import Auth
from server.web.auth.guard import answer, current_credential
from server.web.edge.bucket import Bucket
from server.web.http.changes import answer_json, json_errors, read_change, refuse_change
from server.web.past.clips import read_number, read_width
from server.web.past.libraries import Held, Libraries
from server.web.past.range_requests import answer_file, answer_part

__all__ = ["create_library"]

MAX_LIMIT = 500
MAX_LABEL = 80  # Labels are shorter.
DEFAULT_LIMIT = 100

# Small pictures, which the page requests whenever it shows its list.
PICTURES_KEPT_S = 600.0
PICTURES_KEPT_BYTES = 16 << 20

# Permissions can change at any time, so browsers must not cache.
NOT_KEPT = {"Cache-Control": "no-store"}

CHANGES_PER_S = 10
CHANGES_AT_ONCE = 200

Kept = TypeVar("Kept", bound=Recorded | Event)


def create_library(libraries: Libraries, pictures: PictureMaker, auth: Auth) -> Blueprint:
    """Return the routes for recordings and events.

    Args:
        libraries: All recordings and events.
        pictures: Decodes single pictures of them.
        auth: Logs changes.
    """
    routes = Blueprint("library", __name__)
    made: Recent[bytes] = Recent(PICTURES_KEPT_S, PICTURES_KEPT_BYTES)
    changes = Bucket(CHANGES_PER_S, CHANGES_AT_ONCE, time.monotonic())

    @routes.errorhandler(RequestError)
    def unavailable(error: Exception) -> Response:
        """Answer 503 if the index cannot be read or a camera's node does not answer."""
        return answer(503, str(error))

    @routes.get("/api/recordings")
    def recordings() -> Response:
        found = libraries.recordings(query())
        paused = "; ".join(found.paused)
        return answer_list("recordings", found, paused=paused)

    @routes.get("/api/events")
    def events() -> Response:
        return answer_list("events", libraries.events(query()))

    @routes.get("/api/events/<key>")
    def event(key: str) -> Response:
        return answer_json(seen(libraries.event, key).row.describe())

    @routes.get("/api/days")
    def days() -> Response:
        month = flask.request.args.get("month", time.strftime("%Y-%m"))
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
            flask.abort(404, f"{month[:40]!r} is not a month; accepted: such as 2026-11")
        found, missing = libraries.days(month, cameras())
        return answer_json({"days": found, "missing": [one._asdict() for one in missing]})

    @routes.get("/recording/<key>.mp4")
    def recording(key: str) -> Response:
        held = seen(libraries.recording, key)
        found, tag, name = held.row, f"{key}-{held.row.bytes}", f"{key}.mp4"
        path = libraries.path_of(held)
        if path is None:
            assert held.there is not None
            return answer_part(found.bytes, tag, name, partial(held.there.read, key))
        try:
            return answer_file(path, tag, name, nbytes=found.bytes)
        except OSError:
            raise missing(key) from None

    @routes.get("/recording/<key>.jpg")
    def still(key: str) -> Response:
        held = seen(libraries.recording, key)
        found = held.row
        arguments = flask.request.args
        asked = arguments.get("at")
        at_unix = found.begin if asked is None else read_number(asked, "at")
        at_unix = min(max(at_unix, found.begin), found.end)
        width = read_width(arguments.get("width"))
        jpeg = made.get((key, at_unix, width))
        if jpeg is None:
            try:
                jpeg = pictures.picture_of(libraries.picture_units(held, at_unix), width)
            except MediaError as error:
                flask.abort(503, f"{key}: {error}")
            except (OSError, PictureError):
                raise missing(key) from None
            made.put((key, at_unix, width), jpeg, len(jpeg))
        return Response(jpeg, headers=NOT_KEPT, content_type="image/jpeg")

    @routes.get("/event/<key>.jpg")
    def picture(key: str) -> Response:
        try:
            jpeg = libraries.picture_of(seen(libraries.event, key))
        except OSError:
            jpeg = None
        if jpeg is None:
            raise missing(key)
        return Response(jpeg, headers=NOT_KEPT, content_type="image/jpeg")

    @routes.patch("/api/recordings/<key>")
    @json_errors(auth)
    def lock(key: str) -> Response:
        return set_locked("recording", key, libraries.recording, libraries.lock)

    @routes.patch("/api/events/<key>")
    @json_errors(auth)
    def lock_event(key: str) -> Response:
        return set_locked("event", key, libraries.event, libraries.lock_event)

    @routes.delete("/api/recordings/<key>")
    @json_errors(auth)
    def remove(key: str) -> Response:
        return delete("recording", key, libraries.recording, libraries.remove)

    @routes.delete("/api/events/<key>")
    @json_errors(auth)
    def remove_event(key: str) -> Response:
        return delete("event", key, libraries.event, libraries.remove_event)

    def set_locked(
        kind: str,
        key: str,
        find: Callable[[str], Held[Kept] | None],
        change: Callable[[Held[Kept], bool, str], Kept | None],
    ) -> Response:
        locked = read_locked()
        held = permitted(find, key)
        changed = apply(lambda: change(held, locked, requester()[0]), key)
        note(f"{kind} lock" if locked else f"{kind} unlock", changed)
        return answer_json(changed.describe())

    def delete(
        kind: str,
        key: str,
        find: Callable[[str], Held[Kept] | None],
        change: Callable[[Held[Kept], str], Kept | None],
    ) -> Response:
        read()
        held = permitted(find, key)
        removed = apply(lambda: change(held, requester()[0]), key)
        note(f"{kind} delete", removed)
        return answer_json(removed.describe())

    # Parsing requests.

    def cameras() -> list[str] | None:
        """Return the names of the requested cameras that are visible; None for all."""
        person = current_credential().person
        name = flask.request.args.get("camera")
        if name is not None:
            return [name] if person.sees(name) else []
        return None if person.cameras is None else sorted(person.cameras)

    def query() -> Query:
        label = flask.request.args.get("label", None, lambda text: text[:MAX_LABEL])
        return Query(cameras(), number("since"), number("before"), limit(), label)

    def answer_list(name: str, found: Found[Kept], **more: Any) -> Response:
        rows = [one.describe() for one in found.rows]
        missing = [one._asdict() for one in found.missing]
        return answer_json({name: rows, "more": found.more, **more, "missing": missing})

    def number(name: str) -> float | None:
        text = flask.request.args.get(name)
        if text is None:
            return None
        if not re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text):
            flask.abort(404, f"{name}={text[:40]!r}; accepted: Unix seconds")
        return float(text)

    def limit() -> int:
        text = flask.request.args.get("limit", str(DEFAULT_LIMIT))
        if not re.fullmatch(r"\d{1,4}", text) or not 1 <= int(text) <= MAX_LIMIT:
            flask.abort(404, f"limit={text[:40]!r}; accepted: 1 to {MAX_LIMIT}")
        return int(text)

    def seen(find: Callable[[str], Held[Kept] | None], key: str) -> Held[Kept]:
        """Return the row with this id; asks no node if the person may not see the camera."""
        camera = camera_of(key)
        held = (
            find(key) if camera is not None and current_credential().person.sees(camera) else None
        )
        if held is None:
            raise missing(key)
        return held

    def missing(key: str) -> Exception:
        flask.abort(404, f"there is no {key[:80]!r}; it may have been deleted")

    def read() -> dict[str, Any]:
        if current_credential().by == "basic":
            # Browsers repeat Basic credentials on their own, for any page that causes a request.
            raise RequestError("forbidden", "log in on the page, or send a token")
        values = read_change(auth)
        if not changes.take(time.monotonic()):
            raise RequestError("rate_limited", "too many changes at once; wait a few seconds")
        return values

    def read_locked() -> bool:
        locked = read().get("locked")
        if not isinstance(locked, bool):
            raise refuse_change(auth, 422, "bad_request", "locked: true or false is accepted")
        return locked

    def permitted(find: Callable[[str], Held[Kept] | None], key: str) -> Held[Kept]:
        """Return the row with this id, for operators who may see the camera."""
        held = seen(find, key)
        if not current_credential().person.operates:
            raise RequestError("forbidden", "only operators may do this")
        return held

    def apply(change: Callable[[], Kept | None], key: str) -> Kept:
        try:
            changed = change()
        except OSError as error:
            why = error.strerror or str(error)
            raise RequestError("unavailable", f"Nothing was changed: {why}") from error
        except PictureError as error:
            raise RequestError("unavailable", f"Nothing was changed: {error}") from error
        if changed is None:
            raise missing(key)
        return changed

    def note(what: str, changed: Recorded | Event) -> None:
        who, where = requester()
        about = {"camera": changed.camera, "id": changed.id}
        auth.audit.note(who, what, where, "ok", by=current_credential().by, **about)

    def requester() -> tuple[str, str]:
        where = flask.request.remote_addr or ""
        return current_credential().person.name or where, where

    return routes
