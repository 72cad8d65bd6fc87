"""What people do with the page: lay out, order, link, look closer, filter, copy, install."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Locator, Page, expect

from server.users.users import UsersFile
from tests.support.browser.chromium import (
    expect_state,
    in_module,
    tile,
    wait_for,
    wait_for_paint,
    wait_to_see,
)
from tests.support.browser.visitor import PASSWORD
from tests.support.network.proxies import PrefixProxy
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]
NewContext = Callable[..., BrowserContext]

WIDE, PLAIN, TALL = (f"test:?size={size}&fps=2" for size in ("320x180", "320x240", "240x320"))

CAMERAS = {
    "door": WIDE,
    "yard": PLAIN,
    "hall": TALL,
    "bench": WIDE,
    "printer": PLAIN,
    "gate": WIDE,
    "roof": WIDE,
    "lift": TALL,
    "drive": WIDE,
    "ghost": "/no/such/file.mp4",
}

# When fingers do something, Unix seconds.
MOMENTS = itertools.count(time.time(), 0.05)

# Runs a function with the named exports of one of the page's own modules.

# What another browser remembers, put there before its first page.
OTHER_BROWSER = """if (!sessionStorage.begun) {
  sessionStorage.begun = 'yes';
  localStorage.setItem('porthole.layout', '"2x2"');
  localStorage.setItem('porthole.order', '["lift", "gate"]');
  localStorage.setItem('porthole.sizes', '{"roof": "full"}');
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """One server with ten cameras of three shapes, the last of them broken."""
    named = [f"{name}={source}" for name, source in CAMERAS.items()]
    state = tmp_path_factory.mktemp("page") / "state"
    server = PortholeServer("--port", "0", *named, state=state, environment={})
    yield server
    assert server.stop() == 0


@pytest.fixture
def pair(share_server: Start) -> PortholeServer:
    """Another one with the first two: ten pictures take more than half of the time of a page."""
    return share_server(f"door={WIDE}", f"yard={PLAIN}")


def names(page: Page) -> list[str]:
    """Return the cameras that are shown in the grid, in their order."""
    shown = "all => all.filter(one => !one.hidden).map(one => one.dataset.camera)"
    found: list[str] = page.locator(".tile[data-camera]").evaluate_all(shown)
    return found


def expect_names(page: Page, *expected: str) -> None:
    wait_to_see(lambda: names(page) == list(expected))


def middle(locator: Locator) -> tuple[float, float]:
    box = locator.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


# --- What needs no camera ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "width", "height", "scrolls"),
    [
        (1, 1248, 640, False),
        (4, 1888, 960, False),
        (7, 1248, 640, False),
        (12, 1888, 960, False),
        (6, 370, 720, True),
        (12, 370, 720, True),
        (30, 1248, 640, True),
        (3, 60, 20, True),
    ],
)
def test_rows_are_justified(
    blank: Page, count: int, width: int, height: int, scrolls: bool
) -> None:
    """Tiles keep their order, lie inside and apart, and are equally high within a row."""
    ratios = [(16 / 9, 4 / 3, 3 / 4)[index % 3] for index in range(count)]
    room = {"ratios": ratios, "width": width, "height": height, "gap": 12}

    packed = in_module(
        blank, "grid/layout", "({ packRows }, room) => packRows(room)", room | {"minHeight": 136}
    )

    boxes = packed["boxes"]
    assert len(boxes) == count
    assert (packed["height"] > height) == scrolls
    rows: dict[float, list[dict[str, float]]] = {}
    for box in boxes:
        rows.setdefault(box["y"], []).append(box)
    for row in rows.values():
        assert len({box["height"] for box in row}) == 1
        for left, right in itertools.pairwise(row):
            assert abs(left["x"] + left["width"] + 12 - right["x"]) <= 1
    ends = [max(box["y"] + box["height"] for box in row) for row in rows.values()]
    for end, begin in zip(ends, list(rows)[1:], strict=False):
        assert end + 12 <= begin + 1
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width + 1 for box in boxes)
    assert boxes == sorted(boxes, key=lambda box: (box["y"], box["x"]))
    for box, ratio in zip(boxes, ratios, strict=True):
        assert box["width"] == pytest.approx(ratio * box["height"], abs=2)
    if height > 136:
        # All rows begin and end where the others do; of a page that scrolls, at its edges.
        edges = {(row[0]["x"], row[-1]["x"] + row[-1]["width"]) for row in rows.values()}
        assert len(edges) == 1
        assert not scrolls or edges == {(0, width)}
    if not scrolls:
        # Large: no row could be taller in the width or the height that there is.
        used = max(sum(box["width"] for box in row) + 12 * (len(row) - 1) for row in rows.values())
        assert used > width - 3 or max(ends) - min(rows) > height - len(rows) - 2


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
    """Codec, size, rate, bitrate and key frames, with a dash for what is not known."""
    body = "({ describeSource }, source) => describeSource(source)"

    shown = in_module(blank, "camera/source", body, source)

    assert shown.replace("\N{NO-BREAK SPACE}", " ") == words


