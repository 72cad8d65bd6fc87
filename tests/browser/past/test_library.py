"""The library: days, events, playing what was recorded, keeping and deleting."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from server.recording.disk.event_file import write_event
from server.recording.disk.index import Event
from server.recording.disk.layout import event_id, recording_id
from server.users.users import UsersFile
from tests.support.browser.axe import faults
from tests.support.browser.chromium import log_in, wait_for, wait_to_see
from tests.support.browser.kept_context import lasting_port
from tests.support.browser.visitor import PASSWORD
from tests.support.cameras.films import CROSSING, make_film
from tests.support.cameras.units import make_units
from tests.support.recordings.recordings import write_recording
from tests.support.servers.server import PortholeServer, wait_until

NewContext = Callable[..., BrowserContext]

# The moment on the screen, in Unix seconds.
SHOWN = """(day) => {
  const video = document.querySelector('[data-reel]:not([hidden])');
  const time = document.querySelector('[data-playing-time]').textContent;
  return video && !video.seeking && video.readyState > 1
    ? new Date(`${day} ${time}`) / 1000 : null;
}"""

YESTERDAY = datetime.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
NOON = YESTERDAY.timestamp()
BUSY = YESTERDAY - timedelta(days=2)
MANY = 130
SPARE = YESTERDAY - timedelta(days=3)
FILMED = YESTERDAY - timedelta(days=4)

# The door's recordings: two consecutive files, and after a gap a third.
RECORDED = (NOON, NOON + 4, NOON + 60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """A day with recordings and events, a busy one, and a camera being recorded now.

    ann is an operator; vera sees one camera.
    """
    folder = tmp_path_factory.mktemp("library")
    media = folder / "state" / "media"
    people = UsersFile(folder / "state")
    people.add_user("ann", "operator", None, PASSWORD)
    people.add_user("vera", "viewer", ["attic"], PASSWORD)
    jpeg = make_film(folder / "one.jpg", "-frames:v", "1").read_bytes()
    units = make_units(folder, 4)
    for begin in RECORDED:
        write_recording(media, units, "door", begin)

    def note(camera: str, label: str, begin: float, end: float) -> None:
        key = event_id(camera, begin)
        event = Event(key, camera, label, begin, end, score=0.9, picture=True)
        write_event(media, event, jpeg)

    note("door", "motion", NOON + 1, NOON + 2)
    note("door", "person", NOON + 61, NOON + 63)
    note("yard", "person", NOON + 30, NOON + 40)
    for begin in (SPARE.timestamp(), *(BUSY.timestamp() + 60 * one for one in range(MANY))):
        write_event(media, Event(event_id("yard", begin), "yard", "car", begin, begin + 5))
    key, begin = event_id("yard", FILMED.timestamp()), FILMED.timestamp()
    write_event(media, Event(key, "yard", "timelapse", begin, begin + 3600, film="benchy"))
    for moment in (begin, begin + 1800):
        write_recording(media, units, "yard", moment, film="benchy")
    film = make_film(
        folder / "film.mp4", "-t", "8", "-g", "10", "-pix_fmt", "yuv420p", source=CROSSING
    )
    settings = folder / "porthole.toml"
    settings.write_text(
        f'[[camera]]\nname = "lane"\nsource = "file:{film}"\nrecord = "always"\nmotion = true\n'
        + "".join(
            f'[[camera]]\nname = "{name}"\nsource = "test:?size=160x90&fps=2"\n'
            for name in ("door", "yard", "attic")
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
    expect(page.locator(".tile[data-camera]").first).to_be_attached()
    return page


def day_of(moment: datetime) -> str:
    return f"?library={moment:%Y-%m-%d}"


def cards(page: Page) -> Locator:
    return page.locator("[data-cards] > .card")


def shown(page: Page, day: datetime = YESTERDAY) -> float:
    """Return the moment on the screen, in Unix seconds; 0 while there is none."""
    return float(page.evaluate(SHOWN, f"{day:%Y-%m-%d}") or 0)


def ask(page: Page, path: str) -> Any:
    return page.evaluate("async (path) => (await fetch(path)).json()", path)


def test_day_is_shown_and_restored(server: PortholeServer, page: Page) -> None:
    """Keys open the library, a day and a filter; the address restores them, and Esc closes it."""
    open_as(server, page, "ann", "?camera=attic")
    # Until something is recorded today, the library opens with yesterday.
    wait_to_see(lambda: ask(page, "api/recordings?camera=lane")["recordings"], 20)
    page.keyboard.press("e")
    expect(page.locator("[data-library]")).to_be_visible()
    page.locator("[data-days] [aria-current]").focus()
    page.keyboard.press("ArrowLeft")

    expect(cards(page)).to_have_count(3)
    assert cards(page).locator("[data-card-what]").all_text_contents() == [
        *("Person", "Person", "Motion")
    ]
    expect(page.locator("[data-library-day]")).to_contain_text("Yesterday")
    expect(page.locator("[data-library-counts]")).to_have_text("3 events · 12 s recorded")
    assert page.locator(".lane").evaluate_all("all => all.map(one => one.dataset.camera)") == [
        *("door", "yard")
    ]
    assert faults(page, "a day", "[data-library]") == []

    page.locator("[data-library-camera]").select_option("yard")
    expect(cards(page)).to_have_count(1)
    expect(page).to_have_url(re.compile(rf"\{day_of(YESTERDAY)}&of=yard|&library=.*&of=yard"))
    page.get_by_role("button", name="Kept").click()
    expect(page.locator("[data-empty-title]")).to_have_text("No matching events")
    page.reload()
    expect(page.locator("[data-empty-title]")).to_have_text("No matching events")
    page.get_by_role("button", name="Show everything").click()
    expect(cards(page)).to_have_count(3)

    page.keyboard.press("Escape")
    expect(page.locator("[data-library]")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?camera=attic$"))
    page.get_by_role("button", name="Library", exact=True).click()
    expect(page.locator("[data-library]")).to_be_visible()
    page.go_back()
    expect(page.locator("[data-library]")).to_be_hidden()


def first_mark(page: Page) -> float | None:
    """Return the position of a day's first event in the timeline, as a share of the day."""
    share: float | None = page.evaluate(
        """() => {
          const path = document.querySelector('[data-camera=yard] .lane-events');
          const [, left] = path?.getAttribute('d')?.match(/^M([\\d.]+)/) ?? [];
          return left === undefined ? null : left / path.ownerSVGElement.clientWidth;
        }"""
    )
    return share


