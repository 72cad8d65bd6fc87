"""The HTTP paths, asked through Flask's own client."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import flask
import pytest
from flask.testing import FlaskClient

from server import __version__
from server.capture.camera import Camera
from server.delivery.fanout import Fanout
from server.errors import SourceError
from server.web import routes
from tests.conftest import FakeSource, settle, until

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def source() -> FakeSource:
    """What the camera is opened on."""
    return FakeSource(fps=10)


@pytest.fixture
def camera(make_camera: Callable[..., Camera], source: FakeSource) -> Camera:
    """The one camera."""
    return make_camera(source)


@pytest.fixture
def client(camera: Camera) -> Iterator[FlaskClient]:
    """A client of an application with nothing but the routes."""
    app = flask.Flask(
        "porthole", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static")
    )
    fanout = Fanout(camera)
    fanout.open()
    app.register_blueprint(routes.create_routes({"door": fanout}))
    yield app.test_client()
    fanout.close()


@pytest.mark.parametrize("path", ["/snapshot", "/snapshot/door.jpg", "/?action=snapshot"])
def test_snapshot_is_one_fresh_jpeg(client: FlaskClient, source: FakeSource, path: str) -> None:
    """A snapshot brings the camera up by itself and is not kept by caches."""
    source.give()

    answer = client.get(path)

    assert answer.status_code == 200
    assert answer.content_type == "image/jpeg"
    assert answer.data.startswith(b"\xff\xd8")
    assert abs(float(answer.headers["X-Timestamp"]) - time.time()) < 2
    assert "no-store" in answer.headers["Cache-Control"]


def test_snapshot_leaves_nobody_behind(
    client: FlaskClient, source: FakeSource, camera: Camera
) -> None:
    """After a snapshot nobody is counted as watching."""
    source.give()

    client.get("/snapshot")

    assert camera.describe()["viewers"] == 0


def test_snapshot_of_a_lost_camera_says_why(
    make_camera: Callable[..., Camera], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a picture the answer is 503 with the camera's state and reason, and soon."""
    monkeypatch.setattr(routes, "STATE_CHECK_S", 0.01)
    lost = make_camera(SourceError("no such device"))
    app = flask.Flask("porthole")
    fanout = Fanout(lost)
    app.register_blueprint(routes.create_routes({"door": fanout}))

    answer = app.test_client().get("/snapshot")

    assert answer.status_code == 503
    assert answer.text == "camera door is retrying: no such device\n"
    assert answer.headers["Retry-After"]
    assert len(fanout) == 0


def test_snapshot_waits_no_longer_than_people_do(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that delivers nothing is answered with 503 when the time is up."""
    monkeypatch.setattr(routes, "FIRST_FRAME_S", 0.02)
    monkeypatch.setattr(routes, "STATE_CHECK_S", 0.01)

    assert client.get("/snapshot").status_code == 503


@pytest.mark.parametrize("path", ["/video_feed", "/video_feed/door", "/?action=stream"])
def test_feed_begins_with_a_frame(
    client: FlaskClient, source: FakeSource, camera: Camera, path: str
) -> None:
    """A feed is multipart, begins at once, and lets go of the camera when it is closed."""
    source.give()

    answer = client.get(path, buffered=False)
    body = answer.iter_encoded()
    opening, part = next(body), next(body)

    assert answer.content_type == "multipart/x-mixed-replace; boundary=frame"
    assert opening == b"--frame\r\n"
    assert part.startswith(b"Content-Type: image/jpeg\r\nContent-Length: ")
    assert camera.describe()["viewers"] == 1
    answer.close()
    assert camera.describe()["viewers"] == 0


def test_head_of_a_feed_opens_nothing(client: FlaskClient, camera: Camera) -> None:
    """Asking for the head only does not bring the camera up."""
    answer = client.head("/video_feed")
    settle()

    assert answer.status_code == 200
    assert answer.content_type.startswith("multipart/x-mixed-replace")
    assert camera.meter.opened == 0


@pytest.mark.parametrize("path", ["/video_feed/yard", "/snapshot/yard.jpg", "/snapshot/door", "/x"])
def test_unknown_path_is_not_found(client: FlaskClient, path: str) -> None:
    """What is not there is answered in one line of text."""
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.content_type.startswith("text/plain")


def test_unknown_camera_names_those_there_are(client: FlaskClient) -> None:
    """A mistyped camera is answered with the names there are."""
    assert "cameras here: door" in client.get("/video_feed/yard").text


def test_dashboard_is_served(client: FlaskClient) -> None:
    """The page comes, asks to be revalidated, and names no absolute address of ours."""
    answer = client.get("/")

    assert answer.status_code == 200
    assert "<title>Porthole</title>" in answer.text
    assert answer.headers["Cache-Control"] == "no-cache"
    assert 'src="/' not in answer.text
    assert 'href="/' not in answer.text
    assert __version__


def test_cameras_are_listed(client: FlaskClient, camera: Camera) -> None:
    """The list holds each camera's STATE."""
    assert client.get("/api/cameras").json == [camera.describe()]


def test_health_and_readiness(client: FlaskClient) -> None:
    """A server whose cameras are idle is alive and ready."""
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_lost_camera_is_not_ready(make_camera: Callable[..., Camera]) -> None:
    """A camera that should be live and is not makes the server not ready, with its reason."""
    lost = make_camera(SourceError("no such device"))
    app = flask.Flask("porthole")
    app.register_blueprint(routes.create_routes({"door": Fanout(lost)}))
    lost.set_viewers(1)
    until(lambda: lost.state == "retrying")

    answer = app.test_client().get("/readyz")

    assert answer.status_code == 503
    assert "door: retrying: no such device" in answer.text
    assert app.test_client().get("/healthz").status_code == 200
