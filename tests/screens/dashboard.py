"""Views of the dashboard: its grid, a focused camera, and states of cameras and the connection.

A view that is one key or click away from a page with six cameras needs only a line in
:data:`BY_KEY` or :data:`BY_CLICK`.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

from tests.screens.registry import VIEWS, View, view
from tests.screens.stage import Stage, live, log_in, open_focus, settle
from tests.support.browser.chromium import SET_VISIBILITY, show_tab
from tests.support.network.proxies import NoWebSocketProxy
from tests.support.servers.cluster import RedisServer
from tests.support.servers.server import PortholeServer, wait_until

BY_KEY: dict[str, str] = {"help": "?", "statistics": "n", "system": "i", "timeline": "t"}
BY_CLICK: dict[str, str] = {
    "page-menu": "[popovertarget='page-menu']",
    "view-menu": "[popovertarget='view-menu']",
}
BY_LINK: dict[str, str] = {
    "kiosk": "?view=kiosk",
    "kiosk-names": "?view=kiosk&names=1&clock=1",
    "layout-2x2": "?layout=2x2",
    "filter": "?filter=pr",
    "filter-nothing": "?filter=lighthouse",
}
TABS = ("Image", "Motion", "Activity", "Statistics")

# A user's scanner that is not finished.
PROCESSOR = """
def find_parts(image, info):
    raise ValueError("template parts.png is missing")
