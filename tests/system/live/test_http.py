"""The HTTP paths, requested by the programs that people use."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from server.capture.sources.testpattern import read_time
from tests.support.clients.client import MjpegViewer, Viewer
from tests.support.servers.server import PortholeServer, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]


def fetch(url: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body, whatever the status."""
    request = urllib.request.Request(url, method=method)
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def picture(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_ffmpeg_reads_the_feed(share_server: Start, tmp_path: Path) -> None:
    """FFmpeg, which VLC and Home Assistant use too, decodes the feed without errors."""
    server = share_server("test:?size=640x360")

    read = subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "mpjpeg",
            "-i",
            server.url + "video_feed",
            "-frames:v",
            "15",
            "-y",
            str(tmp_path / "%02d.png"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert read.returncode == 0, read.stderr
    assert read.stderr == ""
    times = [read_time(cv2.imread(str(path))) for path in sorted(tmp_path.glob("*.png"))]
    assert len(times) == 15
    assert times == sorted(times)


def test_opencv_reads_the_feed(share_server: Start) -> None:
    """A user's vision script opens the feed as a camera."""
    server = share_server("test:?size=640x360")

    capture = cv2.VideoCapture(server.url + "video_feed/test", cv2.CAP_FFMPEG)
    try:
        images = [capture.read() for _ in range(5)]
    finally:
        capture.release()

    assert all(read and image.shape == (360, 640, 3) for read, image in images)


def test_curl_receives_valid_multipart(start_server: Start) -> None:
    """Every part has its length and time, and its closing boundary comes with it."""
    server = start_server("test:?size=320x180&fps=5")

    read = subprocess.run(
        ["curl", "-sS", "-i", "-N", "--max-time", "2", server.url + "video_feed"],
        capture_output=True,
        timeout=30,
        check=False,
    )

    head, _, body = read.stdout.partition(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"multipart/x-mixed-replace; boundary=frame" in head
    assert b"no-store" in head
    assert body.startswith(b"--frame\r\n")
    parts = body.split(b"--frame\r\n")[1:]
    assert len(parts) >= 4
    # The data ends with the boundary, so the split leaves an empty rest.
    assert parts[-1] == b""
    for part in parts[:-1]:
        headers, _, rest = part.partition(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in headers.split(b"\r\n"))
        assert fields[b"Content-Type"] == b"image/jpeg"
        assert len(rest) == int(fields[b"Content-Length"]) + 2
        assert picture(rest[:-2]).shape == (180, 320, 3)
        assert abs(float(fields[b"X-Timestamp"]) - time.time()) < 30


def test_mjpeg_feed_starts_immediately(start_server: Start) -> None:
    """A slow camera's feed begins with a picture, without waiting for the next one."""
    server = start_server("test:?size=320x180&fps=0.2")
    feed = MjpegViewer("127.0.0.1", server.port)

    asked = time.monotonic()
    feed.connect()
    wait_until(lambda: feed.read() or feed.arrivals)
    feed.close()

    assert time.monotonic() - asked < 3


def test_snapshot_of_a_slow_camera_is_immediate(start_server: Start, connect: Connect) -> None:
    """A snapshot is the source's very next picture, even at one frame in five seconds.

    It used to take up to 4.9 s, because it waited for the next frame although the source can
    deliver at any time. The frame rate applies to viewers only.
    """
    server = start_server("limited=test:?size=320x180", "slow=test:?size=320x180&fps=0.2")
    connect(server).call("fps", {"camera": "limited", "fps": 0.2})
    names = ("limited", "slow")
    for name in names:
        assert time_snapshot(server, name) < 3  # It has to be opened first.
        assert max(time_snapshot(server, name) for _ in range(3)) < 1
    feeds = [MjpegViewer("127.0.0.1", server.port, path=f"/video_feed/{name}") for name in names]
    for feed in feeds:
        feed.connect()
        wait_until(lambda feed=feed: feed.read() or feed.arrivals)
    time.sleep(2.2)  # The viewers' last frame is now too old for a snapshot.
    for name in names:
        assert time_snapshot(server, name) < 1
    for feed in feeds:
        feed.close()


def time_snapshot(server: PortholeServer, name: str) -> float:
    """Return how many seconds a snapshot takes; it has to be fresh."""
    asked = time.monotonic()
    status, headers, _ = fetch(f"{server.url}snapshot/{name}.jpg")
    assert status == 200
    assert time.time() - float(headers["X-Timestamp"]) < 2
    return time.monotonic() - asked


def test_closed_feed_no_longer_counts_as_a_viewer(start_server: Start) -> None:
    """The server notices that an MJPEG client has gone, even between slow frames."""
    server = start_server("test:?size=320x180&fps=0.2")
    with socket.create_connection(("127.0.0.1", server.port)) as feed:
        feed.sendall(b"GET /video_feed HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert feed.recv(100)
        assert viewers_of(server) == 1

    wait_until(lambda: viewers_of(server) == 0)


def viewers_of(server: PortholeServer) -> int:
    return int(json.loads(fetch(server.url + "api/cameras")[2])[0]["viewers"])


@pytest.mark.parametrize("path", ["snapshot", "snapshot/test.jpg", "?action=snapshot"])
def test_snapshots_are_fresh(start_server: Start, path: str) -> None:
    """Every snapshot path returns a new, complete picture, even of an unwatched camera."""
    server = start_server("test:?size=640x360&fps=0.2")

    for _ in range(2):
        status, headers, body = fetch(server.url + path)

        assert status == 200
        assert headers["Content-Type"] == "image/jpeg"
        assert "no-store" in headers["Cache-Control"]
        taken = read_time(picture(body))
        assert taken is not None
        assert time.time() - taken < 2
        time.sleep(0.3)  # Let it age: the second one must not be the first one again.


def test_camera_without_a_picture_answers_503(start_server: Start) -> None:
    """A camera without a picture answers 503 with its state and reason."""
    server = start_server("ghost=/no/such/file.mp4")

    for path in ("snapshot", "video_feed"):
        status, _, body = fetch(server.url + path)

        assert status == 503
        assert b"retrying: there is no file /no/such/file.mp4" in body


def test_octoprint_stream_path_serves_the_first_camera(start_server: Start) -> None:
    """`/?action=stream` is the feed of the first camera."""
    server = start_server("test:?size=320x180", "other=test:")
    feed = MjpegViewer("127.0.0.1", server.port, path="/?action=stream")

    feed.connect()
    wait_until(lambda: feed.read() or len(feed.arrivals) >= 2)
    feed.close()

    assert picture(feed.last_jpeg).shape == (180, 320, 3)


def test_cameras_are_listed(start_server: Start) -> None:
    """/api/cameras returns the list of states."""
    server = start_server("front-door=test:", "other=test:")

    _, headers, body = fetch(server.url + "api/cameras")

    assert headers["Content-Type"] == "application/json"
    assert [camera["name"] for camera in json.loads(body)] == ["front-door", "other"]


def test_readiness_depends_on_watched_cameras(start_server: Start, connect: Connect) -> None:
    """/healthz reports that the server runs; /readyz that every watched camera is live."""
    server = start_server("test:", "ghost=/no/such/file.mp4")
    viewer = connect(server)

    idle = fetch(server.url + "readyz")[0]
    viewer.call("watch", {"camera": "ghost"})
    wait_until(lambda: fetch(server.url + "readyz")[0] == 503)
    body = fetch(server.url + "readyz")[2]
    viewer.call("unwatch", {"camera": "ghost"})
    wait_until(lambda: fetch(server.url + "readyz")[0] == 200)

    assert idle == 200
    assert body.startswith(b"ghost: retrying: there is no file")
    assert fetch(server.url + "healthz")[0] == 200


HEADS = ["", "video_feed", "video_feed/test", "snapshot", "api/cameras", "healthz", "readyz"]


@pytest.mark.parametrize("path", HEADS)
def test_head_returns_headers_only(share_server: Start, path: str) -> None:
    """HEAD returns the headers without a body, and does not keep the connection busy."""
    server = share_server("test:?size=320x180")

    status, headers, body = fetch(server.url + path, "HEAD")

    assert status == 200
    assert body == b""
    assert headers["Content-Type"]


@pytest.mark.parametrize("path", ["video_feed/nowhere", "snapshot/nowhere.jpg"])
def test_unknown_camera_gets_404_with_the_valid_names(share_server: Start, path: str) -> None:
    """An unknown name is answered with the valid ones."""
    server = share_server("test:")

    status, _, body = fetch(server.url + path)

    assert status == 404
    assert b"cameras here: test" in body


def test_long_polling_is_refused(share_server: Start) -> None:
    """Engine.IO's other transport, which would wrap frames in base64, is not supported.

    Clients start with it by default; python-socketio passes this object to ``connect_error``, and
    socket.io-client has it in its error's ``context.responseText``.
    """
    server = share_server("test:")

    for query in ("EIO=4&transport=polling", "EIO=4", "EIO=3&transport=polling&sid=x"):
        status, headers, body = fetch(f"{server.url}socket.io/?{query}")

        assert status == 400
        assert headers["Content-Type"] == "application/json"
        message = "WebSocket only: transports: ['websocket']"
        assert json.loads(body) == {"code": 0, "message": message}


@pytest.mark.parametrize("version", ["", "Sec-WebSocket-Version: 8\r\n"])
def test_other_websocket_versions_are_refused(share_server: Start, version: str) -> None:
    """The legacy handshake and drafts get the supported version in the answer."""
    server = share_server("test:")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
            f"Connection: Upgrade\r\nUpgrade: websocket\r\n{version}"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )

        answer = connection.recv(1000)

    assert answer.startswith(b"HTTP/1.1 426")
    assert b"Sec-WebSocket-Version: 13" in answer.title().replace(b"Websocket", b"WebSocket")


def test_compression_is_never_negotiated(share_server: Start) -> None:
    """An offer of permessage-deflate is ignored: it would cost 2 ms per frame and viewer."""
    server = share_server("test:")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        )

        answer = connection.recv(1000)

    assert b" 101 " in answer.splitlines()[0]
    assert b"extensions" not in answer.lower()
