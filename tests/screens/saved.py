"""Views of groups, saved views and patrol."""

import json
from collections.abc import Iterator

from playwright.sync_api import Page

from server.users.users import UsersFile
from tests.screens.registry import view
from tests.screens.stage import PASSWORD, Stage, settle
from tests.support.servers.server import PortholeServer

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
    """Wait for the first picture: the page around the pictures is what matters here."""
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
    """Many saved views, organised and opened."""
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
    """A user who may see two cameras and share nothing."""
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
    """Chosen, and running."""
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
    """Patrol through the pages of a layout, started by the address, and paused."""
    page = _begun(stage.open(f"{_views_server(stage).url}?layout=2x2&patrol=30&through=pages"))
    page.locator("[data-dismiss]").click()
    # Sideways, a phone has room for its buttons but not for its text.
    page.locator("[data-patrol-pause]").click()
    yield "patrol-paused", settle(page)
