"""The views: every state of the page, each set up by a function that returns the page.

To add one, write a function and put :func:`view` above it; for what is one key or click away from a
page with six cameras, a line in :data:`BY_KEY` or :data:`BY_CLICK` will do. Where setting up takes
long, the function yields one page after another, each with its name.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Page

from server.users.users import UsersFile
from tests.screens.stage import PASSWORD, Stage, live, open_focus, settle
from tests.support.browser.chromium import show_tab
from tests.support.clients.admin_api import ask_api, revision_of
from tests.support.network.proxies import NoWebSocketProxy
from tests.support.servers.cluster import RedisServer
from tests.support.servers.server import PortholeServer, wait_until

__all__ = ["VIEWS", "View"]

View = Callable[[Stage], Page | Iterator[tuple[str, Page]] | None]

VIEWS: dict[str, View] = {}
"""Every view by its name; one that returns None cannot be had on this machine."""

# Headless Chromium never hides a tab; the page hears what a browser would tell it.
PRETEND_HIDDEN = """() => {
  const pretend = (name, value) =>
    Object.defineProperty(document, name, { value, configurable: true });
  pretend('visibilityState', 'hidden');
  pretend('hidden', true);
  document.dispatchEvent(new Event('visibilitychange'));
}"""

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

# A scanner of one's own that was not finished.
PROCESSOR = """
def find_parts(image, info):
    raise ValueError("template parts.png is missing")
"""


def view(name: str) -> Callable[[View], View]:
    """Name a view; its pictures are called so."""

    def take(set_up: View) -> View:
        VIEWS[name] = set_up
        return set_up

    return take


# Live.


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
    """What is beside the camera in focus, on a phone below it, one part after the other."""
    page = focus(stage)
    # Plots want something to plot.
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
    """The time bar: a moment of the past, a part of it that is marked, and both in full screen."""
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
    """A camera whose pictures go through code of people's own, which fails."""
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
    """What others did; what was lost is told by its tile."""
    camera = stage.camera("reef")
    # All on screen also on a phone: only what is concerns the person before it.
    server = stage.server([("reef", "Reef tank", camera.url()), *stage.cameras(1)])
    page = live(stage.open(server.url))
    camera.disappear()
    page.wait_for_selector(".tile[data-camera='reef'][data-state='retrying']")
    stage.tell(server, "fps", camera="harbour", fps=5)
    stage.tell(server, "stop", camera="harbour")
    page.wait_for_function("() => document.querySelectorAll('.toast').length >= 2")
    return settle(page)


# Video.

# As on plain http elsewhere than on localhost.
PLAIN = """delete window.VideoDecoder;
Object.defineProperty(window, 'isSecureContext', { value: false });"""


@view("video")
def video(stage: Stage) -> Iterator[tuple[str, Page]]:
    """What comes as the camera sends it, in the figures and beside the picture."""
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
    """Show what is beside the picture, which on a phone is below it."""
    page.locator("[data-tabs]").evaluate("(tabs) => tabs.scrollIntoView({ block: 'start' })")
    return settle(page, 3000)


# Who may do what.


def _log_in(stage: Stage, name: str, password: str = PASSWORD) -> Page:
    page = stage.open(stage.shared(people=True).url + "login")
    page.locator("[name=name]").fill(name)
    page.locator("[name=password]").fill(password)
    page.locator("[name=password]").press("Enter")
    return page


@view("login")
def login(stage: Stage) -> Page:
    return settle(stage.open(stage.shared(people=True).url + "login"))


@view("login-refused")
def login_refused(stage: Stage) -> Page:
    page = _log_in(stage, "ada", "not this one")
    page.wait_for_selector(".login-message")
    return settle(page)


@view("viewer")
def viewer(stage: Stage) -> Page:
    return live(_log_in(stage, "vera"))


@view("viewer-focus")
def viewer_focus(stage: Stage) -> Page:
    return live(open_focus(viewer(stage), 2))


@view("empty-for-you")
def empty_for_you(stage: Stage) -> Page:
    page = _log_in(stage, "dora")
    page.wait_for_selector("[data-empty]:not([hidden])")
    return settle(page)


