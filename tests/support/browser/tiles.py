"""The tiles of the grid."""

from playwright.sync_api import Page

from tests.support.browser.chromium import (
    wait_to_see,
)


def names(page: Page) -> list[str]:
    """Return the cameras shown in the grid, in order."""
    shown = "all => all.filter(one => !one.hidden).map(one => one.dataset.camera)"
    found: list[str] = page.locator(".tile[data-camera]").evaluate_all(shown)
    return found


def expect_names(page: Page, *expected: str) -> None:
    wait_to_see(lambda: names(page) == list(expected))
