"""The shipped nginx.conf, run by nginx over TLS in front of two real servers."""

import contextlib
import json
import re
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import cv2
import numpy as np
import pytest
import websocket

from tests.deploy.conftest import fetch
from tests.deploy.dashboard import Dashboard
from tests.deploy.nginx import Nginx
from tests.live.conftest import ROOT, PortholeServer, wait_until

StartNodes = Callable[..., list[PortholeServer]]
StartNginx = Callable[[Sequence[int]], Nginx]

# What must be back within, once the node it was on is gone.
RESUMED_S = 5.0

PASSWORD = "correct horse battery"
ADD_USER = ("manage.py", "user", "add", "ada", "--role", "operator", "--password-stdin")


def test_nginx_accepts_what_is_shipped(certificate: Path, tmp_path: Path) -> None:
    """nginx -t has nothing to say against the file, not even a warning."""
    checked = Nginx(tmp_path / "nginx", certificate, [8001, 8002]).check()

    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr, checked.stderr


def test_everything_passes_at_the_root_and_under_a_path(
    start_nodes: StartNodes, start_nginx: StartNginx, trust: ssl.SSLContext
) -> None:
    """Page, pictures, control, MJPEG and snapshots go through TLS and nginx, on both paths."""
    nginx = start_nginx(ports_of(start_nodes()))

    for url in (nginx.url, nginx.url + "porthole/"):
        status, headers, page = fetch(url, trust)
        assert (status, headers.get("Content-Encoding")) == (200, None)
        for link in re.findall(r'(?:src|href)="(static/[^"]+)"', page.decode()):
            assert fetch(urllib.parse.urljoin(url, link), trust)[0] == 200, link

        with Dashboard(url, trust) as dashboard:
            assert dashboard.ask("watch", {"camera": "test"})["ok"]
            dashboard.expect_frames(10)
            reply = dashboard.ask("fps", {"camera": "test", "fps": 20})
            assert reply["ok"], reply
            sequence = [header["seq"] for header, _ in dashboard.frames]
            assert sequence == sorted(set(sequence))
            assert shape_of(dashboard.frames[-1][1]) == (360, 640, 3)

        status, headers, jpeg = fetch(url + "snapshot/test.jpg", trust)
        assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        assert shape_of(jpeg) == (360, 640, 3)


def test_mjpeg_is_not_held_back(
    start_nodes: StartNodes, start_nginx: StartNginx, trust: ssl.SSLContext
) -> None:
    """A picture is here when it is captured, not when the next one pushes it out of a buffer."""
    nginx = start_nginx(ports_of(start_nodes("--fps", "2")))

    for path in (
        "video_feed/test",
        "?action=stream",
        "porthole/video_feed",
        "porthole/?action=stream",
    ):
        with urllib.request.urlopen(nginx.url + path, context=trust, timeout=15) as answer:
            ages_s = sorted(read_part(answer) for _ in range(3))

        # One may be late on a busy machine. Two that were held back would be half a second old.
        assert ages_s[1] < 0.4, (path, ages_s)


def test_a_client_is_live_again_when_its_node_is_killed(
    start_nodes: StartNodes, start_nginx: StartNginx, trust: ssl.SSLContext
) -> None:
    """kill -9 of the node a dashboard is on: it reconnects, and has pictures within 5 s."""
    nodes = start_nodes()
    nginx = start_nginx(ports_of(nodes))
    with Dashboard(nginx.url, trust) as dashboard:
        dashboard.ask("watch", {"camera": "test"})
        dashboard.expect_frames(5)
        here = wait_until(lambda: next((node for node in nodes if viewers_at(node)), None))

        here.kill()
        killed_at = time.monotonic()
        with pytest.raises((OSError, websocket.WebSocketException)):
            dashboard.expect_frames(1000, timeout_s=RESUMED_S)
    while True:
        try:
            with Dashboard(nginx.url, trust) as again:
                again.ask("watch", {"camera": "test"})
                again.expect_frames(2)
            break
        except (OSError, websocket.WebSocketException):
            assert time.monotonic() - killed_at < RESUMED_S
            time.sleep(0.25)  # As the page does.
    took_s = time.monotonic() - killed_at

    assert took_s < RESUMED_S
    assert fetch(nginx.url, trust)[0] == 200


