"""Notices appear once, whole, by one clock, and cover nothing; in a real browser."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser.chromium import (
    NO_WORKER,
    expect_state,
    tile,
    wait_for_paint,
    wait_to_see,
)
from tests.support.browser.kept_context import lasting_port
from tests.support.clients.client import Viewer
from tests.support.servers.server import PortholeServer, last_event

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

LONG = "The north-western corner of the second greenhouse, above the seedlings"
DEAD = "/var/lib/porthole/" + "recordings-of-a-long-gone-summer/" * 4 + "dead.mp4"

CAMERAS = {
    **dict.fromkeys(("door", "hall", "lift", "roof", "yard"), "test:?size=160x90&fps=4"),
    **dict.fromkeys(("dead", "gone", "lost", "void"), DEAD),
}

NEED_A_PICTURE = ("snapshot", "copy", "popout")

# Sizes of a phone, a laptop, and a screen on a wall.
SIZES = ((360, 740), (1280, 800), (1920, 1080))

GO_TO = """(view) => {
  history.replaceState(null, '', view);
  dispatchEvent(new PopStateEvent('popstate'));
}"""

# A machine whose clock is two hours behind, with painting in the page itself.
BEHIND = (
    NO_WORKER
    + """
{
  const Right = Date;
  const origin = performance.timeOrigin;
  window.Date = class extends Right {
    constructor(...given) { super(...(given.length > 0 ? given : [Right.now() - 7200e3])); }
    static now() { return Right.now() - 7200e3; }
  };
  Object.defineProperty(Performance.prototype, 'timeOrigin', { get: () => origin - 7200e3 });
}"""
)

# Text on a tile that is not wholly inside it, lies under its name, or is cut within a line:
# [camera, text].
CUT = """() => {
  const cut = [];
  for (const glass of document.querySelectorAll('.tile[data-camera]:not([hidden]) .viewport')) {
    const room = glass.getBoundingClientRect();
    const foot = glass.querySelector('.caption').getBoundingClientRect().top;
    for (const words of glass.querySelectorAll('.overlay > p')) {
      const box = words.getBoundingClientRect();
      if (box.height === 0 || room.height === 0) continue;
      const lines = box.height / parseFloat(getComputedStyle(words).lineHeight);
      const outside = box.top < room.top - 1 || box.bottom > foot + 1
        || box.right > room.right + 1;
      if (outside || Math.abs(lines - Math.round(lines)) > 0.1) {
        cut.push([glass.closest('.tile').dataset.camera, words.className, box.height, room.height]);
      }
    }
  }
  return cut;
}"""

# A grid whose cameras come and go; the test decides when a loss is reported.
DEPARTED = """async () => {
  const { Departed } = await import(new URL('static/js/grid/departed.js', document.baseURI));
  const waiting = [];
  const setTimeout = window.setTimeout;
  window.setTimeout = (act) => waiting.push(act);
  const grid = Object.assign(new EventTarget(), { tiles: new Map() });
  const list = (...names) => {
    grid.tiles = new Map(names.map((name) => [name, {}]));
    grid.dispatchEvent(new CustomEvent('list'));
  };
  const departed = new Departed(grid);
  const gone = [];
  departed.addEventListener('gone', ({ detail }) => gone.push(detail));
  list('door', 'hall', 'yard');
  list('yard');
  list('yard', 'door');
  departed.expect('attic');
  while (waiting.length > 0) waiting.shift()();
  list('yard', 'door');
  while (waiting.length > 0) waiting.shift()();
  window.setTimeout = setTimeout;
  return gone;
}"""

# Text of tiles that a toast covers.
COVERED = """() => {
  const toast = document.querySelector('.toast').getBoundingClientRect();
  return [...document.querySelectorAll('.tile:not([hidden]) :is(.caption, .overlay > p)')]
    .filter((words) => {
      const box = words.getBoundingClientRect();
      return box.height > 0 && box.bottom > toast.top && box.top < toast.bottom
        && box.right > toast.left && box.left < toast.right;
    })
    .map((words) => words.textContent);
}"""


def settings(folder: Path, cameras: dict[str, str], titles: dict[str, str]) -> str:
    """Write a settings file, and return its name."""
    tables = [
        f"[[camera]]\nname = {json.dumps(name)}\nsource = {json.dumps(source)}\n"
        f"title = {json.dumps(titles.get(name, name))}\n"
        for name, source in cameras.items()
    ]
    path = folder / "porthole.toml"
    path.write_text("\n".join(tables))
    return str(path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """Nine cameras: five that work, four that do not; two with long titles, one of each kind."""
    folder = tmp_path_factory.mktemp("notices")
    config = settings(folder, CAMERAS, {"yard": LONG, "void": LONG})
    server = PortholeServer(
        "--port", lasting_port(), "--config", config, state=folder / "state", environment={}
    )
    yield server
    assert server.stop() == 0
    assert not [line for line in server.log if "Traceback" in line], "\n".join(server.log)


def toasts(page: Page) -> Locator:
    return page.locator(".toast-text")


def test_toasts_report_only_what_others_do(
    server: PortholeServer, connect: Connect, page: Page
) -> None:
    """A tile shows its own state, and a page the effect of its own actions: neither gets a toast.

    Another user's action does, with names in their original case, without covering a tile's text.
    """
    page.goto(server.url)
    wait_for_paint(page, "door")
    expect_state(page, "dead", "retrying")
    page.keyboard.press("t")
    expect(page.locator("[data-entries]")).to_contain_text("dead went offline: ")
    page.keyboard.press("t")
    expect(toasts(page)).to_have_count(0)

    # Done here: the other page is told, this one is not. (Not earlier, or its pings would go
    # unanswered.)
    other = connect(server)
    page.locator('.tile[data-camera="door"] .tile-open').focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    expect_state(page, "door", "stopped")
    other.pump(lambda: "stopped" in (last_event(other, "notice") or {}).get("message", ""), 10)
    assert last_event(other, "notice")["by"] == "127.0.0.1"
    page.keyboard.press("Space")
    expect_state(page, "door", "live")
    expect(page.locator("[data-recent]")).to_contain_text("door was started by")
    expect(toasts(page)).to_have_count(0)
    page.keyboard.press("Escape")

    # Done elsewhere.
    assert other.call("quality", {"camera": "lift", "quality": 61})["ok"]
    expect(toasts(page)).to_have_text("lift set to quality 61 by 127.0.0.1")
    first_letter = "(text) => getComputedStyle(text, '::first-letter').textTransform"
    assert toasts(page).evaluate(first_letter) == "none"
    assert page.evaluate(COVERED) == []

    # With the timeline open it shows there, and nowhere else.
    page.locator(".toast-close").click()
    page.keyboard.press("t")
    assert other.call("quality", {"camera": "lift", "quality": 62})["ok"]
    expect(page.locator("[data-entries] .entry").first).to_contain_text("quality 62")
    expect(toasts(page)).to_have_count(0)
    expect(page.locator("[data-open-timeline]")).not_to_have_attribute("data-unread", "")

    # A visible effect is announced only to screen readers, and covers nothing.
    page.keyboard.press("t")
    page.keyboard.press("l")
    expect(page.locator("[data-announcer]")).to_contain_text("Layout: One at a time")
    expect(toasts(page)).to_have_count(0)


def test_long_reasons_end_with_a_whole_line(server: PortholeServer, page: Page) -> None:
    """In every layout a reason ends with a whole line; hover and screen readers get all of it."""
    page.goto(server.url)
    views = {"?layout=auto": "dead", "?layout=1&page=6": "dead", "?layout=2x2&page=2": "dead"}
    views |= {"?layout=3x3": "dead", "?camera=void": "void"}
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for view, name in views.items():
            page.evaluate(GO_TO, view)
            tile(page, name).scroll_into_view_if_needed()
            expect_state(page, name, "retrying")
            assert page.evaluate(CUT) == [], (view, width)

    opener = tile(page, "void").locator(".tile-open")
    reason = tile(page, "void").locator(".overlay-detail").text_content()
    assert reason is not None
    assert DEAD in reason
    expect(opener).to_have_attribute("title", f"{LONG}\nOffline, retrying: {reason}")
    expect(opener).to_have_accessible_description(reason)


def test_long_titles_can_be_read(server: PortholeServer, page: Page) -> None:
    """A truncated title shows in full on hover; in the panel it has two lines."""
    page.goto(server.url)
    wait_for_paint(page, "yard")
    expect(tile(page, "yard").locator(".tile-open")).to_have_attribute("title", LONG)

    tile(page, "yard").locator(".tile-open").click()
    title = page.locator("#panel-title")
    expect(title).to_have_attribute("title", LONG)
    lines = "(title) => title.clientHeight / parseFloat(getComputedStyle(title).lineHeight)"
    assert title.evaluate(lines) == pytest.approx(2, abs=0.1)


def test_picture_actions_are_disabled_without_a_picture(server: PortholeServer, page: Page) -> None:
    """Without a picture nothing can be saved, copied or popped out, by button or by key.

    Copy used to be enabled: it requested a picture in vain, and reported the failure.
    """
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url + "?camera=dead")
    expect_state(page, "dead", "retrying")
    buttons = [page.locator(f'[data-panel] [data-action="{name}"]') for name in NEED_A_PICTURE]
    for button in buttons:
        expect(button).to_be_disabled()

    for key in ("c", "s", "p"):
        page.keyboard.press(key)
    page.keyboard.press("t")
    expect(page.locator("[data-entries]")).to_contain_text("dead went offline")

    assert [url for url in asked if "/snapshot/" in url] == []
    expect(toasts(page)).to_have_count(0)
    page.goto(server.url + "?camera=door")
    wait_for_paint(page, "door")
    for button in buttons:
        expect(button).to_be_enabled()


def test_all_lists_show_the_servers_time(
    server: PortholeServer, connect: Connect, page: Page
) -> None:
    """With a clock two hours behind, all lists show an event at the server's time.

    One list used to be made before the page knew the difference between the clocks, the other
    after: for the same event they were two hours apart.
    """
    other = connect(server)
    assert other.call("quality", {"camera": "hall", "quality": 63})["ok"]
    other.pump(lambda: last_event(other, "notice") is not None, 10)
    at = last_event(other, "notice")["at"]
    page.add_init_script(BEHIND)
    page.goto(server.url + "?camera=hall")
    wait_for_paint(page, "hall")

    page.keyboard.press("t")
    named = "hall set to quality 63 by"
    listed = page.locator("[data-entries] .entry", has_text=named)
    recent = page.locator("[data-recent] .entry", has_text=named)
    expected = page.evaluate(
        "(at) => new Date(at * 1000).toLocaleTimeString(undefined,"
        " { hour: '2-digit', minute: '2-digit', second: '2-digit' })",
        at,
    )
    for entry in (listed, recent):
        expect(entry.locator("time")).to_have_text(expected)
        text = entry.locator(".entry-ago").text_content() or ""
        assert text == "just now" or text.endswith(("s ago", "min ago")), text
    expect(page.locator("[data-entries] h3").first).to_contain_text("Today")
    expect(page.locator("[data-panel] [data-field='since']")).not_to_contain_text(" h")


def test_timeline_chips_filter_by_level(server: PortholeServer, page: Page) -> None:
    """A chip shows the entries that it names, as the camera filter's chips do, and no others."""
    page.goto(server.url)
    expect_state(page, "dead", "retrying")
    page.keyboard.press("t")
    drawer = page.get_by_role("dialog", name="Activity")
    expect(drawer).to_contain_text("The server was started")

    drawer.get_by_role("button", name="Warnings").click()

    expect(drawer.locator('.entry[data-level="warning"]').first).to_be_visible()
    expect(drawer.locator('.entry:not([data-level="warning"])')).to_have_count(0)
    pressed = drawer.locator('[data-filter-level][aria-pressed="true"]')
    expect(pressed).to_have_text(["Warnings"])
    drawer.get_by_role("button", name="All").click()
    expect(pressed).to_have_text(["All"])
    expect(drawer).to_contain_text("The server was started")


