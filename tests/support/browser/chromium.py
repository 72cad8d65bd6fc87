"""One Chromium for the whole run, and helpers for the page in it."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Frame,
    Locator,
    Page,
    Route,
    Worker,
    expect,
    sync_playwright,
)

from tests.support.browser.kept_context import KeptContext
from tests.support.browser.visitor import PASSWORD, Visitor
from tests.support.browser.webcodecs import NO_WEBCODECS, WITHOUT_WEBCODECS
from tests.support.servers.server import PATIENCE_S, ROOT, PortholeServer, wait_until

# The default, 5 s, is less than a page may take on a busy machine.
expect.set_options(timeout=PATIENCE_S * 1000)

# Chromium without its window system: opening the dashboard takes a fifth of the CPU time.
CHROMIUM = "/usr/bin/chromium-headless-shell"

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    "--renderer-process-limit=1",  # See tests/support/browser/kept_context.py.
]

# Playwright enables animations unless told otherwise, whatever Chromium's flags say; without a GPU,
# animations are a fifth of a page's CPU time.
STILL = {"reduced_motion": "reduce"}

# How often a condition is checked. Checking in each animation frame would make the page produce 60
# of them a second.
LOOK_S = 0.05

# Polls inside the page for a second: one call from outside costs more than ten checks.
WAIT = f"""async (look, values) => {{
  for (let tries = 0; tries < 20; tries += 1) {{
    const value = await look(...values);
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, {1000 * LOOK_S}));
  }}
  return null;
}}"""

# Imported by the address that the page uses, so that it is the same module instance.
IN_MODULE = """async ([name, body, argument]) => {
  const module = await import(new URL(`static/js/${name}.js`, document.baseURI));
  return new Function('module', 'argument', `return (${body})(module, argument)`)(module, argument);
}"""

# For pages that need any picture: 1280 x 720 at 30 fps takes 0.8 s of CPU time per second.
SMALL = "test:?size=320x180&fps=6"

# Reads the strip that the test pattern burns in; see capture/sources/testpattern.py for its layout.
READ_TIME = """(selector) => {
  const source = document.querySelector(selector);
  if (!source || source.width < 128) return null;
  const side = Math.floor(source.width / 64);
  const canvas = document.createElement('canvas');
  canvas.width = 56; canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  const top = 4 * side + Math.floor(side / 2);
  // Read all cells in one call: each call copies the whole picture that a worker painted.
  context.drawImage(source, 4 * side, top, 56 * side, 1, 0, 0, 56, 1);
  const { data } = context.getImageData(0, 0, 56, 1);
  const bytes = [];
  for (let byte = 0; byte < 7; byte += 1) {
    let value = 0;
    for (let bit = 0; bit < 8; bit += 1) {
      value = value * 2 + (data[(byte * 8 + bit) * 4] > 127 ? 1 : 0);
    }
    bytes.push(value);
  }
  const sum = bytes.slice(0, 6).reduce((all, byte) => all ^ byte, 0);
  if (sum !== bytes[6]) return null;
  return Date.now() - bytes.slice(0, 6).reduce((all, byte) => all * 256 + byte, 0);
}"""

# Headless Chromium never hides a tab, so dispatch the event that a browser would send.
SET_VISIBILITY = """(state) => {
  const pretend = (name, value) =>
    Object.defineProperty(document, name, { value, configurable: true });
  pretend('visibilityState', state);
  pretend('hidden', state === 'hidden');
  document.dispatchEvent(new Event('visibilitychange'));
}"""

# Newer browsers do this when a policy set on the way forbids workers.
NO_WORKER = """window.Worker = class extends EventTarget {
  constructor() { super(); setTimeout(() => this.dispatchEvent(new Event('error'))); }
  terminate() {}
};"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium once: Playwright allows only one instance per thread, and starting is slow.

    A page left open by one test would slow the next ones: use ``new_context`` or ``page``.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def serve(route: Route) -> None:
    """Serve a file of the page, and an empty page at the root."""
    path = urlsplit(route.request.url).path.strip("/")
    if path:
        route.fulfill(path=ROOT / path)
    else:
        route.fulfill(body="", content_type="text/html")


@pytest.fixture(scope="session")
def blank(browser: Browser) -> Iterator[Page]:
    """Open one page without the dashboard, for tests that import the dashboard's modules.

    It needs no server. Tests must leave its globals and its storage unchanged.
    """
    context = browser.new_context()
    context.route("http://localhost/**", serve)
    page = context.new_page()
    page.goto("http://localhost/")
    yield page
    context.close()


