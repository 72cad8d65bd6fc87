"""The public HTTP paths: dashboard, MJPEG, MP4, snapshots, and those for other programs."""

import functools
import importlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import flask
from flask import Blueprint, Response
from werkzeug.exceptions import HTTPException

from server import __version__
from server.capture.frames.rendition import FULL
from server.delivery.fanout import Fanout
from server.delivery.mjpeg import MjpegViewer
from server.delivery.mp4_stream import Mp4Viewer
from server.loop import hub
from server.protocol import BOUNDARY
from server.web.auth.auth import Auth
from server.web.auth.connections import Connection
from server.web.auth.guard import current_credential
from server.web.edge.mjpg_streamer import Action, parse_action
from server.web.http.first_picture import first_frame, first_unit, require_video
from server.web.http.login import csrf_token
from server.web.http.views import ShownViews
from server.web.statistics import Statistics

if TYPE_CHECKING:
    from server.web.http.prometheus import Exposition

__all__ = ["create_routes"]

SNAPSHOT_AGE_S = 2.0

# With a longer delay the server is alive but not usable.
READY_LAG_MS = 1000

NO_CACHE = {
    "Cache-Control": "no-store, no-cache, must-revalidate, max-age=0",
    "Pragma": "no-cache",
    "Expires": "0",
}