def test_long_day_loads_as_it_is_scrolled(server: PortholeServer, page: Page) -> None:
    """More cards load on scrolling; the timeline has the whole day from the start."""
    open_as(server, page, "ann", day_of(BUSY))
    wait_to_see(lambda: first_mark(page) == pytest.approx(0.5, abs=0.01))
    expect(cards(page)).to_have_count(100)

    cards(page).first.locator("[data-card-open]").focus()
    page.keyboard.press("End")

    expect(cards(page)).to_have_count(MANY)


def test_recordings_play_across_files_and_gaps(server: PortholeServer, page: Page) -> None:
    """An event plays from before its start into the next files; a span is marked and saved."""
    open_as(server, page, "ann", day_of(YESTERDAY))
    cards(page).nth(2).get_by_role("button", name=re.compile("^Motion door")).click()
    expect(page.locator("[data-playing-what]")).to_have_text("Motion")
    expect(cards(page).nth(2)).to_have_attribute("data-current", "")
    wait_to_see(lambda: shown(page) >= NOON + 1, 10)

    page.keyboard.press("i")
    page.keyboard.press("+")
    page.keyboard.press("+")
    # Into the second file, and across the gap into the third.
    wait_to_see(lambda: NOON + 4 <= shown(page) < NOON + 9, 10)
    wait_to_see(lambda: NOON + 60 <= shown(page) < NOON + 65, 10)
    expect(page.locator("[data-screen-note]")).to_contain_text("52 s without a recording")
    expect(page.locator("[data-playing-what]")).to_have_text("Person")
    page.keyboard.press("k")
    page.keyboard.press("o")
    save = page.get_by_role("link", name="Save clip")
    expect(save).to_have_attribute(
        "href", re.compile(r"^clip/door\.mp4\?from=\d+\.\d+&to=\d+\.\d+$")
    )
    with page.expect_download() as downloaded:
        page.keyboard.press("s")
    assert downloaded.value.path().read_bytes()[4:8] == b"ftyp"

    page.keyboard.press("p")
    expect(page.locator("[data-playing-camera]")).to_have_text("yard")
    expect(page.locator("[data-screen-note]")).to_have_text("Not recorded: this is its picture")
    page.keyboard.press("p")
    expect(page.locator("[data-playing-camera]")).to_have_text("door")
    expect(page).to_have_url(re.compile(r"event=door_\w+&at=door@\d+$"))
    # Its id is enough: a link without its moment used to say that it was no longer kept.
    page.goto(re.sub("&at=.*", "", page.url))
    expect(page.locator("[data-playing-what]")).to_have_text("Motion")
    page.keyboard.press("Escape")
    expect(page.locator("[data-playback]")).to_be_hidden()
    expect(page.locator("[data-library]")).to_be_visible()


