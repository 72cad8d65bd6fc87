"""The dashboard in a real browser, as people use it."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, Worker, expect

from server.users.users import UsersFile
from tests.support.browser.chromium import (
    NO_WORKER,
    READ_TIME,
    SMALL,
    expect_state,
    show_tab,
    tile,
    wait_for,
    wait_for_paint,
    wait_to_see,
)
from tests.support.browser.visitor import PASSWORD
from tests.support.browser.webcodecs import WITHOUT_WEBCODECS
from tests.support.clients.client import Viewer
from tests.support.clients.states import camera_state, wait_for_camera
from tests.support.network.proxies import PrefixProxy
from tests.support.servers.server import PATIENCE_S, PortholeServer, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]
NewContext = Callable[..., BrowserContext]

# For many pictures, or large ones.
SLOW = "test:?size=320x180&fps=2"

# What older browsers lack.
NO_OFFSCREEN = "delete HTMLCanvasElement.prototype.transferControlToOffscreen;"

# Where it runs is where pictures are acknowledged: keeps [number, when in Unix ms] of each.
KEEP_ACKS = """() => {
  self.acks = [];
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    const ack = typeof data === 'string' && /^42\\["ack",".*",(\\d+),\\d+\\]$/.exec(data);
    if (ack) self.acks.push([Number(ack[1]), performance.timeOrigin + performance.now()]);
    return send.call(this, data);
  };
}"""

BLOCK = """(ms) => {
  const now = () => performance.timeOrigin + performance.now();
  const began = now();
  while (now() < began + ms);
  return [began, now()];
}"""

# Shows a Thinning frames that come at a steady pace, one run after another. Of each run: after how
# many seconds an acknowledgement might first cover more than one frame, or null; and how many it
# covered in the end.
RUN_THINNING = """async ([runs, window_]) => {
  const { Thinning } = await import(new URL('static/js/stream/thinning.js', document.baseURI));
  const thinning = new Thinning();
  thinning.grant(window_);
  let nowMs = 1000;
  return runs.map(({ seconds, fps, hold, roundTrip, gap = false, video = false }) => {
    const began = nowMs;
    let thinAt = null;
    let covered = 1;
    for (let frame = 0; frame < seconds * fps; frame += 1) {
      nowMs += 1000 / fps;
      const facts = {
        at: nowMs / 1000, gap: gap && frame === 0, holdMs: hold, roundTripMs: roundTrip ?? NaN,
        video,
      };
      covered = thinning.painted(facts, nowMs);
      if (covered > 1) thinAt ??= (nowMs - began) / 1000;
    }
    return [thinAt, covered];
  });
}"""

RUN_ACKNOWLEDGER = """async () => {
  const module = new URL('static/js/stream/acknowledger.js', document.baseURI);
  const { Acknowledger } = await import(module);
  const sent = [];
  const acknowledger = new Acknowledger((seq) => sent.push(seq));
  for (let seq = 1; sent.at(-1) === seq - 1 || seq === 1; seq += 1) {
    if (seq > 1000) return null;
    const facts = { at: seq / 30, gap: false, holdMs: 5, roundTripMs: 1, video: false };
    acknowledger.painted(seq, facts, (seq * 1000) / 30);
  }
  const before = sent.at(-1);
  while (sent.at(-1) === before) await new Promise((resolve) => setTimeout(resolve, 5));
  return sent.at(-1) - before;
}"""


@pytest.fixture(params=["worker", "no offscreen canvas", "no worker"])
def place(request: pytest.FixtureRequest, page: Page) -> str:
    """Have the page paint in a worker, or be unable to, in one way or the other."""
    name: str = request.param
    scripts = {"no offscreen canvas": NO_OFFSCREEN, "no worker": NO_WORKER}
    if name in scripts:
        page.add_init_script(scripts[name])
    return name


def backstage(page: Page) -> Page | Worker:
    """Return where pictures are received and painted: a worker, or the page itself."""
    return page.workers[0] if page.workers else page


def test_pictures_are_live_on_the_canvas(share_server: Start, page: Page, place: str) -> None:
    """The time burned into the picture on the canvas is the present, wherever it was painted."""
    server = share_server("test:?fps=10")
    # To look at every picture is much for a browser without a GPU; it must not get smaller ones.
    page.add_init_script("localStorage.setItem('porthole.sizes', '{\"test\": \"full\"}')")
    page.goto(server.url)
    wait_for_paint(page, "test", 10)

    assert len(page.workers) == (1 if place == "worker" else 0)

    ages = []
    for _ in range(30):
        age = page.evaluate(READ_TIME, '.tile[data-camera="test"] canvas')
        assert age is not None, "the strip could not be read"
        ages.append(age)

    # How low it gets is measured in bench/; here it must not be a backlog.
    assert sorted(ages)[len(ages) // 2] < 500
    assert page.evaluate("() => document.querySelector('canvas').width") == 1280
    expect_state(page, "test", "live")


def test_a_busy_page_delays_no_picture(share_server: Start, page: Page) -> None:
    """While a script keeps the page from doing anything, pictures are painted and acknowledged."""
    server = share_server("test:?size=640x360&fps=30")
    page.goto(server.url)
    wait_for_paint(page, "test")
    backstage(page).evaluate(KEEP_ACKS)

    before = page.evaluate("() => window.porthole.tiles.get('test').painted")
    began, ended = page.evaluate(BLOCK, 1500)
    acks = backstage(page).evaluate("() => self.acks")

    # If they had to wait for the page there would be none; a machine that is busy as well is slow.
    meanwhile = [seq for seq, at in acks if began < at < ended]
    assert len(meanwhile) >= 2
    assert meanwhile == sorted(set(meanwhile))
    wait_for(
        page,
        "([target]) => window.porthole.tiles.get('test').painted >= target",
        [before + len(meanwhile)],
    )
    wait_to_see(lambda: (page.evaluate(READ_TIME, "canvas") or 9999) < 1500)


def test_acknowledgements_thin_out(start_server: Start, page: Page) -> None:
    """A page that keeps up acknowledges two pictures at a time."""
    server = start_server("test:?size=160x90&fps=25")
    page.goto(server.url)
    wait_for_paint(page, "test")
    backstage(page).evaluate(KEEP_ACKS)

    def thinned() -> bool:
        count = "() => self.acks.splice(0).length"
        backstage(page).evaluate(count)
        wait_for_paint(page, "test", 10)
        return bool(backstage(page).evaluate(count) < 8)

    # A moment's hiccup takes it back for some seconds.
    wait_until(thinned, 3 * PATIENCE_S)


@pytest.mark.parametrize(
    ("fps", "hold", "round_trip", "expected"),
    [
        (30, 8, 1, True),
        (60, 3, 1, True),
        (60, 9, 1, False),
        (30, 8, 12, False),
        (30, 8, None, False),
        (15, 8, 1, False),
    ],
    ids=["keeps up", "fast", "too fast", "long link", "link unknown", "past the deadline"],
)
def test_when_acknowledgements_may_thin_out(
    blank: Page, fps: int, hold: float, round_trip: float | None, expected: bool
) -> None:
    """One may cover two pictures when that leaves time, and after two seconds of proof."""
    run = {"seconds": 5, "fps": fps, "hold": hold, "roundTrip": round_trip}
    ((thin_after_s, covered),) = blank.evaluate(RUN_THINNING, [[run], 2])

    assert (thin_after_s is not None) == expected
    assert covered == (2 if expected else 1)
    assert thin_after_s is None or 2 <= thin_after_s < 3


def test_a_gap_ends_thinning_for_longer_each_time(blank: Page) -> None:
    """Where thinning costs pictures it is tried less and less often."""
    steady = {"seconds": 20, "fps": 30, "hold": 8, "roundTrip": 1}
    runs = blank.evaluate(RUN_THINNING, [[steady] + 3 * [{**steady, "gap": True}], 2])

    assert [round(seconds) for seconds, _ in runs] == [2, 4, 8, 16]


@pytest.mark.parametrize(
    ("fps", "hold", "round_trip", "expected"),
    [
        (30, 8, 1, 4),
        (15, 8, 1, 3),
        (10, 8, 1, 2),
        (5, 8, 1, 2),
        (5, 60, 50, 1),
        (4, 8, 1, 1),
        (30, 8, 12, 1),
    ],
    ids=[
        "keeps up",
        "all in flight",
        "window of two",
        "within 250 ms",
        "too late for the third",
        "too slow a camera",
        "long link",
    ],
)
def test_a_wider_window_allows_four_frames_for_one_acknowledgement(
    blank: Page, fps: int, hold: float, round_trip: float, expected: int
) -> None:
    """As many as may be in flight and come in 250 ms, where the link is quick."""
    run = {"seconds": 8, "fps": fps, "hold": hold, "roundTrip": round_trip}
    ((_, covered),) = blank.evaluate(RUN_THINNING, [[run], 6])

    assert covered == expected


@pytest.mark.parametrize(
    ("fps", "expected"), [(30, 6), (25, 5), (15, 3)], ids=["keeps up", "all in flight", "few"]
)
def test_six_frames_of_video_share_an_acknowledgement(blank: Page, fps: int, expected: int) -> None:
    """They are small, and what of them is in flight is limited by time; JPEG is four again."""
    run = {"seconds": 10, "fps": fps, "hold": 8, "roundTrip": 1}
    (_, covered), (_, after) = blank.evaluate(RUN_THINNING, [[{**run, "video": True}, run], 8])

    assert (covered, after) == (expected, min(expected, 4))


def test_no_acknowledgement_waits_for_ever(blank: Page) -> None:
    """When no second picture comes, the first is acknowledged all the same."""
    assert blank.evaluate(RUN_ACKNOWLEDGER) == 1


@pytest.mark.skipif(WITHOUT_WEBCODECS, reason="then there is no policy")
def test_the_policy_allows_the_worker(share_server: Start, new_context: NewContext) -> None:
    """Under the page's own security policy it paints in a worker, and nothing is refused."""
    page = new_context().new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))

    page.goto(share_server(SMALL).url)
    expect_state(page, "test", "live")

    assert len(page.workers) == 1
    assert complaints == []


