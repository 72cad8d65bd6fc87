"""The time bar, the tiles' texts for the past, and clips marked on the bar."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.support.browser import axe
from tests.support.browser.chromium import (
    expect_state,
    tile,
    wait_for,
    wait_for_paint,
    wait_to_see,
)
from tests.support.browser.time_bar import (
    bar_at,
    burned,
    drag_to,
    open_camera,
    point,
    press_until_changed,
    remembered,
    share_of,
    wait_for_past,
)
from tests.support.browser.webcodecs import NEEDS_WEBCODECS, NO_WEBCODECS
from tests.support.cameras.rtsp_server import RtspServer
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]

FRAME_S = 0.2
# The pattern truncates its time to milliseconds, and the page rounds.
ROUNDED_S = 0.0015

# In the decoding worker: the number of units given to each decoder.
COUNT_DECODED = """() => {
  globalThis.decoded = [];
  const { decode } = VideoDecoder.prototype;
  VideoDecoder.prototype.decode = function (chunk) {
    if (chunk.type === 'key') decoded.push(0);
    decoded[decoded.length - 1] += 1;
    return decode.call(this, chunk);
  };
}"""


@pytest.fixture(scope="module")
def server(share_server: Start) -> Iterator[PortholeServer]:
    """Two cameras whose frames are encoded here, and one that sends H.264."""
    rtsp = RtspServer()
    small = "test:?size=320x180"
    yield share_server(*(f"door={small}&fps=5", f"hall={small}&fps=5", f"yard={rtsp.url('small')}"))
    rtsp.stop()


@pytest.mark.parametrize(
    ("camera", "late_s", "script"),
    [
        pytest.param("door", 0.002, "", id="encoded here"),
        pytest.param("yard", 1.0, "", id="H.264"),
        pytest.param("yard", 1.0, NO_WEBCODECS, id="H.264 without WebCodecs"),
    ],
)
def test_drag_shows_the_picture_of_that_moment(
    server: PortholeServer, page: Page, camera: str, late_s: float, script: str
) -> None:
    """Works for frames encoded here and for H.264; the tile shows the age, and drops no frame."""
    page.add_init_script(script)
    open_camera(page, server, camera)

    drag_to(page, 0.4)
    expect_state(page, camera, "past")
    dropped = page.evaluate("(name) => window.porthole.tiles.get(name).dropped", camera)
    wait_to_see(lambda: abs(bar_at(page) - burned(page, camera)) <= late_s)
    ago = round(time.time() - bar_at(page))
    assert 1 < ago < 60
    expect(tile(page, camera).locator(".tile-word")).to_have_text(re.compile(r"^\d+ s ago$"))
    expect(page.locator("[data-field='word']")).to_have_text(re.compile(r"^\d+ s ago$"))
    expect(page.locator("[data-bar-track]")).to_have_attribute(
        "aria-valuetext", re.compile(r":\d\d.*, \d+ seconds ago$")
    )
    stood = burned(page, camera)
    assert page.evaluate("(name) => window.porthole.tiles.get(name).dropped", camera) == dropped

    # One key leads back to live, and the next one leaves the camera.
    page.keyboard.press("Escape")
    expect_state(page, camera, "live")
    wait_for_paint(page, camera, 5)
    assert burned(page, camera) > stood + 1
    expect(page.locator("[data-panel]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-panel]")).to_be_hidden()


def test_keys_move_through_time(server: PortholeServer, page: Page) -> None:
    """Keys step by a frame or a second, jump to the oldest, play both ways, and return to live."""
    open_camera(page, server, "door")
    page.keyboard.press("k")
    expect_state(page, "door", "past")
    wait_to_see(lambda: bar_at(page) == pytest.approx(burned(page, "door"), abs=ROUNDED_S))

    here = burned(page, "door")
    before = press_until_changed(page, ",", "door")
    assert press_until_changed(page, "ArrowLeft", "door") < before < here
    assert press_until_changed(page, "ArrowRight", "door") == before
    assert press_until_changed(page, ".", "door") == here
    # The newest frame at least a second older; a busy machine captures fewer.
    assert here - 3 < press_until_changed(page, "Shift+ArrowLeft", "door") < here - 1 + FRAME_S / 2
    oldest = press_until_changed(page, "Home", "door")
    assert oldest < here - 2
    # Space plays; in the past it does not stop the camera for everybody.
    assert press_until_changed(page, "Space", "door") > oldest
    page.get_by_label("Speed", exact=True).select_option("8")
    expect_state(page, "door", "live")
    page.keyboard.press("j")
    expect_state(page, "door", "past")
    later = burned(page, "door")
    wait_to_see(lambda: burned(page, "door") < later)
    page.locator("[data-bar-track]").focus()
    page.keyboard.press("End")
    expect_state(page, "door", "live")


def test_all_cameras_go_to_the_same_moment(server: PortholeServer, page: Page) -> None:
    """All cameras follow the time bar into the past, and one key returns them to live."""
    open_camera(page, server, "door")
    for name in ("hall", "yard"):
        wait_for_past(page, server, name, 5)
    drag_to(page, share_of(page, 3))
    expect_state(page, "door", "past")
    page.get_by_role("button", name="All cameras", exact=True).click()

    for name in ("door", "hall", "yard"):
        expect_state(page, name, "past")
    wait_to_see(lambda: bar_at(page) == pytest.approx(burned(page, "door"), abs=ROUNDED_S))
    moment = bar_at(page) - 1
    page.keyboard.press("Shift+ArrowLeft")

    def newest(name: str) -> list[float]:
        """Return the newest remembered frame that is not later; times on the page are rounded."""
        moments = (moment - ROUNDED_S, moment, moment + ROUNDED_S)
        found = sorted({remembered(page, server, name, one) for one in moments})
        assert found[-1] <= moment + 0.002
        return found

    hall, yard = newest("hall"), newest("yard")
    wait_to_see(lambda: any(abs(burned(page, "hall") - one) <= 0.002 for one in hall))
    wait_to_see(lambda: yard[0] - 3 < burned(page, "yard") <= yard[-1])

    page.get_by_role("button", name="Back to all cameras").click()
    expect(page.locator("[data-past-pill]")).to_contain_text(re.compile(r"\d+ s ago.*Live", re.S))
    for name in ("door", "hall", "yard"):
        expect(tile(page, name).locator(".tile-word")).to_have_text(re.compile(r"^\d+ s ago$"))
    page.keyboard.press("Escape")
    for name in ("door", "hall", "yard"):
        expect_state(page, name, "live")
    expect(page.locator("[data-past-pill]")).to_be_hidden()


@NEEDS_WEBCODECS
def test_past_is_decoded_in_its_own_worker(server: PortholeServer, page: Page) -> None:
    """The worker runs under the page's own security policy, and starts when a camera gets focus."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    open_camera(page, server, "yard")
    wait_for(page, "() => porthole.tiles.get('yard').codec !== null")
    [worker] = (one for one in page.workers if "decoding-worker" in one.url)
    worker.evaluate(COUNT_DECODED)

    moment = time.time() - 2
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    wait_to_see(lambda: burned(page, "yard") < moment + 1)

    assert worker.evaluate("() => decoded.at(-1)") >= 1
    assert complaints == []


