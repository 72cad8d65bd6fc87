"""The HTTP paths of clips and of pictures from the past; see ``docs/recording.md``."""

import math
import time
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import flask
from flask import Response
from werkzeug.exceptions import HTTPException

from server.delivery.fanout import Fanout
from server.delivery.socket_queue import PEER_CHECK_S, is_disconnected
from server.errors import PictureError, RequestError
from server.loop import hub
from server.recording.media.clip import Clip, can_be_copied, lay_out_clip, read_clip
from server.recording.media.fragments import Kept
from server.recording.media.jobs import ClipJob, ClipJobs
from server.recording.media.pictures import PictureMaker
from server.recording.media.process import MediaError
from server.recording.media.recent import Recent
from server.recording.past import Past
from server.web.auth.auth import Auth
from server.web.auth.guard import answer, current_credential
from server.web.http.changes import answer_json, json_errors, read_change, refuse_change
from server.web.http.routes import connection
from server.web.past.range_requests import answer_file, answer_part

__all__ = ["create_clips"]

MAX_CLIP_S = 3600.0

# A player requests a clip in parts, while the memory it comes from moves on.
CLIPS_KEPT_S = 60.0
CLIPS_KEPT_BYTES = 64 << 20

# A pointer moving along the scrubber requests the same few pictures repeatedly.
PICTURES_KEPT_S = 30.0
PICTURES_KEPT_BYTES = 16 << 20

MAX_WIDTH = 7680


def create_clips(
    fanouts: Mapping[str, Fanout],
    past: Past,
    jobs: ClipJobs,
    pictures: PictureMaker,
    auth: Auth,
) -> flask.Blueprint:
    """Return the routes for clips and pictures from the past.

    Args:
        fanouts: By camera name.
        past: The past of all cameras, in memory and on disk.
        jobs: Creates clips in the background.
        pictures: Decodes single pictures.
        auth: Logs refusals.
    """
    routes = flask.Blueprint("clips", __name__)
    clips: Recent[Clip] = Recent(CLIPS_KEPT_S, CLIPS_KEPT_BYTES)
    made: Recent[bytes] = Recent(PICTURES_KEPT_S, PICTURES_KEPT_BYTES)

    @routes.errorhandler(RequestError)
    def unavailable(error: Exception) -> Response:
        """Answer 503 if the camera's node does not answer."""
        return answer(503, str(error))

    @routes.get("/clip/<camera>.mp4")
    def clip(camera: str) -> Response:
        if "_" in camera:  # A job's key: camera names have no underscore.
            return send_job(camera)
        require_camera(camera)
        asked = read_span(flask.request.args)
        key = camera, *asked
        found = clips.get(key)
        if found is None:
            units = units_between(camera, asked)
            if not hub.run_native(can_be_copied, units):
                return send_encoded(camera, asked, units)
            found = lay_out(units, asked[0])
            if asked[1] <= units[-1].shown_unix:
                clips.put(key, found, found.nbytes)
        name = file_name(camera, found.from_unix)
        return answer_part(found.nbytes, found.tag, name, partial(read_clip, found))

    def lay_out(units: Sequence[Kept], from_unix: float) -> Clip:
        try:
            return lay_out_clip(units, from_unix)
        except (PictureError, OSError) as error:
            flask.abort(503, str(error))

    def send_job(key: str) -> Response:
        job = jobs.find(key, requester())
        if job is None or not current_credential().person.sees(job.camera):
            flask.abort(404, f"there is no clip {key[:40]!r}; they are kept for an hour")
        if job.error is not None:
            flask.abort(404, f"this clip could not be made: {job.error}")
        if not job.done:
            flask.abort(404, f"this clip is not ready: {job.share:.0%} is done")
        return send_file(job)

    def send_encoded(name: str, asked: tuple[float, float], units: Sequence[Kept]) -> Response:
        """Encode a clip, wait for it, and send it."""
        if flask.request.method == "HEAD":
            return Response(iter(()), content_type="video/mp4")
        try:
            job = jobs.begin(requester(), name, asked, units)
        except RequestError as error:
            raise HTTPException(str(error), answer(429, str(error))) from error
        while is_awaited() and not job.wait(PEER_CHECK_S):
            pass
        if job.ended_at is None:
            if not job.is_awaited:
                jobs.remove(job)
            flask.abort(503, "nobody is waiting for this clip any more")
        if job.error is not None:
            flask.abort(503, f"this clip could not be made: {job.error}")
        return send_file(job)

    def send_file(job: ClipJob) -> Response:
        try:
            return answer_file(job.path, job.id, file_name(job.camera, job.from_unix))
        except OSError:
            flask.abort(404, "this clip is no longer there")

    @routes.post("/api/clips")
    @json_errors(auth)
    def add() -> Response:
        body = read()
        name = body.get("camera")
        if (
            not isinstance(name, str)
            or name not in fanouts
            or not current_credential().person.sees(name)
        ):
            raise refuse_change(auth, 404, "unknown_camera", f"there is no camera {name!r}")
        try:
            asked = read_span(body)
            units = units_between(name, asked)
        except HTTPException as error:
            status = error.get_response().status_code
            raise refuse_change(auth, status, "bad_request", error.description or "") from None
        job = jobs.begin(requester(), name, asked, units)
        job.is_posted = True
        return answer_json(job.describe(), 201)

    @routes.get("/api/clips/<key>")
    def progress(key: str) -> Response:
        return answer_json(find_job(key).describe())

    @routes.delete("/api/clips/<key>")
    @json_errors(auth)
    def cancel(key: str) -> Response:
        read()
        job = find_job(key)
        jobs.remove(job)
        return answer_json(job.describe())

    def read() -> dict[str, Any]:
        if current_credential().by == "basic":
            # Browsers repeat Basic credentials on their own, for any page that causes a request.
            raise RequestError("forbidden", "log in on the page, or send a token")
        return read_change(auth)

    def find_job(key: str) -> ClipJob:
        job = jobs.find(key, requester())
        if job is None:
            raise refuse_change(auth, 404, "bad_request", f"there is no clip {key[:40]!r}")
        return job

    @routes.get("/api/cameras/<camera>/picture")
    def picture(camera: str) -> Response:
        require_camera(camera)
        at_unix = read_number(flask.request.args.get("at"), "at")
        width = read_width(flask.request.args.get("width"))
        units = past.find(camera, at_unix)
        if not units:
            raise nothing(camera)
        last = units[-1]
        key = camera, last.shown_unix, last.seq, width
        jpeg = made.get(key)
        if jpeg is None:
            try:
                jpeg = pictures.picture_of(units, width, is_wanted=is_awaited)
            except MediaError as error:
                flask.abort(503, f"camera {camera}: {error}")
            made.put(key, jpeg, len(jpeg))
        headers = {"Cache-Control": "no-store", "X-Timestamp": f"{last.shown_unix:.6f}"}
        return Response(jpeg, headers=headers, content_type="image/jpeg")

    def require_camera(name: str) -> None:
        if name not in fanouts or not current_credential().person.sees(name):
            flask.abort(404, f"there is no camera {name[:40]!r}")

    def units_between(name: str, asked: tuple[float, float]) -> Sequence[Kept]:
        span = past.span(name)
        units = past.between(name, *asked) if span and asked[0] <= span[1] else []
        if not units:
            raise nothing(name)
        return units

    def nothing(name: str) -> HTTPException:
        span = past.span(name)
        there = f"there is {span[0]:.3f} to {span[1]:.3f}" if span else "nothing is kept of it"
        response = answer(404, f"camera {name} has no picture of that time; {there}")
        return HTTPException(f"no picture of that time; {there}", response)

    return routes


