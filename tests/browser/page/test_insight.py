"""Plots, system figures, timeline and toasts, in a real browser."""

import itertools
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser.chromium import (
    expect_state,
    in_module,
    show_tab,
    tile,
    wait_to_see,
)
from tests.support.browser.kept_context import lasting_port
from tests.support.clients.client import Viewer
from tests.support.servers.server import PortholeServer, wait_until

Connect = Callable[..., Viewer]

CAMERAS = (
    "front=test:?size=320x180&fps=3",
    "yard=test:?size=320x180&fps=3",
    "ghost=http://127.0.0.1:9/",
)

SPLIT = """async (cases) => {
  const module = new URL('static/js/stream/latency.js', document.baseURI);
  const { splitLatency, totalOf } = await import(module);
  return cases.map(({ server, spent, frames, offset }) => {
    const split = splitLatency(server, spent, frames, offset);
    return { ...split, total: totalOf(split) };
  });
}"""

RING = """async ({ capacity, count }) => {
  const { Ring, summarise } = await import(new URL('static/js/insight/ring.js', document.baseURI));
  const ring = new Ring(capacity);
  for (let at = 1; at <= count; at += 1) ring.push({ at, value: at % 3 === 0 ? null : at });
  const rows = ring.rows();
  return [rows.map(({ at }) => at), ring.newest, summarise(rows.map(({ value }) => value))];
}"""

TOPS = """async (cases) => {
  const { roundTop } = await import(new URL('static/js/insight/scale.js', document.baseURI));
  return cases.map(([value, least]) => roundTop(value, least));
}"""

# Green of the most opaque pixels at the left of a plot, where its scale is.
AXIS_INK = """(canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, 45, canvas.height);
  let ink = [0, 0];
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] > ink[0]) ink = [data[at + 3], data[at + 1]];
  }
  return ink[1];
}"""

RIGHT = "(element) => element.getBoundingClientRect().right"

