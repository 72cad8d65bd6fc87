"""From a bare machine to a second camera on a phone, as ``docs/start.md`` describes.

With a folder in the environment it also writes that page's pictures: ``PICTURES=docs/img/start make
test ARGS=tests/browser/tours/test_start.py``.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browser.chromium import expect_state, log_in_by_hand, wait_for_paint
from tests.support.browser.visitor import PASSWORD
from tests.support.network.reverse_proxy import free_ports
from tests.support.servers.server import FRESH, PortholeServer, wait_until

LAPTOP = {"width": 1024, "height": 640}
PHONE = {"width": 390, "height": 760}

MAX_BYTES = 80_000

# Python starts from scratch, which takes a long time on a busy machine.
START_S = 60.0

# Addresses in the pictures; the real ones differ between runs.
EXAMPLE = "https://192.168.1.20:8000/"


class Album:
    """The pictures of the page, if requested.

    Args:
        folder: Where to write them; None for nowhere.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._taken: dict[str, list[np.ndarray]] = {}

    def take(self, name: str, page: Page) -> None:
        """Take a picture; those of the same name are placed side by side."""
        if self._folder is None:
            return
        page.evaluate(
            """(text) => document.querySelectorAll('[data-places] a').forEach((one, index) => {
              one.textContent = text;
              if (index > 0) one.parentElement.remove();
            })""",
            EXAMPLE,
        )
        data = np.frombuffer(page.screenshot(animations="disabled"), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert picture is not None
        self._taken.setdefault(name, []).append(picture)

    def write(self) -> None:
        """Write all pictures, each at the best quality that its size allows."""
        for name, pictures in self._taken.items():
            assert self._folder is not None
            gap = np.full((len(pictures[0]), 24, 3), 255, np.uint8)
            row = [part for picture in pictures for part in (gap, picture)][1:]
            for quality in range(90, 30, -5):
                wanted = [cv2.IMWRITE_WEBP_QUALITY, quality]
                data = cv2.imencode(".webp", np.hstack(row), wanted)[1].tobytes()
                if len(data) <= MAX_BYTES:
                    break
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / f"{name}.webp").write_bytes(data)


@pytest.fixture
def album() -> Album:
    """Take pictures if a folder is given."""
    folder = os.environ.get("PICTURES")
    return Album(Path(folder) if folder else None)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[PortholeServer]:
    """The server that ``make run`` starts on a bare machine: no settings, no cameras, no users."""
    (port,) = free_ports(1)
    # Otherwise its 30 fps take most of a core.
    rate = {"PORTHOLE_FPS": "5"}
    server = PortholeServer(
        "--port", str(port), state=tmp_path / "state", environment=rate, program=FRESH
    )
    yield server
    assert server.stop() == 0
    assert not [line for line in server.log if "Traceback" in line], "\n".join(server.log)


def test_bare_machine_is_set_up_for_a_phone(
    bare: PortholeServer, new_context: Callable[..., BrowserContext], album: Album
) -> None:
    """First admin, network, TLS; then the phone logs in and adds a camera, without a terminal."""
    page = new_context(viewport=LAPTOP, bypass_csp=True, ignore_https_errors=True).new_page()
    page.goto(f"http://localhost:{bare.port}/")
    wait_for_paint(page, "test")
    album.take("offer", page)

    page.get_by_role("button", name="Set up access from other devices").click()
    access = page.locator("[data-access]")
    access.get_by_label("Name").fill("ann")
    access.get_by_label("Password").fill(PASSWORD)
    access.get_by_role("button", name="Create").click()
    access.get_by_role("radio", name="Every device").check()
    access.get_by_role("switch", name="Encrypt").check()
    album.take("access", page)
    access.get_by_role("button", name="Apply").click()

    # The server restarts, and the page follows it to TLS by itself; ann is still logged in.
    wait_until(lambda: sum("Ctrl-C stops it." in line for line in bare.log) == 2, START_S)
    page.wait_for_url(f"https://localhost:{bare.port}/?manage=access")
    expect(access.get_by_role("switch", name="Encrypt")).to_be_checked()
    wait_for_paint(page, "test")
    places = access.get_by_role("link").all_text_contents()
    page.context.close()

    # A machine without a network has at least this address.
    place = [*places, f"https://127.0.0.1:{bare.port}/"][0]
    phone = new_context(
        viewport=PHONE, is_mobile=True, has_touch=True, bypass_csp=True, ignore_https_errors=True
    ).new_page()
    phone.goto(place.replace("https:", "http:"))
    expect(phone).to_have_url(f"{place}login")
    album.take("phone", phone)
    log_in_by_hand(phone, "ann")
    expect_state(phone, "test", "live")
    assert phone.evaluate("isSecureContext")

    phone.locator("[popovertarget='page-menu']").tap()
    phone.get_by_role("button", name="Cameras and people").tap()
    phone.get_by_role("button", name="Add a camera").tap()
    form = phone.get_by_role("form", name="Add a camera")
    form.get_by_label("Address").fill("test:?size=640x360&fps=5")
    form.get_by_role("button", name="Try", exact=True).tap()
    expect(form.locator("[data-trial]")).to_contain_text("It works: 640 × 360.")
    form.get_by_label("Name").fill("yard")
    album.take("phone", phone)
    form.get_by_role("button", name="Add", exact=True).tap()
    expect(phone.get_by_text("yard was added.")).to_be_visible()
    phone.get_by_role("button", name="Close", exact=True).tap()

    for camera in ("test", "yard"):
        wait_for_paint(phone, camera)
    album.take("phone", phone)
    cookies = phone.context.cookies()
    assert [one["secure"] for one in cookies] == [True] * len(cookies)
    assert urlsplit(phone.url).path == "/"
    assert (bare.state / "cameras.json").exists()
    album.write()
