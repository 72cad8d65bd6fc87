"""The HTTP paths, requested through Flask's test client."""

import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from server.app import App, create_app
from server.capture.camera import Camera
from server.capture.frames.video_track import VideoTrack
from server.config.load import load_settings
from server.errors import SourceError
from server.loop import hub
from server.manage import lineup
from server.users.users import UsersFile
from server.web.http import first_picture
from tests.support.cameras.units import make_units
from tests.support.fakes import FakeOpener, FakeSource, settle, until


@pytest.fixture
def source() -> FakeSource:
    """The camera's source."""
    return FakeSource(fps=10)


@pytest.fixture
def make_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., App]]:
    """A function that creates a server with one running camera, ``door``, and no socket."""
    apps: list[App] = []

    def make(outcome: FakeSource | Exception) -> App:
        opener = FakeOpener(outcome)
        monkeypatch.setattr(lineup, "Camera", partial(Camera, open_reader=opener))
        app = create_app(load_settings(["door=test:"], None, tmp_path, {}, {}))
        apps.append(app)
        app.cameras["door"].open()
        app.runtime.fanouts["door"].open()
        return app

    yield make
    for app in apps:
        app.runtime.fanouts["door"].close()
        assert app.cameras["door"].close(2.0)


@pytest.fixture
def app(make_app: Callable[..., App], source: FakeSource) -> App:
    """A server whose camera works."""
    return make_app(source)


@pytest.fixture
def lost_app(make_app: Callable[..., App]) -> App:
    """A server whose camera cannot be opened."""
    return make_app(SourceError("no such device"))


@pytest.fixture
def camera(app: App) -> Camera:
    """The one camera."""
    return app.cameras["door"]


@pytest.fixture
def client(app: App) -> FlaskClient:
    """A client of the server."""
    return app.flask.test_client()


@pytest.mark.parametrize("path", ["/snapshot", "/snapshot/door.jpg", "/?action=snapshot"])
def test_snapshot_is_one_fresh_jpeg(client: FlaskClient, source: FakeSource, path: str) -> None:
    """A snapshot opens the camera by itself and is not cached."""
    source.give()

    answer = client.get(path)

    assert answer.status_code == 200
    assert answer.content_type == "image/jpeg"
    assert answer.data.startswith(b"\xff\xd8")
    assert abs(float(answer.headers["X-Timestamp"]) - time.time()) < 2
    assert "no-store" in answer.headers["Cache-Control"]


def test_snapshot_leaves_no_viewer_behind(
    client: FlaskClient, source: FakeSource, camera: Camera
) -> None:
    """The camera is released when the answer is complete."""
    source.give()

    client.get("/snapshot")

    assert camera.describe()["viewers"] == 0


