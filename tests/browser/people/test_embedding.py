"""A page of another origin embeds one camera, with a token in the address, in a real browser."""

import http.client
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator

# Do not use it as an attribute of http: that is eventlet's copy, whose locks block other threads.
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from server.users.users import UsersFile
from tests.support.browser.chromium import wait_for
from tests.support.browser.kept_context import KeptContext
from tests.support.browser.visitor import GONE_S, PASSWORD, basic, is_gone
from tests.support.clients.client import Viewer
from tests.support.network.proxies import NoWebSocketProxy
from tests.support.servers.server import ROOT, PortholeServer, wait_until

CAMERAS = ("door=test:?size=320x180&fps=5", "yard=test:?size=320x180&fps=5")

PANEL = """<!doctype html><title>Panel</title>
<iframe src="{kiosk}" width="400" height="240"></iframe><img src="{feed}" id="feed">"""

# What a script of the panel can read: a status, or nothing.
READ = """async ({ address, ...options }) => {
  try {
    const answer = await fetch(address, options);
    return [answer.status, answer.headers.get('X-Timestamp') !== null];
  } catch {
    return null;
  }
}"""

PAINTED = """() => {
  const tiles = [...(window.porthole?.tiles ?? [])];
  return tiles.length === 1 && tiles[0][0] === 'door' && tiles[0][1].painted > 3;
}"""


class Panel:
    """Another web server: the same page under two names, which are two sites."""

    def __init__(self) -> None:
        self.body = b""
        panel = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(panel.body)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        port = self.server.server_address[1]
        self.allowed = f"http://localhost:{port}"
        self.foreign = f"http://127.0.0.1:{port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def panel() -> Iterator[Panel]:
    """A page on another site."""
    panel = Panel()
    yield panel
    panel.server.shutdown()
    panel.server.server_close()


@pytest.fixture
def server(start_server: Callable[..., PortholeServer], panel: Panel, tmp_path: Path) -> Any:
    """Two cameras, and another site that may embed them."""
    people = UsersFile(tmp_path / "state")
    people.add_user("ada", "operator", None, PASSWORD)
    origins = ("--allowed-origins", panel.allowed, "--frame-ancestors", panel.allowed)
    return start_server(*CAMERAS, *origins)


def embed_addresses(server: PortholeServer, state: Path) -> list[str]:
    """Return the addresses that the command prints for the door: kiosk, feed and snapshot."""
    command = [sys.executable, "manage.py", "token", "add", "panel", "--camera", "door", "--embed"]
    options = ["--url", server.url, "--state", str(state)]
    made = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    return made.stdout.split()


def status_of(address: str) -> int:
    where = urlsplit(address)
    connection = http.client.HTTPConnection("127.0.0.1", where.port, timeout=15)
    try:
        connection.request("GET", f"{where.path}?{where.query}")
        with connection.getresponse() as answer:
            return answer.status
    finally:
        connection.close()


def watching_door(server: PortholeServer) -> int:
    """Return, as ada, the number of the door's viewers: a frame, a feed and a socket."""
    headers = basic("ada")
    with urllib.request.urlopen(
        urllib.request.Request(server.url + "api/cameras", headers=headers), timeout=10
    ) as answer:
        return next(one["viewers"] for one in json.load(answer) if one["name"] == "door")


@pytest.fixture
def page(keep_context: Callable[[dict[str, Any]], KeptContext]) -> Iterator[Page]:
    """Open a page with its own security policy."""
    context = keep_context({})
    yield context.open_page()
    context.empty()


