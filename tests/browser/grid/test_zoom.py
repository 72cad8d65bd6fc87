"""Zooming with wheel, keys and fingers, in the page and in full screen."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browser.chromium import (
    in_module,
    tile,
    wait_for,
    wait_for_paint,
)
from tests.support.browser.fingers import middle, touch
from tests.support.servers.server import PortholeServer

NewContext = Callable[..., BrowserContext]


def test_zoom_never_shows_an_edge(blank: Page) -> None:
    """However a picture is zoomed and dragged, it fills the frame; zoomed out it is whole."""

    looks = in_module(
        blank,
        "camera/zoom",
        """({ WHOLE, scaleAbout, moveLook }) => {
          const looks = [];
          const frames = [[800, 400, 1], [300, 500, 2]]
            .map(([width, height, ratio]) => ({ width, height, ratio }));
          for (const frame of frames) {
            for (const scale of [1.01, 1.2, 2, 5, 50]) {
              for (const [x, y] of [[0, 0], [140, -90], [-400, 250]]) {
                let look = scaleAbout(WHOLE, scale, { x, y }, frame);
                look = moveLook(look, x * 9, y * 9, frame);
                const whole = scaleAbout(look, 1.02, { x, y }, frame) === WHOLE;
                looks.push({ frame, look, whole });
              }
            }
          }
          return looks;
        }""",
    )

    for entry in looks:
        frame, look = entry["frame"], entry["look"]
        width = min(frame["width"], frame["height"] * frame["ratio"]) * look["scale"]
        height = min(frame["height"], frame["width"] / frame["ratio"]) * look["scale"]
        for at, size, room in (
            (look["x"], width, frame["width"]),
            (look["y"], height, frame["height"]),
        ):
            assert abs(at) <= max(0, (size - room) / 2) + 1e-6
        assert 1 < look["scale"] <= 8
        assert entry["whole"] or look["scale"] < 1.02


def test_swipe_must_be_wide_level_and_quick(blank: Page) -> None:
    """A finger that scrolls, rests or trembles does not count as a swipe."""

    strokes = [(-90, 10, 200), (90, -10, 200), (-90, 60, 200), (-30, 0, 100), (-90, 0, 2000)]
    swiped = in_module(
        blank,
        "camera/zoom",
        "({ swipeOf }, strokes) => strokes.map(([dx, dy, ms]) => swipeOf({ dx, dy, ms }))",
        strokes,
    )

    assert swiped == [1, -1, 0, 0, 0]


def test_picture_zooms_by_mouse_and_keys(pair: PortholeServer, page: Page) -> None:
    """A double click, the wheel and keys zoom; dragging pans up to the edge; 0 resets."""
    page.goto(pair.url + "?camera=door")
    wait_for_paint(page, "door", 1)
    glass = tile(page, "door").locator(".viewport")
    badge = page.locator(".zoom-badge")

    glass.dblclick(position={"x": 40, "y": 200})
    expect(badge).to_have_text("2.0×")
    page.mouse.move(*middle(glass))
    page.mouse.down()
    page.mouse.move(2000, 2000, steps=3)
    page.mouse.up()
    covers(page, "door")
    page.keyboard.press("+")
    expect(badge).to_have_text("2.5×")
    page.mouse.move(*middle(glass))
    page.mouse.wheel(0, -200)
    expect(badge).to_have_text("3.7×")
    covers(page, "door")
    page.keyboard.press("0")
    expect(badge).to_have_count(0)
    page.keyboard.press("+")
    page.keyboard.press("PageDown")

    expect(page.locator("#panel-title")).to_have_text("yard")
    expect(badge).to_have_count(0)


def test_full_page_replaces_missing_full_screen(pair: PortholeServer, page: Page) -> None:
    """Where a phone lacks full screen the picture fills the page, zooms, and can be left."""
    page.add_init_script("Object.defineProperty(document, 'fullscreenEnabled', { value: false });")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(pair.url + "?camera=door")
    wait_for_paint(page, "door", 1)

    page.locator("[data-action='fullscreen']").click()
    assert tile(page, "door").bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
    tile(page, "door").locator(".viewport").dblclick()
    expect(page.locator(".zoom-badge")).to_have_text("2.0×")
    page.get_by_role("button", name="Done").click()

    expect(page.locator("[data-panel]")).to_be_visible()
    expect(page.locator("[data-full-page]")).to_have_count(0)


def test_full_screen_picture_can_be_zoomed(pair: PortholeServer, page: Page) -> None:
    """A tile in full screen from the grid can be zoomed, and is reset afterwards."""
    page.goto(pair.url)
    wait_for_paint(page, "door", 1)

    tile(page, "door").locator(".tile-open").focus()
    page.keyboard.press("f")
    wait_for(page, "() => document.fullscreenElement?.dataset.camera === 'door'")
    page.keyboard.press("+")
    expect(page.locator(".zoom-badge")).to_have_text("1.3×")
    page.keyboard.press("f")

    expect(page.locator(".zoom-badge")).to_have_count(0)
    expect(page.locator("[data-zoomed]")).to_have_count(0)


def covers(page: Page, camera: str) -> None:
    """Wait until the picture covers its glass in each direction in which it is larger."""
    wait_for(
        page,
        """(camera) => {
          const tile = document.querySelector(`[data-camera="${camera}"]`);
          const [glass, canvas] = ['.viewport', 'canvas']
            .map((part) => tile.querySelector(part).getBoundingClientRect());
          return canvas.left <= glass.left + 1 && canvas.right >= glass.right - 1
            && canvas.top <= glass.top + 1 && canvas.bottom >= glass.bottom - 1;
        }""",
        camera,
    )


def test_pinch_zooms_and_swipe_changes_the_camera(
    pair: PortholeServer, new_context: NewContext
) -> None:
    """Two fingers zoom, one pans a zoomed picture, and a swipe goes to the next camera."""
    context = new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(pair.url + "?camera=door")
    wait_for_paint(page, "door", 1)
    fingers = context.new_cdp_session(page)
    x, y = middle(tile(page, "door").locator(".viewport"))
    badge = page.locator(".zoom-badge")

    touch(fingers, "touchStart", (x - 20, y), (x + 20, y))
    for spread in (30, 40, 50, 60):
        touch(fingers, "touchMove", (x - spread, y), (x + spread, y))
    touch(fingers, "touchEnd")
    expect(badge).to_have_text("3.0×")
    touch(fingers, "touchStart", (x + 60, y))
    touch(fingers, "touchMove", (x - 60, y))
    touch(fingers, "touchEnd")
    expect(page.locator("#panel-title")).to_have_text("door")
    badge.click()
    expect(badge).to_have_count(0)
    touch(fingers, "touchStart", (x + 60, y))
    touch(fingers, "touchMove", (x, y))
    touch(fingers, "touchMove", (x - 60, y))
    touch(fingers, "touchEnd")

    expect(page.locator("#panel-title")).to_have_text("yard")