NOTICES = """async ({ rounds, screens }) => {
  const module = new URL('static/js/insight/notices.js', document.baseURI);
  const { Notices, concerns } = await import(module);
  const notices = new Notices();
  const fresh = rounds.map((round) => notices.add(round).length);
  const known = notices.all;
  const toasted = screens.map(({ focused, inView }) =>
    known.map((notice) => concerns(notice, { focused, inView: (name) => inView.includes(name) })));
  return { fresh, known: known.map(({ message }) => message), toasted };
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    state = tmp_path_factory.mktemp("insight")
    server = PortholeServer("--port", lasting_port(), *CAMERAS, state=state, environment={})
    yield server
    assert server.stop() == 0
    assert not [line for line in server.log if "Traceback" in line], "\n".join(server.log)


@pytest.fixture
def context_options() -> dict[str, Any]:
    """The dashboard with its real security policy."""
    return {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"}


@pytest.fixture
def page(page: Page, server: PortholeServer) -> Page:
    """The dashboard, live."""
    page.goto(server.url)
    expect_state(page, "front", "live")
    return page


def plot(area: Locator, title: str) -> Locator:
    return area.locator(".plot", has=area.page.get_by_text(title, exact=True))


def test_latency_parts_add_up_to_the_total(blank: Page) -> None:
    """The parts add up to the total, unknown parts are null, and none is negative."""
    server = {"capture_ms": 4, "encode_ms": 6, "wait_ms": 1}
    # Ten frames. Each took 41 ms to arrive, or 31 by a clock 10 ms behind; then 3 to decode, 2 to
    # paint.
    spent = {"transitMs": 310, "decodeMs": 30, "paintMs": 20}

    whole, unknown, clocks, still, unmeasured = blank.evaluate(
        SPLIT,
        [
            {"server": server, "spent": spent, "frames": 10, "offset": 0.01},
            {"server": {"encode_ms": None}, "spent": spent, "frames": 10, "offset": 0.01},
            {"server": server, "spent": spent, "frames": 10, "offset": -0.03},
            {"server": server, "spent": spent, "frames": 0, "offset": 0.01},
            {"server": server, "spent": spent, "frames": 10, "offset": float("nan")},
        ],
    )

    browser = {"decode": 3, "paint": 2}
    parts = {"capture": 4, "encode": 6, "wait": 1, "network": 30, **browser}
    assert whole == parts | {"total": 46}
    unsaid = dict.fromkeys(("capture", "encode", "wait"))
    assert unknown == unsaid | browser | {"network": 41, "total": 46}
    assert clocks["network"] == 0
    assert (still["capture"], still["network"], still["total"]) == (4, None, None)
    assert (unmeasured["network"], unmeasured["decode"], unmeasured["total"]) == (None, 3, None)


def test_sample_ring_keeps_the_newest(blank: Page) -> None:
    """A full ring keeps the newest samples in order; a summary ignores unknown values."""
    ats, newest, summary = blank.evaluate(RING, {"capacity": 5, "count": 12})

    assert ats == [8, 9, 10, 11, 12]
    assert newest == {"at": 12, "value": None}
    assert summary == {"now": None, "min": 8, "mean": pytest.approx(29 / 3), "max": 11}


def test_scales_end_on_round_numbers(blank: Page) -> None:
    """The top is round, above the value, and does not magnify noise."""
    cases = [[0, 4], [None, 20], [31, 4], [0.3, 0.1], [101, 4], [8, 2], [185e6, 1e8]]

    assert blank.evaluate(TOPS, cases) == [4, 20, 40, pytest.approx(0.4), 200, 8, 2e8]


def test_notices_are_deduplicated_and_merged(blank: Page) -> None:
    """Duplicates are dropped, a dragged slider is one notice, only visible cameras get toasts."""

    def notice(at: float, message: str, camera: str | None = None) -> dict[str, Any]:
        return {"at": at, "level": "info", "message": message} | (
            {"camera": camera} if camera else {}
        )

    lost, back = notice(10, "Yard went offline", "yard"), notice(12, "Yard is back online", "yard")
    dragged = [notice(20 + n, f"ada set Door to {n} fps", "door") for n in (1, 2.5, 4)]
    rounds = [[back, notice(30, "Shutting down")], [lost, back, *dragged], [None, {"at": 1}]]
    screens = [{"focused": "yard", "inView": ["door"]}, {"focused": None, "inView": ["door"]}]

    known = blank.evaluate(NOTICES, {"rounds": rounds, "screens": screens})

    assert known["fresh"] == [2, 4, 0]
    assert known["known"] == [
        *("Yard went offline", "Yard is back online"),
        *("ada set Door to 4 fps", "Shutting down"),
    ]
    assert known["toasted"] == [[True, True, False, True], [False, False, True, True]]


def test_repeated_motion_toasts_are_rate_limited(blank: Page) -> None:
    """A camera's motion gets at most one toast in five minutes.

    A toast for each car in a street would always cover part of the picture.
    """
    events = [("Motion: Street", 0), ("Motion: Street", 12), ("Motion: Door", 13)]
    later = [("Motion: Street", 250), ("Motion: Street", 301), ("Motion: Street", 320)]
    body = """({ RecentToasts }, events) => {
      const told = new RecentToasts();
      return events.map(([message, at]) => told.isNews({ message, at }));
    }"""
    news = in_module(blank, "insight/notices", body, [*events, *later])

    assert news == [True, False, True, False, True, False]


def test_plots_are_drawn_described_and_tabulated(page: Page) -> None:
    """A focused camera's figures are plotted, described, readable by keyboard, and in tables."""
    page.keyboard.press("1")
    show_tab(page, "Statistics")
    area = page.locator("[data-plots]")
    latency, rate = plot(area, "Latency"), plot(area, "Frame rate")

    expect(rate.locator(".plot-value")).to_have_text(re.compile(r"^[1-9]"))
    expect(latency.locator(".plot-value")).to_have_text(re.compile(r"^\d+(\.\d)? m?s$"))
    drawing = rate.locator(".plot-drawing")
    drawing.scroll_into_view_if_needed()
    expect(drawing.locator("canvas")).to_be_visible()
    drawing.focus()
    expect(drawing).to_have_attribute(
        "aria-label", re.compile(r"^Frame rate, the last 2 minutes\. Captured now .* from .* to ")
    )

    # A rate is known, so there are at least two samples.
    page.keyboard.press("ArrowLeft")
    expect(rate.locator(".plot-of")).to_have_text(re.compile(r"^\d+ s ago$"))
    expect(rate.locator(".plot-spoken")).to_have_text(re.compile(r"^\d+ s ago: Captured \d"))
    page.keyboard.press("Escape")
    expect(rate.locator(".plot-of")).to_have_text("fps painted")
    expect(tile(page, "front")).to_have_attribute("data-focused", "")

    # The scale uses the colour scheme's colours, and follows a change immediately.
    def ink() -> int:
        shade: int = drawing.locator("canvas").evaluate(AXIS_INK)
        return shade

    wait_until(lambda: 0 < ink() < 120)
    page.emulate_media(color_scheme="dark")
    wait_until(lambda: ink() > 150)

    area.get_by_role("button", name="As tables").click()
    row = rate.get_by_role("row", name=re.compile("^Painted"))
    expect(row.locator("td").nth(3)).to_have_text(re.compile(r"^[1-9]"))
    expect(drawing).to_be_hidden()
    area.get_by_role("button", name="As tables").click()
    expect(drawing).to_be_visible()