def test_hovering_the_bar_previews_the_moment(server: PortholeServer, page: Page) -> None:
    """A card over the bar shows the time and, once the pointer rests, the picture."""
    open_camera(page, server, "door")

    # At least four seconds of the hovered camera are kept.
    page.mouse.move(*point(page, 0.8))
    card = page.locator("[data-scrub-card]")
    expect(card).to_have_attribute("data-picture", "")
    expect(card).to_contain_text(re.compile(r":\d\d"))
    expect_state(page, "door", "live")
    page.mouse.move(5, 5)
    expect(card).to_be_hidden()


def test_gap_has_no_preview_picture(server: PortholeServer, page: Page) -> None:
    """In a gap the card says "Not kept"; it used to show the picture from before the gap."""

    begin = time.time() - 100
    seen = {"from": begin, "gaps": [[begin, begin + 60]]}
    marks = [{"at": begin + 75, "label": "motion", "id": "one"}]

    def answer(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), **seen, "marks": marks})

    page.route("**/api/cameras/hall/past", answer)
    page.goto(f"{server.url}?camera=hall")
    wait_for_paint(page, "hall")
    card = page.locator("[data-scrub-card]")

    def point_at_mark() -> bool:
        mark = page.locator(".bar-mark").bounding_box()
        assert mark is not None
        page.mouse.move(mark["x"] + 2, mark["y"] + 5)
        return "Motion" in (card.text_content() or "")

    expect(page.locator(".bar-gap")).to_have_count(1)
    page.mouse.move(*point(page, 0.3))
    expect(card).to_contain_text("Not kept")
    # It moves with time.
    wait_to_see(point_at_mark)
    expect(card).to_have_attribute("data-picture", "")
    page.mouse.move(*point(page, 0.3))
    expect(card).to_contain_text("Not kept")
    expect(card).not_to_have_attribute("data-picture", "")


