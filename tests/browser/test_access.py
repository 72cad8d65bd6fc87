"""The page for everybody: checked by axe-core, used by keyboard alone, and without motion."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from server.users.users import UsersFile
from tests.support.axe import faults
from tests.support.browser import expect_state, log_out, show_tab, wait_for_paint
from tests.support.server import PortholeServer
from tests.support.visitor import PASSWORD

# Everything that may take the Tab key is passed well before this.
MAX_STOPS = 60

# Where the keyboard focus is: what it is called, and whether a person can see that it is there.
WHERE = """() => {
  // A tile wears the ring of its button, as a shadow without blur.
  const RING = /rgb[^,]*(, [^,]*)* 0px 0px 0px [2-9]/;
  const element = document.activeElement;
  const ring = (one) => {
    const style = getComputedStyle(one);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  };
  const tile = element.closest('.tile');
  const { left, top, right, bottom, width, height } = (tile ?? element).getBoundingClientRect();
  const seen = width > 0 && height > 0
    && right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
  const marked = ring(element)
    || (element.matches('.tile-open') && RING.test(getComputedStyle(tile).boxShadow));
  return {
    name: element.id || element.getAttribute('aria-label') || element.textContent.trim(),
    camera: tile?.dataset.camera ?? null,
    dialog: element.closest('dialog') !== null,
    visible: element.matches(':focus-visible') && marked && seen,
  };
}"""

# The longest animation or transition of anything there is, in ms, and whose it is.
MAX_MOTION = """() => {
  const ms = (text) => Math.max(...text.split(',').map((one) => (
    parseFloat(one) * (one.trim().endsWith('ms') ? 1 : 1000)
  )));
  let longest = [0, ''];
  const take = (value, name) => { if (value > longest[0]) longest = [value, name]; };
  for (const element of document.querySelectorAll('*')) {
    for (const pseudo of [null, '::before', '::after', '::backdrop']) {
      const style = getComputedStyle(element, pseudo);
      const name = `${element.tagName}.${element.getAttribute('class')}${pseudo ?? ''}`;
      const times = style.animationIterationCount === 'infinite' ? Infinity : 1;
      if (style.animationName !== 'none') take(ms(style.animationDuration) * times, name);
      take(ms(style.transitionDuration), name);
      if (style.scrollBehavior === 'smooth') take(Infinity, `${name} scrolls smoothly`);
    }
  }
  for (const animation of document.getAnimations()) {
    const { duration, iterations } = animation.effect.getComputedTiming();
    take(duration * iterations, animation.effect.target?.className);
  }
  return longest;
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """Cameras in three states, and ada, who may do everything."""
    state = tmp_path_factory.mktemp("access")
    UsersFile(state).add_user("ada", "operator", None, PASSWORD)
    server = PortholeServer(
        *("--port", "0", "one=test:?size=320x180&fps=10", "two=test:?size=320x180&fps=10"),
        "ghost=/no/such/file.mp4",
        state=state,
        environment={},
    )
    yield server
    assert server.stop() == 0


@pytest.fixture
def dashboard(server: PortholeServer, page: Page) -> Page:
    """The page, as ada sees it."""
    page.goto(server.url + "login")
    page.locator("[name=name]").fill("ada")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    wait_for_paint(page, "two")
    expect_state(page, "ghost", "retrying")
    return page


def test_axe_finds_nothing_serious(server: PortholeServer, dashboard: Page) -> None:
    """Grid, focus, both dialogs and the login, light and dark, on a laptop and on a phone."""
    page = dashboard
    found = faults(page, "grid")
    page.keyboard.press("?")
    found += faults(page, "help", "[data-help]")
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    found += faults(page, "system", "[data-system]")
    page.locator("[data-open-quit]").click()
    found += faults(page, "quit", "[data-quit]")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    expect(page.locator("[data-panel]")).to_be_visible()
    for name in ("Image", "Activity", "Statistics", "View"):
        show_tab(page, name)
        found += faults(page, f"focus, {name}", "[data-panel]")
    found += faults(page, "focus")
    page.set_viewport_size({"width": 390, "height": 844})
    found += faults(page, "focus on a phone")
    page.keyboard.press("Escape")
    found += faults(page, "grid on a phone")
    log_out(page)
    page.wait_for_url("**/login")
    found += faults(page, "login")

    assert found == []


def step(page: Page, key: str = "Tab") -> Any:
    """Press a key, and return where the keyboard focus then is; it must be somewhere in sight."""
    page.keyboard.press(key)
    where = page.evaluate(WHERE)
    assert where["visible"], f"after {key} the focus is not to be seen: {where}"
    return where


def step_to(page: Page, name: str, key: str = "Tab") -> None:
    """Press a key until something of a name has the keyboard focus."""
    passed = []
    for _ in range(MAX_STOPS):
        passed.append(step(page, key)["name"])
        if passed[-1] == name:
            return
    raise AssertionError(f"{key} leads past {passed}, and not to {name!r}")


def test_everything_by_keyboard(dashboard: Page, tmp_path: Path) -> None:
    """A camera is reached, shown large, changed, saved, stopped and left; dialogs come and go."""
    page = dashboard

    # To a camera, by the link that skips what is above them.
    assert step(page)["name"] == "Skip to the cameras"
    page.keyboard.press("Enter")
    assert step(page)["camera"] == "one"
    assert step(page, "ArrowRight")["camera"] == "two"
    page.keyboard.press("Enter")
    expect(page.locator("[data-panel]")).to_be_visible()
    assert page.evaluate(WHERE)["camera"] == "two"

    # Its frame rate, a picture of it, stop and start.
    step_to(page, "tab-view")
    assert step(page, "ArrowRight")["name"] == "tab-image"
    step_to(page, "fps-slider")
    before = int(page.locator("#fps-slider").input_value())
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_label("Frames per second")).to_have_value(str(before - 1))
    with page.expect_download() as download:
        page.keyboard.press("s")
    assert download.value.suggested_filename.startswith("two-")
    assert page.evaluate(WHERE)["name"] == "fps-slider"
    # Not by the space bar here: it would be the slider's.
    while page.locator("[data-action='toggle']:focus").count() == 0:
        step(page, "Shift+Tab")
    page.keyboard.press("Space")
    expect_state(page, "two", "stopped")
    page.keyboard.press("Space")
    expect_state(page, "two", "live")

    # Back: the focus is where it came from.
    page.keyboard.press("Escape")
    expect(page.locator("[data-panel]")).to_be_hidden()
    assert page.evaluate(WHERE)["camera"] == "two"

    # Help, which takes the focus, and gives it back.
    assert step(page, "?")["dialog"]
    page.keyboard.press("Escape")
    assert page.evaluate(WHERE)["camera"] == "two"

    # The question before the end, whose first answer is no.
    step_to(page, "System", "Shift+Tab")
    page.keyboard.press("Enter")
    step_to(page, "Shut down the server")
    page.keyboard.press("Enter")
    assert page.evaluate(WHERE)["name"] == "Keep running"
    page.keyboard.press("Enter")
    expect(page.locator("[data-quit]")).to_be_hidden()
    assert page.evaluate(WHERE)["name"] == "Shut down the server"
    wait_for_paint(page, "one")


def test_no_motion_where_none_is_wanted(dashboard: Page) -> None:
    """Who asks for less motion gets none that lasts, in any state and dialog."""
    page = dashboard
    page.emulate_media(reduced_motion="reduce")
    page.reload()
    wait_for_paint(page, "two")
    expect_state(page, "ghost", "retrying")

    found = {"grid": page.evaluate(MAX_MOTION)}
    page.keyboard.press("2")
    found["focus"] = page.evaluate(MAX_MOTION)
    page.keyboard.press("s")
    page.wait_for_selector(".toast")
    found["toast"] = page.evaluate(MAX_MOTION)
    page.keyboard.press("?")
    found["help"] = page.evaluate(MAX_MOTION)
    # The same page moves for everybody else: what was looked for can be found.
    page.emulate_media(reduced_motion="no-preference")
    moving = page.evaluate(MAX_MOTION)

    assert {name: motion for name, motion in found.items() if motion[0] > 10} == {}
    assert moving[0] > 10
