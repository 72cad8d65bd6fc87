"""The past on the page: the time bar, what a tile says of it, clips, and zones for motion."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.support.browser import axe
from tests.support.browser.chromium import (
    READ_TIME,
    expect_state,
    in_module,
    serve,
    tile,
    wait_for,
    wait_for_paint,
    wait_to_see,
)
from tests.support.browser.webcodecs import NEEDS_WEBCODECS, NO_WEBCODECS
from tests.support.cameras.rtsp_server import RtspServer
from tests.support.clients.client import Viewer
from tests.support.clients.states import camera_state
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

FRAME_S = 0.1
# The bar is never shorter, however little is remembered.
LEAST_SHOWN_S = 10
# The pattern cuts its time to milliseconds, and the page rounds.
ROUNDED_S = 0.0015

# Runs a function with the named exports of one of the page's own modules.
# A Past, and a server that answers when the test says so; `asked` is what it was asked for.
RIG = """(() => {
  const asked = [];
  const waiting = [];
  const hooks = { onChange() {}, onSwitch() { switches.push(past.active); } };
  const switches = [];
  const plain = [];
  const past = new module.Past((event, payload) => {
    plain.push(payload.video === false);
    asked.push([event, payload.at ?? payload.speed ?? null]);
    return new Promise((resolve) => waiting.push(resolve));
  }, hooks);
  const answer = async (reply) => {
    waiting.shift()({ ok: true, from: 0, to: 100, ...reply });
    await new Promise((resolve) => setTimeout(resolve));
  };
  const frame = (seek, at, more = {}) => {
    return past.accept({ live: false, catchUp: false, seek, at, ...more });
  };
  const live = () => past.accept({ live: true, catchUp: false, seek: 0 });
  const seen = async (seek, at) => {
    past.painted({ seek, at });
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { past, asked, plain, switches, answer, frame, live, seen };
})()"""

# In the worker that decodes: how many units each of its decoders was given.
COUNT_DECODED = """() => {
  globalThis.decoded = [];
  const { decode } = VideoDecoder.prototype;
  VideoDecoder.prototype.decode = function (chunk) {
    if (chunk.type === 'key') decoded.push(0);
    decoded[decoded.length - 1] += 1;
    return decode.call(this, chunk);
  };
}"""


@pytest.fixture(scope="module")
def server(share_server: Start) -> Iterator[PortholeServer]:
    """Two cameras whose pictures are encoded here, and one that sends H.264."""
    rtsp = RtspServer()
    small = "test:?size=320x180"
    yield share_server(
        *(f"door={small}&fps=10", f"hall={small}&fps=5", f"yard={rtsp.url('small')}")
    )
    rtsp.stop()


def with_past(page: Page, body: str) -> Any:
    """Run a test of where a viewer looks."""
    return in_module(page, "stream/past", f"async (module) => {{ const rig = {RIG}; {body} }}")


def open_camera(page: Page, server: PortholeServer, camera: str, remembered_s: float = 4) -> None:
    """Put a camera in focus, and wait until so much of it is remembered."""
    page.goto(f"{server.url}?camera={camera}")
    wait_for_paint(page, camera)
    wait_for_past(page, server, camera, remembered_s)
    # The bar asks every few seconds.
    wait_for(
        page,
        """([name, least]) => {
          const { ariaValueMin, ariaValueMax } = document.querySelector('[data-bar-track]');
          return ariaValueMax - ariaValueMin >= least;
        }""",
        [camera, remembered_s],
    )


def wait_for_past(page: Page, server: PortholeServer, camera: str, remembered_s: float) -> None:
    """Wait until so much of a camera is remembered; what an earlier test left ends before a gap."""

    def is_remembered() -> bool:
        past = page.request.get(f"{server.url}api/cameras/{camera}/past").json()
        begin = past["gaps"][-1][1] if past["gaps"] else past["from"]
        return begin is not None and past["to"] - begin >= remembered_s

    wait_to_see(is_remembered)


def share_of(page: Page, ago_s: float) -> float:
    """Return where on the time bar is what was so many seconds ago."""
    track = page.locator("[data-bar-track]")
    begin, end = (float(track.get_attribute(f"aria-value{one}") or 0) for one in ("min", "max"))
    return 1 - ago_s / max(end - begin, LEAST_SHOWN_S)


def burned(page: Page, camera: str) -> float:
    """Return the time that is burned into a camera's picture."""
    body = READ_TIME.replace("return Date.now() - ", "return ")
    at_ms: float = page.evaluate(body, f'.tile[data-camera="{camera}"] canvas')
    return at_ms / 1000


def remembered(page: Page, server: PortholeServer, camera: str, moment: float) -> float:
    """Return when the picture was captured that a camera remembers of a moment."""
    picture = page.request.get(f"{server.url}api/cameras/{camera}/picture?at={moment}")
    return float(picture.headers["x-timestamp"])


def bar_at(page: Page) -> float:
    """Return the moment at which the time bar is."""
    return float(page.locator("[data-bar-track]").get_attribute("aria-valuenow") or "nan")


def point(page: Page, share: float) -> tuple[float, float]:
    """Return where a share of the time bar is."""
    box = page.locator("[data-bar-track]").bounding_box()
    assert box is not None
    return box["x"] + share * box["width"], box["y"] + box["height"] / 2


def drag_to(page: Page, share: float) -> None:
    """Drag along the time bar, up to there."""
    page.mouse.move(*point(page, 0.9))
    page.mouse.down()
    page.mouse.move(*point(page, share), steps=6)
    page.mouse.up()
    page.mouse.move(5, 5)


def press_until_changed(page: Page, key: str, camera: str) -> float:
    """Press a key; return the burned-in time once that is another one."""
    before = burned(page, camera)
    page.keyboard.press(key)
    wait_to_see(lambda: burned(page, camera) != before)
    return burned(page, camera)


# --- What needs no camera ---------------------------------------------------------------------


def test_frames_of_an_older_seek_are_not_shown(blank: Page) -> None:
    """A frame may come before the answer to its seek; one of the seek before is late, and so are
    live ones that were on their way. When live ones follow the past, that has caught up."""
    result = with_past(
        blank,
        """
        rig.past.seek(50);
        const catchUp = { catchUp: true };
        const before = [rig.live(), rig.frame(3, 50, catchUp), rig.live(), rig.frame(3, 50)];
        await rig.answer({ at: 50, seek: 3 });
        await rig.seen(3, 50);
        rig.past.seek(40);
        await rig.answer({ at: 40, seek: 4 });
        const after = [rig.frame(3, 50), rig.live(), rig.frame(4, 40)];
        await rig.seen(4, 40);
        const caughtUp = [rig.live(), rig.frame(4, 41), rig.past.report.wanted];
        return { before, after, caughtUp, switches: rig.switches };
        """,
    )

    assert result == {
        "before": [True, True, False, True],
        "after": [False, False, True],
        "caughtUp": [True, False, None],
        "switches": [True, False],
    }


def test_only_the_newest_wish_is_asked_for(blank: Page) -> None:
    """While somebody drags, one seek is in flight, and of the wishes meanwhile the last counts."""
    result = with_past(
        blank,
        """
        for (const at of [50, 49, 48, 47]) rig.past.seek(at);
        await rig.answer({ at: 50, seek: 1 });
        rig.past.seek(46);
        rig.frame(1, 50);
        await rig.seen(1, 50);
        await rig.answer({ at: 46, seek: 2 });
        rig.past.play(2);
        rig.frame(2, 46);
        await rig.seen(2, 46);
        await rig.answer({ speed: 2 });
        rig.past.seek(null);
        await rig.answer({ at: null, seek: 3 });
        return [rig.asked, rig.past.active, rig.past.report.wanted];
        """,
    )

    assert result == [[["seek", 50], ["seek", 46], ["play", 2], ["seek", None]], False, None]


def test_steps_lead_to_the_frames_beside(blank: Page) -> None:
    """As the server names them; after playing it is asked first where that has got to."""
    result = with_past(
        blank,
        """
        const arrive = async (seek, at, around) => {
          await rig.answer({ at, seek, ...around });
          rig.frame(seek, at);
          await rig.seen(seek, at);
        };
        rig.past.seek(50);
        await arrive(1, 50, { before: 49.9, after: 50.1 });
        rig.past.step(-1);
        await arrive(2, 49.9, { before: 49.8, after: 50 });
        rig.past.play(1);
        await rig.answer({ speed: 1 });
        rig.frame(2, 51);
        await rig.seen(2, 51);
        rig.past.step(1);
        await arrive(3, 51, { before: 50.9, after: 51.1 });
        await arrive(4, 51.1, { before: 51, after: null });
        rig.past.step(1);
        await new Promise((resolve) => setTimeout(resolve));
        return [rig.asked.map(([, at]) => at), rig.past.report.wanted];
        """,
    )

    assert result == [[50, 49.9, 1, 51, 51.1], 51.1]


def test_a_held_key_stops_when_it_is_let_go(blank: Page) -> None:
    """It repeats faster than pictures come, and went on for as many as were missing then. Another
    moment that is wanted ends it at once."""
    result = with_past(
        blank,
        """
        const arrive = async (seek, at) => {
          await rig.answer({ at, seek, before: at - 1, after: at + 1 });
          rig.frame(seek, at);
          await rig.seen(seek, at);
        };
        rig.past.seek(50);
        await arrive(1, 50);
        for (let held = 0; held < 30; held += 1) rig.past.step(-1);
        for (const seek of [2, 3, 4]) await arrive(seek, 51 - seek);
        const steps = rig.asked.length;
        for (let held = 0; held < 30; held += 1) rig.past.step(-1);
        rig.past.seek(20);
        await arrive(5, 46);
        await arrive(6, 20);
        return [steps, rig.asked.map(([, at]) => at)];
        """,
    )

    assert result == [4, [50, 49, 48, 47, 46, 20]]


def test_a_moment_that_could_not_be_decoded_is_sought_again(blank: Page) -> None:
    """It is the one that is wanted, though that is not answered yet: not the one from before, which
    came back. If it fails once more it comes as JPEG, and what is sought next too, until live."""
    result = with_past(
        blank,
        """
        rig.past.seek(50);
        await rig.answer({ at: 50, seek: 1 });
        rig.frame(1, 50);
        await rig.seen(1, 50);
        rig.past.seek(40);
        rig.frame(2, 40);
        rig.past.retry();
        await rig.answer({ at: 39.9, seek: 2 });
        rig.frame(3, 40);
        await rig.answer({ at: 39.9, seek: 3 });
        rig.past.retry();
        await new Promise((resolve) => setTimeout(resolve));
        await rig.answer({ at: 39.9, seek: 4 });
        rig.frame(4, 39.9);
        await rig.seen(4, 39.9);
        rig.past.seek(null);
        await rig.answer({ at: null, seek: 5 });
        rig.past.seek(30);
        rig.frame(6, 30);
        rig.past.seek(null);
        rig.past.retry();
        await rig.answer({ at: 30, seek: 6 });
        await rig.seen(6, 30);
        return [rig.asked.map(([, at]) => at), rig.plain, rig.past.report.fault];
        """,
    )

    plain = [False, False, False, True, False, False, False]
    assert result == [[50, 40, 40, 39.9, None, 30, None], plain, ""]


def test_cameras_that_show_one_moment_say_one_time(blank: Page) -> None:
    """Each has a picture of its own time, and beside each other they said 12 and 13 seconds ago.
    A picture from long before does not stand for the moment that was asked for."""
    result = with_past(
        blank,
        """
        const asked = [];
        const arrive = async (seek, at) => {
          await rig.answer({ at, seek });
          rig.frame(seek, at);
          await rig.seen(seek, at);
          asked.push([rig.past.report.wanted, rig.past.report.asked]);
        };
        rig.past.seek(50);
        await arrive(1, 49.7);
        rig.past.seek(48);
        await arrive(2, 40);
        rig.past.seek(47);
        await arrive(3, 46.9);
        rig.past.play(1);
        asked.push(rig.past.report.asked);
        return asked;
        """,
    )

    assert result == [[49.7, 50], [40, None], [46.9, 47], None]


def test_where_one_looked_is_sought_again(blank: Page) -> None:
    """After the connection was lost, or the tile was out of sight; without memory it is live."""
    result = with_past(
        blank,
        """
        rig.past.seek(50);
        await rig.answer({ at: 50, seek: 7 });
        rig.past.forget();
        const away = [rig.past.active, rig.past.away];
        rig.past.restart();
        await rig.answer({ at: null, from: null, to: null, seek: 1 });
        return [rig.asked, away, rig.past.away, rig.past.report.fault];
        """,
    )

    assert result[:3] == [[["seek", 50], ["seek", 50]], [False, True], False]
    assert "remembered" in result[3]


def test_the_bar_zooms_about_a_moment(blank: Page) -> None:
    """That stays where it is as far as the ends allow; ticks are at round local times."""
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


def test_ticks_are_round_on_the_day_on_which_clocks_are_set(
    new_context: Callable[..., BrowserContext],
) -> None:
    """The timeline counted hours from midnight, and was off by one for the rest of such a day."""
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


def test_every_state_of_the_bar_has_its_words(blank: Page) -> None:
    """A camera without a past is told from one that is only being asked about, and what cannot be
    had says why; nothing is called live that is not."""
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
        ({"connected": False}, "gone", "Disconnected", "once the server is connected"),
        ({"kept": None, "status": None}, "loading", "", "^$"),
        ({"kept": None}, "empty", "", "^Nothing is remembered yet"),
        ({"kept": None, "condition": "retrying"}, "empty", "Offline", "is offline, and nothing"),
        ({"kept": None, "condition": "stopped"}, "empty", "Stopped", "is stopped, and nothing"),
        ({"kept": None, "off": True}, "empty", "", "not remembered"),
        ({"kept": None, "status": 403}, "empty", "", "may not look back"),
        ({"kept": None, "status": 503}, "empty", "", "cannot be asked for now"),
        ({"at": 1030}, "past", "", "^$"),
        ({"at": 1000}, "past", "", "the oldest picture"),
        ({"at": 990}, "past", "", "Only this picture is left"),
        ({"at": 1030, "past": {**past, "speed": -1}}, "past", "", "only key pictures"),
        ({"at": 1030, "past": {**past, "speed": -1}, "video": False}, "past", "", "^$"),
        ({"at": 1030, "past": {**past, "fault": "No node."}}, "past", "", "^No node"),
    ]

    told = in_module(
        blank,
        "recording/scrubber-words",
        "({ describeBar }, cases) => cases.map((one) => describeBar(one))",
        [{**usual, **case} for case, *_ in cases],
    )

    for (case, state, word, note), one in zip(cases, told, strict=True):
        assert (one["state"], one["word"]) == (state, word), case
        assert re.search(note, one["note"]), (case, one["note"])


