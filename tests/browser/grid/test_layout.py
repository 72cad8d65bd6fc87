"""How tiles are laid out, ordered and filtered."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browser.chromium import (
    expect_state,
    in_module,
    tile,
    wait_for,
    wait_for_paint,
)
from tests.support.browser.fingers import middle, touch
from tests.support.browser.kept_context import lasting_port
from tests.support.browser.tiles import expect_names, names
from tests.support.servers.server import PortholeServer

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """One server with ten cameras of three shapes, the last of them broken."""
    named = [f"{name}={source}" for name, source in CAMERAS.items()]
    state = tmp_path_factory.mktemp("page") / "state"
    server = PortholeServer("--port", lasting_port(), *named, state=state, environment={})
    yield server
    assert server.stop() == 0


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
    """Tiles keep their order, stay inside without overlap, and have one height in each row."""
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
        # All rows begin and end at the same edges; on a scrolling page, at the page's.
        edges = {(row[0]["x"], row[-1]["x"] + row[-1]["width"]) for row in rows.values()}
        assert len(edges) == 1
        assert not scrolls or edges == {(0, width)}
    if not scrolls:
        # As large as possible: no row could be taller in the available width or height.
        used = max(sum(box["width"] for box in row) + 12 * (len(row) - 1) for row in rows.values())
        assert used > width - 3 or max(ends) - min(rows) > height - len(rows) - 2


def test_arrows_and_drops_find_the_neighbouring_tile(blank: Page) -> None:
    """An arrow leads to the neighbour on that side; a dropped tile goes beside the nearest one."""
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


def test_order_survives_added_and_missing_cameras(blank: Page) -> None:
    """New cameras are appended, and one that returns takes its old place."""

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


def test_layout_shows_and_remembers_its_pages(server: PortholeServer, page: Page) -> None:
    """Two by two shows four at a time, only these are watched, and a reload keeps them."""
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


def test_cameras_are_reordered_by_mouse_and_keyboard(server: PortholeServer, page: Page) -> None:
    """The order stays in this browser until it is reset; a drag does not open the tile."""
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


def test_long_press_drags_a_tile(server: PortholeServer, new_context: NewContext) -> None:
    """After a long press a tile follows the finger; a tap opens it."""
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


def test_kiosk_shows_only_pictures(server: PortholeServer, page: Page) -> None:
    """A kiosk has the named cameras in order, no bars, a message for a missing one, no controls."""
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


def test_view_menu_copies_a_kiosk_link(server: PortholeServer, page: Page) -> None:
    """The view menu copies a link to a kiosk of the current view."""
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


def test_cameras_are_filtered_by_name_and_state(server: PortholeServer, page: Page) -> None:
    """Typing filters by name, chips by state; an empty result is explained and can be undone."""
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
