"""The library's data for a day, and its texts, without a page."""

from playwright.sync_api import Page

from tests.support.browser.chromium import in_module


def test_stale_response_does_not_reopen_an_event(blank: Page) -> None:
    """A response older than a notice does not turn an ended event back into "now"."""
    body = """async ({ LibraryStore }) => {
      const at = Date.now() / 1000;
      const now = new Date();
      const two = (number) => String(number).padStart(2, '0');
      const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
      const event = { id: 'a', camera: 'door', label: 'motion', from: at, to: null };
      const waiting = [];
      window.fetch = (address) => new Promise((resolve) => waiting.push(() => resolve(
        Response.json(address.includes('events')
          ? { events: [event], more: false, missing: [] }
          : { recordings: [], more: false, paused: '', missing: [{ node: 'attic', cameras: [] }] },
        ))));
      const store = new LibraryStore();
      const shown = store.show({ day, camera: '', label: '', locked: false });
      store.take({ ...event, to: at + 2 });
      store.take({ ...event, id: 'b', camera: 'yard' });
      for (const answer of waiting) answer();
      await shown;
      return [store.events.map(({ id, to }) => [id, to && to - at]), store.missing.length];
    }"""

    events, missing = in_module(blank, "library/store", body)

    assert sorted(events) == [["a", 2], ["b", None]]
    assert missing == 1


def test_library_address_round_trips(blank: Page) -> None:
    """A written address parses back; invalid values are ignored, and other parameters kept."""
    found = in_module(
        blank,
        "library/data",
        """({ EVERYTHING, readLibrary, writeLibrary }) => {
          const shown = { day: '2026-11-26', camera: 'door', label: 'person', locked: true,
            event: null, moment: { camera: 'door', at: 1795681234.5 } };
          const query = writeLibrary(shown, '?camera=yard');
          return [query, readLibrary(query), readLibrary('?library&at=nonsense&kept=2'),
            readLibrary('?camera=yard'), writeLibrary(null, query),
            writeLibrary(EVERYTHING, ''), readLibrary('?library=2026-13-01').day];
        }""",
    )

    query, read, odd, none, left, whole, day = found
    assert query == "?camera=yard&library=2026-11-26&of=door&label=person&kept=1&at=door@1795681234"
    assert read["moment"] == {"camera": "door", "at": 1795681234}
    assert (read["day"], read["camera"], read["label"], read["locked"]) == (
        *("2026-11-26", "door", "person"),
        True,
    )
    assert odd == {
        "day": None,
        "camera": "",
        "label": "",
        "locked": False,
        "event": None,
        "moment": None,
    }
    assert (none, left, whole, day) == (None, "?camera=yard", "?library", None)


def test_recordings_are_found_by_their_time(blank: Page) -> None:
    """A moment finds the recording that contains it, in a gap the next one, after the last none.

    Consecutive files are one bar, and an open one reaches to now.
    """
    found = in_module(
        blank,
        "library/data",
        """({ findRecording, isInGap, nextRecording, spansOf }) => {
          const make = (id, from, to, open = false) => ({ id, from, to, open });
          const all = [make('a', 0, 300), make('b', 301, 600), make('c', 700, 800, true)];
          const idAt = (at) => findRecording(all, at)?.id ?? null;
          return [[10, 300.5, 650, 790, 810, 2000].map(idAt), spansOf(all, 900),
            isInGap(all[2], 600), isInGap(all[1], 300), nextRecording(all, all[0]).id,
            nextRecording(all, all[2])];
        }""",
    )

    ids, spans, gap, seam, following, last = found
    assert ids == ["a", "b", "c", "c", "c", None]
    assert spans == [{"from": 0, "to": 600}, {"from": 700, "to": 900}]
    assert (gap, seam, following, last) == (True, False, "b", None)


