"""Pictures on the canvas, painted in a worker or by the page itself."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from server.users.users import UsersFile
from tests.support.browser.chromium import (
    NO_WORKER,
    READ_TIME,
    SET_VISIBILITY,
    SMALL,
    backstage,
    expect_state,
    tile,
    wait_for_paint,
)
from tests.support.browser.visitor import PASSWORD
from tests.support.browser.webcodecs import WITHOUT_WEBCODECS
from tests.support.clients.client import Viewer
from tests.support.clients.states import wait_for_camera
from tests.support.servers.server import PortholeServer

Connect = Callable[..., Viewer]
NewContext = Callable[..., BrowserContext]
Start = Callable[..., PortholeServer]


# Missing in older browsers.
NO_OFFSCREEN = "delete HTMLCanvasElement.prototype.transferControlToOffscreen;"

SHAPES = {"wide": "test:?size=640x360&fps=15", "tall": "test:?size=360x640&fps=4"}


@pytest.fixture(params=["worker", "no offscreen canvas", "no worker"])
def place(request: pytest.FixtureRequest, page: Page) -> str:
    """Have the page paint in a worker, or prevent that in one of two ways."""
    name: str = request.param
    scripts = {"no offscreen canvas": NO_OFFSCREEN, "no worker": NO_WORKER}
    if name in scripts:
        page.add_init_script(scripts[name])
    return name


def test_pictures_are_painted_in_a_worker_or_the_page(
    share_server: Start, page: Page, place: str, tmp_path: Path
) -> None:
    """Pictures are fresh, fill their glass, are saved whole; a broken one does not stop the next.

    All checks share one page: loading it takes half of the CPU time of one of them.
    """
    server = share_server(
        "front-door=test:?fps=3", *(f"{name}={it}" for name, it in SHAPES.items())
    )
    # In full size, or a browser without a GPU would get smaller ones.
    page.add_init_script("localStorage.setItem('porthole.sizes', '{\"wide\": \"full\"}')")
    # All glasses have the same size there.
    page.goto(server.url + "?layout=2x2")
    for name in ("front-door", *SHAPES):
        wait_for_paint(page, name)
    assert len(page.workers) == (1 if place == "worker" else 0)

    see_now(page, "wide")
    assert page.evaluate("() => document.querySelector('[data-camera=wide] canvas').width") == 640
    expect_state(page, "wide", "live")
    for name in SHAPES:
        see_on_screen(page, name)
    break_every_other(page, "wide")
    save_first(page, tmp_path / "shot.jpg")


def see_now(page: Page, camera: str) -> None:
    """Check that the time burned into the picture on the canvas is the present."""
    ages = []
    for _ in range(30):
        age = page.evaluate(READ_TIME, f'.tile[data-camera="{camera}"] canvas')
        assert age is not None, "the strip could not be read"
        ages.append(age)
    # bench/ measures how fresh pictures can be; here there must only be no backlog.
    assert sorted(ages)[len(ages) // 2] < 500


def see_on_screen(page: Page, camera: str) -> None:
    """Check that the canvas is what people see, fitted into its glass at any aspect ratio."""
    glass = page.locator(f'[data-camera="{camera}"] .viewport').screenshot()
    shown = cv2.imdecode(np.frombuffer(glass, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    height, width = shown.shape[:2]
    middle = shown[height // 3 : 2 * height // 3, 2 * width // 5 : 3 * width // 5]
    assert middle.std() > 15, "the glass is empty"
    edge = shown[height // 2, width // 20]
    assert (edge.max() < 40) == (camera == "tall"), edge


def break_every_other(page: Page, camera: str) -> None:
    """Check that the page acknowledges bytes that are not JPEG, and paints the next picture.

    Only decoding can tell a broken picture from a whole one.
    """
    backstage(page).evaluate(
        """() => {
          self.decode = self.createImageBitmap;
          self.broken = 0;
          self.createImageBitmap = (...all) => (
            (self.broken += 1) % 2 ? Promise.reject(new Error('broken')) : self.decode(...all)
          );
        }"""
    )
    wait_for_paint(page, camera, 20)
    assert backstage(page).evaluate("() => self.broken") > 20
    backstage(page).evaluate("() => { self.createImageBitmap = self.decode; }")


def save_first(page: Page, path: Path) -> None:
    """Check that `s` saves the full-size picture on screen, named after the camera and the time."""
    page.keyboard.press("1")
    expect_state(page, "front-door", "live")  # Otherwise it is the visible one.
    with page.expect_download() as started:
        page.keyboard.press("s")
    download = started.value
    download.save_as(path)

    assert download.suggested_filename.startswith("front-door-2")
    assert download.suggested_filename.endswith(".jpg")
    saved = cv2.imread(str(path))
    assert saved is not None
    # Whatever rendition is on the screen.
    assert saved.shape == (720, 1280, 3)


@pytest.mark.skipif(WITHOUT_WEBCODECS, reason="then there is no policy")
def test_security_policy_allows_the_worker(share_server: Start, new_context: NewContext) -> None:
    """With the page's own security policy it paints in a worker, without a violation."""
    page = new_context().new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))

    page.goto(share_server(SMALL).url)
    expect_state(page, "test", "live")

    assert len(page.workers) == 1
    assert complaints == []


def test_worker_connects_with_the_pages_login(
    start_server: Start, page: Page, tmp_path: Path
) -> None:
    """The connection opened by the worker belongs to the page's logged-in user."""
    people = UsersFile(tmp_path / "state")
    people.add_user("ada", "operator", None, PASSWORD)
    server = start_server(SMALL)

    page.goto(server.url)
    page.locator("[name=name]").fill("ada")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    wait_for_paint(page, "test")

    assert len(page.workers) == 1
    expect(page.locator("[data-link-word]")).to_have_text("Connected")


def test_off_screen_tiles_are_not_watched(
    start_server: Start, connect: Connect, page: Page
) -> None:
    """Tiles below the fold cost nothing until they are scrolled to."""
    server = start_server(*(f"cam-{number}=test:?size=320x180&fps=2" for number in range(12)))
    viewer = connect(server)
    page.set_viewport_size({"width": 360, "height": 640})
    page.goto(server.url)
    wait_for_paint(page, "cam-0")

    wait_for_camera(viewer, "cam-11", viewers=0, state="idle")
    tile(page, "cam-11").scroll_into_view_if_needed()
    wait_for_paint(page, "cam-11")

    wait_for_camera(viewer, "cam-0", viewers=0)


def test_hidden_tab_leaves_the_room(start_server: Start, connect: Connect, page: Page) -> None:
    """A page that becomes hidden leaves the room, and joins again when it is visible."""
    server = start_server(SMALL)
    viewer = connect(server)
    page.goto(server.url)
    wait_for_paint(page, "test")

    page.evaluate(SET_VISIBILITY, "hidden")
    wait_for_camera(viewer, "test", viewers=0)
    page.evaluate(SET_VISIBILITY, "visible")

    wait_for_paint(page, "test", 5)
