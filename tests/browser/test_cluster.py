"""The dashboard of a web node in a real browser, over cameras of other nodes."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.browser import READ_TIME, expect_state, tile, wait_for_paint
from tests.support.cluster import expect_cameras
from tests.support.server import PortholeServer

Start = Callable[..., PortholeServer]

DROPPED = "() => window.porthole.tiles.get('door').dropped"


def test_cameras_elsewhere_look_like_our_own(start_node: Start, page: Page) -> None:
    """A tile comes with its camera, is live, says when the node is gone, and goes on with it."""
    web = start_node("web")
    page.goto(web.url)
    camera = start_node("camera", "door=test:?size=320x180&fps=8", state="camera")
    expect_cameras(web, "door")
    wait_for_paint(page, "door", 10)
    age_ms = page.evaluate(READ_TIME, '.tile[data-camera="door"] canvas')
    expect_state(page, "door", "live")

    camera.kill()
    expect_state(page, "door", "retrying")
    expect(tile(page, "door")).to_contain_text("unavailable")
    start_node("camera", "door=test:?size=320x180&fps=8", state="camera")
    expect_state(page, "door", "live")
    wait_for_paint(page, "door", 10)

    assert age_ms < 1000
    # What was never captured is no drop.
    assert page.evaluate(DROPPED) < 200