def test_a_click_asks_once(blank: Page) -> None:
    """Pressed and let go at one place, the server was asked twice for one moment, and the picture
    that the pointer had rested on was fetched at the same time, beside it."""
    blank.set_content(
        """<div id="bar" style="position: fixed; top: 100px; left: 100px; width: 400px">
        <div data-bar-track style="height: 30px" tabindex="0"></div></div>"""
    )
    in_module(
        blank,
        "recording/scrubber-bar",
        """({ ScrubberBar }) => {
          const element = document.querySelector('#bar');
          for (const name of ['kept', 'gaps', 'ticks', 'marks', 'clip', 'head', 'begin', 'end']) {
            const part = document.createElement('span');
            part.dataset[`bar${name[0].toUpperCase()}${name.slice(1)}`] = '';
            element.append(part);
          }
          const bar = new ScrubberBar(element);
          const whole = { from: 1000, to: 1400 };
          bar.show({ whole, kept: whole, gaps: [], at: null, marks: [], clip: null });
          window.told = [];
          bar.addEventListener('seek', ({ detail: { at, done, moved } }) => {
            window.told.push(['seek', at, done, moved]);
          });
          bar.addEventListener('hover', () => window.told.push(['hover', bar.dragging]));
        }""",
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


def test_zones_are_drawn_and_undone(blank: Page) -> None:
    """Corners stay within the picture; a zone with less than three is none."""
    result = in_module(
        blank,
        "recording/zones-shape",
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


def test_arrows_are_for_time_once_somebody_looks_back(blank: Page) -> None:
    """What is live can be stopped for everybody by a space bar; of the past it is paused."""
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


# --- With cameras -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("camera", "late_s", "script"),
    [
        pytest.param("door", 0.002, "", id="encoded here"),
        pytest.param("yard", 1.0, "", id="H.264"),
        pytest.param("yard", 1.0, NO_WEBCODECS, id="H.264 without WebCodecs"),
    ],
)
def test_a_drag_shows_the_picture_of_that_moment(
    server: PortholeServer, page: Page, camera: str, late_s: float, script: str
) -> None:
    """Encoded here and H.264 alike, which is late by its way from the camera; the tile says how
    long ago, and nothing counts as lost."""
    page.add_init_script(script)
    open_camera(page, server, camera)

    drag_to(page, 0.4)
    expect_state(page, camera, "past")
    dropped = page.evaluate("(name) => window.porthole.tiles.get(name).dropped", camera)
    wait_to_see(lambda: abs(bar_at(page) - burned(page, camera)) <= late_s)
    ago = round(time.time() - bar_at(page))
    assert 1 < ago < 60
    expect(tile(page, camera).locator(".tile-word")).to_have_text(re.compile(r"^\d+ s ago$"))
    expect(page.locator("[data-field='word']")).to_have_text(re.compile(r"^\d+ s ago$"))
    expect(page.locator("[data-bar-track]")).to_have_attribute(
        "aria-valuetext", re.compile(r":\d\d.*, \d+ seconds ago$")
    )
    stood = burned(page, camera)
    assert page.evaluate("(name) => window.porthole.tiles.get(name).dropped", camera) == dropped

    # One key leads back to live, and the next one out of the camera.
    page.keyboard.press("Escape")
    expect_state(page, camera, "live")
    wait_for_paint(page, camera, 5)
    assert burned(page, camera) > stood + 1
    expect(page.locator("[data-panel]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-panel]")).to_be_hidden()


def test_keys_lead_through_time(server: PortholeServer, page: Page) -> None:
    """By a frame, by a second, to the oldest, playing both ways, and on to live."""
    open_camera(page, server, "door")
    page.keyboard.press("k")
    expect_state(page, "door", "past")
    wait_to_see(lambda: bar_at(page) == pytest.approx(burned(page, "door"), abs=ROUNDED_S))

    here = burned(page, "door")
    before = press_until_changed(page, ",", "door")
    assert press_until_changed(page, "ArrowLeft", "door") < before < here
    assert press_until_changed(page, "ArrowRight", "door") == before
    assert press_until_changed(page, ".", "door") == here
    # The newest that is not later; a busy machine makes fewer.
    assert here - 3 < press_until_changed(page, "Shift+ArrowLeft", "door") < here - 1 + FRAME_S / 2
    oldest = press_until_changed(page, "Home", "door")
    assert oldest < here - 2
    # Space plays; in the past it does not stop the camera for everybody.
    assert press_until_changed(page, "Space", "door") > oldest
    page.get_by_label("Speed", exact=True).select_option("8")
    expect_state(page, "door", "live")
    page.keyboard.press("j")
    expect_state(page, "door", "past")
    later = burned(page, "door")
    wait_to_see(lambda: burned(page, "door") < later)
    page.locator("[data-bar-track]").focus()
    page.keyboard.press("End")
    expect_state(page, "door", "live")


def test_all_cameras_show_one_moment(server: PortholeServer, page: Page) -> None:
    """And all go back with one key, from the grid as well."""
    open_camera(page, server, "door")
    for name in ("hall", "yard"):
        wait_for_past(page, server, name, 5)
    drag_to(page, share_of(page, 3))
    expect_state(page, "door", "past")
    page.get_by_role("button", name="All cameras", exact=True).click()

    for name in ("door", "hall", "yard"):
        expect_state(page, name, "past")
    wait_to_see(lambda: bar_at(page) == pytest.approx(burned(page, "door"), abs=ROUNDED_S))
    moment = bar_at(page) - 1
    page.keyboard.press("Shift+ArrowLeft")
    # The newest that is not later, of what each remembers.
    hall, yard = (remembered(page, server, name, moment) for name in ("hall", "yard"))
    assert max(hall, yard) <= moment + 0.002
    wait_to_see(lambda: burned(page, "hall") == pytest.approx(hall, abs=0.002))
    wait_to_see(lambda: yard - 3 < burned(page, "yard") <= yard)

    page.get_by_role("button", name="Back to all cameras").click()
    expect(page.locator("[data-past-pill]")).to_contain_text(re.compile(r"\d+ s ago.*Live", re.S))
    for name in ("door", "hall", "yard"):
        expect(tile(page, name).locator(".tile-word")).to_have_text(re.compile(r"^\d+ s ago$"))
    page.keyboard.press("Escape")
    for name in ("door", "hall", "yard"):
        expect_state(page, name, "live")
    expect(page.locator("[data-past-pill]")).to_be_hidden()


@NEEDS_WEBCODECS
def test_the_past_is_decoded_in_its_own_worker(server: PortholeServer, page: Page) -> None:
    """Under the page's own security policy; it is started when a camera comes into focus."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    open_camera(page, server, "yard")
    wait_for(page, "() => porthole.tiles.get('yard').codec !== null")
    [worker] = (one for one in page.workers if "decoding-worker" in one.url)
    worker.evaluate(COUNT_DECODED)

    moment = time.time() - 2
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    wait_to_see(lambda: burned(page, "yard") < moment + 1)

    assert worker.evaluate("() => decoded.at(-1)") >= 1
    assert complaints == []


def test_a_pointer_sees_the_moment_before_it_goes_there(server: PortholeServer, page: Page) -> None:
    """A card over the bar has its time, and once the pointer rests its picture."""
    open_camera(page, server, "door")

    # Of what it shows, four seconds are kept at least.
    page.mouse.move(*point(page, 0.8))
    card = page.locator("[data-scrub-card]")
    expect(card).to_have_attribute("data-picture", "")
    expect(card).to_contain_text(re.compile(r":\d\d"))
    expect_state(page, "door", "live")
    page.mouse.move(5, 5)
    expect(card).to_be_hidden()


def test_a_time_that_was_not_kept_has_no_picture(server: PortholeServer, page: Page) -> None:
    """The card had the picture from before it, beside a time at which nobody had looked."""

    begin = time.time() - 100
    seen = {"from": begin, "gaps": [[begin, begin + 60]]}
    marks = [{"at": begin + 75, "label": "motion", "id": "one"}]

    def answer(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), **seen, "marks": marks})

    page.goto(f"{server.url}?camera=hall")
    wait_for_paint(page, "hall")
    page.route("**/api/cameras/hall/past", answer)
    card = page.locator("[data-scrub-card]")

    def point_at_mark() -> bool:
        mark = page.locator(".bar-mark").bounding_box()
        assert mark is not None
        page.mouse.move(mark["x"] + 2, mark["y"] + 5)
        return "Motion" in (card.text_content() or "")

    expect(page.locator(".bar-gap")).to_have_count(1)
    page.mouse.move(*point(page, 0.3))
    expect(card).to_contain_text("Not kept")
    # It moves with time.
    wait_to_see(point_at_mark)
    expect(card).to_have_attribute("data-picture", "")
    page.mouse.move(*point(page, 0.3))
    expect(card).to_contain_text("Not kept")
    expect(card).not_to_have_attribute("data-picture", "")


def test_how_long_ago_is_said_in_words(blank: Page) -> None:
    """A screen reader made a time of day of 2:05 min ago."""
    said = in_module(
        blank, "ui/format", "({ sayAgo }) => [0.2, 1, 59.9, 60, 125, 599, 600, NaN].map(sayAgo)"
    )

    assert said == [
        *("0 seconds ago", "1 second ago", "59 seconds ago", "1 minute 0 seconds ago"),
        *("2 minutes 5 seconds ago", "9 minutes 59 seconds ago", "", ""),
    ]


def test_the_bar_is_there_in_full_screen(server: PortholeServer, page: Page) -> None:
    """It had stayed behind on the page. While nobody moves it goes; another camera that is chosen
    fills the screen in its turn, and whoever came from the grid is back there afterwards."""
    page.goto(server.url)
    wait_for_paint(page, "door")
    tile(page, "door").locator(".tile-open").focus()
    page.keyboard.press("f")
    bar = page.locator("[data-camera='door']:fullscreen > [data-scrubber]")
    expect(bar).to_be_visible()
    expect(bar.locator("[data-scrub-live]")).to_be_enabled()

    page.mouse.move(300, 300)
    expect(bar).to_have_css("opacity", "1")
    # The words of the picture are above it.
    place = (
        "(part) => { const { top, bottom } = part.getBoundingClientRect(); return [top, bottom]; }"
    )
    caption = tile(page, "door").locator(".caption")
    wait_to_see(lambda: caption.evaluate(place)[1] <= bar.evaluate(place)[0])
    page.keyboard.press("k")
    expect_state(page, "door", "past")
    expect(bar).to_have_css("opacity", "0")
    page.keyboard.press("End")
    expect_state(page, "door", "live")
    expect(bar).to_have_css("opacity", "1")

    page.keyboard.press("PageDown")
    expect(page.locator(":not([data-camera='door']):fullscreen > [data-scrubber]")).to_be_visible()
    page.keyboard.press("f")
    expect(page.locator(".grid[data-view='grid'] > [data-scrubber]")).to_be_hidden()


@pytest.mark.parametrize("camera", ["door", "yard"])
def test_a_marked_part_is_saved(
    server: PortholeServer, page: Page, camera: str, tmp_path: Path
) -> None:
    """Whether the server copies video or has to make it first; its length is what was shown."""
    open_camera(page, server, camera)
    drag_to(page, 0.3)
    expect_state(page, camera, "past")
    page.keyboard.press("i")
    drag_to(page, 0.7)
    page.keyboard.press("o")
    length = page.locator("[data-scrub-length]").text_content() or ""

    with page.expect_download() as started:
        page.get_by_role("button", name="Save clip").click()
    started.value.save_as(tmp_path / "clip.mp4")

    entries = "format=duration:stream=codec_name"
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_entries", entries]
    told = subprocess.run(
        [*command, str(tmp_path / "clip.mp4")], check=True, capture_output=True, timeout=30
    )
    probed = json.loads(told.stdout)
    assert started.value.suggested_filename.startswith(f"{camera} 20")
    assert [stream["codec_name"] for stream in probed["streams"]] == ["h264"]
    assert float(probed["format"]["duration"]) == pytest.approx(float(length.split()[0]), abs=0.5)
    expect(page.get_by_role("button", name="Save clip")).to_be_hidden()


def test_fingers_tap_zoom_and_scroll(
    server: PortholeServer, new_context: Callable[..., BrowserContext]
) -> None:
    """Two fingers zoom the bar, and not the page; a finger that scrolls the page from there led
    away from live, and so did the first of two."""
    page = new_context(
        viewport={"width": 390, "height": 600}, has_touch=True, is_mobile=True
    ).new_page()
    open_camera(page, server, "door")
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": at})

    def labels() -> list[str]:
        return page.locator(".bar-tick").all_text_contents()

    before, at_first = labels(), bar_at(page)
    left, middle, right = (point(page, share) for share in (0.45, 0.5, 0.55))
    touch("Start", left)
    touch("Start", left, right)
    for spread in range(1, 5):
        wide = (left[0] - 30 * spread, left[1]), (right[0] + 30 * spread, right[1])
        touch("Move", *wide)
    touch("End")
    expect_state(page, "door", "live")
    wait_to_see(lambda: len(labels()) != len(before) or labels() != before)
    assert page.evaluate("visualViewport.scale") == 1
    assert bar_at(page) > at_first

    small = """() => [...document.querySelectorAll('.scrubber :is(button, select)')]
      .filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect())
      .filter(({ width, height }) => Math.min(width, height) < 44).length"""
    assert page.evaluate(small) == 0

    touch("Start", middle)
    touch("End")
    expect_state(page, "door", "past")
    page.locator("[data-scrub-live]").tap()
    expect_state(page, "door", "live")

    touch("Start", middle)
    for step in range(1, 8):
        touch("Move", (middle[0], middle[1] - 20 * step))
    touch("End")
    wait_to_see(lambda: page.evaluate("scrollY || document.querySelector('.grid').scrollTop") > 20)
    expect_state(page, "door", "live")
    assert page.locator("[data-scrubber]").get_attribute("data-past") == "live"


def test_a_clip_that_begins_now_goes_on(server: PortholeServer, page: Page) -> None:
    """Begun where nothing is later, it was 0.0 s long, and stayed so."""
    open_camera(page, server, "door", 2)
    length = page.locator("[data-scrub-length]")
    page.locator("[data-bar-track]").focus()
    page.keyboard.press("i")
    expect(page.get_by_role("button", name="Save clip")).to_be_enabled()
    expect(length).to_have_text(re.compile(r"^[1-9]\."))

    page.keyboard.press("o")
    with page.expect_download():
        page.get_by_role("button", name="Save clip").click()

    expect(page.locator("[data-toasts]")).to_contain_text(re.compile(r"Saved \d\.\d s of door"))


def test_a_clip_that_is_gone_is_told(server: PortholeServer, page: Page) -> None:
    """In words, and what was marked is still marked."""
    open_camera(page, server, "yard")
    drag_to(page, 0.5)
    page.keyboard.press("i")
    page.route("**/clip/**", lambda route: route.fulfill(status=404))
    page.get_by_role("button", name="Save clip").click()

    expect(page.locator("[data-toasts]")).to_contain_text("yard was not saved. Nothing is remem")
    expect(page.get_by_role("button", name="Save clip")).to_be_enabled()
    page.complaints.clear()  # type: ignore[attr-defined]


def test_a_name_that_is_cut_keeps_its_beginning(server: PortholeServer, page: Page) -> None:
    """Of a name that is written from right to left, the beginning was cut off."""
    page.goto(f"{server.url}?camera=hall")
    wait_for_paint(page, "hall")

    directions = page.evaluate(
        """() => ['.tile-open', '#panel-title', '[data-playing-camera]'].map((selector) => {
          const element = document.querySelector(selector);
          (element.querySelector('.tile-name') ?? element).textContent = 'שער';
          return getComputedStyle(element).direction;
        })"""
    )

    assert directions == ["rtl"] * 3


def test_zones_are_drawn_by_pointer_and_by_keys(
    server: PortholeServer, page: Page, connect: Connect
) -> None:
    """On a zoomed picture too, in shares of the whole one; nothing is set before it is done."""
    page.goto(f"{server.url}?camera=hall")
    wait_for_paint(page, "hall")
    page.get_by_role("tab", name="Motion").click()
    page.get_by_label("Look for motion").check()
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
    page.get_by_label("Look for motion").uncheck()
    expect(page.locator("[data-motion-fields]")).to_be_hidden()


def test_the_time_bar_can_be_used_by_everybody(server: PortholeServer, page: Page) -> None:
    """What axe finds on it, light and dark, with everything on it that can be."""
    open_camera(page, server, "door", 2)
    drag_to(page, 0.5)
    page.keyboard.press("i")
    expect_state(page, "door", "past")

    assert axe.faults(page, "time bar", "[data-scrubber]") == []


def test_nothing_is_called_live_without_a_picture_of_now(
    share_server: Callable[..., PortholeServer], page: Page
) -> None:
    """Of a camera that cannot be reached nobody is in the past, and yet it is not live."""
    server = share_server("gone=http://127.0.0.1:9/live")
    page.goto(f"{server.url}?camera=gone")

    expect(tile(page, "gone")).to_contain_text("Offline")
    expect(page.locator("[data-scrub-live]")).to_have_attribute("data-away", "")
    expect(page.locator("[data-bar-track]")).not_to_have_attribute("aria-valuetext", "Live")
