"""Cameras added, changed, moved and removed by an admin, on a real page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from server.users.users import UsersFile
from tests.support.browser.axe import faults
from tests.support.browser.chromium import (
    SMALL,
    log_in,
    tile,
    wait_for,
    wait_for_paint,
    wait_to_see,
)
from tests.support.browser.visitor import PASSWORD
from tests.support.cameras.films import make_film
from tests.support.clients.admin_api import ask_api, revision_of
from tests.support.servers.server import PATIENCE_S, PortholeServer, wait_until

Start = Callable[..., PortholeServer]

DOOR = "door=test:?size=160x90&fps=2"


@pytest.fixture
def context_options() -> dict[str, Any]:
    """A phone's width, where the form replaces the list."""
    return {"viewport": {"width": 390, "height": 800}, "bypass_csp": True, "has_touch": True}


@pytest.fixture
def server(start_server: Start, tmp_path: Path) -> PortholeServer:
    """A camera from the command line; ann is an admin, otto an operator."""
    people = UsersFile(tmp_path / "state")
    people.add_user("ann", "admin", None, PASSWORD)
    people.add_user("otto", "operator", None, PASSWORD)
    return start_server(DOOR)


def rows(page: Page) -> Any:
    return page.locator(".managed-row .managed-title")


def test_cameras_are_managed_on_the_page(server: PortholeServer, page: Page) -> None:
    """A camera is tried, added, moved by keyboard and pointer, changed, removed and restored."""
    log_in(page, server, "ann")
    page.goto(f"{server.url}?manage=cameras")
    wait_for_paint(page, "door", 1)
    expect(rows(page)).to_have_text(["door"])

    page.get_by_role("button", name="Add a camera").click()
    form = page.get_by_role("form", name="Add a camera")
    address, trial = form.get_by_label("Address"), form.locator("[data-trial]")
    address.fill("http://joe:s3cret@127.0.0.1:9/live")
    expect(form.get_by_label("Name")).to_have_value("127-0-0-1")
    form.get_by_role("button", name="Try", exact=True).click()
    expect(trial).to_have_attribute("data-phase", "failed", timeout=PATIENCE_S * 1000)
    expect(trial).to_contain_text("nothing answers at this address and port")
    address.fill("http://169.254.169.254/latest")
    form.get_by_role("button", name="Add", exact=True).click()
    expect(form.locator("[data-wrong=source]")).to_contain_text("link-local")
    expect(address).to_be_focused()
    address.fill("test:?size=320x180&fps=2")
    form.get_by_role("button", name="Try", exact=True).click()
    expect(trial).to_contain_text("It works: 320 × 180.", timeout=PATIENCE_S * 1000)
    form.get_by_label("Name").fill("yard")
    form.get_by_label("Title").fill("The yard")
    assert faults(page, "the form", "[data-manage]") == []
    form.get_by_role("button", name="Add", exact=True).click()

    expect(page.get_by_text("The yard was added.")).to_be_visible()
    expect(rows(page)).to_have_text(["door", "The yard"])
    assert faults(page, "the list", "[data-manage]") == []
    page.get_by_role("button", name="Move The yard").press("ArrowUp")
    expect(page.locator("[data-moved]")).to_have_text("The yard: 1 of 2 cameras")
    wait_for(page, "[...window.porthole.tiles.keys()].join() === 'yard,door'")
    drag_below(page, "Move The yard", "Move door")
    wait_for(page, "[...window.porthole.tiles.keys()].join() === 'door,yard'")
    drag_below(page, "Move door", "Move The yard")
    wait_for(page, "[...window.porthole.tiles.keys()].join() === 'yard,door'")

    page.get_by_role("button", name="The yard yard").click()
    form = page.get_by_role("form", name="The yard")
    form.get_by_label("Title").fill("The lawn")
    form.get_by_role("button", name="Save").click()
    expect(rows(page)).to_have_text(["The lawn", "door"])
    expect(tile(page, "yard")).to_contain_text("The lawn")

    page.get_by_role("button", name="The lawn yard").click()
    page.get_by_role("button", name="Remove").click()
    expect(rows(page)).to_have_text(["door"])
    expect(tile(page, "yard")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(rows(page)).to_have_text(["The lawn", "door"])
    page.get_by_role("button", name="Close", exact=True).click()
    wait_for_paint(page, "yard", 1)
    wait_for_paint(page, "door", 1)
    # The window has reported what was done; the notices that everybody gets are for others.
    assert page.locator("[data-toasts] .toast").count() == 0
    assert "manage" not in page.url
    # The browser logs the rejected request, too.
    refusals = [text for text in page.complaints if "status of" in text]  # type: ignore[attr-defined]
    assert len(refusals) == 2
    page.complaints.clear()  # type: ignore[attr-defined]


def test_buttons_do_not_move_when_a_toast_hides(server: PortholeServer, page: Page) -> None:
    """The toasts' row used to vanish while somebody was about to press a button above it."""
    log_in(page, server, "ann")
    page.goto(f"{server.url}?manage=cameras")
    page.get_by_role("button", name="Add a camera").click()
    form = page.get_by_role("form", name="Add a camera")
    add = form.get_by_role("button", name="Add", exact=True)
    form.get_by_label("Address").fill("test:?size=320x180&fps=2")
    form.get_by_label("Name").fill("yard")
    add.click()
    toast = page.locator("[data-manage-toasts] .toast")
    toast.hover()  # It stays as long as the pointer is on it.
    page.get_by_role("button", name="Add a camera").press("Enter")
    before = add.bounding_box()

    page.mouse.move(5, 300)
    expect(toast).to_have_count(0)
    at_rest = add.bounding_box()
    add.click()

    assert at_rest == before
    expect(form.locator("[data-form-message]")).to_contain_text("Not saved")
    assert add.bounding_box() != before
    page.complaints.clear()  # type: ignore[attr-defined]  # The browser logs the rejected request.


def test_media_folder_film_is_added_as_a_camera(
    start_server: Start, page: Page, tmp_path: Path
) -> None:
    """A film chosen from the files found is tried and named without more input."""
    folder = tmp_path / "media"
    folder.mkdir()
    make_film(folder / "film.mp4", "-t", "2", source="testsrc2=size=160x90:rate=5")
    settings = tmp_path / "porthole.toml"
    settings.write_text('[server]\nmedia_folder = "media"\n')
    server = start_server(DOOR, "--config", str(settings))
    page.goto(f"{server.url}?manage=cameras")
    page.get_by_role("button", name="Add a camera").click()
    form = page.get_by_role("form", name="Add a camera")
    expect(form.locator("[data-found-note]")).to_contain_text("1 file in the media folder")

    form.get_by_label("A file in the media folder").press("ArrowDown")
    expect(form.locator("[data-trial]")).to_contain_text("It works: 160 × 90.")
    expect(form.get_by_label("Name")).to_have_value("film")
    form.get_by_role("button", name="Add", exact=True).click()

    expect(rows(page)).to_have_text(["door", "film"])
    wait_for_paint(page, "film", 1)


def drag_below(page: Page, handle: str, other: str) -> None:
    """Drag a camera by its handle to below another one."""

    def places() -> list[tuple[float, float]]:
        # The list is rebuilt after each change: a row that is just replaced has no box.
        boxes = [page.get_by_role("button", name=one).bounding_box() for one in (handle, other)]
        return [(box["x"] + 10, box["y"] + 10) for box in boxes if box]

    wait_until(lambda: len(places()) == 2)
    (x, y), (_, below) = places()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, below + 30, steps=4)
    page.mouse.up()