def test_timeline_previews_and_seeks(server: PortholeServer, page: Page) -> None:
    """Hovering shows a picture of the moment, and a click goes there.

    A press opens the player, which used to make the lanes narrower before the release, so the
    release chose a moment half a minute later. Paused, frames step one by one. In full screen, the
    buttons hide while the pointer rests.
    """
    open_as(server, page, "ann", day_of(YESTERDAY))
    lane = page.get_by_role("slider", name="door")
    lane.focus()
    page.keyboard.press("Home")
    for _ in range(12):
        page.keyboard.press("+")
    box = lane.locator("svg").bounding_box()
    assert box
    # Two minutes fill the lane, with the beginning in the middle.
    page.mouse.move(box["x"] + box["width"] * (0.5 + 2 / 120), box["y"] + 5)
    picture = page.locator("[data-lanes-peek] img")
    expect(picture).to_be_visible()
    wait_for(page, "() => document.querySelector('[data-lanes-peek] img').naturalWidth > 0")
    page.mouse.down()
    page.mouse.up()
    # Immediately: it plays for six seconds, and a busy machine may be that late.
    page.keyboard.press("k")
    wait_to_see(lambda: shown(page) == pytest.approx(NOON + 2, abs=1), 10)

    time_of = "() => document.querySelector('[data-reel]:not([hidden])').currentTime"
    before = page.evaluate(time_of)
    page.keyboard.press(".")
    wait_for(page, f"(before) => ({time_of})() > before + 0.01", before)
    after = page.evaluate(time_of)
    assert after - before < 0.12
    page.keyboard.press(",")
    wait_for(page, f"(after) => ({time_of})() < after - 0.01", after)

    page.keyboard.press("f")
    bar = page.locator("[data-playback]:fullscreen [data-playback-bar]")
    page.mouse.move(5, 5)
    expect(bar).to_have_css("opacity", "1")
    expect(bar).to_have_css("opacity", "0")


def test_growing_recording_is_followed(server: PortholeServer, page: Page) -> None:
    """A growing file plays to its present end, and continues when there is more."""
    open_as(server, page, "ann")
    expect(page.locator('.tile[data-camera="lane"] .tile-rec')).to_be_visible()

    def newest() -> Any:
        return ask(page, "api/recordings?camera=lane&limit=1")["recordings"][0]

    wait_until(lambda: newest()["to"] - newest()["from"] > 2, 20)
    end = newest()["to"]
    page.evaluate(
        "(at) => history.replaceState(null, '', `?library=&at=lane@${Math.floor(at)}`)", end - 1
    )
    page.reload()
    page.get_by_role("button", name="Play", exact=True).click()

    expect(page.locator("[data-playback]")).to_have_attribute("data-follows", "")
    wait_to_see(lambda: shown(page, datetime.fromtimestamp(end)) > end + 1, 40)


