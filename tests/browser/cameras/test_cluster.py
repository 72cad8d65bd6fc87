"""The dashboard of a web node in a real browser, with cameras of other nodes."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support.browser.chromium import READ_TIME, expect_state, tile, wait_for, wait_for_paint
from tests.support.cameras.films import CROSSING, make_film
from tests.support.servers.cluster import expect_cameras
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]

DROPPED = "() => window.porthole.tiles.get('door').dropped"


def test_remote_camera_looks_like_a_local_one(start_node: Start, page: Page) -> None:
    """A remote camera's tile appears, is live, reports a lost node, and recovers with it."""
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
    # A frame that was never captured is no drop.
    assert page.evaluate(DROPPED) < 200


def test_remote_recordings_look_like_local_ones(
    start_node: Start, page: Page, tmp_path: Path
) -> None:
    """Tile, time bar and library show another node's recording, event and picture.

    The event plays from the other node's disk.
    """
    options = ("-t", "8", "-g", "10", "-pix_fmt", "yuv420p")
    film = make_film(tmp_path / "film.mp4", *options, source=CROSSING)
    settings = tmp_path / "porthole.toml"
    settings.write_text(f'[[camera]]\nname = "lane"\nsource = "file:{film}"\nrecord = "motion"\n')
    start_node("camera", "--config", str(settings), state="camera")
    web = start_node("web")
    expect_cameras(web, "lane")
    page.goto(web.url)

    expect(tile(page, "lane").locator(".tile-rec")).to_be_visible(timeout=30_000)
    page.keyboard.press("1")
    expect(page.locator("[data-bar-marks] > *").first).to_be_attached(timeout=20_000)
    page.get_by_role("tab", name="Activity").click()
    expect(page.get_by_role("radio", name="Motion")).to_be_checked()

    page.keyboard.press("e")
    card = page.locator("[data-cards] > .card").first
    expect(card).to_contain_text("Motion")
    expect(card.locator("img")).to_have_js_property("complete", True)
    card.locator("[data-card-open]").click()
    playing = "[...document.querySelectorAll('video')].some((one) => one.currentTime > 0.5)"
    wait_for(page, playing)
    page.keyboard.press("Escape")