def test_a_login_opens_the_line_of_the_worker(
    start_server: Start, page: Page, tmp_path: Path
) -> None:
    """The connection that the worker opens is that of whoever is logged in on the page."""
    people = UsersFile(tmp_path / "state")
    people.add_user("ada", "operator", None, PASSWORD)
    server = start_server(SMALL)

    page.goto(server.url)
    page.locator("[name=name]").fill("ada")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    wait_for_paint(page, "test")

    assert len(page.workers) == 1
    expect(page.locator("[data-link-word]")).to_have_text("Connected")


def test_every_state_is_told_in_words(start_server: Start, connect: Connect, page: Page) -> None:
    """Live, stopped and retrying tiles say so, with the reason."""
    server = start_server(SMALL, f"halted={SMALL}", "ghost=/no/such/file.mp4")
    operator = connect(server)
    operator.call("stop", {"camera": "halted"})

    page.goto(server.url)

    expect_state(page, "test", "live")
    expect_state(page, "halted", "stopped")
    expect_state(page, "ghost", "retrying")
    expect(tile(page, "test")).to_contain_text("Live")
    expect(tile(page, "halted")).to_contain_text("Stopped")
    expect(tile(page, "ghost")).to_contain_text("there is no file /no/such/file.mp4")


def test_keys_focus_stop_and_start(start_server: Start, connect: Connect, page: Page) -> None:
    """`2` focuses the second tile, space stops and starts it, Esc goes back."""
    server = start_server(f"one={SMALL}", f"two={SMALL}")
    page.goto(server.url)
    wait_for_paint(page, "two")

    page.keyboard.press("2")
    expect(page.locator("[data-panel]")).to_be_visible()
    page.keyboard.press("Space")
    expect_state(page, "two", "stopped")
    page.keyboard.press("Space")
    expect_state(page, "two", "live")
    page.keyboard.press("Escape")

    expect(page.locator("[data-panel]")).to_be_hidden()
    assert camera_state(connect(server), "one")["state"] == "live"


