"""Actions on a picture and the page: copy, pop out, install."""

import json
from collections.abc import Callable
from urllib.request import urlopen

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browser.chromium import (
    SET_VISIBILITY,
    expect_state,
    in_module,
    wait_for,
    wait_for_paint,
)
from tests.support.browser.tiles import names
from tests.support.network.proxies import PrefixProxy
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]
NewContext = Callable[..., BrowserContext]


@pytest.fixture
def pair(share_server: Start) -> PortholeServer:
    """Two cameras of different shapes."""
    return share_server("door=test:?size=320x180&fps=2", "yard=test:?size=320x240&fps=2")


H264 = {"width": 1280, "height": 720, "codec": "h264", "fps": 29.97, "group": 60, "kbps": 1912}
UNKNOWN = {"fps": None, "group": None, "kbps": None}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (H264, "H.264, 1280 × 720, 30 fps, 1.9 Mbit/s, key frame every 2 s"),
        (H264 | UNKNOWN, "H.264, 1280 × 720, – fps, – kbit/s, key frame every –"),
        (H264 | {"fps": None}, "H.264, 1280 × 720, – fps, 1.9 Mbit/s, key frame every 60 pictures"),
        (
            H264 | {"codec": "mjpeg", "fps": 12.5, "group": 1, "kbps": 640},
            "MJPEG, 1280 × 720, 12.5 fps, 640 kbit/s",
        ),
        (H264 | UNKNOWN | {"codec": "raw", "fps": 15}, "uncompressed, 1280 × 720, 15 fps"),
        (dict.fromkeys(H264), "–, –, – fps, – kbit/s, key frame every –"),
        (None, "–"),
    ],
)
def test_source_is_described_in_words(
    blank: Page, source: dict[str, object] | None, words: str
) -> None:
    """Codec, size, frame rate, bit rate and key frames, with a dash for unknown values."""
    body = "({ describeSource }, source) => describeSource(source)"

    shown = in_module(blank, "camera/source", body, source)

    assert shown.replace("\N{NO-BREAK SPACE}", " ") == words


def test_camera_names_may_match_object_properties(blank: Page) -> None:
    """Names that every JavaScript object inherits do not count as stored choices."""
    names = ["constructor", "toString", "hasOwnProperty"]
    chosen = in_module(
        blank, "camera/sizechoice", "(module, all) => all.map(module.chosenSize)", names
    )
    assert chosen == ["auto"] * 3


@pytest.mark.parametrize(
    "script",
    [
        "localStorage.setItem('porthole.layout', '{');"
        "localStorage.setItem('porthole.order', '[1]');",
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('off'); } })",
    ],
    ids=["garbage", "no storage"],
)
def test_corrupt_or_missing_storage_is_ignored(
    pair: PortholeServer, page: Page, script: str
) -> None:
    """With corrupt or no storage the page starts as on a first visit."""
    page.add_init_script(script)
    page.goto(pair.url)
    wait_for_paint(page, "door", 1)

    assert names(page) == ["door", "yard"]
    page.keyboard.press("l")
    expect(page.locator("[data-pager]")).to_be_visible()


def test_picture_is_copied_to_the_clipboard(pair: PortholeServer, page: Page) -> None:
    """`c` copies the picture to the clipboard as PNG, in full size."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(pair.url + "?camera=yard")
    wait_for_paint(page, "yard")

    page.keyboard.press("c")
    expect(page.locator("[data-toasts]")).to_contain_text("Copied the picture of yard")

    size = page.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read();
          const bitmap = await createImageBitmap(await item.getType('image/png'));
          return [bitmap.width, bitmap.height];
        }"""
    )
    assert size == [320, 240]


def test_refused_clipboard_copy_is_reported(pair: PortholeServer, page: Page) -> None:
    """Where the browser denies copying, the page says so and what to do instead."""
    page.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined });"
        "Object.defineProperty(window, 'isSecureContext', { value: false });"
    )
    page.goto(pair.url + "?camera=yard")
    wait_for_paint(page, "yard")

    page.keyboard.press("c")

    expect(page.locator("[data-toasts]")).to_contain_text("only from pages on https or localhost")


@pytest.mark.parametrize("own_window", [True, False], ids=["document", "video"])
def test_popped_out_camera_plays_while_the_page_is_hidden(
    pair: PortholeServer, page: Page, own_window: bool
) -> None:
    """A pop-out keeps playing while the page is hidden; after it is closed nothing is painted."""
    if not own_window:
        page.add_init_script("delete window.documentPictureInPicture;")
    page.goto(pair.url + "?camera=yard")
    wait_for_paint(page, "yard")
    button = page.locator("[data-action='popout']")

    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    if own_window:
        wait_for(
            page,
            "() => documentPictureInPicture.window.document.querySelector('canvas').width === 320",
        )
        # Its keys move through time there, too.
        press = """(key) => documentPictureInPicture.window.document.body.dispatchEvent(
          new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))"""
        assert page.evaluate(press, "k") is False
        expect_state(page, "yard", "past")
        wait_for(
            page, "() => / s ago/.test(documentPictureInPicture.window.document.body.textContent)"
        )
        page.evaluate(press, "End")
        expect_state(page, "yard", "live")
    page.evaluate(SET_VISIBILITY, "hidden")
    wait_for_paint(page, "yard", 3)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")

    wait_for(page, "() => window.porthole.tiles.get('yard').fps === 0")


def test_page_is_installable(pair: PortholeServer, new_context: NewContext) -> None:
    """Chromium accepts manifest, icons and scope for installation, also under a path prefix."""
    page = new_context().new_page()
    with PrefixProxy(pair.port, b"/cams/") as proxy:
        base = f"http://127.0.0.1:{proxy.port}/cams/"
        page.goto(base + "?camera=door")
        wait_for_paint(page, "door", 1)
        devtools = page.context.new_cdp_session(page)
        told = devtools.send("Page.getAppManifest")
        errors = devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]
        with urlopen(base + "static/manifest.webmanifest") as answer:
            content_type = answer.headers["Content-Type"]

    assert content_type.startswith("application/manifest+json")
    assert told["errors"] == []
    # A private window, as tests use it, installs nothing; that must be the only complaint.
    assert [error["errorId"] for error in errors] in ([], ["in-incognito"])
    assert told["manifest"]["startUrl"] == base
    assert told["manifest"]["scope"] == base
    sizes = [icon["sizes"] for icon in json.loads(told["data"])["icons"]]
    assert {"192x192", "512x512"} <= set(sizes)
