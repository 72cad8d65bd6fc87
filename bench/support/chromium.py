"""Debian's Chromium, for scenarios that measure the page."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["in_chromium"]

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def in_chromium(
    say: Callable[[str], None], what: str, measure: Callable[["Browser"], None]
) -> bool:
    """Measure with a browser; return whether that was possible, and say why if not.

    Args:
        say: Prints progress.
        what: Subject and verb for the message, such as ``the tiles are``.
        measure: Called with the browser, which is closed afterwards.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        say(f"no Playwright here: {what} left out")
        return False
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            try:
                measure(browser)
            finally:
                browser.close()
    except Error as error:
        say(f"{what} left out: {str(error).splitlines()[0]}")
        return False
    return True