def is_awaited() -> bool:
    """Return whether the client of the current request is still there."""
    return not is_disconnected(connection().fd)


def requester() -> Hashable:
    """Return the owner of the clips that the current request may reach."""
    person = current_credential().person
    return person.kind, person.name


def file_name(camera: str, at_unix: float) -> str:
    """Return the file name for a clip: its camera and local time."""
    return f"{camera} {time.strftime('%Y-%m-%d %H.%M.%S', time.localtime(at_unix))}.mp4"


def read_span(fields: Mapping[str, object]) -> tuple[float, float]:
    """Return the requested start and end; answer 400 if invalid."""
    begin, end = (read_number(fields.get(name), name) for name in ("from", "to"))
    if end < begin:
        refuse("'to' is before 'from'")
    if end - begin > MAX_CLIP_S:
        refuse("a clip can be an hour long at most")
    return begin, end


def read_number(value: object, name: str) -> float:
    """Return a time in Unix seconds; answer 400 if invalid."""
    number = math.nan
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
    if not math.isfinite(number) or not 0 <= number < 1e11:
        refuse(f"{name!r} must be a time in Unix seconds")
    return number


def read_width(value: str | None) -> int:
    """Return the requested width, 0 for the picture's; answer 400 if invalid."""
    if value is None:
        return 0
    if not value.isascii() or not value.isdigit() or not 16 <= int(value[:9]) <= MAX_WIDTH:
        refuse(f"'width' must be a number of pixels, 16 to {MAX_WIDTH}")
    return int(value)


def refuse(why: str) -> NoReturn:
    """Answer 400 with a message."""
    raise HTTPException(why, answer(400, why))