@view("empty")
def empty(stage: Stage) -> Page | None:
    """A node that shows the cameras of others, and there are none."""
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


# What cameras do.


@view("states")
def states(stage: Stage) -> Iterator[tuple[str, Page]]:
    """Every state a camera can be in, side by side, and each of them large."""
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
    # The film is five seconds long; on a phone nobody sees that camera until it is scrolled to.
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
    """Wait for states, of what is on the screen."""
    for name, state in expected.items():
        tile = page.locator(f".tile[data-camera='{name.replace('_', '-')}']")
        tile.scroll_into_view_if_needed()
        tile.and_(page.locator(f"[data-state='{state}']")).wait_for()


@view("idle")
def idle(stage: Stage) -> Page:
    """A page that was in the background, at the moment in which it is looked at again."""
    server = stage.server(stage.cameras(4), "--release-after", "0")
    page = live(stage.open(server.url))
    page.evaluate(PRETEND_HIDDEN)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.tile[data-camera]')]"
        ".every((tile) => tile.dataset.state === 'idle')"
    )
    return settle(page)


# What the connection does.


@view("loading")
def loading(stage: Stage) -> Page:
    """Before the first word from the server: the script is still under way."""
    # Held back, and let go when the page is closed.
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


# Cameras from the page.


@view("manage")
def manage(stage: Stage) -> Iterator[tuple[str, Page]]:
    """An admin's list and form, one state after the other."""
    server = stage.server(stage.cameras(3))
    for number, (name, title, group) in enumerate(
        (("gate", "North gate", "Yard"), ("old", "Old camera", None))
    ):
        source = "test:" if number == 0 else f"rtsp://viewer:secret@127.0.0.1:9/{name}"
        camera = {"name": name, "title": title, "group": group, "source": source}
        assert ask_api(server, "POST", "", camera).status == 201
    page = stage.open(f"{server.url}?manage=cameras")
    page.wait_for_selector(".managed-row")
    settle(page, 1500)  # Behind the window, the tiles get their states.
    yield "list", settle(page)
    page.get_by_role("button", name="Add a camera").click()
    page.wait_for_selector(".found")
    yield "add", settle(page, 1500)
    address = page.get_by_label("Address")
    for state, source, phase in (
        ("picture", "test:?size=1280x720", "picture"),
        ("failed", "http://127.0.0.1:9/video", "failed"),
    ):
        address.fill(source)
        page.get_by_role("button", name="Try", exact=True).click()
        page.wait_for_selector(f"[data-trial][data-phase='{phase}']")
        yield state, settle(page)
    address.fill("http://169.254.169.254/")
    page.locator("#managed-name").fill("gate")
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector(".managed-wrong:not(:empty)")
    yield "refused", settle(page)
    page.get_by_role("button", name="Back to the list").click()
    page.locator(".managed-open").filter(has_text="North gate").click()
    page.wait_for_selector("[data-main-fields] > *")
    seen = {"If-Match": revision_of(server, "gate")}
    theirs = {"name": "gate", "title": "Gate", "source": "test:"}
    assert ask_api(server, "PUT", "/gate", theirs, seen).status == 200
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("[data-take-theirs]:not([hidden])")
    yield "conflict", settle(page)
    page.get_by_role("button", name="Remove").click()
    page.wait_for_selector(".toast-action")
    yield "removed", settle(page)
    server.kill()
    page.get_by_role("button", name="Undo").click()
    page.wait_for_selector("[data-manage-toasts] .toast[data-level='error']")
    yield "offline", settle(page)


@view("empty-admin")
def empty_admin(stage: Stage) -> Page:
    """A dashboard without a camera, for who may add one."""
    server = stage.server([])
    assert ask_api(server, "DELETE", "/test").status == 200
    page = stage.open(server.url)
    page.wait_for_selector("[data-empty]:not([hidden])")
    return settle(page)


# People from the page.


