"""Groups, saved views and the patrol, on a real page."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from server.users.users import UsersFile
from tests.support.browser.axe import faults
from tests.support.browser.chromium import in_module, log_in, wait_for_paint
from tests.support.browser.kept_context import lasting_port
from tests.support.browser.visitor import PASSWORD
from tests.support.servers.server import PortholeServer, wait_until

CAMERAS = (("door", "Outside"), ("yard", "Outside"), ("safe", "Vault"), ("attic", ""))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """Two groups and a camera without one; ann is an admin, vera sees two cameras."""
    folder = tmp_path_factory.mktemp("views")
    people = UsersFile(folder / "state")
    people.add_user("ann", "admin", None, PASSWORD)
    people.add_user("vera", "viewer", ["door", "attic"], PASSWORD)
    settings = folder / "porthole.toml"
    settings.write_text(
        "\n".join(
            f'[[camera]]\nname = "{name}"\nsource = "test:?size=160x90&fps=2"\n'
            + (f'group = "{group}"\n' if group else "")
            for name, group in CAMERAS
        )
    )
    server = PortholeServer(
        *("--config", str(settings), "--port", lasting_port()),
        state=folder / "state",
        environment={},
    )
    yield server
    assert server.stop() == 0
    assert not [line for line in server.log if "Traceback" in line], server.log


def open_as(server: PortholeServer, page: Page, name: str, query: str = "") -> Page:
    log_in(page, server, name)
    page.goto(server.url + query)
    expect(page.locator("[data-switcher]")).to_be_visible()
    return page


def entries(page: Page, part: str) -> list[str]:
    """Return the entries of a section of the switcher's menu."""
    return page.locator(
        f"#switcher [data-{part}] .menu-item > span:first-child"
    ).all_text_contents()


def shown(page: Page) -> str:
    """Return the cameras shown in the grid, in order."""
    names = "all => all.filter(one => !one.hidden).map(one => one.dataset.camera).join()"
    return str(page.locator(".tile[data-camera]").evaluate_all(names))


def test_views_are_saved_shared_and_restored(
    server: PortholeServer, page: Page, new_context: Callable[..., BrowserContext]
) -> None:
    """A view is saved for everybody, limited for a viewer, renamed, removed and restored."""
    open_as(server, page, "ann")
    vera = open_as(server, new_context(bypass_csp=True).new_page(), "vera")

    page.keyboard.press("v")
    assert entries(page, "groups") == ["All cameras", "Outside", "Vault"]
    assert faults(page, "the menu", "[data-switcher], #switcher") == []
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    expect(page.locator("[data-switcher]")).to_have_accessible_name("Shown: Outside")
    assert shown(page) == "door,yard"
    page.keyboard.press("v")
    page.keyboard.press("End")
    page.get_by_role("button", name="Save this view").click()
    name = page.locator("#view-name")
    expect(name).to_be_focused()
    name.fill("")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("[data-save-view] [data-wrong]")).to_contain_text("1 to 60 characters")
    name.fill("Night watch")
    page.get_by_role("radio", name="Everybody").check()
    page.get_by_role("switch", name="Open the page with this view").check()
    assert faults(page, "the dialog", "[data-save-view]") == []
    name.press("Enter")
    expect(page.get_by_text("Night watch was saved.")).to_be_visible()
    expect(page.locator("[data-switcher-word]")).to_have_text("Night watch")

    vera.keyboard.press("v")
    expect(vera.locator("#switcher [data-shared] .menu-item")).to_have_text("Night watch")
    assert entries(vera, "groups") == ["All cameras", "Outside"]
    vera.get_by_role("button", name="Night watch").click()
    assert shown(vera) == "door"
    assert "yard" not in vera.content()

    page.keyboard.press("v")
    page.get_by_role("button", name="Organise views").click()
    page.get_by_role("button", name="Change Night watch").click()
    page.get_by_role("button", name="Rename", exact=True).click()
    page.get_by_label("New name of Night watch").fill("Dusk")
    page.keyboard.press("Enter")
    expect(page.locator("[data-organise] [data-name]")).to_have_text("Dusk")
    expect(vera.locator("[data-switcher-word]")).to_have_text("Dusk")
    assert faults(page, "the list", "[data-organise]") == []
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("[data-organise] [data-none]")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-organise] [data-name]")).to_have_text("Dusk")
    page.keyboard.press("Escape")

    page.goto(server.url)
    expect(page.locator("[data-switcher]")).to_be_visible()
    expect(page.locator("[data-switcher-word]")).to_have_text("Dusk")
    wait_until(lambda: shown(page) == "door,yard")  # The views may come before the cameras.
    # A view without a name is rejected.
    assert len(page.complaints) == 1  # type: ignore[attr-defined]
    page.complaints.clear()  # type: ignore[attr-defined]
    lines = (Path(server.state) / "audit.log").read_text().splitlines()
    changes = [entry for entry in map(json.loads, lines) if entry["what"].startswith("view")]
    assert [(one["who"], one["what"]) for one in changes] == [
        ("ann", "view add"),
        ("ann", "view change"),
        ("ann", "view remove"),
        ("ann", "view add"),
    ]