def test_sliders_change_the_camera(start_server: Start, connect: Connect, page: Page) -> None:
    """The quality slider and the fps field reach the camera, and show what it says back."""
    server = start_server(SMALL)
    viewer = connect(server)
    page.goto(server.url)
    wait_for_paint(page, "test")
    page.keyboard.press("1")
    show_tab(page, "Image")

    quality = page.locator("#quality-slider")
    quality.focus()
    for _ in range(5):
        quality.press("ArrowLeft")
    wait_for_camera(viewer, "test", quality=75)
    fps = page.get_by_label("Frames per second")
    fps.fill("5")
    fps.press("Enter")
    wait_for_camera(viewer, "test", fps=5)
    viewer.call("quality", {"camera": "test", "quality": 42})

    expect(quality).to_have_value("42")


def test_keys_are_letters_while_typing(share_server: Start, connect: Connect, page: Page) -> None:
    """Digits typed into a field do not move the focus to another camera."""
    server = share_server(f"one={SMALL}", f"two={SMALL}")
    page.goto(server.url)
    wait_for_paint(page, "one")
    page.keyboard.press("1")
    show_tab(page, "Image")

    field = page.get_by_label("JPEG quality, 1 to 100")
    field.focus()
    field.press("2")

    expect(page.locator("#panel-title")).to_have_text("one", ignore_case=True)