def test_neighbours_and_drops(blank: Page) -> None:
    """An arrow leads to what lies there; what is dropped goes beside the nearest tile."""
    # Two wide ones over three narrow ones, and one alone below them.
    boxes = [
        {"x": x, "y": y, "width": width, "height": 90}
        for x, y, width in [
            *((0, 0, 145), (155, 0, 145)),
            *((0, 100, 90), (105, 100, 90), (210, 100, 90)),
            (0, 200, 300),
        ]
    ]

    moves = in_module(
        blank,
        "grid/layout",
        "({ neighbour }, boxes) => [[0, 'down'], [1, 'down'], [3, 'up'], [4, 'up'], [2, 'right'],"
        " [0, 'left'], [5, 'down'], [4, 'right'], [5, 'up']]"
        ".map(([index, by]) => neighbour(boxes, index, by))",
        boxes,
    )
    drops = in_module(
        blank,
        "grid/layout",
        "({ dropPlace }, boxes) => [[5, 40], [140, 40], [150, 140], [500, 140], [10, 280]]"
        ".map(([x, y]) => dropPlace(boxes, { x, y })).map((drop) => Object.values(drop))",
        boxes,
    )

    assert moves[1:] == [4, moves[2], 1, 3, 0, 5, 5, 3]
    assert moves[0] == 2
    assert drops == [
        [0, False, True],
        [0, True, True],
        [3, False, True],
        [4, True, True],
        [5, True, False],
    ]


def test_order_survives_what_comes_and_goes(blank: Page) -> None:
    """New cameras are last, and one that is away comes back to where it was."""

    results = in_module(
        blank,
        "grid/order",
        """({ inOrder, moveBefore, keepAbsent }) => [
          inOrder(['c', 'gone', 'a'], ['a', 'b', 'c', 'd']),
          moveBefore(['a', 'b', 'c'], 'c', 'a'),
          moveBefore(['a', 'b', 'c'], 'a', null),
          moveBefore(['a', 'b', 'c'], 'b', 'b'),
          keepAbsent(['c', 'gone', 'a'], ['a', 'c', 'b']),
          keepAbsent(['gone', 'away', 'a'], ['b', 'a']),
        ].map((names) => names.join(' '))""",
    )

    assert results == ["c a b d", "c a b", "b c a", "a b c", "a c gone b", "gone away b a"]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (
            "",
            {
                "layout": None,
                "page": 1,
                "camera": None,
                "kiosk": False,
                "state": "all",
                "group": "",
            },
        ),
        ("?camera=door&layout=2x2&page=2", {"camera": "door", "layout": "2x2", "page": 2}),
        ("?view=kiosk&cameras=b,a,,b", {"kiosk": True, "cameras": ["b", "a"]}),
        ("?view=kiosk&every=0.1", {"rotate": 2, "names": None, "clock": False}),
        ("?view=kiosk&rotate=20&every=9&names=0&clock=1", {"rotate": 20, "names": False}),
        ("?view=kiosk&names=1&clock=1", {"names": True, "clock": True, "rotate": 0}),
        ("?order=b,a,b&size=640&layout=auto&camera=b", {"order": ["b", "a"], "size": "640"}),
        ("?order=&size=huge", {"order": [], "size": None}),
        ("?filter=yard%20a&state=trouble", {"text": "yard a", "state": "trouble"}),
        ("?group=North%20wing&sort=group", {"group": "North wing", "grouped": True}),
        ("?sort=none&patrol=1", {"grouped": False, "patrol": 2}),
        (
            "?patrol=20&through=cameras:door,yard,door",
            {"patrol": 20, "round": {"kind": "cameras", "names": ["door", "yard"]}},
        ),
        ("?patrol=x&through=odd", {"patrol": 0, "round": {"kind": None, "names": []}}),
        ("?layout=9x9&page=-1&state=odd&every=x", {"layout": None, "page": 1, "rotate": 0}),
    ],
)
def test_links_say_what_is_shown(blank: Page, search: str, expected: dict[str, Any]) -> None:
    """An address is read, nonsense left out, and written back so that it reads the same."""

    shown, again, kept = in_module(
        blank,
        "page/deeplink",
        """({ readLink, writeLink }, search) => {
          const shown = readLink(search);
          return [shown, readLink(writeLink(shown)), writeLink({}, search + '&other=1')];
        }""",
        search or "?",
    )

    assert {key: shown[key] for key in expected} == expected
    assert again == shown
    assert kept == "?other=1"


