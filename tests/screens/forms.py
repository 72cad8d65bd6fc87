"""Views of the forms where admins manage cameras, users and access."""

from collections.abc import Iterator

from playwright.sync_api import Page

from server.users.users import UsersFile
from tests.screens.registry import view
from tests.screens.stage import PASSWORD, Stage, live, log_in, settle
from tests.support.clients.admin_api import ask_api, revision_of


@view("manage")
def manage(stage: Stage) -> Iterator[tuple[str, Page]]:
    """An admin's list and form, in successive states."""
    server = stage.server(stage.cameras(3))
    for number, (name, title, group) in enumerate(
        (("gate", "North gate", "Yard"), ("old", "Old camera", None))
    ):
        source = "test:" if number == 0 else f"rtsp://viewer:secret@127.0.0.1:9/{name}"
        camera = {"name": name, "title": title, "group": group, "source": source}
        assert ask_api(server, "POST", "", camera).status == 201
    page = stage.open(f"{server.url}?manage=cameras")
    page.wait_for_selector(".managed-row")
    settle(page, 1500)  # Behind the dialog, the tiles get their states.
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
    """A dashboard without a camera, as an admin sees it."""
    server = stage.server([])
    assert ask_api(server, "DELETE", "/test").status == 200
    page = stage.open(server.url)
    page.wait_for_selector("[data-empty]:not([hidden])")
    return settle(page)


@view("people")
def people(stage: Stage) -> Iterator[tuple[str, Page]]:
    """An admin's lists and forms, starting with the first user."""
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
    """A viewer's own password, and its errors."""
    page = live(log_in(stage, "vera"))
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
    """Access from other devices, starting with the offer."""
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
