"""Camera controls on a real server, set by a program and by hand in a real browser."""

import re
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import BrowserContext, expect

from server.capture.sources.testpattern import read_time
from tests.support.browser.chromium import SMALL, show_tab
from tests.support.clients.client import Viewer
from tests.support.servers.server import PortholeServer, last_event

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]
NewContext = Callable[..., BrowserContext]


def held(state: Any, name: str) -> Any:
    return next(control for control in state["controls"] if control["name"] == name)


def newest(viewer: Viewer) -> Any:
    """Return the newest picture after this moment, decoded."""
    seen = len(viewer.arrivals)
    viewer.pump(lambda: len(viewer.arrivals) > seen + 2, 10)
    return cv2.imdecode(np.frombuffer(viewer.last_jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_program_sets_controls_and_presets(start_server: Start, connect: Connect) -> None:
    """A change applies in half a second, is visible, reaches others, and survives a restart."""
    server = start_server(SMALL)
    viewer, other = connect(server), connect(server)
    assert viewer.call("watch", {"camera": "test"})["ok"]
    before = newest(viewer)

    def ask(event: str, **payload: Any) -> Any:
        return viewer.call(event, {"camera": "test"} | payload)

    started = time.monotonic()
    reply = ask("control", control="brightness", value=60)
    assert time.monotonic() - started < 1.5  # Half a second, plus the delay of a busy machine.
    assert reply["ok"]
    assert held(reply["camera"], "brightness")["value"] == 60
    assert newest(viewer).mean() > before.mean() + 30

    assert ask("control", control="rotate", value="90")["ok"]
    reply = ask("control", control="crop", value=[0, 0, 1, 0.5])
    assert reply["ok"]
    assert newest(viewer).shape[:2] == (160, 180)
    assert ask("preset", preset="Tall, bright", do="save")["camera"]["preset"] == "Tall, bright"
    assert ask("reset")["ok"]
    plain = newest(viewer)
    assert plain.shape == before.shape
    assert abs(plain.mean() - before.mean()) < 5
    assert read_time(plain) is not None

    for value, code, words in (
        (101, "bad_request", "Brightness: 101.0; accepted: -100 to 100"),
        ("5", "bad_request", "accepted: -100 to 100"),
        ({}, "bad_request", "accepted: a number"),
    ):
        refusal = ask("control", control="brightness", value=value)
        assert (refusal["ok"], refusal["error"]) == (False, code)
        assert words in refusal["message"]
    refusal = ask("control", control="white_balance", value=4000)
    assert refusal["error"] == "unavailable"
    assert "Automatic white balance is on" in refusal["message"]
    assert ask("control", control="iris", value=1)["error"] == "bad_request"
    assert ask("preset", preset=" x", do="save")["error"] == "bad_request"

    reply = ask("preset", preset="Tall, bright", do="apply")
    assert reply["camera"]["preset"] == "Tall, bright"
    other.pump(lambda: (last_event(other, "camera") or {}).get("preset") == "Tall, bright", 5)
    applied = "test: preset Tall, bright was applied by 127.0.0.1"
    other.pump(lambda: applied in [data.get("message") for _, data in other.events], 5)
    told = [data["message"] for event, data in other.events if event == "notice"]
    assert sum("Brightness set to 60" in message for message in told) <= 1
    server.stop()

    viewer = connect(start_server(SMALL))
    reply = viewer.call("watch", {"camera": "test"})
    assert newest(viewer).shape[:2] == (160, 180)
    state = last_event(viewer, "camera")
    assert state["preset"] == "Tall, bright"
    assert held(state, "brightness")["value"] == 60


def test_user_sets_controls_and_presets_on_the_page(
    start_server: Start, connect: Connect, new_context: NewContext
) -> None:
    """Slider, switch, choice, crop frame and presets work; a rejection shows at the control."""
    server = start_server(
        "test:?size=320x180&fps=8", program=("-m", "tests.support.servers.refusing")
    )
    page = new_context(viewport={"width": 1280, "height": 800}).new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(server.url)
    page.wait_for_selector('.tile[data-state="live"]')
    page.keyboard.press("1")
    row = page.locator(".control").and_(page.locator("[data-control='brightness']"))
    show_tab(page, "Image")
    page.locator("summary", has_text="Picture").click()
    page.locator("summary", has_text="Colour").click()

    # With the keyboard, on the slider; then back with the button that has appeared.
    page.get_by_role("slider", name="Brightness", exact=True).press("ArrowRight")
    expect(row.locator("[data-reset]")).to_be_visible()
    expect(row.locator(".number")).to_have_value("1")
    row.locator("[data-reset]").click()
    expect(row.locator(".number")).to_have_value("0")

    # Rejected: the message shows at the control, and its value goes back.
    contrast = page.locator("[data-control='contrast']")
    contrast.locator(".number").fill("40")
    contrast.locator(".number").press("Tab")
    expect(contrast.locator("[data-note]")).to_have_text(
        "Contrast: 40 % was requested, but the camera keeps 100 %"
    )
    expect(contrast.locator("input[type=range]")).to_have_js_property("value", "100")

    # Turning an automatic mode off restores the value it overrode, here and for everybody.
    balance = page.locator("[data-control='white_balance']")
    expect(balance.locator("input[type=range]")).to_be_disabled()
    page.get_by_role("switch", name="Automatic white balance").click()
    expect(balance.locator("input[type=range]")).to_be_enabled()
    program = connect(server)
    reply = program.call("control", {"camera": "test", "control": "white_balance", "value": 8000})
    assert reply["ok"]
    expect(balance.locator(".number")).to_have_value("8000")

    # A preset, and a rotated picture.
    page.get_by_role("button", name="Save as preset").click()
    page.get_by_label("Preset name").fill("Lamp light")
    page.keyboard.press("Enter")
    chip = page.get_by_role("button", name="Lamp light", exact=True)
    expect(chip).to_have_attribute("aria-pressed", "true")
    page.get_by_role("radio", name="90°").check()
    expect(chip).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".tile canvas")).to_have_css("--ratio", "0.5625")
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".tile canvas")).to_have_css("--ratio", "1.7778")

    # The crop frame, by pointer and keyboard; Escape removes the frame and nothing else.
    page.locator("[data-adjust]").click()
    box = page.locator("[data-edges='se']").bounding_box()
    stage = page.locator(".cropper-stage").bounding_box()
    assert box
    assert stage
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2, steps=4)
    page.mouse.up()
    expect(page.locator("[data-side='2']")).to_have_value(re.compile(r"^(49|50)(\.\d)?$"))
    program.pump(lambda: 155 < (last_event(program, "camera") or {}).get("width", 0) < 165, 5)
    page.locator("[data-frame]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-side='0']")).to_have_value(re.compile(r"^1(\.\d)?$"))
    page.keyboard.press("Escape")
    expect(page.locator(".cropper")).to_have_count(0)
    expect(page.locator("[data-grid]")).to_have_attribute("data-view", "focus")
    page.get_by_role("button", name="Reset all").click()
    expect(page.get_by_role("button", name="Reset all")).to_be_hidden()
    program.pump(lambda: last_event(program, "camera")["width"] == 320, 5)

    # Without a server nothing can be set, and the page says why.
    server.stop()
    expect(page.get_by_role("slider", name="Brightness", exact=True)).to_be_disabled()
    expect(page.locator("[data-locked]")).to_contain_text("until the page reconnects")
    assert faults == []