@view("people")
def people(stage: Stage) -> Iterator[tuple[str, Page]]:
    """An admin's lists and forms, from the first user on."""
    server = stage.server(stage.cameras(3))
    page = stage.open(f"{server.url}?manage=people")
    page.wait_for_selector(".people-connection")
    yield "open", settle(page)
    page.get_by_role("button", name="Add a user").click()
    page.locator("#person-name").fill("ann")
    page.locator("#person-password").fill(PASSWORD)
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector(".person-row")
    file = UsersFile(server.state)
    file.add_user("otto", "operator", None, PASSWORD)
    file.add_user("vera", "viewer", ["workshop", "porch"], PASSWORD)
    file.add_token("octoprint", "viewer", None)
    page.wait_for_function("document.querySelectorAll('.person-row').length === 4")
    yield "list", settle(page, 1500)
    page.get_by_role("button", name="Add a user").click()
    page.wait_for_selector("[data-person-form]:not([hidden])")
    page.locator("#person-name").fill("Vera")
    page.get_by_role("switch", name="All cameras").uncheck()
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector(".managed-wrong:not(:empty)")
    yield "refused", settle(page)
    page.locator("#person-name").fill("bea")
    page.get_by_role("switch", name="All cameras").check()
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector("[data-secret]:not([hidden])")
    yield "password", settle(page)
    page.get_by_role("button", name="Done").click()
    page.locator(".person-row [data-open]").first.click()
    page.wait_for_selector("[data-person-form]:not([hidden])")
    yield "user", settle(page)
    page.get_by_role("button", name="Remove", exact=True).click()
    yield "question", settle(page)
    page.locator("[data-remove-dialog]").get_by_role("button", name="Remove").click()
    page.wait_for_selector("[data-manage-toasts] .toast[data-level='error']")
    yield "last-admin", settle(page)
    page.get_by_role("button", name="Back to the list").click()
    page.get_by_role("button", name="Add a token").click()
    page.locator("#person-name").fill("panel")
    page.locator("[data-cameras] input").first.check()
    yield "token", settle(page)
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector("[data-secret]:not([hidden])")
    yield "embed", settle(page)
    page.get_by_role("button", name="Done").click()
    server.kill()
    page.wait_for_selector("[data-people-retry]:not([hidden])")
    yield "offline", settle(page)


@view("own-password")
def own_password(stage: Stage) -> Iterator[tuple[str, Page]]:
    """A viewer's own password, and what is wrong with it."""
    page = live(_log_in(stage, "vera"))
    page.locator("[popovertarget='page-menu']").click()
    page.locator("[data-open-password]").click()
    yield "form", settle(page)
    page.locator("#password-old").fill("not this one")
    page.locator("#password-new").fill("another horse battery")
    page.locator("[data-password] [data-save]").click()
    page.wait_for_selector("[data-password] .managed-wrong:not(:empty)")
    yield "refused", settle(page)


@view("access")
def access(stage: Stage) -> Iterator[tuple[str, Page]]:
    """Access from other devices, from the offer on."""
    server = stage.server(stage.cameras(3))
    page = live(stage.open(server.url))
    yield "offer", page
    page.locator("[data-offer] [data-open-manage]").click()
    page.wait_for_selector("[data-first]:not([hidden])")
    yield "first", settle(page)
    page.locator("#access-name").fill("ann")
    page.locator("#access-password").fill(PASSWORD)
    page.get_by_role("button", name="Create").click()
    page.wait_for_selector("[data-apply]:enabled")
    page.locator("[name=host][value='0.0.0.0']").check()
    yield "where", settle(page)


# Groups, saved views, patrol.

GROUPS = ("Outside", "Outside", "Workshop", "Animals and their keepers", "Greenhouse", "Workshop")

LONG = "The whole north side, seen from the harbour to the station"


