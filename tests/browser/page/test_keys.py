"""Keys and typed numbers: what they do on the page, which needs no other input."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.chromium import (
    expect_state,
    show_tab,
    tile,
    wait_for,
    wait_for_paint,
    wait_to_see,
)
from tests.support.browser.kept_context import lasting_port
from tests.support.clients.client import Viewer
from tests.support.clients.states import camera_state
from tests.support.servers.server import PortholeServer, wait_until

Connect = Callable[..., Viewer]

# The tests look at one of these.
FPS = {"one": 5, "two": 2, "three": 2}
CAMERAS = [f"{name}=test:?size=320x180&fps={fps}" for name, fps in FPS.items()]

# What a foreign keyboard sends, and what the same key does on an American one.
OTHER_KEYBOARDS = [
    ("ы", "KeyS", False, "s"),
    ("Ш", "KeyI", True, "i"),
    ("ε", "KeyE", False, "e"),
    ("τ", "KeyT", False, "t"),
    ("ㄴ", "KeyS", False, "s"),
    ("&", "Digit1", False, "1"),
    ("-", "Digit6", False, "6"),
    ("à", "Digit0", False, "0"),
    ("2", "Digit2", True, "2"),
    (")", "Minus", False, "-"),
    ("ß", "Minus", False, "q"),
    ("/", "Digit7", True, "/"),
    ("!", "Digit1", True, "q"),
    # By the typed character, where that is a Latin letter: the key of the American S has an O
    # there.
    ("o", "KeyS", False, "q"),
    ("s", "Semicolon", False, "s"),
]

# The source's own rate is measured, and a busy machine is late now and then.
ABOUT_FIVE = re.compile(r"^(4|5)(\.\d+)?$")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """One server with three cameras; each test leaves them running, at the source's own rate."""
    state = tmp_path_factory.mktemp("keys") / "state"
    server = PortholeServer("--port", lasting_port(), *CAMERAS, state=state, environment={})
    yield server
    assert server.stop() == 0


def open_page(page: Page, server: PortholeServer, camera: str = "") -> None:
    page.goto(server.url + (f"?camera={camera}" if camera else ""))
    wait_for_paint(page, camera or "one")


def focus_of(page: Page) -> Any:
    """Return the camera whose tile has the keyboard focus, or the focused element's tag."""
    return page.evaluate(
        """() => document.activeElement.closest('.tile')?.dataset.camera
          ?? document.activeElement.tagName"""
    )


def crop_of(viewer: Viewer, camera: str) -> Any:
    """Return the visible part of the picture, as fractions of it."""
    controls = camera_state(viewer, camera)["controls"]
    return next(control["value"] for control in controls if control["name"] == "crop")


def test_focused_control_receives_its_keys(
    server: PortholeServer, page: Page, connect: Connect
) -> None:
    """A focused control handles its own keys.

    Space on a slider used to stop the camera for everybody, and a digit opened another camera.
    """
    open_page(page, server, "two")
    show_tab(page, "Image")
    page.locator("summary", has_text="Picture").first.click()
    holders = {
        ("Image", "#fps-slider"): " 13+-0",
        ("View", "#size-choice"): " 13s?",
        ("Image", "[data-knob='fps'] .number"): " 13s?+",
        ("Image", "[role='switch'], [data-segments] input"): "13",
        ("Image", ".control-group summary"): " ",
        ("View", "[data-action='copy']"): "",
        ("Activity", "[data-recent-all]"): "",
        ("View", "#tab-view"): " ",
    }

    for (tab, selector), keys in holders.items():
        show_tab(page, tab)
        holder = page.locator(f"[data-panel] :is({selector}):visible").first
        for key in keys:
            holder.focus()
            page.keyboard.press("Space" if key == " " else key)
            assert not page.locator("[data-help]").is_visible(), (selector, key)
        page.keyboard.press("Escape") if selector.endswith(".number") else None
    page.evaluate(
        """() => {
          const note = document.createElement('p');
          note.contentEditable = 'true';
          document.querySelector('[data-panel]').append(note);
          note.focus();
        }"""
    )
    page.keyboard.type("1 3s")

    expect(page.locator("#panel-title")).to_have_text("two")
    expect_state(page, "two", "live")
    assert camera_state(connect(server), "two")["state"] == "live"
    assert page.locator("[contenteditable]").text_content() == "1 3s"
    # Esc leaves first the field, then the camera.
    page.keyboard.press("Escape")
    expect(page.locator("#panel-title")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-panel]")).to_be_hidden()


