"""A link of 500 kbit/s and 200 ms to the server: the tile stays live, and recovers.

The link is a proxy. Chromium's own throttle (`Network.emulateNetworkConditions`, measured with 156)
also reaches a WebSocket in a worker, but set to 500 kbit/s it passes 310, whatever is sent, and its
latency applies to requests only.
"""

import itertools
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from tests.support.browser.chromium import READ_TIME, wait_for, wait_for_paint
from tests.support.network.poor_link import PoorLink
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]

ROUND_TRIP_S = 0.2
BITS_PER_S = 500_000

# Limits from the issue.
MAX_AGE_MS = 1000
MIN_FPS = 5

SETTLE_MS = 5000
SECONDS = 10
# Seven seconds on an idle machine: two for each of three steps up, and one to be sure.
BACK_S = 15.0

READING = """() => {
  const { painted, rendition } = window.porthole.tiles.get('test');
  return { painted, rendition, state: document.querySelector('.tile').dataset.state };
}"""


@pytest.fixture
def link(start_server: Start) -> Iterator[PoorLink]:
    """A server with one camera, behind a link that is good at first."""
    link = PoorLink(start_server("test:?size=1280x720&fps=15").port, 0.0, loss=0.0)
    yield link
    link.close()


def test_tile_stays_live_on_a_slow_link(link: PoorLink, page: Page) -> None:
    """A tile gets at least 5 fps, 95 % of it under a second old, and full size again afterwards."""
    page.goto(f"http://127.0.0.1:{link.port}/")
    wait_for_paint(page, "test")

    link.delay_s, link.bits_per_s = ROUND_TRIP_S / 2, BITS_PER_S
    page.wait_for_timeout(SETTLE_MS)
    before = page.evaluate(READING)
    began_ms = page.evaluate("() => performance.now()")
    ages, states, renditions = [], set(), []
    for _ in range(10 * SECONDS):
        page.wait_for_timeout(100)
        # Read off the canvas: the age of what people see, whatever the page reports.
        ages.append(page.evaluate(READ_TIME, "canvas"))
        reading = page.evaluate(READING)
        states.add(reading["state"])
        renditions.append(reading["rendition"])
    after = page.evaluate(READING)
    seconds = (page.evaluate("() => performance.now()") - began_ms) / 1000

    readable = sorted(age for age in ages if age is not None)
    fps = (after["painted"] - before["painted"]) / seconds
    p95 = readable[len(readable) * 95 // 100]
    median = readable[len(readable) // 2]
    told = [name for name, _ in itertools.groupby(renditions)]
    print(f"{fps:.1f} fps, {median:.0f} ms old, p95 {p95:.0f} ms, at {told}")
    assert len(readable) > 0.9 * len(ages), "the strip could not be read"
    assert states == {"live"}
    assert p95 < MAX_AGE_MS
    assert fps >= MIN_FPS

    link.delay_s, link.bits_per_s = 0.0, None
    began_ms = page.evaluate("() => performance.now()")
    wait_for(
        page, "() => window.porthole.tiles.get('test').rendition === 'full'", patience_s=BACK_S
    )
    print(f"full again after {page.evaluate('() => performance.now()') - began_ms:.0f} ms")
