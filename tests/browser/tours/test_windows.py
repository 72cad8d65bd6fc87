"""The admins' windows and the guided start: at 200 %, by keys alone, without motion."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.chromium import SMALL, wait_for_paint
from tests.support.browser.keyboard import step, step_to
from tests.support.browser.motion import MAX_MOTION
from tests.support.browser.visitor import PASSWORD
from tests.support.servers.server import PortholeServer

# Elements clipped at a side, or wider than their container: [element, width, room].
SPILL = """() => {
  const window = document.querySelector('dialog:modal') ?? document.documentElement;
  const parts = [window, ...window.querySelectorAll('*')];
  return parts.filter((one) => one.checkVisibility() && one.getBoundingClientRect().width > 1)
    .filter((one) => {
      const { left, right } = one.getBoundingClientRect();
      const scrolls = ['auto', 'scroll'].includes(getComputedStyle(one).overflowX);
      const holds = 'button, p:not(.link-state), h2, h3, li, label, fieldset, form, section';
      const cut = one.matches(holds)
        && one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0;
      return left < -1 || right > innerWidth + 1 || (cut && !scrolls);
    })
    .map((one) => [one.outerHTML.slice(0, 90), one.scrollWidth, one.clientWidth]);
}"""


@pytest.fixture
def context_options() -> dict[str, Any]:
    """A laptop zoomed to 200 %, with reduced motion."""
    size = {"width": 720, "height": 450}
    return {"viewport": size, "bypass_csp": True, "reduced_motion": "reduce"}


def test_guided_start_fits_at_200_percent_zoom(
    start_server: Callable[..., PortholeServer], page: Page
) -> None:
    """From the offer to a camera and a user by keyboard, nothing is clipped, hidden or moving."""
    server = start_server(f"one={SMALL}")
    page.goto(server.url)
    wait_for_paint(page, "one")

    def look(where: str) -> None:
        assert page.evaluate(SPILL) == [], where
        assert page.evaluate(MAX_MOTION)[0] <= 10, where

    look("the offer")
    step_to(page, "Set up access from other devices")
    page.keyboard.press("Enter")
    look("the first admin")
    step_to(page, "access-name")
    page.keyboard.type("ann")
    step(page)
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")

    # The page has reloaded, with ann logged in.
    expect(page.get_by_role("radio", name="Every device")).to_be_enabled()
    expect(page.locator("[data-offer]")).to_have_count(0)
    look("who can open it")
    assert step(page, "ArrowRight")["name"] == "manage-tab-cameras"
    look("the cameras")
    step_to(page, "Add a camera")
    page.keyboard.press("Enter")
    step_to(page, "managed-source")
    page.keyboard.type(SMALL)
    step_to(page, "Try")
    page.keyboard.press("Enter")
    expect(page.locator("[data-trial]")).to_contain_text("It works")
    look("a camera")
    step_to(page, "managed-name")
    page.keyboard.press("Control+a")
    page.keyboard.type("yard")
    page.keyboard.press("Enter")
    expect(page.get_by_text("yard was added.")).to_be_visible()
    look("a result")

    step_to(page, "manage-tab-cameras", "Shift+Tab")
    assert step(page, "ArrowRight")["name"] == "manage-tab-people"
    look("the people")
    step_to(page, "Add a user")
    page.keyboard.press("Enter")
    step_to(page, "person-name")
    look("a user")
    page.keyboard.type("bea")
    page.keyboard.press("Enter")
    expect(page.locator("[data-secret]")).to_be_visible()
    look("a password")
    step_to(page, "Done")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("[data-manage]")).to_be_hidden()
    wait_for_paint(page, "yard")

    # The page was loaded with the window open, so nothing had the focus before.
    expect(page.get_by_role("button", name="Menu", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    step_to(page, "Change your password")
    page.keyboard.press("Enter")
    step_to(page, "password-old")
    look("one's own password")
    page.complaints.clear()  # type: ignore[attr-defined]