def test_timelapse_of_several_files_plays_as_one(server: PortholeServer, page: Page) -> None:
    """A time-lapse interrupted by a restart is one card with its name, and plays to its end."""
    open_as(server, page, "ann", day_of(FILMED))
    expect(cards(page)).to_have_count(1)
    expect(cards(page)).to_contain_text("benchy")
    cards(page).locator("[data-card-open]").click()
    download = page.locator("[data-download]")
    first = recording_id("yard", FILMED.timestamp())
    expect(download).to_have_attribute("href", re.compile(first))

    for _ in range(3):
        page.keyboard.press("+")

    second = recording_id("yard", FILMED.timestamp() + 1800)
    expect(download).to_have_attribute("href", re.compile(second))
    expect(page.locator("[data-playing-what]")).to_contain_text("benchy")


def test_events_are_kept_and_deleted(server: PortholeServer, page: Page) -> None:
    """An operator keeps an event for good, deletes one and undoes that, and deletes it again."""
    open_as(server, page, "ann", day_of(SPARE))
    path = f"api/events?since={SPARE.timestamp() - 1}&before={SPARE.timestamp() + 1}"
    card = cards(page).locator("[data-card-open]")
    card.focus()
    page.keyboard.press("l")
    expect(page.get_by_text("Car is kept forever.")).to_be_visible()
    assert ask(page, path)["events"][0]["locked"]
    page.keyboard.press("l")
    expect(page.get_by_text("Car is no longer kept forever.")).to_be_visible()

    page.keyboard.press("Delete")
    expect(page.locator("[data-delete-title]")).to_have_text("Delete Car, yard?")
    page.keyboard.press("Escape")
    expect(cards(page)).to_have_count(1)
    page.keyboard.press("Delete")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(cards(page)).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(cards(page)).to_have_count(1)
    card.focus()
    page.keyboard.press("Delete")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(cards(page)).to_have_count(0)
    assert ask(page, path)["events"]
    page.keyboard.press("Escape")
    wait_to_see(lambda: ask(page, path)["events"] == [], 10)


def test_library_shows_only_a_viewers_cameras(
    server: PortholeServer, new_context: NewContext
) -> None:
    """A viewer sees nothing of other cameras, not even names, and no switch for recording."""
    page = open_as(server, new_context(bypass_csp=True).new_page(), "vera", day_of(YESTERDAY))

    expect(page.locator("[data-empty-title]")).to_have_text("Nothing is recorded yet")
    expect(page.locator("[data-empty-acts] button")).to_have_count(0)
    expect(page.locator(".lane")).to_have_count(0)
    options = page.locator("[data-library-camera]").locator("option")
    assert options.all_text_contents() == ["All cameras", "attic"]
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.get_by_role("tab", name="Activity").click()
    expect(page.locator("[data-record-state]")).to_have_text("Off")
    expect(page.locator("[data-record-modes]")).to_be_hidden()


def test_events_are_announced_on_the_page(server: PortholeServer, page: Page) -> None:
    """An event elsewhere gets a toast and an entry that plays it; the panel switches recording."""
    open_as(server, page, "ann", "?camera=attic")
    expect(page.locator("[data-toasts] .toast", has_text="Motion: lane")).to_be_visible()
    page.get_by_role("tab", name="Activity").click()
    page.get_by_role("radio", name="Always").check(force=True)
    wait_until(
        lambda: (
            "always"
            in [one["record"] for one in ask(page, "api/cameras") if one["name"] == "attic"]
        ),
        10,
    )
    page.get_by_role("radio", name="Off").check(force=True)

    page.keyboard.press("t")
    entry = page.locator("[data-entries] .entry[data-event]", has_text="Motion: lane").first
    expect(entry.locator("img")).to_be_visible()
    entry.get_by_role("button", name="Motion: lane").click()

    expect(page.locator("[data-library]")).to_be_visible()
    expect(page.locator("[data-playing-camera]")).to_have_text("lane")
    expect(page.locator("[data-playing-what]")).to_have_text("Motion")