def test_arrows_move_between_tiles_and_space_opens_one(server: PortholeServer, page: Page) -> None:
    """On a fresh page any arrow key first goes to the first tile; space opens the focused tile.

    While one camera was open, space on another one's tile used to stop the open one.
    """
    open_page(page, server)

    page.keyboard.press("ArrowDown")
    first = focus_of(page)
    page.keyboard.press("ArrowRight")
    assert (first, focus_of(page)) == ("one", "two")

    page.keyboard.press("1")
    expect(page.locator("#panel-title")).to_have_text("one")
    page.keyboard.press("ArrowRight")
    assert focus_of(page) == "two"
    page.keyboard.press("Space")
    expect(page.locator("#panel-title")).to_have_text("two")
    expect_state(page, "one", "live")


def test_shortcuts_work_on_other_keyboard_layouts(blank: Page) -> None:
    """Non-Latin letters are mapped by position, and digits also where they need Shift."""
    found = blank.evaluate(
        """async (presses) => {
          const { actionFor } = await import(new URL('static/js/page/keymap.js', document.baseURI));
          const more = { modified: false, repeated: false, on: 'page', dialog: false };
          return presses.map(([key, code, shifted, same]) => [
            actionFor({ ...more, key, code, shifted }),
            actionFor({ ...more, key: same, code: '', shifted: false }),
          ]);
        }""",
        OTHER_KEYBOARDS,
    )

    for press, (action, expected) in zip(OTHER_KEYBOARDS, found, strict=True):
        assert action == expected, press


def test_cyrillic_and_french_keyboards_work(server: PortholeServer, page: Page) -> None:
    """With the browser's own key events, i opens its drawer and digits lead to cameras."""
    open_page(page, server)
    keys = page.context.new_cdp_session(page)

    def press(key: str, code: str) -> None:
        keys.send("Input.dispatchKeyEvent", {"type": "keyDown", "key": key, "code": code})
        keys.send("Input.dispatchKeyEvent", {"type": "keyUp", "key": key, "code": code})

    press("é", "Digit2")
    expect(page.locator("#panel-title")).to_have_text("two")
    press("ш", "KeyI")
    expect(page.get_by_role("dialog", name="System")).to_be_visible()
    press("?", "Digit7")
    expect(page.locator("[data-help]")).to_contain_text("On a keyboard with another alphabet")


def test_typed_numbers_accept_a_decimal_comma(blank: Page) -> None:
    """A comma is a decimal point; a bad number is quoted with the accepted range."""
    texts = [
        "7,5",
        "7.5",
        " 12 ",
        ",5",
        "7,5,1",
        "1.000,5",
        "1,000",
        "1.000",
        "abc",
        "1e9",
        "",
        "0",
        "121",
        "-1",
        "0x10",
    ]

    found = blank.evaluate(
        """async (texts) => {
          const { readNumber } = await import(new URL('static/js/ui/number.js', document.baseURI));
          const read = (text, limits) => {
            const { value, fault } = readNumber(text, limits);
            return fault === '' ? value : fault;
          };
          return [
            ...texts.map((text) => read(text, { min: 0.1, max: 120, step: NaN })),
            read('80,5', { min: 1, max: 100, step: 1 }),
            read('−30', { min: -180, max: 180, step: 15 }),
            read('7', { min: 0, max: 100, step: 5 }),
          ];
        }""",
        texts,
    )

    assert found[:4] == [7.5, 7.5, 12, 0.5]
    for text, fault in zip(texts[4:], found[4:-3], strict=True):
        assert fault == f"“{text}” cannot be used; accepted: a number from 0.1 to 120"
    assert found[-3:] == [
        "“80,5” cannot be used; accepted: a whole number from 1 to 100",
        -30,
        "“7” cannot be used; accepted: a number from 0 to 100 in steps of 5",
    ]


