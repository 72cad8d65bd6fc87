"""The HTTP paths of the contract: the dashboard, MJPEG, snapshots, and those for machines."""

import functools
import importlib
import itertools
import time
from collections.abc import Mapping
from typing import Any

import flask
from flask import Blueprint, Response
from werkzeug.exceptions import ServiceUnavailable

from server import __version__
from server.capture.frames.rendition import FULL
from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Fanout
from server.delivery.mjpeg import FrameWaiter, MjpegViewer
from server.loop import hub
from server.protocol import BOUNDARY
from server.web.auth.auth import Auth
from server.web.auth.connections import Connection
from server.web.auth.guard import asking
from server.web.edge.action import Action, parse_action
from server.web.http.login import csrf_token
from server.web.http.prometheus import CONTENT_TYPE, Exposition
from server.web.statistics import Statistics

__all__ = ["create_routes"]

# Longer than a camera takes to open, shorter than people are willing to wait.
FIRST_FRAME_S = 8.0

SNAPSHOT_AGE_S = 2.0

# With a longer delay the server is alive, but not usable.
READY_LAG_MS = 1000

# How often the camera's state is checked while waiting for a picture.
STATE_CHECK_S = 0.2

# How long a camera that failed while nobody watched has to try again.
RETRIED_S = 2.0

NO_CACHE = {
    "Cache-Control": "no-store, no-cache, must-revalidate, max-age=0",
    "Pragma": "no-cache",
    "Expires": "0",
}


def create_routes(fanouts: Mapping[str, Fanout], statistics: Statistics, auth: Auth) -> Blueprint:
    """Return the HTTP side of the server.

    Args:
        fanouts: By camera name, in the order of the settings; paths without a name mean the first.
        statistics: For readiness and Prometheus.
        auth: Closes the feeds of people whose access is revoked.
    """
    routes = Blueprint("web", __name__)
    exposition = Exposition(fanouts, statistics)

    @functools.cache
    def load_opencv() -> None:
        """Load what draws and encodes while the first browser still loads the page; natively."""
        hub.spawn(hub.run_native, importlib.import_module, "cv2")

    @routes.get("/")
    def dashboard() -> Response:
        # Requests that OctoPrint, Mainsail and Klipper make to mjpg-streamer.
        text = flask.request.args.get("action")
        if text is not None:
            return carry_out(parse_action(text), text)
        load_opencv()
        credential = asking()
        logged_in = credential.by == "cookie"
        page = flask.make_response(
            flask.render_template(
                "index.html",
                version=__version__,
                user=credential.person.name if logged_in else None,
                csrf=csrf_token() if logged_in else "",
                limited=credential.person.cameras is not None,
                admin=credential.person.administers,
                open=credential.by == "open",
            )
        )
        # A page with a CSRF token in it, or a token in its URL, is for one person only.
        private = logged_in or credential.person.kind == "embed"
        page.headers["Cache-Control"] = "no-store" if private else "no-cache"
        return page

    def carry_out(action: Action | None, text: str) -> Response:
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
        here = flask.request.remote_addr or ""
        watched = Connection(asking(), viewer.leave, here, lambda: [fanout.camera.name])
        auth.connections.enter(viewer, watched)

        def leave() -> None:
            auth.connections.leave(viewer)
            viewer.leave()

        try:
            first = first_frame(fanout, rendition, max_age_s=float("inf"))
        except BaseException:
            leave()
            raise
        feed = Response(viewer.stream(first), headers=NO_CACHE, content_type=content_type)
        feed.call_on_close(leave)
        return feed

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
        # What another node has lost makes no web node worse than the next one.
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
        return Response(exposition.text(), headers=NO_CACHE, content_type=CONTENT_TYPE)

    @routes.app_errorhandler(404)
    def not_found(error: Exception) -> Response:
        text = getattr(error, "description", "not found")
        return Response(f"{text}\n", 404, NO_CACHE, content_type="text/plain")

    @routes.app_errorhandler(503)
    def no_picture(error: Exception) -> Response:
        text = getattr(error, "description", "unavailable")
        headers = NO_CACHE | {"Retry-After": "2"}
        return Response(f"{text}\n", 503, headers, content_type="text/plain")

    def seen() -> dict[str, Fanout]:
        person = asking().person
        return {name: fanout for name, fanout in fanouts.items() if person.sees(name)}

    def find(name: str | None) -> Fanout:
        here = seen()
        if name is None:
            name = flask.request.args.get("camera")
        fanout = next(iter(here.values()), None) if name is None else here.get(name)
        if fanout is None:
            known = ", ".join(here) or "none"
            flask.abort(404, f"there is no camera {name!r}; cameras here: {known}")
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


def first_frame(fanout: Fanout, rendition: str, max_age_s: float) -> EncodedFrame:
    """Return the first frame that is fresh enough, requesting one from the camera if needed.

    Raises:
        ServiceUnavailable: If there is none; the message has the camera's state and the reason.
    """
    camera = fanout.camera
    waiter = FrameWaiter(fanout, rendition)
    began = time.monotonic()
    # For a slow source, add the time from one picture to the next.
    source_fps = camera.describe()["source_fps"]
    deadline = began + FIRST_FRAME_S + (1 / source_fps if source_fps else 0)
    lost = camera.meter.lost
    try:
        while time.monotonic() < deadline:
            frame = waiter.next(STATE_CHECK_S)
            # A frame from before the clock was set back has a time in the future, and is old too.
            if frame is not None and abs(time.time() - frame.at_unix) <= max_age_s:
                return frame
            if frame is not None:
                camera.request_frame()
            if camera.state in ("ended", "stopped"):
                break
            tried = camera.meter.lost != lost or time.monotonic() > began + RETRIED_S
            if camera.state == "retrying" and tried:
                break
        raise ServiceUnavailable(f"camera {camera.name} is {camera.state}: {camera.reason}")
    finally:
        waiter.leave()
