"""Unwatched cameras that fail and recover, in a real server and on a real page."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.chromium import expect_state, tile
from tests.support.cameras.bad_camera import BadCamera
from tests.support.clients.client import Viewer
from tests.support.clients.states import state_of
from tests.support.servers.server import PortholeServer, last_event, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

OPTIONS = ("--check-every", "1", "--read-timeout", "2")


@pytest.fixture
def camera() -> Iterator[BadCamera]:
    """A network camera that can be switched off and on."""
    camera = BadCamera()
    yield camera
    camera.close()


def get(server: PortholeServer, path: str) -> str:
    with urllib.request.urlopen(server.url + path, timeout=5) as answer:
        return str(answer.read().decode())


def test_unwatched_camera_reports_failure_and_recovery(
    start_server: Start, connect: Connect, camera: BadCamera
) -> None:
    """All viewers get the same notices, one when it fails and one when it recovers."""
    server = start_server(f"yard={camera.url()}", "halted=http://127.0.0.1:9/", *OPTIONS)
    viewer = connect(server)
    viewer.call("stop", {"camera": "halted"})

    def until_state(state: str) -> Any:
        viewer.pump(lambda: state_of(viewer, "yard")["state"] == state, 20)
        return state_of(viewer, "yard")

    viewer.pump(lambda: (state_of(viewer, "yard") or {}).get("width") == 320, 20)  # Checked once.
    assert state_of(viewer, "yard")["state"] == "idle"

    # A check cut off halfway would give another reason.
    wait_until(lambda: camera.streams)
    wait_until(lambda: not camera.streams)
    camera.disappear()
    dead = until_state("retrying")
    lost = 'porthole_source_lost_total{camera="yard"} '
    # Checked again and again, but reported once.
    wait_until(lambda: float(get(server, "metrics").split(lost)[1].split()[0]) >= 3, 20)
    (told,) = (one for one in json.loads(get(server, "api/cameras")) if one["name"] == "yard")
    state = 'porthole_camera_state{camera="yard",state="retrying"} 1.0'
    assert "Connection refused" in dead["reason"]
    assert (told["state"], told["reason"]) == (dead["state"], dead["reason"])
    assert state in get(server, "metrics")
    assert get(server, "readyz") == "ok\n"

    camera.appear()
    until_state("idle")
    viewer.pump(lambda: "back" in (last_event(viewer, "notice") or {}).get("message", ""), 5)

    notices = [data["message"] for name, data in viewer.events if name == "notice"]
    assert notices[-2:] == [f"yard went offline: {dead['reason']}", "yard is back online"]
    assert sum(message.startswith("yard ") for message in notices) == 2
    assert state_of(viewer, "halted")["state"] == "stopped"
    assert 'porthole_source_opened_total{camera="halted"} 0.0' in get(server, "metrics")


def test_top_bar_shows_a_dead_camera_on_another_page(
    start_server: Start, page: Page, camera: BadCamera
) -> None:
    """The tenth of ten, on page two, is counted, named with its reason, and later cleared."""
    camera.disappear()
    others = (f"cam-{number}=test:?size=128x72&fps=2" for number in range(1, 10))
    server = start_server(*others, f"yard={camera.url()}", *OPTIONS)
    refused = f"127.0.0.1:{camera.port} cannot be reached (Connection refused)"
    summary = page.locator("[data-summary]")

    page.goto(server.url + "?layout=3x3")
    expect(summary).to_have_text(f"1 problem: yard, {refused}")
    expect(page.locator("[data-state-chip=trouble] [data-count]")).to_have_text("1")
    expect(tile(page, "yard")).to_be_hidden()

    page.keyboard.press("PageDown")
    expect(tile(page, "yard")).to_be_visible()
    expect_state(page, "yard", "retrying")
    expect(tile(page, "yard")).to_contain_text(refused)
    page.keyboard.press("PageDown")
    camera.appear()

    expect(summary).to_have_text("10 cameras")
    expect(page.locator("[data-state-chip=trouble] [data-count]")).to_have_text("0")