def test_missing_camera_is_reported_after_a_restart(
    start_server: Start, page: Page, tmp_path: Path
) -> None:
    """After a restart without a camera, page, kiosk and pop-out report it; the address drops it.

    There used to be no notice, and the address kept requesting a camera that no longer existed.
    """
    source = "test:?size=160x90&fps=5"
    before = settings(tmp_path, {"old": source, "door": source}, {})
    server = start_server("--config", before)
    page.goto(server.url + "?camera=old")
    wait_for_paint(page, "old")
    kiosk = page.context.new_page()
    kiosk.goto(server.url + "?view=kiosk")
    wait_for_paint(kiosk, "old")
    page.bring_to_front()
    page.locator("[data-action='popout']").click()
    expect(page.locator("[data-action='popout']")).to_have_attribute("aria-pressed", "true")

    server.kill()
    after = settings(tmp_path, {"new": source, "door": source}, {})
    start_server("--config", after, "--port", str(server.port))

    said = "The camera “old” is no longer here. It may have been renamed or removed."
    expect(toasts(page)).to_have_text(said)
    page.wait_for_url(server.url)
    expect(page.locator("[data-panel]")).to_be_hidden()
    small = "() => documentPictureInPicture.window.document.querySelector('p').textContent"
    wait_to_see(lambda: page.evaluate(small) == "oldNo longer here")
    wait_for_paint(page, "new")
    expect(kiosk.locator("[data-kiosk-missing]")).to_have_text(said)
    kiosk.close()

    # A user with an old link is told, too.
    page.goto(server.url + "?camera=old")
    expect(toasts(page)).to_have_text("There is no camera “old” here.")
    page.wait_for_url(server.url)


def test_late_camera_is_not_reported_as_missing(blank: Page) -> None:
    """Other nodes' cameras return one by one after a restart; one back in time is not missing."""
    gone = blank.evaluate(DEPARTED)

    assert gone == [{"were": ["hall"], "never": ["attic"]}]


def test_reduced_size_is_attributed_to_a_slow_server(start_server: Start, page: Page) -> None:
    """On localhost, with a hub that is always late, the tile attributes its size to the server."""
    server = start_server("door=test:?size=1280x720", program=("-m", "tests.support.servers.busy"))
    page.goto(server.url)

    size = tile(page, "door").locator('[data-readout="rendition"]')
    expect(size).to_contain_text("auto: server", timeout=30_000)