def open_context(browser: Browser, options: dict[str, Any]) -> BrowserContext:
    """Open a browser context with the options that all tests share."""
    # The page's policy forbids modified workers.
    without = {"bypass_csp": True} if WITHOUT_WEBCODECS else {}
    context = browser.new_context(**STILL | options | without)
    context.set_default_timeout(PATIENCE_S * 1000)
    if WITHOUT_WEBCODECS:
        context.add_init_script(NO_WEBCODECS)
    return context


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Open isolated browser contexts, and close them after the test.

    Prefer ``page`` where it will do: it costs less.
    """
    contexts: list[BrowserContext] = []

    def open_another(**options: Any) -> BrowserContext:
        contexts.append(open_context(browser, options))
        return contexts[-1]

    yield open_another
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def keep_context(browser: Browser) -> Iterator[Callable[[dict[str, Any]], KeptContext]]:
    """Open contexts that last for the whole run, one for each set of options."""
    kept: dict[str, KeptContext] = {}

    def open_or_find(options: dict[str, Any]) -> KeptContext:
        key = repr(sorted(options.items()))
        if key not in kept:
            kept[key] = KeptContext(open_context(browser, options))
        return kept[key]

    yield open_or_find
    for context in kept.values():
        context.close()


@pytest.fixture
def context_options() -> dict[str, Any]:
    """Options for ``page``; a module may override them.

    The page's own security policy would forbid the scripts that Playwright evaluates.
    """
    return {"viewport": {"width": 1280, "height": 800}, "bypass_csp": True}


@pytest.fixture
def page(
    keep_context: Callable[[dict[str, Any]], KeptContext], context_options: dict[str, Any]
) -> Iterator[Page]:
    """Open a page; anything it logs as an error fails the test."""
    context = keep_context(context_options)
    page = context.open_page()
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"{message.text} ({message.location.get('url')})")

    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", complain)
    page.complaints = complaints  # type: ignore[attr-defined]
    yield page
    context.empty()
    # When the server is gone, the browser logs refused connections; that is not the page's fault.
    told = [text for text in complaints if "ERR_CONNECTION" not in text]
    assert told == [], told


def tile(page: Page, camera: str) -> Locator:
    """Return a camera's tile."""
    return page.locator(f'.tile[data-camera="{camera}"]')


def expect_state(page: Page, camera: str, state: str) -> None:
    """Wait until a camera's tile is in a state."""
    expect(tile(page, camera)).to_have_attribute("data-state", state)


def wait_for_paint(page: Page, camera: str, more: int = 3) -> int:
    """Wait until this many more frames of a camera are painted; return the total."""
    painted = "(name) => window.porthole?.tiles.get(name)?.painted ?? 0"
    target = page.evaluate(painted, camera) + more
    wait_for(page, f"([name, target]) => ({painted})(name) >= target", [camera, target])
    return target


def wait_for(
    page: Page | Frame, condition: str, argument: Any = None, patience_s: float = PATIENCE_S
) -> None:
    """Wait until a function or an expression is true in the page, even across page loads.

    Playwright's own wait first runs a script of 300 KB in each page, 0.05 s of CPU time.
    """
    look = f"""(argument) => ({WAIT})(() => {{
      const value = ({condition});
      return typeof value === 'function' ? value(argument) : value;
    }}, []).then(Boolean)"""

    def holds() -> bool:
        try:
            return bool(page.evaluate(look, argument))
        except Error as error:
            if "context was destroyed" not in str(error):
                raise
            return False  # Another page is loading.

    try:
        wait_until(holds, patience_s)
    except AssertionError:
        raise AssertionError(f"never true: {condition} of {argument}, on {page.url}") from None


def wait_to_see(condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Poll a condition in the page, at 3 to 6 ms of CPU time each; return its first true value."""
    return wait_until(condition, patience_s, LOOK_S)


def show_tab(page: Page, name: str) -> None:
    """Open a tab of the panel beside the focused camera: View, Image, Activity or Statistics."""
    page.get_by_role("tab", name=name).click()


def backstage(page: Page) -> Page | Worker:
    """Return where pictures are received and painted: a worker, or the page itself."""
    return page.workers[0] if page.workers else page


def in_module(page: Page, name: str, body: str, argument: Any = None) -> Any:
    """Return JavaScript that evaluates a function with an argument in a script's module."""
    return page.evaluate(IN_MODULE, [name, body, argument])


def log_in(page: Page, server: PortholeServer, name: str) -> None:
    """Log in without the login page, which takes half as long as loading the dashboard."""
    visitor = Visitor(server)
    assert visitor.log_in(name)[0] == 303
    key, _, value = visitor.cookie.partition("=")
    page.context.add_cookies([{"name": key, "value": value, "url": server.url}])


def log_out(page: Page) -> None:
    """Log out through the menu."""
    page.locator("[popovertarget='page-menu']").click()
    page.get_by_role("button", name="Log out").click()


def log_in_by_hand(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill in the login form and submit it."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
