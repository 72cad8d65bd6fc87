"""Users, tokens and passwords changed on a real page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from server.users.users import UsersFile
from tests.support.browser.axe import faults
from tests.support.browser.chromium import log_in_by_hand, log_out, wait_for, wait_for_paint
from tests.support.browser.visitor import PASSWORD
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]

CAMERAS = ("door=test:?size=160x90&fps=2", "yard=test:?size=160x90&fps=2")
OTHER = "another horse battery"


@pytest.fixture
def context_options() -> dict[str, Any]:
    """A phone's width, where the form replaces the list."""
    return {"viewport": {"width": 390, "height": 800}, "bypass_csp": True, "has_touch": True}


def test_users_and_tokens_are_managed_on_the_page(
    start_server: Start, tmp_path: Path, page: Page, new_context: Callable[..., BrowserContext]
) -> None:
    """A user is added with a new password, logged out, changed, removed; an embed link works."""
    UsersFile(tmp_path / "state").add_user("ann", "admin", None, PASSWORD)
    server = start_server(*CAMERAS)
    page.goto(f"{server.url}?manage=people")
    log_in_by_hand(page, "ann")
    users = page.get_by_role("list", name="Users").locator(".managed-title")
    expect(users).to_have_text(["ann (you)"])
    expect(page.get_by_role("list", name="Connected")).to_contain_text("127.0.0.1")
    assert faults(page, "the lists", "[data-manage]") == []

    page.get_by_role("button", name="Add a user").click()
    form = page.get_by_role("form", name="Add a user")
    form.get_by_label("Name").fill("ann")
    form.get_by_role("switch", name="All cameras").uncheck()
    form.get_by_role("checkbox", name="yard").check()
    form.get_by_role("button", name="Add", exact=True).click()
    expect(form.locator("[data-wrong=name]")).to_contain_text("taken by a user")
    expect(form.get_by_label("Name")).to_be_focused()
    form.get_by_label("Name").fill("bea")
    assert faults(page, "the form", "[data-manage]") == []
    form.get_by_role("button", name="Add", exact=True).click()
    shown = page.get_by_role("region", name="bea")
    password = shown.get_by_label("Password").input_value()
    assert faults(page, "a password", "[data-manage]") == []
    shown.get_by_role("button", name="Done").click()
    expect(users).to_have_text(["ann (you)", "bea"])

    phone = new_context(bypass_csp=True).new_page()
    phone.goto(server.url)
    log_in_by_hand(phone, "bea", password)
    wait_for_paint(phone, "yard", 1)
    expect(phone.locator("[data-manage], [data-open-manage]")).to_have_count(0)
    row = page.locator(".person-row", has_text="bea")
    expect(row.locator("[data-on]")).to_be_visible()
    row.locator("[data-open]").click()
    form = page.get_by_role("form", name="bea")
    expect(form).to_contain_text("watching yard")
    # The form keeps showing who is online, as the list does.
    phone.goto("about:blank")
    expect(form).to_contain_text("Not connected.")
    phone.goto(server.url)
    expect(phone.locator(".tile[data-camera]").first).to_be_attached()
    form.get_by_role("button", name="Log out everywhere").click()
    expect(phone).to_have_url(f"{server.url}login?why=ended")

    page.locator(".person-row", has_text="bea").locator("[data-open]").press("Enter")
    form = page.get_by_role("form", name="bea")
    form.get_by_role("radio", name="Operator").check()
    form.get_by_role("button", name="Save").click()
    expect(page.locator(".person-row", has_text="bea")).to_contain_text("Operator")
    page.locator(".person-row", has_text="ann").locator("[data-open]").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("dialog", name="Remove ann?").get_by_role("button", name="Remove").click()
    refusal = page.locator("[data-manage-toasts] .toast", has_text="add such an admin first")
    # It used to cover the next button for ten seconds.
    expect(refusal).to_be_visible()
    page.get_by_role("form", name="ann").get_by_role("button", name="Cancel").click()
    page.locator(".person-row", has_text="bea").locator("[data-open]").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    question = page.get_by_role("dialog", name="Remove bea?")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    question.get_by_role("button", name="Remove").click()
    expect(users).to_have_text(["ann (you)"])

    page.get_by_role("button", name="Add a token").click()
    form = page.get_by_role("form", name="Add a token")
    form.get_by_label("Name").fill("panel")
    form.get_by_role("radio", name="door").check()
    form.get_by_role("switch", name="Clips").check()
    assert faults(page, "the form of a link", "[data-manage]") == []
    form.get_by_role("button", name="Add", exact=True).click()
    shown = page.get_by_role("region", name="panel")
    expect(shown.get_by_label("Frame")).to_have_value(
        f"""<iframe src="{
            shown.get_by_label("Link").input_value()
        }" title="door" width="640" height="360" allow="fullscreen"></iframe>"""
    )
    page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }"
    )
    shown.get_by_role("button", name="Copy link").click()
    expect(shown.locator("[data-copied]")).to_have_text("Link copied.")
    link = shown.get_by_label("Link").input_value()
    assert page.request.get(link).status == 200
    past = page.request.get(link.replace("?", "api/cameras/door/past?"))
    assert (past.status, past.json()["marks"]) == (200, [])
    shown.get_by_role("button", name="Done").click()
    expect(page.get_by_role("list", name="Tokens")).to_contain_text("Embed link with clips")
    page.complaints.clear()  # type: ignore[attr-defined]