def test_decimal_comma_is_applied_and_bad_input_explained(
    server: PortholeServer, page: Page, connect: Connect
) -> None:
    """All number fields accept a decimal comma, and explain bad input beside the field.

    The text "7,5" used to mean 75 frames per second, also in controls and in the crop frame.
    """
    open_page(page, server, "one")
    show_tab(page, "Image")
    viewer = connect(server)
    knob = page.locator("[data-knob='fps']")
    field = page.get_by_label("Frames per second")

    for text in ("7,5,1", "abc", "1e9"):
        field.fill(text)
        field.press("Enter")
        expect(knob.locator("[data-note]")).to_contain_text(f"“{text}” cannot be used")
        expect(field).to_have_attribute("aria-invalid", "true")
    field.press("Tab")
    expect(field).to_have_value(ABOUT_FIVE)
    expect(knob.locator("[data-note]")).to_be_visible()
    assert camera_state(viewer, "one")["set"]["fps"] is None

    field.fill("")
    page.keyboard.type("7,5")
    page.keyboard.press("Enter")
    wait_until(lambda: camera_state(viewer, "one")["set"]["fps"] == 7.5)
    expect(knob.locator("[data-note]")).to_be_hidden()
    page.keyboard.press("ArrowUp")
    wait_until(lambda: camera_state(viewer, "one")["set"]["fps"] == 8.5)

    page.locator("summary", has_text="Picture").first.click()
    for row, text in (("brightness", "1,2,3"), ("crop", "half")):
        control = page.locator(f"[data-control='{row}']")
        control.evaluate("row => { row.closest('details').open = true; }")
        control.locator(".number").first.fill(text)
        page.keyboard.press("Tab")
        expect(control.locator("[data-note]")).to_contain_text(f"“{text}” cannot be used")
    page.locator("[data-control='crop'] .number").first.fill("12,5")
    page.keyboard.press("Enter")
    wait_until(lambda: crop_of(viewer, "one")[0] == 0.125)

    page.get_by_role("button", name="Source’s own frame rate").click()
    wait_until(lambda: camera_state(viewer, "one")["set"]["fps"] is None)
    viewer.call("reset", {"camera": "one"})


def test_frame_rate_and_quality_can_follow_the_source(
    server: PortholeServer, page: Page, connect: Connect
) -> None:
    """A button restores the source's own frame rate or quality; there used to be no way back."""
    open_page(page, server, "one")
    show_tab(page, "Image")
    viewer = connect(server)
    viewer.call("fps", {"camera": "one", "fps": 2})
    viewer.call("quality", {"camera": "one", "quality": 40})

    for event, shown in (("fps", ABOUT_FIVE), ("quality", "80")):
        knob = page.locator(f"[data-knob='{event}']")
        own = knob.locator("[data-own]")
        expect(own).to_have_attribute("aria-pressed", "false")
        own.focus()
        page.keyboard.press("Space")
        expect(own).to_have_attribute("aria-pressed", "true")
        expect(knob.locator(".number")).to_have_value(shown)
        assert camera_state(viewer, "one")["set"][event] is None
    expect_state(page, "one", "live")