def test_a_camera_may_have_any_name(blank: Page) -> None:
    """What every object in JavaScript has is no choice that somebody made."""
    names = ["constructor", "toString", "hasOwnProperty"]
    chosen = in_module(
        blank, "camera/sizechoice", "(module, all) => all.map(module.chosenSize)", names
    )
    assert chosen == ["auto"] * 3


def test_zoom_never_shows_an_edge(blank: Page) -> None:
    """However a picture is zoomed and dragged, the frame stays filled; small is whole."""

    looks = in_module(
        blank,
        "camera/zoom",
        """({ WHOLE, scaleAbout, moveLook }) => {
          const looks = [];
          const frames = [[800, 400, 1], [300, 500, 2]]
            .map(([width, height, ratio]) => ({ width, height, ratio }));
          for (const frame of frames) {
            for (const scale of [1.01, 1.2, 2, 5, 50]) {
              for (const [x, y] of [[0, 0], [140, -90], [-400, 250]]) {
                let look = scaleAbout(WHOLE, scale, { x, y }, frame);
                look = moveLook(look, x * 9, y * 9, frame);
                const whole = scaleAbout(look, 1.02, { x, y }, frame) === WHOLE;
                looks.push({ frame, look, whole });
              }
            }
          }
          return looks;
        }""",
    )

    for entry in looks:
        frame, look = entry["frame"], entry["look"]
        width = min(frame["width"], frame["height"] * frame["ratio"]) * look["scale"]
        height = min(frame["height"], frame["width"] / frame["ratio"]) * look["scale"]
        for at, size, room in (
            (look["x"], width, frame["width"]),
            (look["y"], height, frame["height"]),
        ):
            assert abs(at) <= max(0, (size - room) / 2) + 1e-6
        assert 1 < look["scale"] <= 8
        assert entry["whole"] or look["scale"] < 1.02


def test_a_swipe_is_wide_level_and_quick(blank: Page) -> None:
    """A finger that scrolls, rests or trembles asks for nothing."""

    strokes = [(-90, 10, 200), (90, -10, 200), (-90, 60, 200), (-30, 0, 100), (-90, 0, 2000)]
    swiped = in_module(
        blank,
        "camera/zoom",
        "({ swipeOf }, strokes) => strokes.map(([dx, dy, ms]) => swipeOf({ dx, dy, ms }))",
        strokes,
    )

    assert swiped == [1, -1, 0, 0, 0]


@pytest.mark.parametrize(
    "script",
    [
        "localStorage.setItem('porthole.layout', '{');"
        "localStorage.setItem('porthole.order', '[1]');",
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('off'); } })",
    ],
    ids=["garbage", "no storage"],
)
def test_what_is_remembered_may_be_missing(pair: PortholeServer, page: Page, script: str) -> None:
    """With garbage in storage, or none, the page is as for the first time, and works."""
    page.add_init_script(script)
    page.goto(pair.url)
    wait_for_paint(page, "door", 1)

    assert names(page) == ["door", "yard"]
    page.keyboard.press("l")
    expect(page.locator("[data-pager]")).to_be_visible()


