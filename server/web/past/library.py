"""The HTTP API of what is kept on the disk: recordings, events, and the days that have some."""

import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

import flask
from flask import Blueprint, Response

from server.errors import PictureError, RequestError
from server.recording.disk.index import Event, Recorded
from server.recording.library import Library
from server.recording.media.pictures import PictureMaker
from server.recording.media.process import MediaError
from server.recording.media.recent import Recent
from server.web.auth.auth import Auth
from server.web.auth.guard import answer, asking
from server.web.edge.bucket import Bucket
from server.web.http.changes import answer_json, answering, read_change, refuse_change
from server.web.past.clips import read_number, read_width
from server.web.past.ranges import answer_file

__all__ = ["create_library"]

MAX_LIMIT = 500
DEFAULT_LIMIT = 100

# Small pictures, which the page asks for again whenever its list is shown.
PICTURES_KEPT_S = 600.0
PICTURES_KEPT_BYTES = 16 << 20

# Who may see it can change at any time.
NOT_KEPT = {"Cache-Control": "no-store"}

CHANGES_PER_S = 10
CHANGES_AT_ONCE = 200

Kept = TypeVar("Kept", Recorded, Event)

Notify = Callable[[str, str, str | None, str | None], None]


def create_library(
    library: Library, pictures: PictureMaker, auth: Auth, notify: Notify
) -> Blueprint:
    """Return the routes of what is kept on the disk.

    Args:
        library: What there is.
        pictures: Makes single pictures of it.
        auth: Notes who changes it.
        notify: Tells people: level, message, camera, and who did it.
    """
    routes = Blueprint("library", __name__)
    made: Recent[bytes] = Recent(PICTURES_KEPT_S, PICTURES_KEPT_BYTES)
    changes = Bucket(CHANGES_PER_S, CHANGES_AT_ONCE, time.monotonic())

    @routes.errorhandler(RequestError)
    def unavailable(error: Exception) -> Response:
        """Answer that the index cannot be read."""
        return answer(503, str(error))

    @routes.get("/api/recordings")
    def recordings() -> Response:
        found, more = library.recordings(cameras(), number("since"), number("before"), limit())
        rows = [one.describe() for one in found]
        return answer_json({"recordings": rows, "more": more, "paused": library.problem})

    @routes.get("/api/events")
    def events() -> Response:
        label = flask.request.args.get("label")
        found, more = library.event_list(
            cameras(), label, number("since"), number("before"), limit()
        )
        return answer_json({"events": [one.describe() for one in found], "more": more})

    @routes.get("/api/days")
    def days() -> Response:
        month = flask.request.args.get("month", time.strftime("%Y-%m"))
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
            flask.abort(404, f"{month[:40]!r} is no month; accepted: such as 2026-11")
        return answer_json({"days": library.days(month, cameras())})

    @routes.get("/recording/<key>.mp4")
    def recording(key: str) -> Response:
        found = seen(library.recording(key), key)
        try:
            path = library.path_of(found)
            return answer_file(path, f"{key}-{found.bytes}", f"{key}.mp4", nbytes=found.bytes)
        except OSError:
            raise missing(key) from None

    @routes.get("/recording/<key>.jpg")
    def still(key: str) -> Response:
        found = seen(library.recording(key), key)
        arguments = flask.request.args
        asked = arguments.get("at")
        at_unix = found.begin if asked is None else read_number(asked, "at")
        at_unix = min(max(at_unix, found.begin), found.end)
        width = read_width(arguments.get("width"))
        jpeg = made.get((key, at_unix, width))
        if jpeg is None:
            try:
                jpeg = pictures.picture_of(library.picture_units(found, at_unix), width)
            except MediaError as error:
                flask.abort(503, f"{key}: {error}")
            except (OSError, PictureError):
                raise missing(key) from None
            made.put((key, at_unix, width), jpeg, len(jpeg))
        return Response(jpeg, headers=NOT_KEPT, content_type="image/jpeg")

    @routes.get("/event/<key>.jpg")
    def picture(key: str) -> Response:
        try:
            jpeg = library.picture_of(seen(library.event(key), key))
        except OSError:
            jpeg = None
        if jpeg is None:
            raise missing(key)
        return Response(jpeg, headers=NOT_KEPT, content_type="image/jpeg")

    @routes.patch("/api/recordings/<key>")
    @answering(auth)
    def lock(key: str) -> Response:
        return set_locked("recording", key, library.recording, library.lock)

    @routes.patch("/api/events/<key>")
    @answering(auth)
    def lock_event(key: str) -> Response:
        return set_locked("event", key, library.event, library.lock_event)

    @routes.delete("/api/recordings/<key>")
    @answering(auth)
    def remove(key: str) -> Response:
        return delete("recording", key, library.recording, library.remove)

    @routes.delete("/api/events/<key>")
    @answering(auth)
    def remove_event(key: str) -> Response:
        return delete("event", key, library.event, library.remove_event)

    def set_locked(
        kind: str,
        key: str,
        find: Callable[[str], Kept | None],
        change: Callable[[str, bool], Kept | None],
    ) -> Response:
        locked = read_locked()
        permit(find(key), key)
        changed = carry_out(lambda: change(key, locked))
        note(f"{kind} lock" if locked else f"{kind} unlock", changed, key)
        return answer_json(seen(changed, key).describe())

    def delete(
        kind: str,
        key: str,
        find: Callable[[str], Kept | None],
        change: Callable[[str], Kept | None],
    ) -> Response:
        read()
        permit(find(key), key)
        removed = seen(carry_out(lambda: change(key)), key)
        note(f"{kind} delete", removed, key)
        article = "An" if kind == "event" else "A"
        tell(f"{article} {kind} of {removed.camera} was deleted", removed.camera)
        return answer_json(removed.describe())

    # What a request asks for.

    def cameras() -> list[str] | None:
        """Return of which cameras; None for all."""
        person = asking().person
        name = flask.request.args.get("camera")
        if name is not None:
            return [name] if person.sees(name) else []
        return None if person.cameras is None else sorted(person.cameras)

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

    def seen(found: Kept | None, key: str) -> Kept:
        if found is None or not asking().person.sees(found.camera):
            raise missing(key)
        return found

    def missing(key: str) -> Exception:
        flask.abort(404, f"there is no {key[:80]!r}, or no longer")

    def read() -> dict[str, Any]:
        if asking().by == "basic":
            # Browsers repeat it by themselves, for whichever page makes them.
            raise RequestError("forbidden", "log in on the page, or send a token")
        values = read_change(auth)
        if not changes.take(time.monotonic()):
            raise RequestError("rate_limited", "too much was changed at once; wait some seconds")
        return values

    def read_locked() -> bool:
        locked = read().get("locked")
        if not isinstance(locked, bool):
            raise refuse_change(auth, 422, "bad_request", "locked: true or false is accepted")
        return locked

    def permit(found: Recorded | Event | None, key: str) -> None:
        """Let operators who may see the camera go on."""
        if found is None or not asking().person.sees(found.camera):
            raise missing(key)
        if not asking().person.operates:
            raise RequestError("forbidden", "only operators may do this")

    def carry_out(change: Callable[[], Kept | None]) -> Kept | None:
        try:
            return change()
        except OSError as error:
            why = error.strerror or str(error)
            raise RequestError("unavailable", f"Nothing was changed: {why}") from error
        except PictureError as error:
            raise RequestError("unavailable", f"Nothing was changed: {error}") from error

    def note(what: str, found: Recorded | Event | None, key: str) -> None:
        who, where = who_asks()
        camera = found.camera if found is not None else None
        auth.audit.note(who, what, where, "ok", by=asking().by, camera=camera, id=key)

    def tell(message: str, camera: str) -> None:
        notify("info", message, camera, who_asks()[0])

    def who_asks() -> tuple[str, str]:
        where = flask.request.remote_addr or ""
        return asking().person.name or where, where

    return routes