def test_late_response_does_not_close_another_form(start_server: Start, page: Page) -> None:
    """While a form is being saved, no other one can be opened beside it.

    A slow undo once closed the form being filled in, and trying again did nothing.
    """
    server = start_server(DOOR)
    assert ask_api(server, "POST", "", {"name": "yard", "source": SMALL}).status == 201
    page.set_viewport_size({"width": 1280, "height": 800})
    late: list[Route] = []
    for path in ("undo", "door"):
        page.route(f"**/api/admin/cameras/{path}", lambda route: late.append(route))

    def take_late() -> Route:
        # Playwright reports it only while a call is in progress.
        return wait_to_see(lambda: page.evaluate("1") and late) and late.pop()

    page.goto(f"{server.url}?manage=cameras")
    page.get_by_role("button", name="yard yard").click()
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="door door").click()
    title = page.get_by_role("form", name="door").get_by_label("Title")
    title.fill("Front door")
    take_late().abort()
    page.get_by_role("button", name="Try again").click()
    take_late().continue_()

    expect(page.get_by_text("yard is back.")).to_be_visible()
    expect(title).to_have_value("Front door")
    expect(title).to_be_visible()

    page.get_by_role("button", name="Save").click()
    saved = take_late()
    expect(page.locator("[data-managed] .managed-list")).to_have_attribute("inert", "")
    saved.continue_()
    expect(rows(page)).to_have_text(["Front door", "yard"])
    expect(page.locator("[data-managed] .managed-list")).not_to_have_attribute("inert", "")
    page.complaints.clear()  # type: ignore[attr-defined]


