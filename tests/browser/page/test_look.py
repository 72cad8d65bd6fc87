"""The page's appearance: large pictures, legible text on them, targets large enough for fingers."""

import re
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from server.users.users import UsersFile
from tests.support.browser.chromium import expect_state, show_tab, tile, wait_for_paint, wait_to_see
from tests.support.browser.kept_context import lasting_port
from tests.support.browser.visitor import PASSWORD, Visitor
from tests.support.servers.server import PortholeServer, wait_until

NewContext = Callable[..., BrowserContext]
OpenAs = Callable[..., Page]

NAMES = [f"cam-{number}" for number in range(1, 10)]
VIEWERS = {
    "four": NAMES[:4],
    "nine": NAMES,
    "wide": ["white"],
    "wall": [*NAMES[:2], "ghost"],
}
SECRET = "/srv/films/of-10.9.8.7.mp4"

# Share of the window covered by pictures.
SHARE = """() => [...document.querySelectorAll('.tile:not([hidden]) canvas')]
  .map((canvas) => canvas.getBoundingClientRect())
  .reduce((sum, { width, height }) => sum + width * height, 0) / (innerWidth * innerHeight)"""

# Controls smaller than a finger: [name, width, height].
SMALL = """(root) => [...document.querySelectorAll(root)]
  .flatMap((part) => [...part.querySelectorAll('button, select, a[href]')])
  .filter((one) => one.checkVisibility({ opacityProperty: true }) && !one.matches('.tile-open'))
  .map((one) => [one.ariaLabel ?? one.textContent, one.getBoundingClientRect()])
  .filter(([, { width, height }]) => Math.min(width, height) < 43.9)
  .map(([name, { width, height }]) => [name, width, height])"""

# Parts of the top bar that are clipped or lie outside it.
CUT = """() => {
  const bar = document.querySelector('.topbar');
  return [...bar.querySelectorAll('*')].filter((part) => {
    const { left, right, width } = part.getBoundingClientRect();
    const hidden = width <= 1 || getComputedStyle(part).clipPath !== 'none'
      || !part.checkVisibility({ visibilityProperty: true });
    const cut = part.scrollWidth > part.clientWidth + 1 && part.matches('p, h1, button');
    return !hidden && (cut || left < 0 || right > innerWidth);
  }).map((part) => part.outerHTML);
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """Nine cameras, a white and a broken one among them, and users who may see some of them."""
    folder = tmp_path_factory.mktemp("look")
    white = folder / "white.avi"
    writer = cv2.VideoWriter(str(white), cv2.VideoWriter_fourcc(*"MJPG"), 5, (320, 180))  # type: ignore[attr-defined]
    for _ in range(5):
        writer.write(np.full((180, 320, 3), 255, np.uint8))
    writer.release()
    people = UsersFile(folder / "state")
    people.add_user("ada", "operator", None, PASSWORD)
    for user, cameras in VIEWERS.items():
        people.add_user(user, "viewer", cameras, PASSWORD)
    server = PortholeServer(
        *("--port", lasting_port(), *(f"{name}=test:?size=320x180&fps=2" for name in NAMES)),
        *(f"white=file:{white}", f"ghost=file:{SECRET}"),
        state=folder / "state",
        environment={},
    )
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def cookies(server: PortholeServer) -> dict[str, str]:
    """Everybody logs in once: the server slows down frequent attempts."""
    kept = {}
    for name in ("ada", *VIEWERS):
        visitor = Visitor(server)
        assert visitor.log_in(name)[0] == 303
        kept[name] = visitor.cookie
    return kept


@pytest.fixture
def open_as(server: PortholeServer, page: Page, cookies: dict[str, str]) -> OpenAs:
    """Open a view as a user, and wait for the first camera."""

    def open_view(name: str, view: str = "", page: Page = page) -> Page:
        key, _, value = cookies[name].partition("=")
        page.context.add_cookies([{"name": key, "value": value, "url": server.url}])
        page.goto(server.url + view)
        page.wait_for_selector(".tile[data-state='live']")
        return page

    return open_view


def phone(new_context: NewContext, width: int = 390, height: int = 844) -> Page:
    context = new_context(
        viewport={"width": width, "height": height}, has_touch=True, is_mobile=True, bypass_csp=True
    )
    return context.new_page()


def size_of(locator: Locator) -> tuple[float, float]:
    box = locator.bounding_box()
    assert box is not None
    return box["width"], box["height"]


# --- Pictures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "view", "least"), [("four", "", 0.8), ("nine", "?layout=3x3", 0.75)]
)
def test_pictures_fill_a_laptops_window(
    open_as: OpenAs, page: Page, user: str, view: str, least: float
) -> None:
    """Four wide pictures cover over 80 % of the window, nine over 75 %."""
    page.set_viewport_size({"width": 1440, "height": 900})
    open_as(user, view)

    wait_to_see(lambda: page.evaluate(SHARE) > least)
    # Nothing is below the pictures, and nothing scrolls.
    assert page.evaluate("() => document.querySelector('.grid').scrollTop = 9") == 9
    assert page.evaluate("() => document.querySelector('.grid').scrollTop") == 0
    expect(page.locator("body > footer")).to_have_count(0)


def test_captions_are_legible_on_a_white_picture(open_as: OpenAs, page: Page) -> None:
    """The shade behind name and state gives a contrast of at least 4.5 to 1 on any picture."""
    open_as("wide")
    wait_for_paint(page, "white")
    page.keyboard.press("n")

    for part in (".tile-name", ".tile-word", "[data-readout='fps']"):
        words = tile(page, "white").locator(part)
        box = words.bounding_box()
        assert box is not None
        ink = words.evaluate("(words) => getComputedStyle(words).color")
        channels = [int(one) for one in ink.removeprefix("rgb(").removesuffix(")").split(",")]
        page.evaluate("() => document.body.classList.add('no-words')")
        page.add_style_tag(content=".no-words .caption * { color: transparent; }")
        ground = cv2.imdecode(np.frombuffer(page.screenshot(clip=box), np.uint8), cv2.IMREAD_COLOR)  # type: ignore[arg-type]
        page.evaluate("() => document.body.classList.remove('no-words')")
        # Without the letters' outline, but with its shadow: the lightest tenth counts.
        lightest = float(np.percentile([luminance(*pixel) for pixel in ground.reshape(-1, 3)], 90))
        assert (luminance(*channels) + 0.05) / (lightest + 0.05) >= 4.5, part


def luminance(*channels: float) -> float:
    """Return the relative luminance of a nearly grey colour, whatever the channel order."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (float(channel) / 255 for channel in channels)
    ]
    return 0.3 * linear[0] + 0.4 * linear[1] + 0.3 * linear[2]