def test_keys_work_as_soon_as_the_menu_closes(server: PortholeServer, page: Page) -> None:
    """Keys act right after a menu closes.

    Until the next frame the focus used to stay in the closed menu, and keys had no effect.
    """
    open_as(server, page, "vera")
    expect(page.locator(".tile[data-camera]")).to_have_count(2)

    page.evaluate(
        """() => ['v', 'Escape', 'g'].forEach((key) => document.activeElement.dispatchEvent(
          new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })))"""
    )

    expect(page.locator("[data-switcher]")).to_have_accessible_name("Shown: Outside")


def test_patrol_advances_and_waits_for_open_menus(server: PortholeServer, page: Page) -> None:
    """A patrol announces the next view, waits for a menu, is in the URL, and ends with its key."""
    open_as(server, page, "ann", "?layout=1&group=Outside")
    wait_for_paint(page, "door", 1)
    page.keyboard.press("a")
    expect(page.get_by_role("radio", name="Pages")).to_be_checked()
    page.get_by_label("Seconds for each").fill("1")
    page.keyboard.press("Enter")
    expect(page.locator("[data-patrol-dialog] [data-wrong]")).to_have_text(
        "Choose 2 to 3600 seconds."
    )
    assert faults(page, "the dialog of a patrol", "[data-patrol-dialog]") == []
    page.get_by_label("Seconds for each").fill("2")
    page.keyboard.press("Enter")
    bar = page.locator("[data-patrol]")
    expect(bar).to_contain_text("Page 2 of 2")
    expect(page).to_have_url(re.compile("patrol=2&through=pages"))
    expect(bar).to_contain_text("Page 1 of 2")
    assert shown(page) == "yard"

    page.keyboard.press("v")
    expect(bar).to_contain_text("waits")
    # Check it now: doing so may take longer than a page is shown.
    assert faults(page, "the patrol", "[data-patrol]") == []
    page.wait_for_timeout(2600)
    assert shown(page) == "yard"
    page.keyboard.press("Escape")
    expect(bar).to_contain_text("Page 2 of 2")
    page.keyboard.press("a")
    expect(bar).to_be_hidden()
    expect(page).not_to_have_url(re.compile("patrol"))


def test_turner_waits_for_users_and_pictures(blank: Page) -> None:
    """Pages turn when time is up, but not while in use; loading delays a turn only for a while."""
    turns = in_module(
        blank,
        "views/turner",
        """async ({ Turner }) => {
          const real = [performance.now, window.setInterval];
          let now = 0, tick;
          performance.now = () => now;
          window.setInterval = (act) => { tick = act; return 1; };
          let held = false, ready = true, turned = [];
          const turner = new Turner({
            turn: () => turned.push(now),
            isHeld: () => held, isReady: () => ready, onTick: () => {},
          });
          const go = (until) => { while (now < until) { now += 250; tick(); } };
          turner.start(2);
          go(4000);
          window.dispatchEvent(new Event('pointerdown')); go(9000);
          window.dispatchEvent(new Event('pointerup')); go(11000);
          now += 0; window.dispatchEvent(new Event('keydown')); go(12500);
          held = true; go(20000); held = false; go(22000);
          ready = false; go(25000); ready = true; go(25250);
          ready = false; go(38000);
          [performance.now, window.setInterval] = real;
          return turned;
        }""",
    )

    assert turns == [2000, 4000, 11000, 22000, 25250, 37500]