def test_focused_camera_keeps_painting_off_screen(page: Page) -> None:
    """On a phone a picture scrolled away from the plots is still painted."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.keyboard.press("1")
    show_tab(page, "Statistics")
    plot(page.locator("[data-plots]"), "Viewers").scroll_into_view_if_needed()
    expect(tile(page, "front").locator("canvas")).not_to_be_in_viewport()

    # It would end 0.6 s after leaving the screen.
    painted = "() => window.porthole.tiles.get('front').painted"
    target = page.evaluate(painted) + 25
    wait_to_see(lambda: page.evaluate(painted) >= target)


def test_system_drawer_shows_figures_and_plots(page: Page) -> None:
    """``i`` opens a drawer with the server's figures and plots; Esc restores the focus."""
    page.keyboard.press("ArrowRight")
    opener = page.locator("[data-open-system]")
    opener.focus()
    page.keyboard.press("i")

    drawer = page.get_by_role("dialog", name="System")
    expect(drawer.locator("[data-about]")).to_have_text(re.compile(r"^Porthole \d+\.\d+.* up for "))
    expect(plot(drawer, "CPU").locator("canvas")).to_be_visible()
    expect(plot(drawer, "Memory").locator(".plot-value")).to_have_text(re.compile(r"^\d+ MB$"))
    expect(plot(drawer, "Rejected requests")).to_contain_text("none in the last 5 minutes")

    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(opener).to_be_focused()


def test_timeline_collects_unseen_notices(
    server: PortholeServer, connect: Connect, page: Page
) -> None:
    """A visible camera gets a toast; other notices get an unread dot, an entry and a link."""
    operator = connect(server)
    button = page.locator("[data-open-timeline]")
    page.keyboard.press("1")
    expect(tile(page, "front")).to_have_attribute("data-focused", "")

    # Of the focused camera: a toast, and no new entry.
    assert operator.call("quality", {"camera": "front", "quality": 71})["ok"]
    expect(page.locator(".toast-text")).to_have_text(re.compile("71"))
    expect(page.locator("[data-recent]")).to_contain_text("71")
    expect(button).not_to_have_attribute("data-unread", "")

    # Of another one: no toast.
    assert operator.call("quality", {"camera": "yard", "quality": 72})["ok"]
    expect(button).to_have_attribute("data-unread", "")
    expect(button).to_have_attribute("aria-label", "Activity, 1 new")
    expect(page.locator(".toast-text", has_text="72")).to_have_count(0)

    page.keyboard.press("t")
    drawer = page.get_by_role("dialog", name="Activity")
    expect(drawer.locator(".entry").first).to_contain_text("72")
    expect(drawer).to_contain_text("ghost went offline")
    expect(drawer).to_contain_text("The server was started")
    expect(button).not_to_have_attribute("data-unread", "")

    # Only warnings; then only one camera.
    drawer.get_by_role("button", name="Warnings").click()
    expect(drawer.locator('.entry:not([data-level="warning"])')).to_have_count(0)
    drawer.get_by_role("combobox").select_option(label="yard")
    expect(drawer.locator("[data-none]")).to_be_visible()
    drawer.get_by_role("button", name="All").click()
    drawer.locator(".entry-open").first.click()
    expect(tile(page, "yard")).to_have_attribute("data-focused", "")

    # After a reload all of it is there, and not marked new.
    page.reload()
    expect(tile(page, "front")).to_have_attribute("data-state", "live")
    page.keyboard.press("t")
    expect(drawer.locator(".entry").first).to_contain_text("72")
    expect(button).not_to_have_attribute("data-unread", "")


def test_drawers_fit_the_window(page: Page) -> None:
    """On a phone drawers are full-screen sheets; no content is wider than its container."""
    drawers = (("t", "Activity"), ("i", "System"))
    for (width, height), (key, name) in itertools.product(((360, 740), (1280, 800)), drawers):
        page.set_viewport_size({"width": width, "height": height})
        page.keyboard.press(key)
        drawer = page.get_by_role("dialog", name=name)
        expect(drawer).to_be_visible()

        # It slides in, if only for a moment.
        right = partial(drawer.evaluate, RIGHT)
        wait_until(lambda right=right, width=width: right() == width)  # type: ignore[misc]
        shown = drawer.evaluate("(drawer) => drawer.getBoundingClientRect().width")
        assert (shown == width) == (width < 700)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        body = drawer.locator(".drawer-body")
        assert body.evaluate("(body) => body.scrollWidth - body.clientWidth") <= 0
