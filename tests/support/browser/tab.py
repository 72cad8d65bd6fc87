"""A browser window used as a person would, with the same methods for every browser."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Error, Locator

from tests.support.browser.chromium import READ_TIME, WAIT
from tests.support.servers.server import wait_until

__all__ = ["PATIENCE_S", "ChromiumTab", "Tab"]

# A second browser competes with the other tests for the machine.
PATIENCE_S = 40.0

PAINTED = "(name) => window.porthole?.tiles.get(name)?.painted ?? 0"


class Tab(ABC):
    """Used by tours; names are whole accessible names, and ``inside`` is a CSS selector.

    Every method waits for its element. Errors that the page logs collect in ``complaints``.
    """

    browser: str
    errors: tuple[type[Exception], ...]
    complaints: list[str]

    @abstractmethod
    def open(self, url: str) -> None:
        """Go to an address, and wait until it has loaded."""

    @abstractmethod
    def evaluate(self, function: str, *values: Any) -> Any:
        """Return the result of a function in the page, or of its promise, as JSON would."""

    @abstractmethod
    def click(self, role: str, name: str, inside: str = "body") -> None:
        """Click the element with a role and a name."""

    @abstractmethod
    def fill(self, label: str, text: str, inside: str = "body") -> None:
        """Replace the text of the field with a label."""

    @abstractmethod
    def focus(self, label: str, inside: str = "body") -> None:
        """Give the keyboard focus to the field with a label."""

    @abstractmethod
    def count(self, role: str, name: str | None = None) -> int:
        """Return how many visible elements have a role and a name, without waiting."""

    @abstractmethod
    def press(self, keys: str) -> None:
        """Press a key, such as ``Enter`` or ``Shift+Tab``."""

    @abstractmethod
    def type(self, text: str) -> None:
        """Type a text into the focused element."""

    @abstractmethod
    def save(self, act: Callable[[], None]) -> str:
        """Call a function that starts a download; return the file's name once it is saved."""

    @abstractmethod
    def screenshot(self) -> bytes:
        """Return the window as PNG."""

    @abstractmethod
    def close(self) -> None:
        """Close the window, and discard its data."""

    @property
    def view(self) -> str:
        """The address without scheme and host."""
        parts = urlsplit(self.evaluate("() => location.href"))
        return parts.path + ("?" + parts.query if parts.query else "")

    def wait(self, function: str, *values: Any) -> Any:
        """Return the result of a function in the page once it is true."""
        function = f"(...values) => ({WAIT})({function}, values)"
        why = "never true"

        def look() -> Any:
            nonlocal why
            try:
                return self.evaluate(function, *values)
            except self.errors as error:
                why = str(error)  # For example, another page is loading.
                return None

        try:
            return wait_until(look, PATIENCE_S)
        except AssertionError:
            page = self.evaluate(
                "() => [location.href, (document.querySelector('dialog[open]') ?? document.body)"
                ".innerText.slice(0, 900)]"
            )
            message = f"{self.browser}: {why}: {function} of {values}, on {page}"
            raise AssertionError(message) from None

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until one of the visible elements contains a text."""
        self.wait(
            """(selector, text) => [...document.querySelectorAll(selector)]
              .some((one) => one.checkVisibility() && one.textContent.includes(text))""",
            selector,
            text,
        )

    def wait_for_state(self, camera: str, state: str) -> None:
        """Wait until a camera's tile is in a state."""
        tile = f".tile[data-camera='{camera}'][data-state='{state}']"
        self.wait("(tile) => document.querySelector(tile) !== null", tile)

    def wait_for_paint(self, camera: str, more: int = 3) -> None:
        """Wait until this many more frames of a camera are painted."""
        target = self.evaluate(PAINTED, camera) + more
        self.wait(f"(name, target) => ({PAINTED})(name) >= target", camera, target)

    def wait_for_new_pixels(self, camera: str) -> None:
        """Wait until the canvas itself shows current frames: the pattern shows the time."""
        canvas = f".tile[data-camera='{camera}'] canvas"
        first = self.wait(f"(canvas) => Date.now() - (({READ_TIME})(canvas) ?? Infinity)", canvas)
        self.wait(
            f"""(canvas, first) => {{
              const age = ({READ_TIME})(canvas);
              return age !== null && age < 5000 && Date.now() - age > first + 50;
            }}""",
            canvas,
            first,
        )


class ChromiumTab(Tab):
    """A window of Chromium, driven by Playwright."""

    browser = "chromium"
    errors = (Error,)

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self.page = page = context.new_page()
        self.complaints = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda one: self.complaints.append(one.text) if one.type == "error" else None,
        )

    def open(self, url: str) -> None:
        self.page.goto(url)

    def evaluate(self, function: str, *values: Any) -> Any:
        return self.page.evaluate(f"(values) => ({function})(...values)", list(values))

    def click(self, role: str, name: str, inside: str = "body") -> None:
        self._all(role, name, inside).click()

    def fill(self, label: str, text: str, inside: str = "body") -> None:
        self.page.locator(inside).get_by_label(label, exact=True).fill(text)

    def focus(self, label: str, inside: str = "body") -> None:
        self.page.locator(inside).get_by_label(label, exact=True).focus()

    def count(self, role: str, name: str | None = None) -> int:
        return self._all(role, name, "body").count()

    def press(self, keys: str) -> None:
        self.page.keyboard.press(keys)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def save(self, act: Callable[[], None]) -> str:
        with self.page.expect_download() as saved:
            act()
        return saved.value.suggested_filename

    def screenshot(self) -> bytes:
        return self.page.screenshot()

    def close(self) -> None:
        self._context.close()

    def _all(self, role: Any, name: str | None, inside: str) -> Locator:
        return self.page.locator(inside).get_by_role(role, name=name, exact=True)