"""


# Live view.


def _grid(count: int) -> View:
    return lambda stage: live(stage.open(stage.shared(count).url))


for _count in (1, 4, 9, 16):
    VIEWS[f"grid-{_count}"] = _grid(_count)
VIEWS["grid"] = _grid(6)


@view("focus")
def focus(stage: Stage) -> Page:
    return live(open_focus(live(stage.open(stage.shared().url)), 2))


@view("panel")
def panel(stage: Stage) -> Iterator[tuple[str, Page]]:
    """The tabs beside the focused camera (below it on a phone), one after the other."""
    page = focus(stage)
    # Plots need data.
    settle(page, 5000)
    for name in TABS:
        show_tab(page, name)
        page.locator("[data-tabs]").evaluate("(tabs) => tabs.scrollIntoView({ block: 'start' })")
        yield f"focus-{name.lower()}", settle(page)
    page.keyboard.press("d")
    page.locator(".grid").evaluate("(grid) => grid.scrollTo(0, 0)")
    yield "focus-alone", settle(page)


@view("past")
def past(stage: Stage) -> Iterator[tuple[str, Page]]:
    """The time bar: a moment of the past, a marked span, and both in full screen."""
    page = focus(stage)
    page.wait_for_selector("[data-scrubber][data-past='live']")
    settle(page, 6000)
    box = page.locator("[data-bar-track]").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.move(5, 5)
    page.wait_for_selector(".tile[data-focused][data-state='past']")
    yield "past", settle(page)
    page.keyboard.press("i")
    yield "past-clip", settle(page)
    page.keyboard.press("f")
    page.wait_for_selector(".tile:is(:fullscreen, [data-full-page]) > [data-scrubber]")
    yield "past-full-screen", settle(page)


@view("focus-processor")
def focus_processor(stage: Stage) -> Page:
    """A camera whose frames go through user code that fails."""
    server = stage.server(
        stage.cameras(6)[-1:],
        each='process = ["timestamp", "parts:find_parts"]',
        beside={"parts.py": PROCESSOR},
    )
    page = open_focus(stage.open(server.url), 0)
    show_tab(page, "Statistics")
    page.wait_for_selector("[data-processing]:not([hidden])")
    page.locator("[data-processing]").evaluate("(part) => part.scrollIntoView({ block: 'end' })")
    return settle(page, 4000)


def _by_key(key: str) -> View:
    def set_up(stage: Stage) -> Page:
        page = live(stage.open(stage.shared().url))
        page.keyboard.press(key)
        return settle(page)

    return set_up


def _by_click(selector: str) -> View:
    def set_up(stage: Stage) -> Page:
        page = live(stage.open(stage.shared().url))
        page.locator(selector).click()
        return settle(page)

    return set_up


VIEWS |= {name: _by_key(key) for name, key in BY_KEY.items()}


def _by_link(link: str) -> View:
    def set_up(stage: Stage) -> Page:
        page = stage.open(stage.shared().url + link)
        page.wait_for_selector("[data-grid][data-phase='ready']")
        return settle(page, 3000)

    return set_up


VIEWS |= {name: _by_link(link) for name, link in BY_LINK.items()}
VIEWS |= {name: _by_click(selector) for name, selector in BY_CLICK.items()}


@view("tile-menu")
def tile_menu(stage: Stage) -> Page:
    page = live(stage.open(stage.shared().url))
    page.locator(".tile[data-camera]").nth(1).click(button="right")
    return settle(page)


@view("quit")
def quit_(stage: Stage) -> Page:
    page = live(stage.open(stage.shared().url))
    page.keyboard.press("i")
    page.locator("[data-open-quit]").click()
    return settle(page)


@view("undo")
def undo(stage: Stage) -> Page:
    server = stage.server(stage.cameras(4))
    page = live(open_focus(live(stage.open(server.url)), 1))
    page.keyboard.press("Space")
    page.wait_for_selector(".toast")
    return settle(page)


@view("toasts")
def toasts(stage: Stage) -> Page:
    """What others did; a lost camera is reported by its tile."""
    camera = stage.camera("reef")
    # All cameras are on screen, even on a phone: notices are only for visible ones.
    server = stage.server([("reef", "Reef tank", camera.url()), *stage.cameras(1)])
    page = live(stage.open(server.url))
    camera.disappear()
    page.wait_for_selector(".tile[data-camera='reef'][data-state='retrying']")
    stage.tell(server, "fps", camera="harbour", fps=5)
    stage.tell(server, "stop", camera="harbour")
    page.wait_for_function("() => document.querySelectorAll('.toast').length >= 2")
    return settle(page)


# Video.

# As on plain http on a host other than localhost.
PLAIN = """delete window.VideoDecoder;
Object.defineProperty(window, 'isSecureContext', { value: false });"""


@view("video")
def video(stage: Stage) -> Iterator[tuple[str, Page]]:
    """Video passed through from the camera, in the figures and beside the picture."""
    server = stage.server(stage.video_cameras(4))
    page = live(stage.open(server.url))
    page.wait_for_function(
        "() => [...window.porthole.tiles].some(([, tile]) => tile.codec !== null)"
    )
    page.keyboard.press("n")
    yield "video-figures", settle(page, 3000)
    page.keyboard.press("n")
    yield "video-focus", _panel_of(live(open_focus(page, 1)))
    page.get_by_label("Use video").uncheck()
    yield "video-off", settle(page, 3000)
    page = live(open_focus(stage.open(server.url, lambda page: page.add_init_script(PLAIN)), 1))
    page.wait_for_selector("[data-video-note]:not([hidden])")
    yield "video-plain", _panel_of(page)


def _panel_of(page: Page) -> Page:
    """Open a tab of the panel beside the picture (below it on a phone)."""
    page.locator("[data-tabs]").evaluate("(tabs) => tabs.scrollIntoView({ block: 'start' })")
    return settle(page, 3000)


# Permissions.


@view("login")
def login(stage: Stage) -> Page:
    return settle(stage.open(stage.shared(people=True).url + "login"))


@view("login-refused")
def login_refused(stage: Stage) -> Page:
    page = log_in(stage, "ada", "not this one")
    page.wait_for_selector(".login-message")
    return settle(page)


@view("viewer")
def viewer(stage: Stage) -> Page:
    return live(log_in(stage, "vera"))


@view("viewer-focus")
def viewer_focus(stage: Stage) -> Page:
    return live(open_focus(viewer(stage), 2))


@view("empty-for-you")
def empty_for_you(stage: Stage) -> Page:
    page = log_in(stage, "dora")
    page.wait_for_selector("[data-empty]:not([hidden])")
    return settle(page)


@view("empty")
def empty(stage: Stage) -> Page | None:
    """A node that shows other nodes' cameras, when there are none."""
    if shutil.which("redis-server") is None:
        return None
    folder = tempfile.TemporaryDirectory(prefix="porthole-screens-")
    stage.keep(folder.cleanup)
    bus = RedisServer(Path(folder.name))
    stage.keep(bus.stop)
    node = PortholeServer(
        *("--port", "0"),
        state=Path(folder.name) / "state",
        environment={"PORTHOLE_BUS": bus.url},
        command="web",
    )
    stage.keep(node.stop)
    page = stage.open(node.url)
    page.wait_for_selector("[data-empty]:not([hidden])")
    return settle(page)