def test_time_bar_works_in_full_screen(server: PortholeServer, page: Page) -> None:
    """In full screen the bar shows, and hides when left alone; it used to stay on the page.

    Another camera can be chosen in full screen; leaving it returns to the grid if the user came
    from there.
    """
    page.goto(server.url)
    wait_for_paint(page, "door")
    tile(page, "door").locator(".tile-open").focus()
    page.keyboard.press("f")
    bar = page.locator("[data-camera='door']:fullscreen > [data-scrubber]")
    expect(bar).to_be_visible()
    expect(bar.locator("[data-scrub-live]")).to_be_enabled()

    page.mouse.move(300, 300)
    expect(bar).to_have_css("opacity", "1")
    # The picture's text is above it.
    place = (
        "(part) => { const { top, bottom } = part.getBoundingClientRect(); return [top, bottom]; }"
    )
    caption = tile(page, "door").locator(".caption")
    wait_to_see(lambda: caption.evaluate(place)[1] <= bar.evaluate(place)[0])
    page.keyboard.press("k")
    expect_state(page, "door", "past")
    expect(bar).to_have_css("opacity", "0")
    page.keyboard.press("End")
    expect_state(page, "door", "live")
    expect(bar).to_have_css("opacity", "1")

    page.keyboard.press("PageDown")
    expect(page.locator(":not([data-camera='door']):fullscreen > [data-scrubber]")).to_be_visible()
    page.keyboard.press("f")
    expect(page.locator(".grid[data-view='grid'] > [data-scrubber]")).to_be_hidden()


@pytest.mark.parametrize("camera", ["door", "yard"])
def test_marked_clip_is_saved(
    server: PortholeServer, page: Page, camera: str, tmp_path: Path
) -> None:
    """A marked clip is saved by copying video or by encoding, with the length shown."""
    open_camera(page, server, camera)
    drag_to(page, 0.3)
    expect_state(page, camera, "past")
    page.keyboard.press("i")
    drag_to(page, 0.7)
    page.keyboard.press("o")
    length = page.locator("[data-scrub-length]").text_content() or ""

    with page.expect_download() as started:
        page.get_by_role("button", name="Save clip").click()
    started.value.save_as(tmp_path / "clip.mp4")

    entries = "format=duration:stream=codec_name:packet=pts_time"
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_entries", entries]
    told = subprocess.run(
        [*command, str(tmp_path / "clip.mp4")], check=True, capture_output=True, timeout=30
    )
    probed = json.loads(told.stdout)
    assert started.value.suggested_filename.startswith(f"{camera} 20")
    assert [stream["codec_name"] for stream in probed["streams"]] == ["h264"]
    # It starts with the picture shown at that time, which may be old if the machine was busy.
    times = sorted(float(packet["pts_time"]) for packet in probed["packets"])
    off_s = max(0.5, *(after - before for before, after in pairwise(times)))
    assert float(probed["format"]["duration"]) == pytest.approx(float(length.split()[0]), abs=off_s)
    expect(page.get_by_role("button", name="Save clip")).to_be_hidden()