def test_days_begin_at_local_midnight(blank: Page) -> None:
    """A day is as long as the clocks make it; days count across months and years."""
    found = in_module(
        blank,
        "library/data",
        """({ addDays, boundsOf, dayOf, monthsOf }) => {
          const [from, to] = boundsOf('2026-03-29');
          return [dayOf(from), dayOf(to - 1), dayOf(to), dayOf(from - 1), addDays('2026-12-31', 1),
            addDays('2026-03-01', -1), monthsOf(['2026-10-31', '2026-11-01', '2026-11-02'])];
        }""",
    )

    assert found == [
        *("2026-03-29", "2026-03-29", "2026-03-30", "2026-03-28", "2027-01-01", "2026-02-28"),
        ["2026-10", "2026-11"],
    ]


def test_timeline_zooms_around_the_pointer(blank: Page) -> None:
    """The moment under the pointer stays, within the day; ticks are round, close marks merge."""
    found = in_module(
        blank,
        "library/data",
        """async ({ joinMarks }) => {
          const { TimeScale } = await import('/static/js/ui/timescale.js');
          const scale = new TimeScale({ from: 0, to: 86400 }, 120);
          scale.zoom(4, 21600);
          const zoomed = [scale.from, scale.to, scale.share(21600)];
          const { step, at } = scale.ticks(600, 100);
          scale.move(-10);
          const moved = [scale.from, scale.span];
          scale.zoom(1e9, 0);
          const closest = [scale.span, scale.isClosest];
          scale.reveal(43200);
          const revealed = [scale.from, scale.to];
          scale.zoom(1e-9, 0);
          const spans = [{ from: 0, to: 1 }, { from: 2, to: 3 }, { from: 50, to: 60 }];
          const marks = joinMarks(spans, (x) => x, 3);
          return { zoomed, step, at, moved, closest, revealed, whole: scale.isWhole, marks };
        }""",
    )

    assert found["zoomed"] == [16200, 37800, 0.25]
    assert (found["step"], found["at"]) == (3600, [18000, 21600, 25200, 28800, 32400, 36000])
    assert found["moved"] == [0, 21600]
    assert found["closest"] == [120, True]
    assert found["revealed"] == [43140, 43260]
    assert found["whole"]
    assert found["marks"] == [[0, 5], [50, 60]]


def test_empty_library_says_what_to_do(blank: Page) -> None:
    """Each empty state has its own text, and offers what this user may do about it."""
    body = """({ describeEmpty, noteOf }, cases) => {
      const usual = { state: 'ready', message: '', cards: 0, filtered: false, recorded: false,
        missing: false, anything: true, records: true, cameras: 2, mayChange: true,
        dayName: 'Monday', isToday: false };
      const told = cases.map((one) => describeEmpty({ ...usual, ...one }));
      return [...told.map((one) => one && [one.title, one.acts.map(({ act }) => act)]),
        noteOf('', true, [], String), noteOf('No space left on device', true, [], String),
        noteOf('', true, [{ node: 'attic', cameras: ['door', 'yard'] }], (name) => `the ${name}`)];
    }"""
    nothing = {"anything": False, "records": False}
    cases = [
        {"state": "loading"},
        {"cards": 1},
        {"state": "forbidden"},
        {"state": "failed"},
        {"filtered": True},
        nothing,
        nothing | {"mayChange": False},
        nothing | {"missing": True},
        {"recorded": True},
        {"isToday": True},
        {},
    ]

    *told, well, paused, missing = in_module(blank, "library/states", body, cases)

    assert told == [
        None,
        None,
        ["No access", []],
        ["The library could not be loaded", ["retry"]],
        ["No matching events", ["all"]],
        ["Nothing is recorded yet", ["record-motion", "record-always"]],
        ["Nothing is recorded yet", []],
        ["Nothing to show yet", []],
        ["No events", []],
        ["Nothing yet today", []],
        ["Nothing on this day", []],
    ]
    assert well == ""
    assert paused.startswith("Recording is paused: No space left on device")
    expected = (
        "The node attic does not answer: its recordings of the door and the yard are not shown."
    )
    assert missing == expected