def create_routes(
    fanouts: Mapping[str, Fanout], statistics: Statistics, auth: Auth, shown: ShownViews
) -> Blueprint:
    """Return the server's main HTTP routes.

    Args:
        fanouts: By camera name, in the order of the settings; paths without a name mean the first.
        statistics: For readiness and Prometheus.
        auth: Closes the streams of people whose access is revoked.
        shown: Selects the saved views to put into the page.
    """
    routes = Blueprint("web", __name__)

    @functools.cache
    def load_opencv() -> None:
        """Import OpenCV on a native thread while the first browser is still loading the page."""
        hub.spawn(hub.run_native, importlib.import_module, "cv2")

    @functools.cache
    def load_exposition() -> "Exposition":
        """Import the metrics' writer on the first request for them: it takes 50 ms."""

        def load() -> "Exposition":
            from server.web.http.prometheus import Exposition

            return Exposition(fanouts, statistics)

        return hub.run_native(load)

    @routes.get("/")
    def dashboard() -> Response:
        # Requests that OctoPrint, Mainsail and Klipper make to mjpg-streamer.
        text = flask.request.args.get("action")
        if text is not None:
            return run_action(parse_action(text), text)
        load_opencv()
        credential = current_credential()
        logged_in = credential.by == "cookie"
        is_embedded = credential.person.kind == "embed"
        page = flask.make_response(
            flask.render_template(
                "index.html",
                version=__version__,
                user=credential.person.name if logged_in else None,
                csrf=csrf_token() if logged_in else "",
                limited=credential.person.cameras is not None,
                admin=credential.person.administers,
                open=credential.by == "open",
                views=None if is_embedded else shown.to(credential),
            )
        )
        # A page that contains a CSRF token, or has a token in its URL, is for one person only.
        private = logged_in or is_embedded
        page.headers["Cache-Control"] = "no-store" if private else "no-cache"
        return page

    def run_action(action: Action | None, text: str) -> Response:
        if action is None:
            flask.abort(404, f"there is no action {text[:40]!r}; accepted: stream or snapshot")
        camera = None
        if action.index is not None:
            camera = next(itertools.islice(seen(), action.index, None), f"number {action.index}")
        return video_feed(camera) if action.area == "/video_feed" else snapshot(camera)

    @routes.get("/video_feed", defaults={"camera": None})
    @routes.get("/video_feed/<camera>")
    def video_feed(camera: str | None) -> Response:
        fanout = find(camera)
        content_type = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
        if flask.request.method == "HEAD":
            return Response(iter(()), headers=NO_CACHE, content_type=content_type)
        chunked = flask.request.environ["SERVER_PROTOCOL"] == "HTTP/1.1"
        rendition = rendition_of(fanout)
        viewer = MjpegViewer(fanout, connection(), chunked, rendition)
        with watching(fanout, viewer) as leave:
            first = first_frame(fanout, rendition, max_age_s=float("inf"))
            return endless(viewer.stream(first), content_type, leave)

    @routes.get("/stream/<camera>.mp4")
    def stream(camera: str) -> Response:
        fanout = find(camera)
        rendition = rendition_of(fanout)
        require_video(fanout, rendition)
        begin = flask.request.args.get("from")
        if begin not in (None, "now"):
            flask.abort(404, f"a stream cannot begin at {begin[:40]!r}; accepted: now")
        if flask.request.method == "HEAD":
            return Response(iter(()), headers=NO_CACHE, content_type="video/mp4")
        viewer = Mp4Viewer(fanout, connection(), rendition, from_now=begin == "now")
        with watching(fanout, viewer) as leave:
            begun = first_unit(fanout, rendition, viewer)
            return endless(viewer.stream(*begun), "video/mp4", leave)

    @contextmanager
    def watching(fanout: Fanout, viewer: MjpegViewer | Mp4Viewer) -> Iterator[Callable[[], None]]:
        """Register a viewer as an open connection until it leaves; on an error, remove it."""

        def leave() -> None:
            auth.connections.leave(viewer)
            viewer.leave()

        here = flask.request.remote_addr or ""
        watched = Connection(current_credential(), viewer.leave, here, lambda: [fanout.camera.name])
        auth.connections.enter(viewer, watched)
        try:
            yield leave
        except BaseException:
            leave()
            raise

    @routes.get("/snapshot", defaults={"camera": None})
    @routes.get("/snapshot/<camera>.jpg")
    def snapshot(camera: str | None) -> Response:
        fanout = find(camera)
        frame = first_frame(fanout, rendition_of(fanout), SNAPSHOT_AGE_S)
        headers = NO_CACHE | {"X-Timestamp": f"{frame.at_unix:.6f}"}
        return Response(frame.jpeg, headers=headers, content_type="image/jpeg")

    @routes.get("/api/cameras")
    def cameras() -> Response:
        states = [fanout.camera.describe() for fanout in seen().values()]
        response = flask.jsonify(states)
        response.headers.update(NO_CACHE)
        return response

    @routes.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", headers=NO_CACHE, content_type="text/plain")

    @routes.get("/readyz")
    def readyz() -> Response:
        # Cameras of other nodes are left out: if one fails, it fails on every web node.
        own = [one.camera for one in seen().values() if one.camera.owner is None]
        failing = [
            f"{camera['name']}: {camera['state']}: {camera['reason']}\n"
            for camera in (one.describe() for one in own)
            if camera["viewers"] and camera["state"] in ("stalled", "retrying")
        ]
        lag_ms = statistics.process.get("hub_lag_ms", 0)
        if lag_ms > READY_LAG_MS:
            failing.append(f"the event loop lags by {lag_ms} ms\n")
        text = "".join(failing) or "ok\n"
        return Response(text, 503 if failing else 200, NO_CACHE, content_type="text/plain")

    @routes.get("/metrics")
    def metrics() -> Response:
        exposition = load_exposition()
        return Response(exposition.text(), headers=NO_CACHE, content_type=exposition.CONTENT_TYPE)

    @routes.app_errorhandler(HTTPException)
    def answer_error(error: HTTPException) -> Response:
        """Answer with a line of text, which ``ErrorPages`` turns into a page for browsers."""
        status = error.code or 500
        response = Response(f"{error.description}\n", status, NO_CACHE)
        # Such as Allow, which lists the permitted methods.
        response.headers.update(error.get_headers())
        response.content_type = "text/plain"
        if status == 503:
            response.headers["Retry-After"] = "2"
        return response

    def seen() -> dict[str, Fanout]:
        person = current_credential().person
        return {name: fanout for name, fanout in fanouts.items() if person.sees(name)}

    def find(name: str | None) -> Fanout:
        here = seen()
        if name is None:
            name = flask.request.args.get("camera")
        fanout = next(iter(here.values()), None) if name is None else here.get(name)
        if fanout is None:
            known = ", ".join(here) or "none"
            asked = "" if name is None else f" {name[:40]!r}"
            flask.abort(404, f"there is no camera{asked}; cameras here: {known}")
        return fanout

    return routes


def connection() -> Any:
    """Return the current request's green socket."""
    return flask.request.environ["eventlet.input"].get_socket()


def rendition_of(fanout: Fanout) -> str:
    """Return the rendition that the current request names, or the full one."""
    name = flask.request.args.get("rendition", FULL.name)
    if name not in fanout.rooms:
        accepted = ", ".join(fanout.rooms)
        flask.abort(404, f"there is no rendition {name[:40]!r}; accepted: {accepted}")
    return name


def endless(body: Iterator[bytes], content_type: str, on_close: Callable[[], None]) -> Response:
    """Return a response that lasts until either side closes it."""
    response = Response(body, headers=NO_CACHE, content_type=content_type)
    response.call_on_close(on_close)
    return response