def test_a_snapshot_is_the_whole_picture(
    share_server: Start, page: Page, place: str, tmp_path: Path
) -> None:
    """`s` saves the picture on screen in full size, under the camera's name and the time."""
    server = share_server("front-door=test:?fps=10")
    page.goto(server.url)
    wait_for_paint(page, "front-door")
    page.keyboard.press("1")

    with page.expect_download() as started:
        page.keyboard.press("s")
    download = started.value
    download.save_as(tmp_path / "shot.jpg")

    assert download.suggested_filename.startswith("front-door-2")
    assert download.suggested_filename.endswith(".jpg")
    saved = cv2.imread(str(tmp_path / "shot.jpg"))
    assert saved is not None
    # Whatever rendition is on the screen.
    assert saved.shape == (720, 1280, 3)


def test_help_opens_with_a_question_mark(share_server: Start, page: Page) -> None:
    """`?` shows the keys, and Esc closes them."""
    page.goto(share_server(SMALL).url)
    wait_for_paint(page, "test")

    page.keyboard.press("?")
    expect(page.locator("[data-help]")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.locator("[data-help]")).to_be_hidden()


def test_quit_asks_first(start_server: Start, page: Page) -> None:
    """The server is shut down from the page, but only after a second yes."""
    server = start_server(SMALL)
    page.goto(server.url)
    wait_for_paint(page, "test")

    page.keyboard.press("i")
    page.locator("[data-open-quit]").click()
    page.get_by_role("button", name="Keep running").click()
    wait_for_paint(page, "test", 5)
    page.locator("[data-open-quit]").click()
    page.locator("[data-quit]").get_by_role("button", name="Shut down").click()

    assert server.wait(5) == 0
    expect(page.locator("[data-banner]")).to_be_visible()


def test_the_page_resumes_when_the_server_is_back(start_server: Start, page: Page) -> None:
    """A killed server is shown as gone; its successor's pictures appear without a reload.

    One that was shut down had closed its cameras: that nobody watched is not what is wrong.
    """
    server = start_server(SMALL)
    page.goto(server.url + "?camera=test")
    wait_for_paint(page, "test")

    assert server.stop() == 0
    expect(page.locator("[data-banner]")).to_be_visible()
    expect_state(page, "test", "gone")
    expect(page.locator("[data-panel] [data-field='reason']")).to_have_text("Reconnecting")
    start_server(SMALL, "--port", str(server.port))

    wait_for_paint(page, "test", 10)
    expect_state(page, "test", "live")
    expect(page.locator("[data-banner]")).to_be_hidden()


def test_plots_come_when_the_server_is_back(start_server: Start, page: Page) -> None:
    """Opened for the first time while the server was gone, plots never came: that was kept."""
    server = start_server(SMALL)
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.goto(server.url)
    # Plots are drawn once there are figures. These come once a second, pictures ten times.
    wait_for(page, "window.porthole?.tiles.get('test')?.painted > 30")
    server.kill()
    expect_state(page, "test", "gone")

    page.keyboard.press("i")
    wait_until(lambda: page.wait_for_timeout(50) or any("uPlot" in url for url in failed))
    start_server(SMALL, "--port", str(server.port))

    drawing = page.get_by_role("dialog", name="System").locator(".u-wrap canvas").first
    expect(drawing).to_be_visible()