# --- With cameras -----------------------------------------------------------------------------


def test_layouts_and_pages(server: PortholeServer, page: Page) -> None:
    """Two by two shows four at a time, only these are watched, and a reload remembers it."""
    page.goto(server.url)
    page.locator(".topbar [data-layout='2x2']").click()
    expect_names(page, "door", "yard", "hall", "bench")
    expect(page.locator("[data-pager-count]")).to_have_text("1 / 3")

    page.keyboard.press("PageDown")
    expect_names(page, "printer", "gate", "roof", "lift")
    wait_for_paint(page, "lift")
    wait_for(page, "() => window.porthole.tiles.get('door').fps === 0")
    page.wait_for_url("**/?layout=2x2&page=2")
    page.reload()
    expect_names(page, "printer", "gate", "roof", "lift")
    page.goto(server.url)

    expect_names(page, "door", "yard", "hall", "bench")
    expect(page.locator(".topbar [data-layout='2x2']")).to_have_attribute("aria-pressed", "true")


def test_cameras_are_dragged_into_order(server: PortholeServer, page: Page) -> None:
    """By mouse and by keyboard, for this browser, until it is reset; a drag opens nothing."""
    page.goto(server.url)
    wait_for_paint(page, "door", 1)

    box = tile(page, "door").bounding_box()
    page.mouse.move(*middle(tile(page, "hall")))
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 50, steps=4)
    page.mouse.move(box["x"] + 10, box["y"] + 50, steps=2)
    page.mouse.up()
    expect_names(page, "hall", "door", "yard", *list(CAMERAS)[3:])
    expect(page.locator("[data-grid]")).to_have_attribute("data-view", "grid")

    tile(page, "yard").locator(".tile-open").focus()
    page.keyboard.press("Shift+ArrowLeft")
    expect_names(page, "hall", "yard", "door", *list(CAMERAS)[3:])
    expect(tile(page, "yard").locator(".tile-open")).to_be_focused()
    expect(page.locator("[data-announcer]")).to_contain_text("yard: position 2 of 10")
    page.reload()
    expect_names(page, "hall", "yard", "door", *list(CAMERAS)[3:])

    page.locator("[popovertarget='view-menu']").click()
    page.get_by_role("button", name="Reset order").click()
    expect_names(page, *CAMERAS)


def test_a_finger_drags_after_a_rest(server: PortholeServer, new_context: NewContext) -> None:
    """Held, a tile comes along; a tap opens it."""
    context = new_context(viewport={"width": 900, "height": 700}, has_touch=True)
    page = context.new_page()
    page.goto(server.url)
    wait_for_paint(page, "door", 1)
    fingers = context.new_cdp_session(page)

    box = tile(page, "door").bounding_box()
    touch(fingers, "touchStart", middle(tile(page, "yard")))
    expect(tile(page, "yard")).to_have_attribute("data-dragged", "")
    touch(fingers, "touchMove", (box["x"] + 10, box["y"] + 50))
    touch(fingers, "touchEnd")
    expect_names(page, "yard", "door", *list(CAMERAS)[2:])
    page.touchscreen.tap(*middle(tile(page, "door")))

    expect(page.locator("#panel-title")).to_have_text("door")


def test_links_and_the_way_back(pair: PortholeServer, page: Page) -> None:
    """A camera in the address is in focus; Back leaves a focus that was gone into, as Esc does."""
    page.goto(pair.url + "?camera=yard&keep=1")
    expect(page.locator("#panel-title")).to_have_text("yard")
    page.keyboard.press("Escape")
    page.wait_for_url("**/?keep=1")

    page.keyboard.press("1")
    page.wait_for_url("**/?keep=1&camera=door")
    page.keyboard.press("PageDown")
    page.wait_for_url("**/?keep=1&camera=yard")
    page.go_back()
    expect(page.locator("[data-panel]")).to_be_hidden()
    assert page.url.endswith("/?keep=1")
    page.go_forward()
    expect(page.locator("#panel-title")).to_have_text("yard")
    page.keyboard.press("Escape")
    page.wait_for_url("**/?keep=1")

    page.goto(pair.url + "?camera=nobody")
    expect(page.locator("[data-toasts]")).to_contain_text("There is no camera “nobody” here.")