def test_touch_taps_zooms_and_scrolls_the_bar(
    server: PortholeServer, new_context: Callable[..., BrowserContext]
) -> None:
    """Two fingers zoom only the bar, a tap seeks, and scrolling the page from it stays live."""
    page = new_context(
        viewport={"width": 390, "height": 600}, has_touch=True, is_mobile=True
    ).new_page()
    open_camera(page, server, "door")
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": at})

    def labels() -> list[str]:
        return page.locator(".bar-tick").all_text_contents()

    before, at_first = labels(), bar_at(page)
    left, middle, right = (point(page, share) for share in (0.45, 0.5, 0.55))
    touch("Start", left)
    touch("Start", left, right)
    for spread in range(1, 5):
        wide = (left[0] - 30 * spread, left[1]), (right[0] + 30 * spread, right[1])
        touch("Move", *wide)
    touch("End")
    expect_state(page, "door", "live")
    wait_to_see(lambda: len(labels()) != len(before) or labels() != before)
    assert page.evaluate("visualViewport.scale") == 1
    assert bar_at(page) > at_first

    small = """() => [...document.querySelectorAll('.scrubber :is(button, select)')]
      .filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect())
      .filter(({ width, height }) => Math.min(width, height) < 44).length"""
    assert page.evaluate(small) == 0

    touch("Start", middle)
    touch("End")
    expect_state(page, "door", "past")
    page.locator("[data-scrub-live]").tap()
    expect_state(page, "door", "live")

    touch("Start", middle)
    for step in range(1, 8):
        touch("Move", (middle[0], middle[1] - 20 * step))
    touch("End")
    wait_to_see(lambda: page.evaluate("scrollY || document.querySelector('.grid').scrollTop") > 20)
    expect_state(page, "door", "live")
    assert page.locator("[data-scrubber]").get_attribute("data-past") == "live"


def test_clip_marked_at_the_newest_moment_grows(server: PortholeServer, page: Page) -> None:
    """A clip that begins at the newest moment grows with time; it used to stay 0.0 s long."""
    open_camera(page, server, "door", 2)
    length = page.locator("[data-scrub-length]")
    page.locator("[data-bar-track]").focus()
    page.keyboard.press("i")
    expect(page.get_by_role("button", name="Save clip")).to_be_enabled()
    expect(length).to_have_text(re.compile(r"^[1-9]\."))

    page.keyboard.press("o")
    with page.expect_download():
        page.get_by_role("button", name="Save clip").click()

    expect(page.locator("[data-toasts]")).to_contain_text(re.compile(r"Saved \d\.\d s of door"))


def test_expired_clip_is_reported(server: PortholeServer, page: Page) -> None:
    """If a clip's time is no longer kept the page says so, and the marks stay."""
    open_camera(page, server, "yard")
    drag_to(page, 0.5)
    page.keyboard.press("i")
    page.route("**/clip/**", lambda route: route.fulfill(status=404))
    page.get_by_role("button", name="Save clip").click()

    expect(page.locator("[data-toasts]")).to_contain_text(
        "yard was not saved. That time is no longer kept."
    )
    expect(page.get_by_role("button", name="Save clip")).to_be_enabled()
    page.complaints.clear()  # type: ignore[attr-defined]


def test_right_to_left_names_keep_their_beginning(server: PortholeServer, page: Page) -> None:
    """Names follow their own writing direction; right-to-left ones used to lose the beginning."""
    page.goto(f"{server.url}?camera=hall")
    wait_for_paint(page, "hall")

    directions = page.evaluate(
        """() => ['.tile-open', '#panel-title', '[data-playing-camera]'].map((selector) => {
          const element = document.querySelector(selector);
          (element.querySelector('.tile-name') ?? element).textContent = 'שער';
          return getComputedStyle(element).direction;
        })"""
    )

    assert directions == ["rtl"] * 3


def test_time_bar_is_accessible(server: PortholeServer, page: Page) -> None:
    """axe finds no faults in the bar, light and dark, with every part visible."""
    open_camera(page, server, "door", 2)
    drag_to(page, 0.5)
    page.keyboard.press("i")
    expect_state(page, "door", "past")

    assert axe.faults(page, "time bar", "[data-scrubber]") == []


def test_unreachable_camera_is_not_called_live(
    share_server: Callable[..., PortholeServer], page: Page
) -> None:
    """An unreachable camera is not in the past, but is not called live either."""
    server = share_server("gone=http://127.0.0.1:9/live")
    page.goto(f"{server.url}?camera=gone")

    expect(tile(page, "gone")).to_contain_text("Offline")
    expect(page.locator("[data-scrub-live]")).to_have_attribute("data-away", "")
    expect(page.locator("[data-bar-track]")).not_to_have_attribute("aria-valuetext", "Live")