def test_what_is_off_screen_is_not_watched(
    start_server: Start, connect: Connect, page: Page
) -> None:
    """Tiles below the fold cost nothing until they are scrolled to."""
    server = start_server(*(f"cam-{number}={SLOW}" for number in range(12)))
    viewer = connect(server)
    page.set_viewport_size({"width": 360, "height": 640})
    page.goto(server.url)
    wait_for_paint(page, "cam-0")

    wait_for_camera(viewer, "cam-11", viewers=0, state="idle")
    tile(page, "cam-11").scroll_into_view_if_needed()
    wait_for_paint(page, "cam-11")

    wait_for_camera(viewer, "cam-0", viewers=0)


def test_a_hidden_tab_is_no_viewer(start_server: Start, connect: Connect, page: Page) -> None:
    """When the page says it is hidden the room is left, and joined again when it is shown."""
    server = start_server(SMALL)
    viewer = connect(server)
    page.goto(server.url)
    wait_for_paint(page, "test")

    # Headless Chromium never hides a tab; the page hears what a browser would tell it.
    page.evaluate(
        """() => {
          const pretend = (name, value) =>
            Object.defineProperty(document, name, { value, configurable: true });
          pretend('visibilityState', 'hidden');
          pretend('hidden', true);
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    wait_for_camera(viewer, "test", viewers=0)
    page.evaluate(
        """() => {
          delete document.visibilityState;
          delete document.hidden;
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )

    wait_for_paint(page, "test", 5)


def test_an_undecodable_picture_stops_nothing(share_server: Start, page: Page, place: str) -> None:
    """After bytes that are no JPEG the page acknowledges all the same, and paints the next."""
    server = share_server("test:?size=320x180&fps=15")
    page.goto(server.url)
    wait_for_paint(page, "test")

    # Nobody can tell a broken picture from a whole one before trying to decode it.
    backstage(page).evaluate(
        """() => {
          const decode = self.createImageBitmap;
          self.broken = 0;
          self.createImageBitmap = (...all) => (
            (self.broken += 1) % 2 ? Promise.reject(new Error('broken')) : decode(...all)
          );
        }"""
    )
    wait_for_paint(page, "test", 20)

    assert backstage(page).evaluate("() => self.broken") > 20


def test_pictures_are_on_the_screen(share_server: Start, page: Page, place: str) -> None:
    """What is on the canvas is what people see, fitted into its glass whatever its ratio."""
    server = share_server("wide=test:?size=640x360&fps=10", "tall=test:?size=360x640&fps=10")
    # All glasses are equal there.
    page.goto(server.url + "?layout=2x2")

    for name in ("wide", "tall"):
        wait_for_paint(page, name)
        glass = page.locator(f'[data-camera="{name}"] .viewport').screenshot()
        shown = cv2.imdecode(np.frombuffer(glass, np.uint8), cv2.IMREAD_COLOR)
        assert shown is not None
        height, width = shown.shape[:2]
        middle = shown[height // 3 : 2 * height // 3, 2 * width // 5 : 3 * width // 5]
        assert middle.std() > 15, "the glass is empty"
        edge = shown[height // 2, width // 20]
        assert (edge.max() < 40) == (name == "tall"), edge


def test_nothing_overflows(share_server: Start, page: Page) -> None:
    """On a phone, a laptop and a wall the page scrolls one way at most: down."""
    server = share_server(f"one={SLOW}", f"two={SLOW}", "ghost=/no/such/file.mp4")
    page.goto(server.url)
    wait_for_paint(page, "one")

    for width, height in ((360, 740), (1280, 800), (2560, 1440)):
        page.set_viewport_size({"width": width, "height": height})
        for key in ("Escape", "1"):
            page.keyboard.press(key)
            shown = page.evaluate("() => document.documentElement.scrollWidth")
            assert shown <= width, (width, key)


def test_the_page_works_under_a_prefix(share_server: Start, page: Page) -> None:
    """Behind a proxy that strips a prefix everything works, and nothing asks for the root."""
    server = share_server(SMALL)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))

    with PrefixProxy(server.port, b"/cams/") as proxy:
        page.goto(f"http://127.0.0.1:{proxy.port}/cams/")
        wait_for_paint(page, "test", 10)
        page.goto("about:blank")

    assert len(asked) > 5
    elsewhere = [url for url in asked if "/cams/" not in url]
    assert [url for url in elsewhere if not url.startswith(("about:", "blob:"))] == []