def test_a_copied_link_shows_the_same_in_another_browser(
    server: PortholeServer, page: Page, new_context: NewContext
) -> None:
    """The other browser has a layout, an order and sizes of its own; the link says all of the view.

    It changes nothing of what that browser remembers, and a reload shows the same again.
    """
    page.goto(server.url + "?filter=o&state=running")
    expect_names(page, "door", "roof")
    page.locator(".tile[data-camera='roof'] .tile-open").focus()
    page.keyboard.press("Shift+ArrowLeft")
    expect_names(page, "roof", "door")
    page.locator("[popovertarget='view-menu']").click()
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.locator("[data-view-act='copy']").click()
    wait_for(page, "window.copied")
    grid = page.evaluate("window.copied")
    page.keyboard.press("1")
    page.locator("#size-choice").select_option("auto")
    page.locator("[popovertarget='view-menu']").click()
    page.locator("[data-view-act='copy']").click()
    wait_for(page, "(before) => window.copied !== before", grid)
    focus = page.evaluate("window.copied")

    page.goto("about:blank")  # Two pages of ten cameras are slow together.
    context = new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True)
    other = context.new_page()
    other.add_init_script(OTHER_BROWSER)
    for _ in range(2):
        other.goto(grid) if other.url != grid else other.reload()
        expect_names(other, "roof", "door")
        expect(other.locator(".topbar [data-layout='auto']")).to_have_attribute(
            "aria-pressed", "true"
        )
    other.goto(focus)
    expect(other.locator("#panel-title")).to_have_text("roof")
    expect(other.locator("#size-choice")).to_have_value("auto")
    other.goto(server.url)
    expect_names(other, "lift", "gate", "door", "yard")


def test_a_login_leads_back_to_the_view(start_server: Start, page: Page, tmp_path: Any) -> None:
    """Who has to log in first gets to what the address says, and nowhere else."""
    UsersFile(tmp_path / "state").add_user("ada", "viewer", None, PASSWORD)
    server = start_server(f"door={WIDE}", f"yard={WIDE}")

    page.goto(server.url + "?camera=yard&x=%22%3E%0d%0aSet-Cookie:a")
    page.locator("[name=name]").fill("ada")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")

    expect(page.locator("#panel-title")).to_have_text("yard")
    assert [cookie["name"] for cookie in page.context.cookies()] != ["a"]


def test_looking_closer(pair: PortholeServer, page: Page) -> None:
    """A double click, the wheel and keys zoom; dragging pans as far as the edge; 0 is whole."""
    page.goto(pair.url + "?camera=door")
    wait_for_paint(page, "door", 1)
    glass = tile(page, "door").locator(".viewport")
    badge = page.locator(".zoom-badge")

    glass.dblclick(position={"x": 40, "y": 200})
    expect(badge).to_have_text("2.0×")
    page.mouse.move(*middle(glass))
    page.mouse.down()
    page.mouse.move(2000, 2000, steps=3)
    page.mouse.up()
    covers(page, "door")
    page.keyboard.press("+")
    expect(badge).to_have_text("2.5×")
    page.mouse.move(*middle(glass))
    page.mouse.wheel(0, -200)
    expect(badge).to_have_text("3.7×")
    covers(page, "door")
    page.keyboard.press("0")
    expect(badge).to_have_count(0)
    page.keyboard.press("+")
    page.keyboard.press("PageDown")

    expect(page.locator("#panel-title")).to_have_text("yard")
    expect(badge).to_have_count(0)