# States of cameras.


@view("states")
def states(stage: Stage) -> Iterator[tuple[str, Page]]:
    """Every state of a camera, side by side and enlarged."""
    page = _troubled(stage)
    yield "states", page
    names = ("stalled", "frozen", "lost", "missing", "starting", "stopped", "ended")
    for number, name in enumerate(names, start=1):
        yield f"focus-{name}", settle(open_focus(page, number), 1200)
        page.keyboard.press("Escape")


def _troubled(stage: Stage) -> Page:
    stalls, freezes, goes = (stage.camera(name) for name in ("street", "reef", "seedlings"))
    silent = stage.camera("packing")
    silent.fault = "black hole"
    server = stage.server(
        [
            *stage.cameras(1),
            ("street", "Market Street", stalls.url()),
            ("reef", "Reef tank", freezes.url()),
            ("seedlings", "Seedlings", goes.url()),
            ("dome", "Observatory", "file:/srv/clips/observatory.mp4"),
            ("packing", "Packing line", silent.url()),
            ("printer", "Printer 2", f"file:{stage.film('printer')}"),
            ("rack-b", "Rack B", f"file:{stage.film('rack-b')}?loop=0"),
        ],
        *("--read-timeout", "120", "--frozen-after", "12"),
    )
    page = stage.open(server.url)
    _expect(page, street="live", reef="live", seedlings="live", printer="live")
    # The film lasts five seconds; on a phone that camera is not seen until it is scrolled to.
    page.locator(".tile[data-camera='rack-b']").scroll_into_view_if_needed()
    _expect(page, rack_b="ended")
    page.locator(".grid").evaluate("(grid) => grid.scrollTo(0, 0)")
    _expect(page, street="live")
    stalls.fault, freezes.fault = "stall", "frozen"
    goes.disappear()
    stage.tell(server, "stop", camera="printer")
    _expect(page, street="stalled", reef="stalled", seedlings="retrying", printer="stopped")
    page.locator(".grid").evaluate("(grid) => grid.scrollTo(0, 0)")
    return settle(page)


def _expect(page: Page, **expected: str) -> None:
    """Wait for states of cameras on screen."""
    for name, state in expected.items():
        tile = page.locator(f".tile[data-camera='{name.replace('_', '-')}']")
        tile.scroll_into_view_if_needed()
        tile.and_(page.locator(f"[data-state='{state}']")).wait_for()


@view("idle")
def idle(stage: Stage) -> Page:
    """A page that was in the background, at the moment it becomes visible."""
    server = stage.server(stage.cameras(4), "--release-after", "0")
    page = live(stage.open(server.url))
    page.evaluate(SET_VISIBILITY, "hidden")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.tile[data-camera]')]"
        ".every((tile) => tile.dataset.state === 'idle')"
    )
    return settle(page)


# States of the connection.


@view("loading")
def loading(stage: Stage) -> Page:
    """Before the first message from the server: the script is still loading."""
    # Held back until the page is closed.
    held = lambda page: page.route("**/static/*/js/main.js", lambda route: None)  # noqa: E731
    server = stage.shared()
    page = stage.open("about:blank", held)
    page.goto(server.url, wait_until="commit")
    page.wait_for_selector("[data-skeletons]")
    return settle(page)


@view("gone")
def gone(stage: Stage) -> Page:
    server = stage.server(stage.cameras(4))
    page = live(stage.open(server.url))
    server.kill()
    page.wait_for_selector("[data-banner]:not([hidden])")
    page.wait_for_selector(".tile[data-state='gone']")
    return settle(page, 3000)


@view("shut-down")
def shut_down(stage: Stage) -> Page:
    server = stage.server(stage.cameras(4))
    page = live(stage.open(server.url))
    page.keyboard.press("i")
    page.locator("[data-open-quit]").click()
    page.locator("[data-quit]").get_by_role("button", name="Shut down").click()
    page.wait_for_selector("[data-banner]:not([hidden])")
    wait_until(lambda: server.process.poll() is not None)
    return settle(page, 1500)


@view("no-websocket")
def no_websocket(stage: Stage) -> Page:
    proxy = NoWebSocketProxy(stage.shared(4).port)
    stage.keep(proxy.close)
    page = stage.open(f"http://127.0.0.1:{proxy.port}/")
    page.wait_for_selector(".plain:not([hidden])")
    return settle(page, 2500)
