"""Links that describe the view, and the way back."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from server.users.users import UsersFile
from tests.support.browser.chromium import (
    in_module,
    wait_for,
)
from tests.support.browser.tiles import expect_names
from tests.support.browser.visitor import PASSWORD
from tests.support.servers.server import PortholeServer

NewContext = Callable[..., BrowserContext]
Start = Callable[..., PortholeServer]


# Another browser's stored settings, set before its first page.
OTHER_BROWSER = """if (!sessionStorage.begun) {
  sessionStorage.begun = 'yes';
  localStorage.setItem('porthole.layout', '"2x2"');
  localStorage.setItem('porthole.order', '["lift", "gate"]');
  localStorage.setItem('porthole.sizes', '{"roof": "full"}');
}"""

# With more, painting takes over half of a page's time.
CAMERAS = tuple(
    f"{name}=test:?size=160x90&fps=2" for name in ("door", "yard", "gate", "roof", "lift")
)


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (
            "",
            {
                "layout": None,
                "page": 1,
                "camera": None,
                "kiosk": False,
                "state": "all",
                "group": "",
            },
        ),
        ("?camera=door&layout=2x2&page=2", {"camera": "door", "layout": "2x2", "page": 2}),
        ("?view=kiosk&cameras=b,a,,b", {"kiosk": True, "cameras": ["b", "a"]}),
        ("?view=kiosk&every=0.1", {"rotate": 2, "names": None, "clock": False}),
        ("?view=kiosk&rotate=20&every=9&names=0&clock=1", {"rotate": 20, "names": False}),
        ("?view=kiosk&names=1&clock=1", {"names": True, "clock": True, "rotate": 0}),
        ("?order=b,a,b&size=640&layout=auto&camera=b", {"order": ["b", "a"], "size": "640"}),
        ("?order=&size=huge", {"order": [], "size": None}),
        ("?filter=yard%20a&state=trouble", {"text": "yard a", "state": "trouble"}),
        ("?group=North%20wing&sort=group", {"group": "North wing", "grouped": True}),
        ("?sort=none&patrol=1", {"grouped": False, "patrol": 2}),
        (
            "?patrol=20&through=cameras:door,yard,door",
            {"patrol": 20, "round": {"kind": "cameras", "names": ["door", "yard"]}},
        ),
        ("?patrol=x&through=odd", {"patrol": 0, "round": {"kind": None, "names": []}}),
        ("?layout=9x9&page=-1&state=odd&every=x", {"layout": None, "page": 1, "rotate": 0}),
    ],
)
def test_links_round_trip(blank: Page, search: str, expected: dict[str, Any]) -> None:
    """An address is parsed without its invalid values, and written back to parse the same."""

    shown, again, kept = in_module(
        blank,
        "page/deeplink",
        """({ readLink, writeLink }, search) => {
          const shown = readLink(search);
          return [shown, readLink(writeLink(shown)), writeLink({}, search + '&other=1')];
        }""",
        search or "?",
    )

    assert {key: shown[key] for key in expected} == expected
    assert again == shown
    assert kept == "?other=1"


def test_link_focuses_a_camera_and_back_leaves_it(pair: PortholeServer, page: Page) -> None:
    """A camera in the address gets focus; Back leaves a focus that a user opened, as Esc does."""
    page.goto(pair.url + "?camera=yard&keep=1")
    expect(page.locator("#panel-title")).to_have_text("yard")
    page.keyboard.press("Escape")
    page.wait_for_url("**/?keep=1")

    page.keyboard.press("1")
    page.wait_for_url("**/?keep=1&camera=door")
    page.keyboard.press("PageDown")
    page.wait_for_url("**/?keep=1&camera=yard")
    page.go_back()
    expect(page.locator("[data-panel]")).to_be_hidden()
    assert page.url.endswith("/?keep=1")
    page.go_forward()
    expect(page.locator("#panel-title")).to_have_text("yard")
    page.keyboard.press("Escape")
    page.wait_for_url("**/?keep=1")

    page.goto(pair.url + "?camera=nobody")
    expect(page.locator("[data-toasts]")).to_contain_text("There is no camera “nobody” here.")


def test_copied_link_shows_the_same_in_another_browser(
    share_server: Start, page: Page, new_context: NewContext
) -> None:
    """The other browser has its own layout, order and sizes; the link overrides all of them.

    It does not change that browser's stored settings, and a reload shows the same again.
    """
    server = share_server(*CAMERAS, "ghost=/no/such/file.mp4")
    page.goto(server.url + "?filter=o&state=running")
    expect_names(page, "door", "roof")
    page.locator(".tile[data-camera='roof'] .tile-open").focus()
    page.keyboard.press("Shift+ArrowLeft")
    expect_names(page, "roof", "door")
    page.locator("[popovertarget='view-menu']").click()
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.locator("[data-view-act='copy']").click()
    wait_for(page, "window.copied")
    grid = page.evaluate("window.copied")
    page.keyboard.press("1")
    page.locator("#size-choice").select_option("auto")
    page.locator("[popovertarget='view-menu']").click()
    page.locator("[data-view-act='copy']").click()
    wait_for(page, "(before) => window.copied !== before", grid)
    focus = page.evaluate("window.copied")

    page.goto("about:blank")  # Two pages are slow together.
    context = new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
    other = context.new_page()
    other.add_init_script(OTHER_BROWSER)
    for _ in range(2):
        other.goto(grid) if other.url != grid else other.reload()
        expect_names(other, "roof", "door")
        expect(other.locator(".topbar [data-layout='auto']")).to_have_attribute(
            "aria-pressed", "true"
        )
    other.goto(focus)
    expect(other.locator("#panel-title")).to_have_text("roof")
    expect(other.locator("#size-choice")).to_have_value("auto")
    other.goto(server.url)
    expect_names(other, "lift", "gate", "door", "yard")


def test_login_returns_to_the_requested_view(
    start_server: Start, page: Page, tmp_path: Any
) -> None:
    """After the login, users get to the view in the address, and nowhere else."""
    UsersFile(tmp_path / "state").add_user("ada", "viewer", None, PASSWORD)
    server = start_server(*CAMERAS)

    page.goto(server.url + "?camera=yard&x=%22%3E%0d%0aSet-Cookie:a")
    page.locator("[name=name]").fill("ada")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")

    expect(page.locator("#panel-title")).to_have_text("yard")
    assert [cookie["name"] for cookie in page.context.cookies()] != ["a"]