def test_full_page_without_full_screen(pair: PortholeServer, page: Page) -> None:
    """Where a phone has no full screen the picture takes the page, zooms, and can be left."""
    page.add_init_script("Object.defineProperty(document, 'fullscreenEnabled', { value: false });")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(pair.url + "?camera=door")
    wait_for_paint(page, "door", 1)

    page.locator("[data-action='fullscreen']").click()
    assert tile(page, "door").bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
    tile(page, "door").locator(".viewport").dblclick()
    expect(page.locator(".zoom-badge")).to_have_text("2.0×")
    page.get_by_role("button", name="Done").click()

    expect(page.locator("[data-panel]")).to_be_visible()
    expect(page.locator("[data-full-page]")).to_have_count(0)


def test_full_screen_zooms_too(pair: PortholeServer, page: Page) -> None:
    """A tile that fills the screen out of the grid is looked at closer, and is whole afterwards."""
    page.goto(pair.url)
    wait_for_paint(page, "door", 1)

    tile(page, "door").locator(".tile-open").focus()
    page.keyboard.press("f")
    wait_for(page, "() => document.fullscreenElement?.dataset.camera === 'door'")
    page.keyboard.press("+")
    expect(page.locator(".zoom-badge")).to_have_text("1.3×")
    page.keyboard.press("f")

    expect(page.locator(".zoom-badge")).to_have_count(0)
    expect(page.locator("[data-zoomed]")).to_have_count(0)


def covers(page: Page, camera: str) -> None:
    """The picture reaches over all edges of its glass, in any direction in which it is larger."""
    wait_for(
        page,
        """(camera) => {
          const tile = document.querySelector(`[data-camera="${camera}"]`);
          const [glass, canvas] = ['.viewport', 'canvas']
            .map((part) => tile.querySelector(part).getBoundingClientRect());
          return canvas.left <= glass.left + 1 && canvas.right >= glass.right - 1
            && canvas.top <= glass.top + 1 && canvas.bottom >= glass.bottom - 1;
        }""",
        camera,
    )


def test_fingers_pinch_and_swipe(pair: PortholeServer, new_context: NewContext) -> None:
    """Two fingers zoom, one pans what is zoomed, and one that swipes goes to the next camera."""
    context = new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(pair.url + "?camera=door")
    wait_for_paint(page, "door", 1)
    fingers = context.new_cdp_session(page)
    x, y = middle(tile(page, "door").locator(".viewport"))
    badge = page.locator(".zoom-badge")

    touch(fingers, "touchStart", (x - 20, y), (x + 20, y))
    for spread in (30, 40, 50, 60):
        touch(fingers, "touchMove", (x - spread, y), (x + spread, y))
    touch(fingers, "touchEnd")
    expect(badge).to_have_text("3.0×")
    touch(fingers, "touchStart", (x + 60, y))
    touch(fingers, "touchMove", (x - 60, y))
    touch(fingers, "touchEnd")
    expect(page.locator("#panel-title")).to_have_text("door")
    badge.click()
    expect(badge).to_have_count(0)
    touch(fingers, "touchStart", (x + 60, y))
    touch(fingers, "touchMove", (x, y))
    touch(fingers, "touchMove", (x - 60, y))
    touch(fingers, "touchEnd")

    expect(page.locator("#panel-title")).to_have_text("yard")


def touch(fingers: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
    # However slow the machine is, the fingers are not.
    moment = next(MOMENTS)
    fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at, "timestamp": moment})


def test_a_kiosk_shows_only_pictures(server: PortholeServer, page: Page) -> None:
    """The named cameras in their order, no bars, a plain word on what is missing, no way in."""
    page.goto(server.url + "?view=kiosk&cameras=hall,door,nope")
    wait_for_paint(page, "hall")

    assert names(page) == ["hall", "door"]
    for part in (".topbar", ".caption >> nth=0", ".tile-actions >> nth=0", "[data-pager]"):
        expect(page.locator(part)).to_be_hidden()
    expect(page.locator("[data-kiosk-note]")).to_contain_text("There is no camera “nope” here.")
    tile(page, "door").click()
    page.keyboard.press("1")
    expect(page.locator("[data-grid]")).to_have_attribute("data-view", "grid")
    expect(page.locator("html[data-still]")).to_have_count(1)
    assert (
        page.evaluate("() => getComputedStyle(document.querySelector('.viewport')).cursor")
        == "none"
    )


