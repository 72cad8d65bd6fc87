"""The shipped nginx.conf, run by nginx over TLS in front of two real servers."""

import contextlib
import json
import socket
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import websocket

from server.users.users import UsersFile
from tests.support.clients.dashboard import Dashboard
from tests.support.network.nginx import Nginx
from tests.support.servers.server import PortholeServer, wait_until
from tests.system.deploy.conftest import fetch

StartNodes = Callable[[int], list[PortholeServer]]
StartNginx = Callable[[Sequence[int]], Nginx]

# A client must be live again within this time once its node is gone.
RESUMED_S = 5.0


def test_client_reconnects_when_its_node_is_killed(
    start_nodes: StartNodes, start_nginx: StartNginx, trust: ssl.SSLContext
) -> None:
    """After kill -9 of its node a dashboard reconnects, and has frames within 5 s."""
    nodes = start_nodes(2)
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


def test_unresponsive_node_delays_a_page_by_one_second(
    start_nodes: StartNodes, start_nginx: StartNginx, trust: ssl.SSLContext
) -> None:
    """A dead machine, which does not even refuse connections, delays a page by only a second."""
    (node,) = ports_of(start_nodes(1))
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
    assert max(again) < 0.5, "a dead node is not tried again immediately"


def test_nginx_limits_login_floods(
    start_nodes: StartNodes, start_nginx: StartNginx, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    """After a burst of ten attempts an address gets 429, while its pages still load."""
    UsersFile(tmp_path / "node-1").add_user("ada", "operator", None, "correct horse battery")
    # Without a bus, a login is valid at one node only.
    nginx = start_nginx(2 * ports_of(start_nodes(1)))

    answers = [fetch(nginx.url + "login", trust, data=b"name=ada")[0] for _ in range(14)]

    assert answers[:11] == [400] * 11
    assert 429 in answers[11:]
    assert fetch(nginx.url + "login", trust)[0] == 200


def ports_of(nodes: list[PortholeServer]) -> list[int]:
    return [node.port for node in nodes]


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """Return a port whose backlog is full and that never accepts: clients get no answer."""
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
    """Ask a node directly for its number of viewers."""
    with urllib.request.urlopen(node.url + "api/cameras", timeout=10) as answer:
        return sum(state["viewers"] for state in json.load(answer))
