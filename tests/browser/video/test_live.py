"""A real camera's video on the dashboard, and the same page without WebCodecs."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Page, expect

from server.capture.sources.testpattern import read_time
from tests.support.browser.chromium import (
    READ_TIME,
    SET_VISIBILITY,
    expect_state,
    show_tab,
    tile,
    wait_for,
    wait_for_paint,
)
from tests.support.browser.webcodecs import NEEDS_WEBCODECS, NO_WEBCODECS
from tests.support.cameras.rtsp_server import RtspServer
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]

CANVAS = '.tile[data-camera="door"] canvas'

# A page on plain http on a host other than localhost.
PLAIN = NO_WEBCODECS + "Object.defineProperty(window, 'isSecureContext', { value: false });"

PAINTED = "() => window.porthole.tiles.get('door').painted"

# Longer than a viewer may have frames in flight, and too short to be disconnected.
ASLEEP_MS = 4000


@pytest.fixture(scope="module")
def server(share_server: Start) -> Iterator[PortholeServer]:
    """A server with a 640 x 360 camera that sends H.264, with a key frame every second."""
    rtsp = RtspServer()
    yield share_server(f"door={rtsp.url('h264')}")
    rtsp.stop()


def wait_for_codec(page: Page, codec: str | None) -> None:
    """Wait until frames come as video in a codec, or with None as JPEG."""
    wait_for(
        page,
        """(codec) => {
          const door = window.porthole?.tiles.get('door');
          return door?.painted && (codec ? door.codec?.startsWith(codec) : door.codec === null);
        }""",
        codec,
    )


@contextmanager
def suspended(page: Page) -> Iterator[None]:
    """Suspend the processes of all pages and workers for a while."""
    browser = page.context.browser
    assert browser is not None
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    pids = [one["id"] for one in found if one["type"] == "renderer"]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "codec",
    [
        pytest.param("avc1", id="with", marks=NEEDS_WEBCODECS),
        pytest.param(None, id="without WebCodecs"),
    ],
)
def test_dashboard_works_with_and_without_webcodecs(
    server: PortholeServer, page: Page, tmp_path: Path, codec: str | None
) -> None:
    """The picture is fresh, returns after the tab was hidden, and can be saved."""
    if codec is None:
        page.add_init_script(NO_WEBCODECS)
    page.add_init_script("localStorage.setItem('porthole.sizes', '{\"door\": \"full\"}')")
    page.goto(server.url)
    wait_for_codec(page, codec)
    wait_for_paint(page, "door", 10)
    assert page.workers[0].evaluate("'VideoDecoder' in self") is (codec is not None)

    ages = [page.evaluate(READ_TIME, CANVAS) for _ in range(15)]
    assert sorted(ages)[len(ages) // 2] < 500
    assert page.evaluate("() => document.querySelector('canvas').width") == 640

    page.evaluate(SET_VISIBILITY, "hidden")
    wait_for(page, "() => window.porthole.tiles.get('door').fps === 0")
    page.evaluate(SET_VISIBILITY, "visible")
    wait_for_paint(page, "door", 10)
    wait_for_codec(page, codec)
    expect_state(page, "door", "live")

    page.keyboard.press("1")
    with page.expect_download() as started:
        page.keyboard.press("s")
    started.value.save_as(tmp_path / "saved.jpg")
    saved = cv2.imread(str(tmp_path / "saved.jpg"))
    taken = read_time(saved)
    assert saved.shape == (360, 640, 3)
    assert taken is not None
    # Its name contains the capture time.
    minute = page.evaluate("(at) => new Date(at * 1000).toISOString()", taken)[:16]
    assert minute.replace("-", "").replace(":", "") in started.value.suggested_filename


@NEEDS_WEBCODECS
def test_page_shows_the_received_codec(server: PortholeServer, page: Page) -> None:
    """The codec is in the figures on the picture, and with the bit rate in the panel."""
    page.goto(server.url)
    wait_for_codec(page, "avc1")

    expect(tile(page, "door").locator("[data-readout='rendition']")).to_have_text(
        "H.264, as sent by the camera"
    )
    page.keyboard.press("1")
    expect(page.locator("[data-field='received']")).to_have_text(
        re.compile(r"^H\.264, as sent by the camera, [\d.]+ [kM]bit/s$")
    )
    show_tab(page, "Statistics")
    expect(page.locator("[data-facts]")).to_contain_text("in the decoder")


@NEEDS_WEBCODECS
def test_video_can_be_switched_off(server: PortholeServer, page: Page) -> None:
    """JPEG then arrives immediately, and after a reload, until video is switched on again."""
    page.goto(server.url)
    wait_for_codec(page, "avc1")
    page.keyboard.press("1")

    page.get_by_label("Use video").uncheck()
    wait_for_codec(page, None)
    page.reload()
    wait_for_codec(page, None)
    wait_for_paint(page, "door", 5)
    assert page.evaluate("() => window.porthole.tiles.get('door').codec") is None

    page.get_by_label("Use video").check()
    wait_for_codec(page, "avc1")
    assert page.evaluate("() => localStorage.getItem('porthole.video')") is None


def test_plain_http_page_notes_what_https_would_save(server: PortholeServer, page: Page) -> None:
    """One line beside the picture has both bit rates; there is no switch without effect."""
    page.add_init_script(PLAIN)
    page.add_init_script("localStorage.setItem('porthole.sizes', '{\"door\": \"full\"}')")
    page.goto(server.url)
    wait_for_codec(page, None)
    page.keyboard.press("1")

    expect(page.locator("[data-video-note]")).to_have_text(
        re.compile("^Over https, .* the camera’s own video: .* instead of .*")
    )
    expect(page.get_by_label("Use video")).to_be_hidden()


@NEEDS_WEBCODECS
def test_suspended_page_resumes_with_fresh_frames(server: PortholeServer, page: Page) -> None:
    """As after a laptop slept, frames from meanwhile are not shown, and video resumes by itself."""
    page.goto(server.url)
    wait_for_codec(page, "avc1")
    wait_for_paint(page, "door")
    before = page.evaluate(PAINTED)

    with suspended(page):
        page.wait_for_timeout(ASLEEP_MS)
    assert page.evaluate(PAINTED) - before < ASLEEP_MS * 25 / 1000 / 2, "it did not sleep"
    wait_for_paint(page, "door", 10)
    wait_for_codec(page, "avc1")

    ages = [page.evaluate(READ_TIME, CANVAS) for _ in range(15)]
    assert sorted(ages)[len(ages) // 2] < 1000
    expect_state(page, "door", "live")