def test_the_way_to_a_kiosk(server: PortholeServer, page: Page) -> None:
    """The view menu has a link to a kiosk of what one sees, and copies it."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(server.url + "?filter=l&layout=2x2&camera=door")
    page.locator("[popovertarget='view-menu']").click()
    page.keyboard.press("Escape")
    expect(page.locator("[data-view-menu]")).to_be_hidden()
    expect(page.locator("[data-panel]")).to_be_visible()
    page.keyboard.press("Escape")
    expect_names(page, "hall", "lift")

    page.locator("[popovertarget='view-menu']").click()
    page.get_by_role("button", name="Copy kiosk link").click()
    expect(page.locator("[data-toasts]")).to_contain_text("Copied the kiosk link")
    link = page.evaluate("() => navigator.clipboard.readText()")
    page.goto(link)

    assert link == server.url + "?view=kiosk&cameras=hall,lift&layout=2x2"
    expect_names(page, "hall", "lift")


def test_the_filter(server: PortholeServer, page: Page) -> None:
    """By name while one types, by state by chips; nothing found is said, shown, and undone."""
    page.goto(server.url)
    expect_state(page, "ghost", "retrying")

    page.keyboard.press("/")
    page.keyboard.type("RO")
    expect_names(page, "roof")
    expect(page.locator("[data-filter-count]")).to_have_text("1 of 10")
    page.keyboard.type("xyz")
    expect(page.get_by_role("heading", name="No matching cameras")).to_be_visible()
    expect(page.locator("[data-announcer]")).to_contain_text("no matching cameras")
    page.get_by_role("button", name="Show all cameras").click()
    expect_names(page, *CAMERAS)
    page.get_by_role("button", name="Problems").click()

    expect_names(page, "ghost")
    page.wait_for_url("**/?state=trouble")


def test_a_picture_is_copied(pair: PortholeServer, page: Page) -> None:
    """`c` puts the picture onto the clipboard as PNG, in full size."""
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


def test_a_refused_copy_is_told(pair: PortholeServer, page: Page) -> None:
    """Where the browser does not let a page copy, it says so and what to do instead."""
    page.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined });"
        "Object.defineProperty(window, 'isSecureContext', { value: false });"
    )
    page.goto(pair.url + "?camera=yard")
    wait_for_paint(page, "yard")

    page.keyboard.press("c")

    expect(page.locator("[data-toasts]")).to_contain_text("only from pages on https or localhost")


@pytest.mark.parametrize("own_window", [True, False], ids=["document", "video"])
def test_a_camera_pops_out(pair: PortholeServer, page: Page, own_window: bool) -> None:
    """In a small window the camera goes on while the page is hidden, and ends with it."""
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
        # Its keys lead through time there, too.
        press = """(key) => documentPictureInPicture.window.document.body.dispatchEvent(
          new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))"""
        assert page.evaluate(press, "k") is False
        expect_state(page, "yard", "past")
        wait_for(
            page, "() => / s ago/.test(documentPictureInPicture.window.document.body.textContent)"
        )
        page.evaluate(press, "End")
        expect_state(page, "yard", "live")
    # Headless Chromium never hides a tab; the page hears what a browser would tell it.
    page.evaluate(
        """() => {
          Object.defineProperty(document, 'visibilityState', { value: 'hidden' });
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    wait_for_paint(page, "yard", 3)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")

    wait_for(page, "() => window.porthole.tiles.get('yard').fps === 0")


def test_the_page_can_be_installed(pair: PortholeServer, new_context: NewContext) -> None:
    """Chromium would install it, under a path prefix too: manifest, icons, scope."""
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
    # A private window, as tests have it, installs nothing; that must be all there is to say.
    assert [error["errorId"] for error in errors] in ([], ["in-incognito"])
    assert told["manifest"]["startUrl"] == base
    assert told["manifest"]["scope"] == base
    sizes = [icon["sizes"] for icon in json.loads(told["data"])["icons"]]
    assert {"192x192", "512x512"} <= set(sizes)
