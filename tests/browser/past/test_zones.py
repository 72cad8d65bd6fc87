"""Motion zones drawn on the picture."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.chromium import (
    in_module,
    wait_for_paint,
)
from tests.support.clients.client import Viewer
from tests.support.clients.states import camera_state
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]


def test_zones_are_drawn_and_undone(blank: Page) -> None:
    """Corners stay within the picture; a zone with fewer than three is dropped."""
    result = in_module(
        blank,
        "timebar/zones-shape",
        """(zones) => {
          const drawings = new zones.Drawings(zones.drawingOf([]));
          for (const corner of [[-1, 0.2], [0.5, 0.2], [0.5, 2]]) {
            drawings.set(zones.addCorner(drawings.now, corner));
          }
          drawings.set(zones.closeZone(drawings.now));
          const drawn = zones.zonesOf(drawings.now);
          drawings.set(zones.splitEdge(drawings.now, 0, 0));
          drawings.set(zones.moveZone(drawings.now, 0, 0.9, -1));
          const moved = zones.zonesOf(drawings.now);
          drawings.set(zones.removeZone(drawings.now, 0));
          const gone = zones.zonesOf(drawings.now);
          for (let undone = 0; undone < 3; undone += 1) drawings.undo();
          const again = zones.zonesOf(drawings.now);
          const short = zones.removeCorner(drawings.now, 0, 1).zones;
          return [drawn, moved, gone, again, short, zones.isInside(drawn[0], [0.4, 0.3])];
        }""",
    )

    triangle = [[0, 0.2], [0.5, 0.2], [0.5, 1]]
    moved = [[0.5, 0], [0.75, 0], [1, 0], [1, 0.8]]
    assert result == [[triangle], [moved], [], [triangle], [], True]


def test_zones_are_drawn_by_pointer_and_keyboard(
    start_server: Start, page: Page, connect: Connect
) -> None:
    """On a zoomed picture too, zones are shares of the whole picture; nothing is set until Done."""
    server = start_server("hall=test:?size=320x180&fps=5")
    page.goto(f"{server.url}?camera=hall")
    wait_for_paint(page, "hall")
    page.get_by_role("tab", name="Motion").click()
    page.get_by_label("Detect motion").check()
    expect(page.locator("[data-motion-zones]")).to_have_text("The whole picture counts")
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.get_by_role("button", name="Draw zones").click()

    box = page.locator("[data-zones]").bounding_box()
    assert box is not None
    for x, y in ((0.3, 0.4), (0.5, 0.4), (0.5, 0.6)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.get_by_role("button", name="Close zone").click()
    for keys in (
        ["Enter"],
        ["Shift+ArrowRight", "Enter"],
        ["Shift+ArrowDown", "Enter"],
        ["Escape"],
    ):
        for key in keys:
            page.keyboard.press(key)
    page.get_by_label("Zone 2, corner 3 of 3").press("ArrowDown")
    viewer = connect(server)
    assert camera_state(viewer, "hall")["motion"]["zones"] == []
    page.get_by_role("button", name="Done").click()

    expect(page.locator("[data-motion-zones]")).to_have_text("Only 2 zones of the picture count")
    zones = camera_state(viewer, "hall")["motion"]["zones"]
    assert [round(share, 2) for corner in zones[0] for share in corner] == pytest.approx(
        [0.3, 0.4, 0.5, 0.4, 0.5, 0.6], abs=0.011
    )
    assert zones[1] == [[0.5, 0.5], [0.55, 0.5], [0.55, 0.56]]
    page.get_by_role("button", name="Whole picture").click()
    expect(page.locator("[data-motion-zones]")).to_have_text("The whole picture counts")
    page.get_by_label("Detect motion").uncheck()
    expect(page.locator("[data-motion-fields]")).to_be_hidden()