def test_a_node_that_answers_nothing_is_left_within_a_second(
    start_nodes: StartNodes, start_nginx: StartNginx, trust: ssl.SSLContext
) -> None:
    """A node whose machine is gone, so that nobody even refuses, holds a page up for a second."""
    node = start_nodes()[0].port
    times_s = []
    with silent_port() as silent:
        nginx = start_nginx([silent, node])
        for _ in range(6):
            began = time.monotonic()
            status, *_ = fetch(nginx.url + "healthz", trust)
            times_s.append(time.monotonic() - began)
            assert status == 200

    *again, first = sorted(times_s)
    assert 0.8 < first < 1.5, times_s
    assert max(again) < 0.5, "once left, a node is not asked again at once"


def test_people_log_in_through_it(
    start_nodes: StartNodes, start_nginx: StartNginx, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    """Under a path and over TLS: the cookie is Secure, and the log has the client's own address."""
    add_user(tmp_path / "node-1")
    # Without a bus, a login holds at one node only.
    nginx = start_nginx(2 * ports_of(start_nodes())[:1])
    url = nginx.url + "porthole/"
    forged = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}

    status, headers, _ = fetch(url, trust)
    assert (status, headers["Location"]) == (303, "login")
    _, headers, page = fetch(url + "login", trust)
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.decode())
    assert csrf
    form = {"csrf": csrf[1], "name": "ada", "password": PASSWORD}
    sent = forged | {"Cookie": headers["Set-Cookie"].partition(";")[0], "Origin": nginx.url[:-1]}
    status, headers, _ = fetch(
        url + "login", trust, sent, urllib.parse.urlencode(form).encode(), source="127.0.0.2"
    )

    assert (status, headers["Location"]) == (303, "./")
    assert "Secure" in headers["Set-Cookie"]
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert fetch(url, trust, {"Cookie": cookie}, source="127.0.0.2")[0] == 200
    audit = (tmp_path / "node-1" / "audit.log").read_text()
    assert '"from": "127.0.0.2"' in audit
    assert "192.0.2.1" not in audit


def test_floods_of_logins_end_at_nginx(
    start_nodes: StartNodes, start_nginx: StartNginx, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    """After a burst of ten tries an address gets 429, while its pages still come."""
    add_user(tmp_path / "node-1")
    # Without a bus, a login holds at one node only.
    nginx = start_nginx(2 * ports_of(start_nodes())[:1])

    answers = [fetch(nginx.url + "login", trust, data=b"name=ada")[0] for _ in range(14)]

    assert answers[:11] == [400] * 11
    assert 429 in answers[11:]
    assert fetch(nginx.url + "login", trust)[0] == 200


def test_plain_http_leads_to_tls(
    start_nginx: StartNginx, start_nodes: StartNodes, trust: ssl.SSLContext
) -> None:
    """Port 80 shows nothing but the way to 443, and a path without its slash that with it."""
    nginx = start_nginx(ports_of(start_nodes()))

    plain = fetch(f"http://127.0.0.1:{nginx.plain_port}/porthole/?action=stream", trust)
    bare = fetch(nginx.url + "porthole", trust)

    assert plain[0] == 301
    assert plain[1]["Location"] == "https://127.0.0.1/porthole/?action=stream"
    assert (bare[0], bare[1]["Location"]) == (301, "/porthole/")


def ports_of(nodes: list[PortholeServer]) -> list[int]:
    return [node.port for node in nodes]


def add_user(state: Path) -> None:
    command = [sys.executable, *ADD_USER, "--state", str(state)]
    subprocess.run(command, cwd=ROOT, input=PASSWORD.encode(), check=True, capture_output=True)


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """Give a port where nobody accepts, and whose queue is full: what connects hears nothing."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def viewers_at(node: PortholeServer) -> int:
    """Ask a node itself how many watch there."""
    with urllib.request.urlopen(node.url + "api/cameras", timeout=10) as answer:
        return sum(state["viewers"] for state in json.load(answer))


def read_part(answer: IO[bytes]) -> float:
    """Read one part of an MJPEG stream, and return how old its picture is, in seconds."""
    headers: dict[bytes, bytes] = {}
    while True:
        line = answer.readline().strip()
        name, colon, value = line.partition(b": ")
        if colon:
            headers[name] = value
        elif not line and headers:
            break
    jpeg = answer.read(int(headers[b"Content-Length"]))
    assert jpeg.startswith(b"\xff\xd8")
    assert jpeg.endswith(b"\xff\xd9")
    return time.time() - float(headers[b"X-Timestamp"])


def shape_of(jpeg: bytes) -> tuple[int, ...]:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape
