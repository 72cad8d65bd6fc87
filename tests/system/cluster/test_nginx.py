"""The whole setup: camera nodes, a Redis, two web nodes, and the shipped nginx.conf with TLS."""

import json
import math
import ssl
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
import websocket
from playwright.sync_api import Page, expect

from tests.support.browser.chromium import expect_state, tile, wait_for_paint
from tests.support.clients.dashboard import Dashboard
from tests.support.network.nginx import Nginx
from tests.support.servers.cluster import expect_cameras
from tests.support.servers.server import PortholeServer, wait_until
from tests.system.deploy.conftest import certificate, start_nginx, trust
from tests.system.deploy.test_nginx import RESUMED_S, ports_of, viewers_at

__all__ = ["certificate", "start_nginx", "trust"]

Start = Callable[..., PortholeServer]
StartNginx = Callable[[Sequence[int]], Nginx]

SOURCE = "test:?size=640x360"

# A lost node must be reported within this time.
MAX_NOTICE_S = 3.0


class Client(Dashboard):
    """A dashboard that also keeps the states of cameras."""

    def __init__(self, url: str, trust: ssl.SSLContext) -> None:
        super().__init__(url, trust)
        self.states: dict[str, dict[str, Any]] = {}
        """The newest STATE of each camera."""
        receive = self._socket.recv

        def receive_and_record() -> str | bytes:
            message: str | bytes = receive()
            self._note(message)
            return message

        self._socket.recv = receive_and_record

    def watch(self, *cameras: str) -> None:
        """Watch cameras until four frames of each have come."""
        for camera in cameras:
            reply = self.ask("watch", {"camera": camera})
            assert reply["ok"], reply
        self.read_until(lambda: all(len(self.seqs(camera)) >= 4 for camera in cameras), 10)

    def read_until(self, condition: Callable[[], object], timeout_s: float) -> None:
        """Read until a condition holds; the server says something every second."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"still not after {timeout_s:g} s: {self.states}"
            self._take_one()

    def headers(self, camera: str) -> list[dict[str, Any]]:
        """Return the headers of a camera's frames, in order of arrival."""
        return [header for header, _ in self.frames if header["camera"] == camera]

    def seqs(self, camera: str) -> list[int]:
        """Return the sequence numbers of a camera's frames, in order of arrival."""
        return [header["seq"] for header in self.headers(camera)]

    def _note(self, message: str | bytes) -> None:
        if isinstance(message, str) and message.startswith("42["):
            event, payload = json.loads(message[2:])
            if event == "hello":
                self.states = {state["name"]: state for state in payload["cameras"]}
            elif event == "camera":
                self.states[payload["name"]] = payload


class Cluster:
    """Two camera nodes, two web nodes, and nginx in front of them."""

    def __init__(self, start_node: Start, start_nginx: StartNginx) -> None:
        self._start_node = start_node
        self.street = self.start_camera("street")
        self.door = self.start_camera("door")
        self.webs = [start_node("web", "--trusted-proxies", "127.0.0.1") for _ in range(2)]
        for web in self.webs:
            expect_cameras(web, "street", "door")
        self.url = start_nginx(ports_of(self.webs)).url

    def start_camera(self, name: str) -> PortholeServer:
        """Start a camera's node; a restart reuses its state folder."""
        return self._start_node("camera", f"{name}={SOURCE}", state=name)


@pytest.fixture
def cluster(start_node: Start, start_nginx: StartNginx) -> Cluster:
    """The whole cluster, ready."""
    return Cluster(start_node, start_nginx)


@pytest.fixture
def context_options(context_options: dict[str, Any]) -> dict[str, Any]:
    """Accept any certificate."""
    return {**context_options, "ignore_https_errors": True}


def test_pictures_and_control_pass_through(cluster: Cluster, trust: ssl.SSLContext) -> None:
    """Frames of both cameras come in order on both web nodes, and a camera's node obeys."""
    with Client(cluster.url, trust) as operator, Client(cluster.url, trust) as other:
        operator.watch("street", "door")
        other.watch("street", "door")
        at_each = [viewers_at(web) for web in cluster.webs]
        # The first frames of nodes that have just started come late on a busy machine.
        for camera in ("street", "door"):
            operator.read_until(lambda camera=camera: spacing_s(operator, camera) < 0.2, 10)

        reply = operator.ask("fps", {"camera": "street", "fps": 4})
        other.read_until(lambda: other.states["street"]["fps"] == 4, 5)
        # The camera's node lowers its rate, so all viewers see fewer frames.
        other.read_until(lambda: spacing_s(other, "street") > 0.2, 10)
        other.read_until(lambda: spacing_s(other, "door") < 0.2, 10)
        operator.expect_frames(20)

    assert at_each == [2, 2], "each client watches two cameras, at a web node of its own"
    assert reply["ok"], reply
    assert reply["camera"]["fps"] == 4
    for client in (operator, other):
        assert is_in_order(client.seqs("street"))
        assert is_in_order(client.seqs("door"))


def test_a_client_is_live_again_when_its_web_node_is_killed(
    cluster: Cluster, trust: ssl.SSLContext
) -> None:
    """After kill -9 of its web node a client reconnects, and has frames within 5 s."""
    with Client(cluster.url, trust) as client:
        client.watch("street", "door")
        here = wait_until(lambda: next((web for web in cluster.webs if viewers_at(web)), None))

        here.kill()
        killed_at = time.monotonic()
        with pytest.raises((OSError, websocket.WebSocketException)):
            client.expect_frames(1000, RESUMED_S)
    again = watch_again(cluster, trust, killed_at + RESUMED_S)
    took_s = time.monotonic() - killed_at

    assert took_s < RESUMED_S
    for camera in ("street", "door"):
        assert is_in_order(again.seqs(camera))
        assert again.seqs(camera)[0] >= client.seqs(camera)[-1]


def test_a_killed_camera_node_is_told_and_comes_back(
    cluster: Cluster, trust: ssl.SSLContext
) -> None:
    """Its camera states a reason within 3 s, and is live after a restart without a new request."""
    with Client(cluster.url, trust) as client:
        client.watch("street", "door")

        cluster.street.kill()
        killed_at = time.monotonic()
        client.read_until(lambda: client.states["street"]["state"] == "retrying", 5)
        took_s = time.monotonic() - killed_at
        lost = client.states["street"]
        seen = len(client.seqs("street"))
        seen_at_door = len(client.seqs("door"))
        cluster.start_camera("street")
        client.read_until(lambda: client.states["street"]["state"] == "live", 10)
        client.read_until(lambda: len(client.seqs("street")) >= seen + 5, 5)

    assert took_s < MAX_NOTICE_S
    assert "unavailable" in lost["reason"]
    assert client.states["door"]["state"] == "live"
    assert len(client.seqs("door")) > seen_at_door
    assert is_in_order(client.seqs("street"))
    assert is_in_order(client.seqs("door"))


def test_a_page_shows_both_cameras(cluster: Cluster, page: Page) -> None:
    """In a real browser, over TLS: two tiles, both live and painted."""
    page.goto(cluster.url)

    for camera in ("street", "door"):
        wait_for_paint(page, camera, 10)
        expect_state(page, camera, "live")
        expect(tile(page, camera)).to_be_visible()
    expect(page.locator(".tile[data-camera]")).to_have_count(2)


def watch_again(cluster: Cluster, trust: ssl.SSLContext, deadline: float) -> Client:
    """Reconnect until it works, as the page does; return a client whose cameras were live."""
    while True:
        try:
            with Client(cluster.url, trust) as client:
                client.watch("street", "door")
                # The states come from a different node than the frames, and may come after them.
                left_s = deadline - time.monotonic()
                client.read_until(
                    lambda: all(one["state"] == "live" for one in client.states.values()), left_s
                )
                return client
        except (OSError, websocket.WebSocketException):
            assert time.monotonic() < deadline
            time.sleep(0.25)  # As the page does.


def spacing_s(client: Client, camera: str) -> float:
    """Return the smallest interval between the captures of a camera's newest four frames."""
    times_unix = [header["at"] for header in client.headers(camera)[-4:]]
    return min((later - earlier for earlier, later in pairwise(times_unix)), default=math.inf)


def is_in_order(seqs: list[int]) -> bool:
    return all(earlier < later for earlier, later in pairwise(seqs))
