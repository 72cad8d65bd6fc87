"""The dashboard in a real browser, as people use it."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.browser.chromium import (
    SMALL,
    expect_state,
    show_tab,
    tile,
    wait_for,
    wait_for_paint,
)
from tests.support.clients.client import Viewer
from tests.support.clients.states import camera_state, wait_for_camera
from tests.support.network.proxies import PrefixProxy
from tests.support.servers.server import PortholeServer, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]


def test_tiles_show_their_state_in_words(start_server: Start, connect: Connect, page: Page) -> None:
    """Live, stopped and retrying tiles show their state, with the reason."""
    server = start_server(SMALL, f"halted={SMALL}", "ghost=/no/such/file.mp4")
    operator = connect(server)
    operator.call("stop", {"camera": "halted"})

    page.goto(server.url)

    expect_state(page, "test", "live")
    expect_state(page, "halted", "stopped")
    expect_state(page, "ghost", "retrying")
    expect(tile(page, "test")).to_contain_text("Live")
    expect(tile(page, "halted")).to_contain_text("Stopped")
    expect(tile(page, "ghost")).to_contain_text("there is no file /no/such/file.mp4")


def test_keys_focus_stop_and_start_cameras(
    start_server: Start, connect: Connect, page: Page
) -> None:
    """`2` focuses the second tile, space stops and starts it, Esc goes back; `?` shows the keys.

    Digits typed into a field do not move the focus to another camera.
    """
    server = start_server(f"one={SMALL}", f"two={SMALL}")
    page.goto(server.url)
    wait_for_paint(page, "two")

    page.keyboard.press("2")
    expect(page.locator("[data-panel]")).to_be_visible()
    page.keyboard.press("Space")
    expect_state(page, "two", "stopped")
    page.keyboard.press("Space")
    expect_state(page, "two", "live")
    show_tab(page, "Image")
    field = page.get_by_label("JPEG quality, 1 to 100")
    field.focus()
    field.press("1")
    expect(page.locator("#panel-title")).to_have_text("two", ignore_case=True)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")

    expect(page.locator("[data-panel]")).to_be_hidden()
    assert camera_state(connect(server), "one")["state"] == "live"
    page.keyboard.press("?")
    expect(page.locator("[data-help]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-help]")).to_be_hidden()


def test_sliders_change_the_camera(start_server: Start, connect: Connect, page: Page) -> None:
    """The quality slider and fps field set the camera; the slider follows others' changes."""
    server = start_server(SMALL)
    viewer = connect(server)
    page.goto(server.url)
    wait_for_paint(page, "test")
    page.keyboard.press("1")
    show_tab(page, "Image")

    quality = page.locator("#quality-slider")
    quality.focus()
    for _ in range(5):
        quality.press("ArrowLeft")
    wait_for_camera(viewer, "test", quality=75)
    fps = page.get_by_label("Frames per second")
    fps.fill("5")
    fps.press("Enter")
    wait_for_camera(viewer, "test", fps=5)
    viewer.call("quality", {"camera": "test", "quality": 42})

    expect(quality).to_have_value("42")


def test_quit_asks_for_confirmation(start_server: Start, page: Page) -> None:
    """The page shuts the server down only after a second confirmation."""
    server = start_server(SMALL)
    page.goto(server.url)
    wait_for_paint(page, "test")

    page.keyboard.press("i")
    page.locator("[data-open-quit]").click()
    page.get_by_role("button", name="Keep running").click()
    wait_for_paint(page, "test", 5)
    page.locator("[data-open-quit]").click()
    page.locator("[data-quit]").get_by_role("button", name="Shut down").click()

    assert server.wait(5) == 0
    expect(page.locator("[data-banner]")).to_be_visible()


def test_page_resumes_when_the_server_returns(start_server: Start, page: Page) -> None:
    """A stopped server is shown as gone; after a restart frames appear without a reload.

    The server closes its cameras before it exits; their last reason, that nobody is watching, must
    not show.
    """
    server = start_server(SMALL)
    page.goto(server.url + "?camera=test")
    wait_for_paint(page, "test")

    assert server.stop() == 0
    expect(page.locator("[data-banner]")).to_be_visible()
    expect_state(page, "test", "gone")
    expect(page.locator("[data-panel] [data-field='reason']")).to_have_text("Reconnecting")
    start_server(SMALL, "--port", str(server.port))

    wait_for_paint(page, "test", 10)
    expect_state(page, "test", "live")
    expect(page.locator("[data-banner]")).to_be_hidden()


def test_plots_load_once_the_server_returns(start_server: Start, page: Page) -> None:
    """Plots opened while the server is down appear after its return.

    A failed load used to be cached.
    """
    # A new origin, for which the browser has no files cached.
    server = start_server(SMALL, "--port", "0")
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.goto(server.url)
    # Plots are drawn once there are figures. These come once a second, frames ten times.
    wait_for(page, "window.porthole?.tiles.get('test')?.painted > 30")
    server.kill()
    expect_state(page, "test", "gone")

    page.keyboard.press("i")
    wait_until(lambda: page.wait_for_timeout(50) or any("uPlot" in url for url in failed))
    start_server(SMALL, "--port", str(server.port))

    drawing = page.get_by_role("dialog", name="System").locator(".u-wrap canvas").first
    expect(drawing).to_be_visible()


def test_page_never_scrolls_sideways(share_server: Start, page: Page) -> None:
    """On a phone, a laptop and a wall the page scrolls vertically at most."""
    server = share_server(
        "one=test:?size=320x180&fps=2", "two=test:?size=320x180&fps=2", "ghost=/no/such/file.mp4"
    )
    page.goto(server.url)
    wait_for_paint(page, "one")

    for width, height in ((360, 740), (1280, 800), (2560, 1440)):
        page.set_viewport_size({"width": width, "height": height})
        for key in ("Escape", "1"):
            page.keyboard.press(key)
            shown = page.evaluate("() => document.documentElement.scrollWidth")
            assert shown <= width, (width, key)


def test_page_works_under_a_path_prefix(share_server: Start, page: Page) -> None:
    """Behind a proxy that strips a prefix everything works, and no request goes to the root."""
    server = share_server(SMALL)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))

    with PrefixProxy(server.port, b"/cams/") as proxy:
        page.goto(f"http://127.0.0.1:{proxy.port}/cams/")
        wait_for_paint(page, "test", 10)
        page.goto("about:blank")

    assert len(asked) > 5
    elsewhere = [url for url in asked if "/cams/" not in url]
    assert [url for url in elsewhere if not url.startswith(("about:", "blob:"))] == []
