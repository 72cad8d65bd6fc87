"""The server's clock is set while a page is open."""

import re
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from server.users.users import UsersFile
from tests.support.browser.chromium import wait_for_paint
from tests.support.browser.visitor import PASSWORD
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]

HOUR_S, DAY_S = 3600, 86400

# The test waits for a hundred of its frames.
CAMERA = "test:?size=320x180&fps=12"

# Records the latency that the tile shows, each time it changes.
KEEP_LATENCIES = """() => {
  const place = document.querySelector('.tile[data-camera] [data-readout="latency"]');
  window.latencies = [];
  const keep = () => window.latencies.push(place.textContent);
  const all = { childList: true, characterData: true, subtree: true };
  new MutationObserver(keep).observe(place, all);
}"""


def test_clock_changes_keep_latency_and_logins_valid(
    start_server: Start, page: Page, tmp_path: Path
) -> None:
    """The page detects the change and measures again; until then latency is a dash.

    An hour forward once showed "-3599986 ms" for 20 s; three days back silently ended every login.
    """
    step = tmp_path / "step"
    step.write_text("0")
    UsersFile(tmp_path / "state").add_user("ada", "operator", None, PASSWORD)
    server = start_server(
        CAMERA, program=("-m", "tests.support.servers.stepping"), STEP_FILE=str(step)
    )
    page.goto(server.url)
    page.locator("[name=name]").fill("ada")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    wait_for_paint(page, "test")
    latency = page.locator('.tile[data-camera] [data-readout="latency"]')
    expect(latency).to_have_text(re.compile(r"^\d+ ms$"))
    page.evaluate(KEEP_LATENCIES)
    seconds = 0.0

    for offset_s in (HOUR_S, 0, -3 * DAY_S, 40 * DAY_S, -3 * DAY_S):
        (tmp_path / "next").write_text(str(offset_s))
        (tmp_path / "next").replace(step)  # Never seen empty.
        set_at = time.monotonic()
        # Frames in flight when the clock is set still carry the old time.
        wait_for_paint(page, "test", 10)
        expect(latency).to_have_text(re.compile(r"^\d+(\.\d)? m?s$"))
        seconds = max(seconds, time.monotonic() - set_at)
        wait_for_paint(page, "test", 15)
        # Logins stay valid for new requests and for the open connection.
        assert page.request.get(server.url + "api/cameras", max_redirects=0).status == 200
        expect(page.locator("[data-link-word]")).to_have_text("Connected")

    said = page.evaluate("window.latencies")
    wrong = [text for text in said if not re.fullmatch(r"–( ms)?|\d+(\.\d)? ms|\d\.\d s", text)]
    assert wrong == [], said
    assert len(said) > 5
    assert seconds < 5
    page.reload()
    wait_for_paint(page, "test")
    expect(page).to_have_title("Porthole")
