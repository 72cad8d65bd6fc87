"""Accessibility: checked by axe-core, usable by keyboard alone, and without motion."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from server.users.users import UsersFile
from tests.support.browser.axe import faults
from tests.support.browser.chromium import (
    expect_state,
    log_in,
    log_out,
    show_tab,
    wait_for,
    wait_for_paint,
)
from tests.support.browser.kept_context import lasting_port
from tests.support.browser.keyboard import WHERE, step, step_to
from tests.support.browser.motion import MAX_MOTION
from tests.support.browser.visitor import PASSWORD
from tests.support.servers.server import PortholeServer

TRANSITIONS = "document.getAnimations().filter((one) => one instanceof CSSTransition).length"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """Cameras in three states, and ada, who has full permissions."""
    state = tmp_path_factory.mktemp("access")
    UsersFile(state).add_user("ada", "operator", None, PASSWORD)
    server = PortholeServer(
        *("--port", lasting_port(), "one=test:?size=320x180&fps=5", "two=test:?size=320x180&fps=5"),
        "ghost=/no/such/file.mp4",
        state=state,
        environment={},
    )
    yield server
    assert server.stop() == 0


@pytest.fixture
def dashboard(server: PortholeServer, page: Page) -> Page:
    """The page with ada logged in."""
    log_in(page, server, "ada")
    page.goto(server.url)
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
    for name in ("Image", "Motion", "Activity", "Statistics"):
        show_tab(page, name)
        found += faults(page, f"focus, {name}", "[data-panel] :is([role=tablist], [role=tabpanel])")
    show_tab(page, "View")
    found += faults(page, "focus")
    page.set_viewport_size({"width": 390, "height": 844})
    found += faults(page, "focus on a phone")
    page.keyboard.press("Escape")
    found += faults(page, "grid on a phone")
    log_out(page)
    page.wait_for_url("**/login")
    found += faults(page, "login")

    assert found == []


def test_everything_works_by_keyboard(dashboard: Page, tmp_path: Path) -> None:
    """A camera is reached, focused, changed, saved, stopped and left; dialogs open and close."""
    page = dashboard

    # To a camera, by the skip link.
    assert step(page)["name"] == "Skip to the cameras"
    page.keyboard.press("Enter")
    assert step(page)["camera"] == "one"
    assert step(page, "ArrowRight")["camera"] == "two"
    page.keyboard.press("Enter")
    expect(page.locator("[data-panel]")).to_be_visible()
    assert page.evaluate(WHERE)["camera"] == "two"

    # Its frame rate, a snapshot, stop and start.
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
    # Not with the space bar here: it would act on the slider.
    while page.locator("[data-action='toggle']:focus").count() == 0:
        step(page, "Shift+Tab")
    page.keyboard.press("Space")
    expect_state(page, "two", "stopped")
    page.keyboard.press("Space")
    expect_state(page, "two", "live")

    # Back: the focus returns to where it was.
    page.keyboard.press("Escape")
    expect(page.locator("[data-panel]")).to_be_hidden()
    assert page.evaluate(WHERE)["camera"] == "two"

    # Help takes the focus and returns it.
    assert step(page, "?")["dialog"]
    page.keyboard.press("Escape")
    assert page.evaluate(WHERE)["camera"] == "two"

    # The confirmation before quitting, whose default is no.
    step_to(page, "System", "Shift+Tab")
    page.keyboard.press("Enter")
    step_to(page, "Shut down the server")
    page.keyboard.press("Enter")
    assert page.evaluate(WHERE)["name"] == "Keep running"
    page.keyboard.press("Enter")
    expect(page.locator("[data-quit]")).to_be_hidden()
    assert page.evaluate(WHERE)["name"] == "Shut down the server"
    wait_for_paint(page, "one")


def test_reduced_motion_disables_animations(dashboard: Page) -> None:
    """With reduced motion nothing animates for long, in any state and dialog."""
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
    # Even the shortest transitions run one nesting level after another: a change of colours used to
    # take many frames.
    page.emulate_media(color_scheme="dark")
    transitions = page.evaluate(TRANSITIONS)
    # Without that preference the same page moves, so the check can find motion.
    page.emulate_media(reduced_motion="no-preference")
    moving = page.evaluate(MAX_MOTION)

    assert {name: motion for name, motion in found.items() if motion[0] > 10} == {}
    assert transitions == 0
    assert moving[0] > 10


def test_axe_checks_visible_elements_only(page: Page) -> None:
    """Hidden elements are removed for the check, unless a visible one refers to them, and restored.

    Every planted fault is found.
    """
    page.set_content(
        """<html lang="en"><title>Faults</title>
        <style>@media (orientation: portrait) { body { transform: rotate(90deg); } }</style><main>
        <p id="pale" style="color: #aaa; background: #fff">Pale</p>
        <button aria-labelledby="named"></button><button id="bare"></button>
        <div role="tablist"><button role="tab" aria-controls="panel">One</button></div>
        <div id="panel" role="tabpanel" hidden><p style="color: #aaa">Hidden</p><img></div>
        <div hidden><span id="named">Play</span></div>
        <p id="twice">One</p><p id="twice" hidden>Two</p></main></html>"""
    )
    before = page.content()
    page.evaluate("window.later = 0; setTimeout(() => { window.later = 1; }, 100)")

    found = {(rule, *places[0][:1]) for _, _, _, rule, *places in faults(page, "here")}

    assert found == {
        *(("color-contrast", "#pale"), ("button-name", "#bare"), ("duplicate-id", "#twice")),
        ("css-orientation-lock", "<"),
    }
    assert page.content() == before
    wait_for(page, "window.later === 1")