def test_embed_token_shows_one_camera_on_another_site(
    server: PortholeServer, panel: Panel, page: Page, tmp_path: Path, connect: Callable[..., Viewer]
) -> None:
    """A frame with the kiosk and an ``<img>`` with the feed are live in a page of another site.

    The token opens nothing else and is in no log or Referer; within a second of its removal the
    frame, the feed and the socket have ended.
    """
    state = tmp_path / "state"
    kiosk, feed, snapshot = embed_addresses(server, state)
    token = kiosk.partition("token=")[2]
    wait_until(lambda: status_of(snapshot) == 200)
    panel.body = PANEL.format(kiosk=kiosk, feed=feed).encode()
    referers: list[str] = []
    page.on("request", lambda request: referers.append(request.headers.get("referer", "")))

    page.goto(panel.allowed)
    frame = page.frames[1]
    wait_for(frame, PAINTED)
    wait_for(page, "() => document.getElementById('feed').naturalWidth === 320")
    expect(frame.locator(".topbar")).to_be_hidden()
    page.screenshot(path=str(tmp_path / "panel.png"))

    # The panel's script reads pictures, with the token in the address or a header, never by a
    # cookie.
    bare = snapshot.partition("?")[0]
    header = {"Authorization": f"Bearer {token}"}
    assert page.evaluate(READ, {"address": snapshot}) == [200, True]
    assert page.evaluate(READ, {"address": bare, "headers": header}) == [200, True]
    assert page.evaluate(READ, {"address": bare}) == [401, False]
    assert page.evaluate(READ, {"address": snapshot, "credentials": "include"}) is None

    # Nothing else.
    for path in ("metrics", "readyz", "video_feed/yard", "snapshot/yard.jpg"):
        assert status_of(f"{server.url}{path}?token={token}") in (403, 404), path
    viewer = connect(server, auth={"token": token})
    for event, camera, error in (
        ("watch", "yard", "unknown_camera"),
        ("stop", "door", "forbidden"),
        ("notices", "door", "forbidden"),
    ):
        assert viewer.call(event, {"camera": camera})["error"] == error
    assert viewer.call("watch", {"camera": "door"})["ok"]
    viewer.pump(lambda: len(viewer.arrivals) > 12, 10)  # Watch for more than a second.
    assert {event for event, _ in viewer.events} <= {"hello", "camera"}
    assert watching_door(server) == 3

    UsersFile(state).remove_token("panel")
    assert is_gone(viewer)
    wait_until(lambda: watching_door(server) == 0, GONE_S)
    expect(frame.locator("[data-banner]")).to_be_visible()
    assert status_of(snapshot) == status_of(kiosk) == 401

    # It was stored nowhere.
    assert panel.allowed + "/" in referers
    assert not any(token in referer for referer in referers)
    server.stop()
    kept = [one.read_bytes() for one in state.iterdir()]
    assert not any(token.encode() in text for text in [*kept, "\n".join(server.log).encode()])


def test_unlisted_site_cannot_frame_or_read_pictures(
    server: PortholeServer, panel: Panel, page: Page, tmp_path: Path
) -> None:
    """On a site that is not allowed the same address shows no frame, and scripts cannot read it."""
    kiosk, feed, snapshot = embed_addresses(server, tmp_path / "state")
    wait_until(lambda: status_of(snapshot) == 200)
    panel.body = PANEL.format(kiosk=kiosk, feed=feed).encode()

    page.goto(panel.foreign)
    wait_for(page, "() => document.getElementById('feed').naturalWidth === 320")

    assert page.evaluate(READ, {"address": snapshot}) is None
    assert page.frames[1].url.startswith("chrome-error://")


def test_token_kiosk_works_without_websocket(
    server: PortholeServer, page: Page, tmp_path: Path
) -> None:
    """Where a network blocks WebSocket, the kiosk fetches states and MJPEG with the token."""
    kiosk, _, snapshot = embed_addresses(server, tmp_path / "state")
    wait_until(lambda: status_of(snapshot) == 200)

    with NoWebSocketProxy(server.port) as proxy:
        page.goto(kiosk.replace(f":{server.port}/", f":{proxy.port}/"))
        wait_for(page, "() => document.querySelector('img.plain')?.naturalWidth === 320")