def test_users_change_their_own_password_on_the_page(
    start_server: Start, tmp_path: Path, page: Page
) -> None:
    """The old password is needed; the page stays open, and is live again after reconnecting."""
    UsersFile(tmp_path / "state").add_user("vera", "viewer", None, PASSWORD)
    server = start_server(*CAMERAS)
    page.goto(server.url)
    log_in_by_hand(page, "vera")
    wait_for_paint(page, "door", 1)

    page.locator("[popovertarget='page-menu']").click()
    page.get_by_role("button", name="Change your password").click()
    dialog = page.get_by_role("dialog", name="Change your password")
    dialog.get_by_label("Current password").fill("guess")
    dialog.get_by_label("New password").fill(OTHER)
    assert faults(page, "the dialog", "[data-password]") == []
    dialog.get_by_role("button", name="Change").click()
    expect(dialog.locator("[data-wrong=old]")).to_have_text("This is not your password")
    dialog.get_by_label("Current password").fill(PASSWORD)
    dialog.get_by_label("New password").press("Enter")
    expect(page.get_by_text("Your password was changed.")).to_be_visible()

    # The old connection ends, and the next one counts.
    wait_for(page, "document.querySelector('[data-link-word]').textContent !== 'Reconnecting'")
    wait_for_paint(page, "door", 1)
    assert page.url == server.url
    log_out(page)
    log_in_by_hand(page, "vera", OTHER)
    wait_for_paint(page, "door", 1)
    page.complaints.clear()  # type: ignore[attr-defined]


def test_access_from_other_devices_is_set_up_on_the_page(start_server: Start, page: Page) -> None:
    """Without users the page offers a first admin, who stays logged in, then the address."""
    server = start_server(*CAMERAS)
    page.goto(f"{server.url}?manage=people")
    people = page.locator("[data-people]")
    expect(people).to_contain_text("There are no users yet")
    expect(people.get_by_role("button", name="Add a token")).to_be_disabled()
    people.get_by_role("button", name="Add a user").click()
    form = page.get_by_role("form", name="Add a user")
    form.get_by_label("Name").fill("ann")
    form.get_by_role("button", name="Add", exact=True).click()
    expect(form.locator("[data-wrong=password]")).to_contain_text("Choose a password")
    page.get_by_role("button", name="Close", exact=True).click()

    page.get_by_role("button", name="Set up access from other devices").click()
    access = page.locator("[data-access]")
    everybody = access.get_by_role("radio", name="Every device")
    expect(everybody).to_be_disabled()
    assert faults(page, "the first step", "[data-manage]") == []
    assert page.evaluate("document.querySelector('[data-manage]').scrollWidth") == 390
    access.get_by_label("Name").fill("ann")
    access.get_by_label("Password").fill("short")
    access.get_by_role("button", name="Create").click()
    expect(access.locator("[data-wrong=password]")).to_contain_text("8 to 256")
    access.get_by_label("Password").fill(PASSWORD)
    access.get_by_role("button", name="Create").click()

    everybody.check()
    # The link for other devices must not be localhost, which is another machine for each.
    expect(access.locator("[data-places-note]")).not_to_contain_text("Only this machine")
    expect(access.locator("[data-places]")).not_to_contain_text("localhost")
    assert faults(page, "the second step", "[data-manage]") == []
    page.get_by_role("tab", name="People").click()
    expect(page.locator(".person-row")).to_contain_text("ann (you)")
    expect(page.locator(".person-row [data-on]")).to_be_visible(timeout=10_000)
    expect(page.locator("[data-offer]")).to_have_count(0)
    page.complaints.clear()  # type: ignore[attr-defined]


def test_access_offer_hides_while_the_server_is_gone(start_server: Start, page: Page) -> None:
    """While the server is gone the connection message replaces the offer."""
    server = start_server("door=test:?size=160x90&fps=2")
    page.goto(server.url)
    offer = page.locator("[data-offer]")
    expect(offer).to_be_visible()
    wait_for_paint(page, "door", 1)

    server.kill()

    expect(page.locator("[data-banner]")).to_be_visible()
    expect(offer).to_be_hidden()
