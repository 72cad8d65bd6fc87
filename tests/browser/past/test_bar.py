"""What the time bar shows and requests, without a camera."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.browser.chromium import (
    in_module,
    serve,
)


def test_time_bar_zooms_about_a_moment(blank: Page) -> None:
    """The zoomed moment stays in place as far as the ends allow; ticks are at round local times."""
    zoomed, end, followed, ticks = in_module(
        blank,
        "ui/timescale",
        """({ TimeScale }) => {
          const scale = new TimeScale({ from: 1000, to: 1060 }, 2);
          const shown = () => [scale.from, scale.to];
          scale.zoom(3, 1020);
          const zoomed = shown();
          scale.reset();
          scale.zoom(1000, 1060);
          const end = shown();
          scale.setWhole({ from: 1005, to: 1061.5 });
          const followed = shown();
          const ticks = new TimeScale({ from: 1001, to: 1031 }, 2).ticks(400, 100);
          return [zoomed, end, followed, ticks.at];
        }""",
    )

    assert zoomed[1] - zoomed[0] == pytest.approx(20)
    assert (1020 - zoomed[0]) / 20 == pytest.approx(20 / 60)
    assert end == [1058, 1060]
    assert followed == [1059.5, 1061.5]
    assert ticks == [1010, 1020, 1030]


def test_ticks_are_round_when_clocks_change(
    new_context: Callable[..., BrowserContext],
) -> None:
    """Ticks fall on round local hours on days when clocks change.

    The timeline used to count hours from midnight, and was off by one for the rest of such a day.
    """
    page = new_context(timezone_id="Europe/Berlin").new_page()
    page.route("http://localhost/**", serve)
    page.goto("http://localhost/")

    labels = in_module(
        page,
        "ui/timescale",
        """({ TimeScale }) => ['2026-03-29', '2026-10-25'].map((day) => {
          const from = new Date(`${day}T00:00`) / 1000;
          const scale = new TimeScale({ from, to: from + 86400 }, 120);
          const { at } = scale.ticks(500, 100);
          return at.map((one) => new Date(one * 1000).getHours());
        })""",
    )

    assert labels == [[0, 6, 12, 18, 0], [0, 6, 12, 18]]


def test_time_bar_describes_every_state(blank: Page) -> None:
    """Each state of a camera has its own text, errors say why, and only live is called live."""
    kept = {"from": 1000, "to": 1060}
    past = {"fault": "", "short": False, "span": None, "speed": 0}
    usual = {
        "connected": True,
        "condition": "live",
        "status": 200,
        "kept": kept,
        "goesOn": True,
        "at": None,
        "past": past,
        "video": True,
        "off": False,
    }
    cases: list[tuple[dict[str, Any], str, str, str]] = [
        ({}, "live", "Live", "^$"),
        ({"condition": "starting"}, "now", "Now", "^$"),
        ({"condition": "retrying", "goesOn": False}, "now", "Offline", "^Nothing since .*:40"),
        ({"connected": False}, "gone", "Disconnected", "once the page has reconnected"),
        ({"kept": None, "status": None}, "loading", "", "^$"),
        ({"kept": None}, "empty", "", "^Nothing is kept yet"),
        ({"kept": None, "condition": "retrying"}, "empty", "Offline", "offline, and no pictures"),
        ({"kept": None, "condition": "stopped"}, "empty", "Stopped", "stopped, and no pictures"),
        ({"kept": None, "off": True}, "empty", "", "^Looking back is off"),
        ({"kept": None, "status": 403}, "empty", "", "may not look back"),
        ({"kept": None, "status": 503}, "empty", "", "could not be loaded"),
        ({"at": 1030}, "past", "", "^$"),
        ({"at": 1000}, "past", "", "the oldest picture"),
        ({"at": 990}, "past", "", "the only picture still kept"),
        ({"at": 1030, "past": {**past, "speed": -1}}, "past", "", "shows key frames only"),
        ({"at": 1030, "past": {**past, "speed": -1}, "video": False}, "past", "", "^$"),
        ({"at": 1030, "past": {**past, "fault": "No node."}}, "past", "", "^No node"),
    ]

    told = in_module(
        blank,
        "timebar/scrubber-words",
        "({ describeBar }, cases) => cases.map((one) => describeBar(one))",
        [{**usual, **case} for case, *_ in cases],
    )

    for (case, state, word, note), one in zip(cases, told, strict=True):
        assert (one["state"], one["word"]) == (state, word), case
        assert re.search(note, one["note"]), (case, one["note"])


def show_bar(page: Page, listen: str) -> None:
    """Show a bar of 400 s and 400 pixels, 100 from the corner, and run a script with it."""
    page.set_content(
        """<div id="bar" style="position: fixed; top: 100px; left: 100px; width: 400px">
        <div data-bar-track style="height: 30px" tabindex="0"></div></div>"""
    )
    in_module(
        page,
        "timebar/scrubber-bar",
        """async ({ ScrubberBar }, listen) => {
          const element = document.querySelector('#bar');
          for (const name of ['kept', 'gaps', 'ticks', 'marks', 'clip', 'head', 'begin', 'end']) {
            const part = document.createElement('span');
            part.dataset[`bar${name[0].toUpperCase()}${name.slice(1)}`] = '';
            element.append(part);
          }
          const bar = new ScrubberBar(element);
          const whole = { from: 1000, to: 1400 };
          bar.show({ whole, kept: whole, gaps: [], at: null, marks: [], clip: null });
          await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
          window.told = [];
          new Function('bar', 'element', listen)(bar, element);
        }""",
        listen,
    )


def test_click_seeks_once(blank: Page) -> None:
    """A press and release at one place seeks once, without fetching a preview."""
    show_bar(
        blank,
        """bar.addEventListener('seek', ({ detail: { at, done, moved } }) => {
          window.told.push(['seek', at, done, moved]);
        });
        bar.addEventListener('hover', () => window.told.push(['hover', bar.dragging]));""",
    )

    blank.mouse.move(200, 110)
    blank.mouse.down()
    blank.mouse.up()
    blank.mouse.move(210, 110)
    told = blank.evaluate("window.told")
    blank.set_content("")

    assert told == [
        *(["hover", False], ["seek", 1100, False, True], ["hover", True]),
        *(["seek", 1100, True, False], ["hover", False]),
    ]


def test_press_seeks_before_the_bar_is_redrawn(blank: Page) -> None:
    """A press sends its request before the bar is redrawn and focused.

    Drawing and focusing the bar used to take 5 of the 9 ms until the request was sent; half of that
    was a page layout in the middle, to measure the bar again.
    """
    show_bar(
        blank,
        """const head = () => element.style.getPropertyValue('--head');
        const measure = window.getComputedStyle;
        window.getComputedStyle = (...what) => {
          window.told.push(['measured']);
          return measure.apply(window, what);
        };
        const track = element.querySelector('[data-bar-track]');
        Object.defineProperty(track, 'clientWidth', {
          get() {
            window.told.push(['measured']);
            return 400;
          },
        });
        bar.addEventListener('seek', () => {
          window.told.push([document.activeElement === track, head()]);
        });""",
    )

    blank.mouse.move(200, 110)
    blank.mouse.down()
    blank.mouse.up()
    told = blank.evaluate("window.told")
    blank.set_content("")

    assert told == [[False, "1.00000"], [True, "0.25000"]]


def test_change_event_names_the_moved_camera(blank: Page) -> None:
    """A change event names the camera that moved, so that a bar ignores the others.

    The bar used to be drawn once for each of four cameras that moved together.
    """
    told = in_module(
        blank,
        "timebar/past-control",
        """({ PastControl }) => {
          const tile = { name: 'door', viewer: { past: { wanted: null } } };
          const tiles = new Map([['door', tile]]);
          const grid = Object.assign(new EventTarget(), { focused: null, tiles });
          const past = new PastControl(grid, {});
          const told = [];
          past.addEventListener('change', ({ detail }) => told.push(detail.tile?.name ?? null));
          grid.dispatchEvent(new CustomEvent('past', { detail: { tile } }));
          past.live();
          return told;
        }""",
    )

    assert told == ["door", None]


def test_arrows_step_through_time_in_the_past(blank: Page) -> None:
    """Live, arrows change tiles and space stops the camera; in the past they step and pause."""
    presses = [
        ("ArrowLeft", "large", "here"),
        ("ArrowLeft", "large", "past"),
        ("ArrowLeft", "bar", "here"),
        ("Shift+ArrowLeft", "large", "here"),
        (" ", "large", "here"),
        (" ", "large", "past"),
        (" ", "button", "past"),
        ("l", "large", "here"),
        ("l", "large", "past"),
        ("k", "page", "here"),
        ("k", "page", "none"),
        ("End", "page", "here"),
        ("End", "page", "past"),
        ("ArrowLeft", "slider", "past"),
    ]

    actions = in_module(
        blank,
        "page/keymap",
        """({ actionFor }, presses) => presses.map(([keys, on, time]) => {
          const shifted = keys.startsWith('Shift+');
          const key = keys.replace('Shift+', '');
          const press = { code: '', modified: false, repeated: false, dialog: false };
          return actionFor({ ...press, key, shifted, on, time })?.action ?? null;
        })""",
        presses,
    )

    assert actions == [
        *("move", "past-step", "past-step", "past-skip", "toggle", "past-toggle", None),
        *("layout", "past-shuttle", "past-toggle", None, None, "past-live", None),
    ]


def test_age_is_spelled_out_for_screen_readers(blank: Page) -> None:
    """Ages are spelled out; screen readers used to read "2:05 min ago" as a time of day."""
    said = in_module(
        blank,
        "ui/format",
        "({ formatAgoSpoken }) => [0.2, 1, 59.9, 60, 125, 599, 600, NaN].map(formatAgoSpoken)",
    )

    assert said == [
        *("0 seconds ago", "1 second ago", "59 seconds ago", "1 minute 0 seconds ago"),
        *("2 minutes 5 seconds ago", "9 minutes 59 seconds ago", "", ""),
    ]
