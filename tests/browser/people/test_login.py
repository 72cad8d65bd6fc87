"""Logging in and out by hand, and what the page shows each user."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.chromium import SMALL, log_in_by_hand, log_out
from tests.support.servers.server import PortholeServer
from tests.support.servers.users import Users

Start = Callable[..., PortholeServer]


@pytest.fixture
def context_options() -> dict[str, Any]:
    """Pages with their own security policy."""
    return {"viewport": {"width": 1280, "height": 800}}


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    """A page that must not violate its policy; the browser also logs refused logins."""
    yield page
    complaints: list[str] = page.complaints  # type: ignore[attr-defined]
    complaints[:] = [text for text in complaints if "Content Security Policy" in text]


def test_user_logs_in_and_out_by_hand(server: PortholeServer, page: Page) -> None:
    """From the login page to live pictures and back, without a policy violation."""
    page.goto(server.url)
    expect(page).to_have_url(server.url + "login")

    log_in_by_hand(page, "ada", "wrong password")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    expect(page.get_by_label("Name")).to_have_value("ada")
    log_in_by_hand(page, "ada")

    expect(page).to_have_url(server.url)
    expect(page.locator('.tile[data-camera="door"]')).to_have_attribute("data-state", "live")
    expect(page.locator(".account")).to_contain_text("ada")
    log_out(page)
    expect(page).to_have_url(server.url + "login")
    page.go_back()
    expect(page).to_have_url(server.url + "login")


def test_viewer_page_shows_only_listed_cameras(server: PortholeServer, page: Page) -> None:
    """A viewer's page has only the cameras on the user's list, and no way to shut down."""
    page.goto(server.url)
    log_in_by_hand(page, "dora")

    expect(page.locator('.tile[data-camera="yard"]')).to_have_attribute("data-state", "live")
    expect(page.locator('.tile[data-camera="door"]')).to_have_count(0)
    expect(page.locator("[data-open-quit]")).to_be_hidden()


def test_removed_user_is_sent_to_the_login_page(
    server: PortholeServer, people: Users, page: Page
) -> None:
    """A removed user's page goes to the login page, which gives the reason."""
    page.goto(server.url)
    log_in_by_hand(page, "vera")
    expect(page.locator('.tile[data-camera="door"]')).to_have_attribute("data-state", "live")

    people.run("user", "remove", "vera")

    expect(page).to_have_url(server.url + "login?why=ended")
    expect(page.get_by_role("alert")).to_contain_text("your user was changed or removed")


def test_login_page_explains_that_a_first_user_was_added(
    start_server: Start, people: Users, page: Page
) -> None:
    """The login page says that there are users now, and leads back to the view.

    A bare login page used to replace the pictures without an explanation.
    """
    server = start_server("door=test:?size=320x180&fps=5", "yard=test:?size=320x180&fps=5")
    page.goto(server.url + "?camera=yard")
    expect(page.locator('.tile[data-camera="yard"]')).to_have_attribute("data-state", "live")

    people.add("ada", "operator")

    expect(page).to_have_url(server.url + "login?camera=yard&why=users")
    expect(page.get_by_role("alert")).to_have_text("This server has users now. Log in to continue.")
    log_in_by_hand(page, "ada", "wrong password")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    log_in_by_hand(page, "ada")
    expect(page).to_have_url(server.url + "?camera=yard")


def test_server_without_users_shows_no_account(start_server: Start, page: Page) -> None:
    """Without users the page has no account and no logout."""
    server = start_server(f"test={SMALL}")
    page.goto(server.url)

    expect(page.locator('.tile[data-camera="test"]')).to_have_attribute("data-state", "live")
    expect(page.locator(".account")).to_have_count(0)