def test_next_group_and_view_follow_in_order(blank: Page) -> None:
    """Groups follow their cameras' order, then all cameras; a patrol starts over at its end."""
    groups = in_module(
        blank,
        "views/groups",
        """({ groupsOf, groupAfter }) => [
          groupsOf([{ group: 'B' }, { group: '' }, { group: 'A' }, { group: 'B' }]),
          groupsOf([{ group: '' }]),
          ['', 'B', 'A', 'gone'].map((now) => groupAfter(['B', 'A'], now)),
        ]""",
    )
    nexts = in_module(
        blank,
        "views/round",
        """({ nextOf }) => [
          nextOf(['a', 'b'], 'a'), nextOf(['a', 'b'], 'b'), nextOf(['a', 'b'], undefined),
          nextOf(['a'], 'a') ?? null, nextOf([], 'a') ?? null, nextOf(['b'], 'gone'),
        ]""",
    )

    assert groups == [
        [{"name": "B", "count": 2}, {"name": "A", "count": 1}],
        [],
        ["B", "A", "", ""],
    ]
    assert nexts == ["b", "a", "a", None, None, "b"]


def test_groups_are_shown_alone_or_together(blank: Page) -> None:
    """One group keeps its own order; all groups are sorted by first camera, ungrouped ones last."""
    shown = in_module(
        blank,
        "grid/arrangement",
        """({ Arrangement }) => {
          const groups = { a: 'B', b: '', c: 'A', d: 'B' };
          const cameras = Object.entries(groups).map(
            ([name, group]) => ({ name, title: name, group, condition: 'live' }),
          );
          const arrangement = new Arrangement();
          const look = (shown) => {
            arrangement.show({ group: '', text: '', ...shown });
            return arrangement.pick(cameras).map(({ name }) => name).join('');
          };
          return [
            look({ group: 'B' }), look({ group: 'gone' }), look({ text: 'b' }),
            look({ grouped: true }), look({ order: ['c', 'b'] }), look({ grouped: false }),
          ];
        }""",
    )

    assert shown == ["ad", "", "abd", "adcb", "cadb", "cbad"]


def test_local_views_follow_the_servers_rules(blank: Page) -> None:
    """Views are inserted, renamed, moved and removed; a taken or empty name is rejected."""
    results = in_module(
        blank,
        "views/local",
        """({ NONE, addView, changeView, checkKept, removeView }) => {
          const view = (id, name, at) => ({ id, name, query: 'layout=1', at });
          const add = (kept, ...values) => addView(kept, view(...values)).kept;
          const three = add(add(add(NONE, '1', ' One '), '2', 'Two'), '3', 'Three', 0);
          const names = ({ views }) => views.map(({ name }) => name).join();
          return [
            names(three), names(changeView(three, '1', { at: 2 }).kept),
            names(changeView(three, '1', { name: 'ONE' }).kept), names(removeView(three, '3')),
            addView(three, view('4', 'two')).wrong, changeView(three, '9', { name: 'x' }).wrong,
            addView(NONE, view('1', ' ')).wrong,
            checkKept(three) !== null, checkKept({ views: [{ id: 1 }] }), checkKept('junk'),
          ];
        }""",
    )

    assert results == [
        *("Three,One,Two", "Three,Two,One", "Three,ONE,Two", "One,Two"),
        "There is already a view with this name; choose another one.",
        "This view has been removed.",
        "A name has 1 to 60 characters.",
        *(True, None, None),
    ]


def test_view_is_described_in_words(blank: Page) -> None:
    """A view is described by its settings; one that differs only in camera and page is the same."""
    told = in_module(
        blank,
        "views/describe",
        """({ describeView, isSameView }) => [
          describeView('layout=2x2&group=Yard&page=2&order=a,b', (name) => name),
          describeView('camera=door&filter=x&state=trouble&patrol=5&sort=group', () => 'Door'),
          isSameView('layout=1&order=', 'camera=a&layout=1&page=3'),
          isSameView('layout=1', 'layout=2x2'), isSameView('sort=none', ''),
        ]""",
    )

    assert told == [
        "Two by two · Yard · page 2 · custom order of 2 cameras",
        "Door · “x” · problems · by group · patrol every 5 s",
        *(True, False, True),
    ]
