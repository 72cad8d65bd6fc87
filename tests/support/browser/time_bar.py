"""Use the time bar: find a moment on it, and read the time in the picture."""

from playwright.sync_api import Page

from tests.support.browser.chromium import (
    READ_TIME,
    wait_for,
    wait_for_paint,
    wait_to_see,
)
from tests.support.servers.server import PortholeServer

# The bar is never shorter, however little is remembered.
MIN_SHOWN_S = 10


def open_camera(page: Page, server: PortholeServer, camera: str, remembered_s: float = 4) -> None:
    """Focus a camera, and wait until this much of it is remembered."""
    page.goto(f"{server.url}?camera={camera}")
    wait_for_paint(page, camera)
    wait_for_past(page, server, camera, remembered_s)
    # The bar polls every few seconds.
    wait_for(
        page,
        """([name, least]) => {
          const { ariaValueMin, ariaValueMax } = document.querySelector('[data-bar-track]');
          return ariaValueMax - ariaValueMin >= least;
        }""",
        [camera, remembered_s],
    )


def wait_for_past(page: Page, server: PortholeServer, camera: str, remembered_s: float) -> None:
    """Wait until this much of a camera is remembered, after the gap that an earlier test left."""

    def is_remembered() -> bool:
        past = page.request.get(f"{server.url}api/cameras/{camera}/past").json()
        begin = past["gaps"][-1][1] if past["gaps"] else past["from"]
        return begin is not None and past["to"] - begin >= remembered_s

    wait_to_see(is_remembered)


def share_of(page: Page, ago_s: float) -> float:
    """Return the position on the time bar of this many seconds ago."""
    track = page.locator("[data-bar-track]")
    begin, end = (float(track.get_attribute(f"aria-value{one}") or 0) for one in ("min", "max"))
    return 1 - ago_s / max(end - begin, MIN_SHOWN_S)


def burned(page: Page, camera: str) -> float:
    """Return the time burned into a camera's picture."""
    body = READ_TIME.replace("return Date.now() - ", "return ")
    at_ms: float = page.evaluate(body, f'.tile[data-camera="{camera}"] canvas')
    return at_ms / 1000


def remembered(page: Page, server: PortholeServer, camera: str, moment: float) -> float:
    """Return the capture time of the remembered picture for a moment."""
    picture = page.request.get(f"{server.url}api/cameras/{camera}/picture?at={moment}")
    return float(picture.headers["x-timestamp"])


def bar_at(page: Page) -> float:
    """Return the moment that the time bar points at."""
    return float(page.locator("[data-bar-track]").get_attribute("aria-valuenow") or "nan")


def point(page: Page, share: float) -> tuple[float, float]:
    """Return the point at a position on the time bar."""
    box = page.locator("[data-bar-track]").bounding_box()
    assert box is not None
    return box["x"] + share * box["width"], box["y"] + box["height"] / 2


def drag_to(page: Page, share: float) -> None:
    """Drag along the time bar to this position."""
    page.mouse.move(*point(page, 0.9))
    page.mouse.down()
    page.mouse.move(*point(page, share), steps=6)
    page.mouse.up()
    page.mouse.move(5, 5)


def press_until_changed(page: Page, key: str, camera: str) -> float:
    """Press a key; return the burned-in time once it has changed."""
    before = burned(page, camera)
    page.keyboard.press(key)
    wait_to_see(lambda: burned(page, camera) != before)
    return burned(page, camera)