def test_keyboard_tour_reaches_every_function(
    server: PortholeServer, page: Page, connect: Connect
) -> None:
    """From a fresh load through every function of the page and back, without a pointer."""
    open_page(page, server)
    press = page.keyboard.press
    panel = page.locator("[data-panel]")

    # Into the grid, around it, and a tile to another place and back.
    press("ArrowRight")
    press("ArrowRight")
    assert focus_of(page) == "two"
    press("Shift+ArrowLeft")
    wait_to_see(
        lambda: page.locator(".tile[data-camera]").first.get_attribute("data-camera") == "two"
    )
    assert focus_of(page) == "two"
    press("Shift+ArrowRight")

    # Layouts, help, and the drawers: each returns the focus.
    for word in ("One at a time", "Two by two", "Three by three", "Automatic"):
        press("l")
        expect(page.locator("[data-announcer]")).to_contain_text(f"Layout: {word}")
    press("?")
    expect(page.locator("[data-help]")).to_be_visible()
    press("2")
    press("Escape")
    expect(page.locator("[data-help]")).to_be_hidden()
    expect(panel).to_be_hidden()
    for key, name in (("t", "Activity"), ("i", "System")):
        press(key)
        drawer = page.get_by_role("dialog", name=name)
        expect(drawer).to_be_visible()
        press("Space")
        press("Escape")
        expect(drawer).to_be_hidden()
        assert focus_of(page) == "two"

    page.locator("[popovertarget='view-menu']").focus()
    press("Enter")
    press("Tab")
    press("3")
    expect(page.locator("[data-view-menu]")).to_be_visible()
    press("Escape")
    expect(page.locator("[data-view-menu]")).to_be_hidden()
    expect(panel).to_be_hidden()
    tile(page, "two").locator(".tile-open").focus()

    # One camera: open, zoom, pan, stop, start, save.
    press("Enter")
    expect(page.locator("#panel-title")).to_have_text("two")
    press("+")
    press("+")
    expect(tile(page, "two")).to_have_attribute("data-zoomed", "")
    layer = tile(page, "two").locator(".zoom-layer")
    before = layer.get_attribute("style")
    press("ArrowRight")
    assert layer.get_attribute("style") != before
    press("0")
    expect(tile(page, "two")).not_to_have_attribute("data-zoomed", "")
    press("Space")
    expect_state(page, "two", "stopped")
    press("Space")
    expect_state(page, "two", "live")
    with page.expect_download():
        press("s")
    press("f")
    wait_for(page, "() => document.fullscreenElement !== null")
    press("f")
    wait_for(page, "() => document.fullscreenElement === null")

    # Its settings, in order; none of their keys has another effect.
    viewer = connect(server)
    seen: list[str] = []
    while "JPEG quality" not in seen[-1:] and len(seen) < 40:
        press("Tab")
        seen.append(page.evaluate(NAME_OF_ACTIVE))
        if seen[-1] == "View":
            press("ArrowRight")
        if seen[-1].startswith("Frames per second"):
            page.keyboard.type("12,5")
            press("Enter")
            wait_until(lambda: camera_state(viewer, "two")["set"]["fps"] == 12.5)
        elif seen[-1] == "Frame rate":
            press("Space")
            press("1")
            press("Home")
            wait_until(lambda: camera_state(viewer, "two")["set"]["fps"] == 1)
            expect(page.locator("#panel-title")).to_have_text("two")
            press("Shift+Tab")
            press("Shift+Tab")
            press("Space")
            wait_until(lambda: camera_state(viewer, "two")["set"]["fps"] is None)
            press("Tab")
            press("Tab")
    press("Escape")
    expect(panel).to_be_hidden()
    assert focus_of(page) == "two"

    # By number, to the next one, and back.
    press("3")
    expect(page.locator("#panel-title")).to_have_text("three")
    press("PageDown")
    expect(page.locator("#panel-title")).to_have_text("one")
    press("Escape")
    expect(panel).to_be_hidden()
    assert focus_of(page) == "one"


NAME_OF_ACTIVE = """() => {
  const { activeElement: at } = document;
  return at.ariaLabel ?? at.labels?.[0]?.textContent ?? at.textContent.trim();
}"""