def test_figures_are_hidden_until_requested(open_as: OpenAs, page: Page) -> None:
    """Only name and state show until a tile is hovered or focused, or statistics are turned on."""
    open_as("four")
    figures = [tile(page, name).locator(".readout") for name in NAMES[:2]]
    page.mouse.move(5, 5)
    expect(figures[0]).to_be_hidden()
    expect(tile(page, NAMES[0]).locator(".trouble")).to_be_hidden()

    tile(page, NAMES[0]).hover()
    expect(figures[0]).to_be_visible()
    expect(figures[1]).to_be_hidden()
    page.mouse.move(5, 5)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(figures[1]).to_be_visible()

    page.keyboard.press("n")
    expect(figures[0]).to_be_visible()
    expect(page.locator("[data-announcer]")).to_contain_text("Statistics: shown")
    page.reload()
    expect(figures[0]).to_be_visible()
    page.locator("[popovertarget='view-menu']").click()
    page.get_by_role("switch", name="Statistics").click()
    page.mouse.move(5, 5)
    expect(figures[0]).to_be_hidden()


def test_tile_actions_work_by_pointer_keys_and_touch(
    open_as: OpenAs, page: Page, new_context: NewContext
) -> None:
    """Pointer, Tab, right click and long press offer the same actions, for the right picture."""
    open_as("four")
    wait_for_paint(page, NAMES[1])
    with page.expect_download() as saved:
        tile(page, NAMES[1]).hover()
        tile(page, NAMES[1]).get_by_role("button", name="Snapshot").click()
    assert saved.value.suggested_filename.startswith(NAMES[1])
    expect(page.locator("[data-grid]")).to_have_attribute("data-view", "grid")

    tile(page, NAMES[2]).locator(".tile-open").focus()
    page.keyboard.press("Tab")
    expect(tile(page, NAMES[2]).get_by_role("button", name="Snapshot")).to_be_focused()
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert saved.value.suggested_filename.startswith(NAMES[2])

    tile(page, NAMES[3]).click(button="right")
    menu = page.locator("[data-tile-menu]")
    expect(menu).to_contain_text(NAMES[3])
    expect(menu.get_by_role("button", name="Snapshot")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(page.locator("[data-grid]")).to_have_attribute("data-view", "grid")

    held = open_as("four", page=phone(new_context))
    wait_for_paint(held, NAMES[0])
    hold(held, NAMES[0])
    with held.expect_download() as saved:
        # A tap that takes too long on a busy machine would be another long press.
        held.locator("[data-tile-menu]").get_by_role("button", name="Snapshot").click()
    assert saved.value.suggested_filename.startswith(NAMES[0])


def hold(page: Page, camera: str) -> None:
    """Hold a finger on a picture until the page reacts, then lift it."""
    box = tile(page, camera).bounding_box()
    assert box is not None
    at = [{"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}]
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, points: list[dict[str, float]]) -> None:
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def is_noticed() -> bool:
        touch("touchStart", at)
        try:
            page.wait_for_selector(f'[data-camera="{camera}"][data-dragged]', timeout=3000)
        except PlaywrightTimeout:
            # Cancel the touch if the page is slow to react, and try again.
            touch("touchCancel", [])
            return False
        return True

    wait_until(is_noticed)
    touch("touchEnd", [])


# --- Focus ------------------------------------------------------------------------------------


def test_panel_has_tabs_and_can_be_closed(open_as: OpenAs, page: Page) -> None:
    """Arrow keys move between tabs; closing the panel widens the picture, and survives a reload."""
    open_as("ada", f"?camera={NAMES[0]}")
    panel = page.locator("[data-panel]")
    shown = page.locator("[role='tabpanel']:visible")
    page.get_by_role("tab", name="View").focus()
    for name in ("Image", "Motion", "Activity", "Statistics", "View"):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        expect(shown).to_have_count(1)
        expect(shown).to_have_accessible_name(name)
    page.keyboard.press("End")
    expect(page.locator("[data-plots]")).to_be_visible()
    large, quiet = (
        size_of(panel.locator(f"[data-action='{one}']")) for one in ("snapshot", "toggle")
    )
    assert large[0] * large[1] > 1.5 * quiet[0] * quiet[1]

    before = size_of(tile(page, NAMES[0]))[0]
    page.keyboard.press("d")
    expect(panel).to_be_hidden()
    assert page.evaluate("() => document.activeElement.className") == "tile-open"
    wait_to_see(lambda: size_of(tile(page, NAMES[0]))[0] > before + 200)
    page.reload()
    expect(panel).to_be_hidden()
    tile(page, NAMES[0]).get_by_role("button", name="Controls").click()
    expect(panel).to_be_visible()


def test_stopping_a_camera_can_be_undone(open_as: OpenAs, page: Page) -> None:
    """Stopping a camera for everybody is announced, and can be undone."""
    open_as("ada", f"?camera={NAMES[0]}")
    wait_for_paint(page, NAMES[0])

    page.locator("[data-panel]").get_by_role("button", name="Stop").click()
    expect_state(page, NAMES[0], "stopped")
    expect(page.locator(".toast")).to_contain_text("stopped for everybody")
    page.locator(".toast").get_by_role("button", name="Undo").click()

    expect_state(page, NAMES[0], "live")
    expect(page.locator(".toast")).to_have_count(0)


def test_viewers_see_no_controls(open_as: OpenAs, page: Page) -> None:
    """Viewers see no controls in any tab, not even disabled ones, and no way to shut down."""
    open_as("four", f"?camera={NAMES[0]}")
    wait_for_paint(page, NAMES[0])

    expect(page.get_by_role("tab")).to_have_text(["View", "Activity", "Statistics"])
    for name in ("View", "Activity", "Statistics"):
        show_tab(page, name)
        expect(page.locator("[data-panel] :disabled:visible")).to_have_count(0)
        expect(page.get_by_role("button", name="Stop")).to_have_count(0)
        expect(page.locator("[data-panel]").get_by_role("slider")).to_have_count(0)
    page.keyboard.press("i")
    expect(page.get_by_role("button", name="Shut down the server")).to_have_count(0)


# --- Phones and zoomed pages -----------------------------------------------------------------


def test_top_bar_fits_a_phone(open_as: OpenAs, new_context: NewContext) -> None:
    """At 320, 360 and 390 pixels nothing is clipped, and touch targets are at least 44 pixels."""
    page = open_as("four", page=phone(new_context, 320))
    for width in (320, 360, 390):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate(CUT) == [], width
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert page.evaluate(SMALL, ".topbar, .tile") == []
    for menu in ("view-menu", "page-menu"):
        page.locator(f"[popovertarget='{menu}']").tap()
        assert page.evaluate(SMALL, f"#{menu}") == []
        page.keyboard.press("Escape")

    page.locator(".tile-open").first.tap()
    for name in ("Activity", "Statistics", "View"):
        show_tab(page, name)
        assert page.evaluate(SMALL, ".panel, .tile[data-focused]") == []


def test_focused_picture_fills_a_landscape_phone(open_as: OpenAs, new_context: NewContext) -> None:
    """A focused picture fills the screen; in the grid the bar is at the side, taking no height."""
    page = open_as("four", page=phone(new_context, 844, 390))
    assert page.evaluate(SHARE) > 0.7
    for name in ("View", "Activity", "System", "Menu"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_in_viewport(ratio=1)

    tile(page, NAMES[0]).locator(".tile-open").tap()
    expect(tile(page, NAMES[0])).to_have_attribute("data-focused", "")
    wait_to_see(lambda: size_of(tile(page, NAMES[0])) == (844, 390))
    assert size_of(tile(page, NAMES[0]).locator("canvas"))[1] == pytest.approx(390, abs=1)
    tile(page, NAMES[0]).get_by_role("button", name="Back to all cameras").tap()
    expect(page.locator("[data-grid]")).to_have_attribute("data-view", "grid")


def test_page_fits_at_200_percent_zoom(open_as: OpenAs, page: Page) -> None:
    """A laptop zoomed to 200 % has half the pixels: nothing is clipped, or leaves the window."""
    page.set_viewport_size({"width": 720, "height": 450})
    open_as("ada")
    wide = "() => document.documentElement.scrollWidth"

    assert page.evaluate(wide) <= 720
    assert page.evaluate(CUT) == []
    page.locator(".tile-open").first.click()
    for name in ("Image", "Motion", "Activity", "Statistics", "View"):
        show_tab(page, name)
        assert page.evaluate(wide) <= 720
        spill = "(panel) => panel.scrollWidth - panel.clientWidth"
        assert page.locator("[data-panel]").evaluate(spill) <= 0


# --- Kiosk ------------------------------------------------------------------------------------


def test_kiosk_shows_names_and_clock_only_on_request(open_as: OpenAs, page: Page) -> None:
    """A kiosk shows pictures edge to edge, names and a clock on request, and never an address."""
    page.set_viewport_size({"width": 1280, "height": 720})
    open_as("four", "?view=kiosk&layout=2x2")
    wait_to_see(lambda: page.evaluate(SHARE) > 0.999)
    expect(page.locator(".tile-name").first).to_be_hidden()
    expect(page.locator("[data-kiosk-clock]")).to_be_hidden()

    open_as("wall", "?view=kiosk&names=1&clock=1")
    expect_state(page, "ghost", "retrying")
    expect(page.locator(".tile-name").first).to_be_visible()
    expect(page.locator("[data-kiosk-clock]")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    expect(tile(page, "ghost")).to_contain_text("Offline, retrying")
    assert SECRET not in page.content()
    open_as("wall", "?view=kiosk&names=0")
    expect_state(page, "ghost", "retrying")
    expect(page.locator(".tile-name").first).to_be_hidden()


def test_kiosk_rotation_pauses_while_touched(open_as: OpenAs, page: Page) -> None:
    """A kiosk shows camera after camera, but not while somebody touches the screen."""
    open_as("four", "?view=kiosk&rotate=2")
    shown = page.locator(".tile[data-camera]:not([hidden])")
    expect(shown).to_have_count(1)
    expect(shown).to_have_attribute("data-camera", NAMES[1])

    page.mouse.down()
    page.wait_for_timeout(2500)
    held = shown.get_attribute("data-camera")
    page.wait_for_timeout(2500)
    assert shown.get_attribute("data-camera") == held
    page.mouse.up()
    expect(shown).not_to_have_attribute("data-camera", str(held))