def test_snapshot_of_a_lost_camera_says_why(lost_app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a picture the answer is a quick 503 with the camera's state and reason."""
    monkeypatch.setattr(first_picture, "STATE_CHECK_S", 0.01)

    answer = lost_app.flask.test_client().get("/snapshot")

    assert answer.status_code == 503
    assert answer.text == "camera door is retrying: no such device\n"
    assert answer.headers["Retry-After"]
    assert lost_app.cameras["door"].describe()["viewers"] == 0


def test_snapshot_retries_a_failed_camera(
    client: FlaskClient, source: FakeSource, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old failure is not an answer: the camera may be back, so it is opened first."""
    monkeypatch.setattr(first_picture, "STATE_CHECK_S", 0.01)
    camera._fail("gone an hour ago")
    assert camera.state == "retrying"
    hub.call_later(0.2, source.give)

    assert client.get("/snapshot").status_code == 200
    assert camera.state in ("live", "idle")


def test_snapshot_times_out(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the source delivers nothing, the answer is 503 when the time is up."""
    monkeypatch.setattr(first_picture, "FIRST_FRAME_S", 0.02)
    monkeypatch.setattr(first_picture, "STATE_CHECK_S", 0.01)

    assert client.get("/snapshot").status_code == 503


def test_snapshot_waits_for_a_slow_source(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source with a picture every ten seconds got 503 after eight, although it worked.

    Here: a picture every half second, and a shorter wait.
    """
    monkeypatch.setattr(first_picture, "FIRST_FRAME_S", 0.05)
    monkeypatch.setattr(first_picture, "STATE_CHECK_S", 0.01)
    source = FakeSource(fps=2)
    app = make_app(source)
    camera, client = app.cameras["door"], app.flask.test_client()
    camera.set_viewers(1)
    until(lambda: camera.describe()["source_fps"] == 2)
    camera.set_viewers(0)
    hub.spawn(lambda: (hub.sleep(0.2), source.give()))

    assert client.get("/snapshot").status_code == 200


@pytest.mark.parametrize("path", ["/video_feed", "/video_feed/door", "/?action=stream"])
def test_feed_begins_with_a_frame(
    client: FlaskClient,
    source: FakeSource,
    camera: Camera,
    path: str,
    link: tuple[socket.socket, socket.socket],
) -> None:
    """A feed is multipart, starts immediately, and releases the camera when closed."""
    source.give()

    connection = SimpleNamespace(get_socket=lambda: link[0])
    answer = client.get(path, buffered=False, environ_overrides={"eventlet.input": connection})
    body = answer.iter_encoded()
    opening, part = next(body), next(body)

    assert answer.content_type == "multipart/x-mixed-replace; boundary=frame"
    assert opening == b"--frame\r\n"
    assert part.startswith(b"Content-Type: image/jpeg\r\nContent-Length: ")
    assert camera.describe()["viewers"] == 1
    answer.close()
    assert camera.describe()["viewers"] == 0


@pytest.fixture
def track(camera: Camera) -> VideoTrack:
    """A camera's video without a picture so far."""
    track = VideoTrack("full")
    track.codec = "avc1.42c01f"
    camera.videos = {"full": track}
    return track


def get_mp4(client: FlaskClient, link: tuple[socket.socket, ...]) -> TestResponse:
    """Request the video over a real connection."""
    connection = SimpleNamespace(get_socket=lambda: link[0])
    environ = {"eventlet.input": connection}
    return client.get("/stream/door.mp4", buffered=False, environ_overrides=environ)


def test_mp4_begins_with_a_key_frame(
    client: FlaskClient,
    camera: Camera,
    track: VideoTrack,
    link: tuple[socket.socket, ...],
    tmp_path: Path,
) -> None:
    """The video is an endless file that starts with the group so far; demand ends with it."""
    for unit in make_units(tmp_path, 0.12):
        track.put(unit)

    answer = get_mp4(client, link)
    first = next(answer.iter_encoded())

    assert answer.content_type == "video/mp4"
    assert "no-store" in answer.headers["Cache-Control"]
    assert first[4:8] == b"ftyp"
    assert b"avcC" in first
    assert b"moof" in first
    assert camera.describe()["viewers"] == 1
    answer.close()
    assert camera.describe()["viewers"] == 0


def test_mp4_waits_for_a_key_frame(
    client: FlaskClient,
    camera: Camera,
    track: VideoTrack,
    link: tuple[socket.socket, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A camera with ten seconds between them got 503 after eight.

    Here: one every half second, and a shorter wait.
    """
    monkeypatch.setattr(first_picture, "FIRST_FRAME_S", 0.05)
    monkeypatch.setattr(first_picture, "STATE_CHECK_S", 0.01)
    told = camera.describe() | {"source_fps": 10.0, "source": {"group": 5}}
    monkeypatch.setattr(camera, "describe", lambda: told)
    hub.call_later(0.2, lambda: track.put(make_units(tmp_path, 0.12)[0]))

    answer = get_mp4(client, link)

    assert answer.status_code == 200
    assert b"moof" in next(answer.iter_encoded())
    answer.close()


def test_mp4_of_a_camera_without_video_names_its_mjpeg(
    client: FlaskClient,
    source: FakeSource,
    camera: Camera,
    link: tuple[socket.socket, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If there is, or turns out to be, no video, 406 names the alternative."""
    answer = client.get("/stream/door.mp4")
    assert (answer.status_code, camera.meter.opened) == (406, 0)
    assert "/video_feed/door" in answer.text
    assert client.head("/stream/door.mp4").status_code == 406

    monkeypatch.setattr(first_picture, "KNOWN_S", 0.0)
    monkeypatch.setattr(first_picture, "STATE_CHECK_S", 0.01)
    camera.videos = {"full": VideoTrack("full")}
    source.give()
    answer = get_mp4(client, link)

    assert answer.status_code == 406
    assert "/video_feed/door" in answer.text
    assert camera.describe()["viewers"] == 0


def test_head_of_an_mp4_opens_nothing(
    client: FlaskClient, camera: Camera, track: VideoTrack
) -> None:
    """A HEAD request does not open the camera."""
    answer = client.head("/stream/door.mp4?from=now")
    settle()

    assert (answer.status_code, answer.content_type) == (200, "video/mp4")
    assert client.head("/stream/door.mp4?from=yesterday").status_code == 404
    assert camera.meter.opened == 0


def test_mp4_of_a_lost_camera_says_why(
    lost_app: App, link: tuple[socket.socket, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a picture the answer is a quick 503 with the camera's state and reason."""
    monkeypatch.setattr(first_picture, "STATE_CHECK_S", 0.01)
    lost_app.cameras["door"].videos = {"full": VideoTrack("full")}

    answer = get_mp4(lost_app.flask.test_client(), link)

    assert answer.status_code == 503
    assert answer.text == "camera door is retrying: no such device\n"
    assert lost_app.cameras["door"].describe()["viewers"] == 0


def test_head_of_a_feed_opens_nothing(client: FlaskClient, camera: Camera) -> None:
    """A HEAD request does not open the camera."""
    answer = client.head("/video_feed")
    settle()

    assert answer.status_code == 200
    assert answer.content_type.startswith("multipart/x-mixed-replace")
    assert camera.meter.opened == 0


@pytest.mark.parametrize("path", ["/video_feed/yard", "/snapshot/yard.jpg", "/snapshot/door", "/x"])
def test_unknown_path_is_not_found(client: FlaskClient, path: str) -> None:
    """The answer is one line of text."""
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.content_type.startswith("text/plain")


def test_unknown_camera_lists_the_known_ones(client: FlaskClient) -> None:
    """The answer to a mistyped name lists the cameras."""
    assert "cameras here: door" in client.get("/video_feed/yard").text


def test_dashboard_is_served(client: FlaskClient) -> None:
    """The page is served, must be revalidated, and contains no absolute address."""
    answer = client.get("/")

    assert answer.status_code == 200
    assert "<title>Porthole</title>" in answer.text
    assert answer.headers["Cache-Control"] == "no-cache"
    assert 'src="/' not in answer.text
    assert 'href="/' not in answer.text


def test_cameras_are_listed(client: FlaskClient, camera: Camera) -> None:
    """The list contains each camera's STATE."""
    assert client.get("/api/cameras").json == [camera.describe()]


def test_idle_server_is_healthy_and_ready(client: FlaskClient) -> None:
    """A server whose cameras are idle is alive and ready."""
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200


def test_lost_camera_makes_the_server_unready(lost_app: App) -> None:
    """A camera that should be live but is not makes the server not ready, with its reason."""
    lost, client = lost_app.cameras["door"], lost_app.flask.test_client()
    lost.set_viewers(1)
    until(lambda: lost.state == "retrying")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "door: retrying: no such device" in answer.text
    assert client.get("/healthz").status_code == 200


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[App]:
    """A server whose cameras ``door`` and ``yard`` differ in width, and a user who may see one."""
    people = UsersFile(tmp_path)
    people.add_user("ann", "viewer", None, "correct horse")
    people.add_user("yves", "viewer", ["yard"], "correct horse")
    cameras = ["door=test:?size=128x72", "yard=test:?size=192x108"]
    app = create_app(load_settings(cameras, None, tmp_path, {}, {}))
    for name, camera in app.cameras.items():
        camera.open()
        app.runtime.fanouts[name].open()
    yield app
    for name, camera in app.cameras.items():
        app.runtime.fanouts[name].close()
        assert camera.close(2.0)


def width_seen(app: App, user: str, path: str) -> int:
    """Return the width of the picture in a user's answer, or the status if there is none."""
    proof = b64encode(f"{user}:correct horse".encode()).decode()
    answer = app.flask.test_client().get(path, headers={"Authorization": f"Basic {proof}"})
    if answer.status_code != 200 or answer.content_type != "image/jpeg":
        return answer.status_code
    image = cv2.imdecode(np.frombuffer(answer.data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.shape[1]


def test_mjpg_streamer_queries_select_a_camera(pair: App) -> None:
    """``?action=snapshot&camera=yard`` and ``snapshot_1`` always showed the first camera.

    Numbers count only the cameras that the user may see, so that they reveal no others.
    """
    assert width_seen(pair, "ann", "/?action=snapshot") == 128
    assert width_seen(pair, "ann", "/?action=snapshot&camera=yard") == 192
    assert width_seen(pair, "ann", "/snapshot?camera=yard") == 192
    assert width_seen(pair, "ann", "/?action=snapshot_0") == 128
    assert width_seen(pair, "ann", "/?action=snapshot_1") == 192
    assert width_seen(pair, "ann", "/?action=snapshot_2") == 404
    assert width_seen(pair, "ann", "/?action=snapshot&camera=shed") == 404
    assert width_seen(pair, "yves", "/?action=snapshot_0") == 192
    assert width_seen(pair, "yves", "/?action=snapshot_1") == 404
    assert width_seen(pair, "yves", "/?action=snapshot&camera=door") == 404


def test_unknown_action_is_not_found(pair: App) -> None:
    """``/?action=foo`` gave the dashboard with 200; now it is 404, for everybody."""
    answer = pair.flask.test_client().get("/?action=foo")

    assert answer.status_code == 404
    assert answer.text == "there is no action 'foo'; accepted: stream or snapshot\n"
    assert width_seen(pair, "ann", "/?action=foo") == 404


@pytest.mark.parametrize(
    "action",
    ["stream", "snapshot", "stream_1", "snapshot_1", "stream_9", "Stream", "foo", "", "stream_x"],
)
def test_action_query_cannot_bypass_permissions(pair: App, action: str) -> None:
    """Whatever the query says, unknown users only get a refusal."""
    answer = pair.flask.test_client().get("/", query_string={"action": action})

    assert answer.status_code in (401, 404)
    assert not answer.data.startswith((b"--frame", b"\xff\xd8", b"<!doctype"))
    assert all(camera.meter.opened == 0 for camera in pair.cameras.values())


def test_unwatched_lost_camera_keeps_the_server_ready(lost_app: App) -> None:
    """Its failure still shows in the list of cameras and in the metrics."""
    lost, client = lost_app.cameras["door"], lost_app.flask.test_client()
    lost.set_viewers(1)
    until(lambda: lost.state == "retrying")
    lost.set_viewers(0)

    (told,) = client.get("/api/cameras").get_json()

    assert (told["state"], told["reason"]) == ("retrying", "no such device")
    assert (
        'porthole_camera_state{camera="door",state="retrying"} 1.0' in client.get("/metrics").text
    )
    assert client.get("/readyz").status_code == 200
