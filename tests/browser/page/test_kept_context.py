"""A test's page is clean although its browser context is reused."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.support.browser.chromium import SMALL
from tests.support.browser.kept_context import KeptContext
from tests.support.browser.webcodecs import WITHOUT_WEBCODECS
from tests.support.servers.server import PortholeServer

LEAVE = """async () => {
  document.cookie = 'left=1; path=/';
  localStorage.left = '1';
  sessionStorage.left = '1';
  window.name = 'left';
  history.pushState(null, '', '?left');
  await caches.open('left');
  await new Promise((resolve) => { indexedDB.open('left').onsuccess = resolve; });
}"""

FIND = """async () => ({
  cookie: document.cookie,
  local: Object.keys(localStorage),
  session: Object.keys(sessionStorage),
  name: window.name,
  steps: history.length,
  caches: await caches.keys(),
  databases: (await indexedDB.databases()).map(({ name }) => name),
  script: window.left ?? null,
  dark: matchMedia('(prefers-color-scheme: dark)').matches,
  width: innerWidth,
  permission: (await navigator.permissions.query({ name: 'clipboard-read' })).state,
})"""

# Null until the last file has arrived: closing the page before would abort it. It is the worker's;
# in runs without WebCodecs, another worker loads that, and it is not listed here.
SIZES = """() => {
  const files = performance.getEntriesByType('resource')
    .filter(({ name }) => /static.*[.](js|css)$/.test(name));
  const isLoaded = files.some(({ name }) => name.endsWith('worker.js'));
  return isLoaded || !('VideoDecoder' in window)
    ? files.map(({ transferSize }) => transferSize) : null;
}"""


def test_reused_context_keeps_nothing_of_the_last_page(
    share_server: Callable[..., PortholeServer],
    keep_context: Callable[[dict[str, Any]], KeptContext],
    context_options: dict[str, Any],
) -> None:
    """Whatever a test and its page leave behind is cleared, so test order does not matter."""
    address = share_server(SMALL).url + "static/js/main.js"
    context = keep_context(context_options)

    def open_page() -> Page:
        page = context.open_page()
        page.goto(address)
        return page

    fresh = open_page().evaluate(FIND)
    page = context.open_page()
    page.add_init_script("window.left = 'left'")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 500, "height": 500})
    page.context.grant_permissions(["clipboard-read"])
    page.goto(address)
    page.evaluate(LEAVE)
    left = page.evaluate(FIND)
    context.empty()
    found = open_page().evaluate(FIND)
    context.empty()

    assert found == fresh
    assert [key for key in fresh if left[key] == fresh[key]] == []


def test_webcodecs_switch_applies_to_every_page(
    share_server: Callable[..., PortholeServer],
    page: Page,
    new_context: Callable[..., BrowserContext],
) -> None:
    """A run without WebCodecs lacks it in every page, including those in the reused context.

    Only pages with their own context used to lack it, so such a run proved nothing.
    """
    address = share_server(SMALL).url + "static/js/main.js"

    found = []
    for one in (page, new_context().new_page()):
        one.goto(address)
        found.append(one.evaluate("'VideoDecoder' in window"))

    assert found == [not WITHOUT_WEBCODECS] * 2


def test_next_server_on_a_port_uses_cached_files(
    start_server: Callable[..., PortholeServer],
    keep_context: Callable[[dict[str, Any]], KeptContext],
    context_options: dict[str, Any],
) -> None:
    """A page of the next server on a port takes its files from the browser's cache.

    Each server once had its own port, so the page was loaded and compiled again for each.
    """
    context = keep_context(context_options)

    def load() -> tuple[int, list[int]]:
        server = start_server(SMALL)
        page = context.open_page()
        page.goto(server.url)
        sizes = page.wait_for_function(SIZES).json_value()
        context.empty()
        server.end()
        return server.port, sizes

    (port, _), (same, sizes) = load(), load()

    assert port == same
    assert len(sizes) > 1
    assert sum(sizes) == 0