def _views_server(stage: Stage, saved: bool = True) -> PortholeServer:
    """Return a server with groups, and with views for everybody."""
    cameras = stage.cameras(6)
    groups = {name: {"group": group} for (name, *_), group in zip(cameras, GROUPS, strict=True)}
    names = ("Morning round", "Night watch", LONG, *(f"Shift {number}" for number in range(1, 8)))
    shared = [
        {"id": f"{number:012x}", "name": name, "query": "layout=2x2&order=&group=Outside"}
        for number, name in enumerate(names if saved else ())
    ]
    kept = {
        "cameras.json": {"version": 1, "cameras": [], "changes": groups, "order": []},
        "views.json": {"version": 1, "shared": shared, "people": {}},
    }
    return stage.server(cameras, beside={name: json.dumps(one) for name, one in kept.items()})


def _begun(page: Page) -> Page:
    """Wait for the first picture: here the page around them is looked at."""
    page.wait_for_selector(".tile[data-state='live']")
    return settle(page, 2000)


@view("views")
def views(stage: Stage) -> Iterator[tuple[str, Page]]:
    """Groups, and no saved view yet."""
    page = _begun(stage.open(_views_server(stage, saved=False).url))
    page.locator("[data-dismiss]").click()
    page.keyboard.press("v")
    yield "views-none", settle(page)
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    yield "views-group", settle(page, 1500)


@view("views-many")
def views_many(stage: Stage) -> Iterator[tuple[str, Page]]:
    """Saved, organised and opened, where there are many."""
    page = _begun(stage.open(_views_server(stage).url))
    page.locator("[data-dismiss]").click()
    page.keyboard.press("v")
    page.get_by_role("button", name="Save this view").click()
    yield "views-save", settle(page)
    page.locator("#view-name").fill("Night watch")
    page.get_by_role("radio", name="Everybody").check()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("[data-save-view] .managed-wrong:not(:empty)")
    yield "views-refused", settle(page)
    page.locator("#view-name").fill("Everything")
    page.get_by_role("radio", name="This browser").check()
    page.get_by_role("switch", name="Open it").check()
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("[data-save-view]:not([open])", state="attached")
    page.keyboard.press("l")
    page.keyboard.press("v")
    yield "views-many", settle(page)
    page.get_by_role("button", name="Organise views").click()
    yield "views-organise", settle(page)
    page.get_by_role("button", name=f"Change {LONG}").click()
    page.get_by_role("button", name="Rename", exact=True).click()
    yield "views-rename", settle(page)
    page.get_by_role("button", name="Remove", exact=True).click()
    page.wait_for_selector("[data-organise-toasts] .toast")
    yield "views-removed", settle(page)
    page.keyboard.press("Escape")
    page.keyboard.press("v")
    page.locator("#switcher .menu-item", has_text="Night watch").click()
    yield "views-opened", _begun(page)


@view("views-viewer")
def views_viewer(stage: Stage) -> Iterator[tuple[str, Page]]:
    """Somebody who may see two cameras, and share nothing."""
    server = _views_server(stage)
    UsersFile(server.state).add_user("vera", "viewer", ["harbour", "printer"], PASSWORD)
    page = stage.open(server.url)
    page.wait_for_timeout(1000)
    page.goto(server.url)
    page.locator("[name=name]").fill("vera")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    _begun(page)
    page.keyboard.press("v")
    yield "viewer-views-menu", settle(page)
    page.get_by_role("button", name="Organise views").click()
    yield "viewer-views-organise", settle(page)


@view("patrol")
def patrol(stage: Stage) -> Iterator[tuple[str, Page]]:
    """Chosen, and going on."""
    page = _begun(stage.open(_views_server(stage).url))
    page.locator("[data-dismiss]").click()
    page.keyboard.press("a")
    page.get_by_role("radio", name="Cameras").check()
    yield "patrol-choose", settle(page)
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector("[data-patrol]:not([hidden])")
    yield "patrol-cameras", _begun(page)


@view("patrol-pages")
def patrol_pages(stage: Stage) -> Iterator[tuple[str, Page]]:
    """Through the pages of a layout, from the address on, and paused."""
    page = _begun(stage.open(f"{_views_server(stage).url}?layout=2x2&patrol=30&through=pages"))
    page.locator("[data-dismiss]").click()
    # Sideways, a phone has no room for its words, but for its buttons.
    page.locator("[data-patrol-pause]").click()
    yield "patrol-paused", settle(page)