def test_edit_conflict_is_shown_to_the_admin(server: PortholeServer, page: Page) -> None:
    """Typed text stays, and the other admin's values can be shown.

    The address of a camera from the command line cannot be changed.
    """
    log_in(page, server, "ann")
    page.goto(f"{server.url}?manage=cameras")
    expect(page.locator(".managed-mark")).to_have_text("Command line")
    page.get_by_role("button", name="door door").click()
    form = page.get_by_role("form", name="door")
    expect(form).to_contain_text("This camera is defined on the command line;")
    expect(form.get_by_label("Address")).to_be_hidden()
    form.get_by_label("Title").fill("Front door")
    token = UsersFile(server.state).add_token("robot", "admin", None)
    robot = {"Authorization": f"Bearer {token}"}
    wait_until(lambda: ask_api(server, "GET", headers=robot).status == 200)  # It knows the token.
    seen = robot | {"If-Match": revision_of(server, "door", robot)}
    assert ask_api(server, "PUT", "/door", {"title": "Back door"}, seen).status == 200

    form.get_by_role("button", name="Save").click()
    expect(form).to_contain_text("Somebody else has changed this camera since you opened it.")
    expect(form.get_by_label("Title")).to_have_value("Front door")
    form.get_by_role("button", name="Show their version").click()
    expect(form.get_by_label("Title")).to_have_value("Back door")
    page.complaints.clear()  # type: ignore[attr-defined]


def test_only_admins_get_the_manage_window(server: PortholeServer, page: Page) -> None:
    """An operator's page does not contain the admins' window."""
    log_in(page, server, "otto")
    page.goto(f"{server.url}?manage=cameras")
    wait_for_paint(page, "door", 1)

    expect(page.locator("[data-manage], [data-open-manage]")).to_have_count(0)


def test_empty_dashboard_offers_to_add_a_camera(start_server: Start, page: Page) -> None:
    """Once the default test pattern is removed, one button leads to adding the first camera."""
    server = start_server()
    assert ask_api(server, "DELETE", "/test").status == 200
    page.goto(server.url)

    page.get_by_role("button", name="Add a camera").click()

    form = page.get_by_role("form", name="Add a camera")
    form.get_by_label("Address").fill("test:?size=160x90&fps=2")
    form.get_by_role("button", name="Add", exact=True).click()
    expect(rows(page)).to_have_text(["test"])
    page.get_by_role("button", name="Close", exact=True).click()
    wait_for_paint(page, "test", 1)
