"""Recordings on disk as one past: across files, gaps, and a clock that was set."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from server.capture.frames.unit import Unit
from server.recording.disk.check import check
from server.recording.disk.index import Event
from server.recording.disk.storage import Storage
from server.recording.disk.writer import Writer
from server.recording.events import EventLog
from server.recording.library import Library, Query
from server.recording.media.clip import Clip
from server.recording.media.fragments import Kept
from server.recording.past import Past
from server.recording.rewind import Rewind
from tests.support.cameras.units import make_units

BEGIN = 1_795_000_000.0
HOUR_S = 3600.0

FPS, GROUP = 25, 10


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> list[Unit]:
    """Four seconds, with every tenth a key frame."""
    made = make_units(tmp_path_factory.mktemp("film"), 4, source="testsrc2=size=128x72:rate=25")
    return [replace(one, at_unix=one.at_unix - 1e6 + BEGIN) for one in made]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """The library of a new folder."""
    storage = Storage(tmp_path / "media")
    writer = Writer(storage)
    writer.start()
    yield Library(storage, writer, EventLog(storage, writer), lambda *notice: None)
    assert writer.stop(5.0)


def later(film: Sequence[Unit], seconds: float) -> list[Unit]:
    """Return a film as if it was captured later."""
    return [replace(one, at_unix=one.at_unix + seconds) for one in film]


def record(library: Library, *films: Sequence[Unit]) -> None:
    """Record films one after the other."""
    for film in films:
        for at in range(0, len(film), 5):
            library._writer.put("door", film[at : at + 5], "always")
    library._writer.end("door")
    library._writer.call(lambda: None)


def spans(library: Library) -> list[tuple[float, float]]:
    """Return the spans of the recordings, in seconds since the start."""
    found = library.recordings(Query(["door"])).rows
    return [(round(one.begin - BEGIN, 2), round(one.end - BEGIN, 2)) for one in reversed(found)]


def shown(units: Sequence[Kept], from_unix: float) -> list[float]:
    """Return the capture times of a clip's pictures; they must grow."""
    times = [round(one.at_unix - BEGIN, 2) for one in units]
    assert all(one < other for one, other in pairwise(times))
    assert units[0].key
    assert Clip(units, from_unix).seconds > 0
    return [one for one in times if one >= from_unix - BEGIN]


def test_event_is_available_as_soon_as_it_is_announced(library: Library) -> None:
    """A page requested its picture before a busy disk had it, and showed none."""
    disk_goes_on = threading.Event()
    library._writer.do(disk_goes_on.wait)
    told: list[Event] = []
    library._events.on_event = told.append

    key = library._events.begin("door", "motion", BEGIN, 0.5, picture=b"jpeg")
    try:
        assert library.event(key) == told[0]
        assert library.picture_of(told[0]) == b"jpeg"
    finally:
        disk_goes_on.set()

    library._writer.call(lambda: None)
    assert library._writer.events.find(key) is None
    assert library.event(key) == told[0]
    assert library.picture_of(told[0]) == b"jpeg"


def test_a_clock_set_forward_costs_a_group(library: Library, film: list[Unit]) -> None:
    """The next file begins with the next key frame; what precedes the step stays."""
    record(library, film[:25], later(film[25:], HOUR_S))

    assert spans(library) == [(0.0, 1.0), (HOUR_S + 1.2, HOUR_S + 4.0)]
    assert library._writer.dropped["door"] == 5
    for at in (0.52, HOUR_S + 2.0):
        assert library.find("door", BEGIN + at)[-1].at_unix == pytest.approx(BEGIN + at, abs=0.001)


def test_a_clock_set_back_costs_a_group(library: Library, film: list[Unit]) -> None:
    """A new file begins an hour earlier, and both are found by their times."""
    record(library, film[:25], later(film[25:], -HOUR_S))

    assert spans(library) == [(1.2 - HOUR_S, 4.0 - HOUR_S), (0.0, 1.0)]
    assert library._writer.dropped["door"] == 5
    for at in (0.52, 2.0 - HOUR_S):
        assert library.find("door", BEGIN + at)[-1].at_unix == pytest.approx(BEGIN + at, abs=0.001)


def test_repeated_time_is_kept_in_two_files(library: Library, film: list[Unit]) -> None:
    """Neither replaces the other: a seek there finds one of them, and a clip passes through.

    A clip once had both in sequence, the second without any duration.
    """
    record(library, film, later(film, 2.0))

    assert spans(library) == [(0.0, 4.0), (2.0, 6.0)]
    query = Query(["door"], since=BEGIN + 3, before=BEGIN + 3.1)
    ids = {one.id for one in library.recordings(query).rows}
    assert len(ids) == 2
    found = library.find("door", BEGIN + 3.0)
    assert found[-1].at_unix == pytest.approx(BEGIN + 3.0, abs=0.001)
    assert [one.key for one in found].count(True) == 1
    times = shown(library.units("door", BEGIN + 1, BEGIN + 5), BEGIN + 1)
    assert (times[0], times[-1]) == (1.0, 5.0)
    # Where it continues in the other file, up to a group is missing, and nothing else.
    assert len(times) >= 4 * FPS + 1 - GROUP


def test_clip_across_a_clock_set_back_is_continuous(library: Library, film: list[Unit]) -> None:
    """The file that begins earlier has all of it, so the clip is taken from that one."""
    record(library, later(film[:50], 2.0), film)

    times = shown(library.units("door", BEGIN + 1, BEGIN + 3.5), BEGIN + 1)

    assert times == [round(1 + number / FPS, 2) for number in range(round(2.5 * FPS) + 1)]


def test_consecutive_files_form_one_past(library: Library, film: list[Unit]) -> None:
    """Across two files nothing is missing or duplicate."""
    record(library, film[:50])
    record(library, film[50:])

    assert spans(library) == [(0.0, 2.0), (2.0, 4.0)]
    times = shown(library.units("door", BEGIN + 1.52, BEGIN + 2.52), BEGIN + 1.52)
    assert times == [round(1.52 + number / FPS, 2) for number in range(FPS + 1)]
    for at in (1.96, 2.0, 2.04):
        assert library.find("door", BEGIN + at)[-1].at_unix == pytest.approx(BEGIN + at, abs=0.001)


def test_seek_into_a_gap_finds_the_picture_before_it(library: Library, film: list[Unit]) -> None:
    """It used to find one an hour later, the first in memory, or none."""
    record(library, film[:50])
    record(library, later(film[:50], HOUR_S))
    rewind = Rewind(60)
    for one in later(film, 2 * HOUR_S):
        rewind.put(one)
    past = Past({"door": rewind})
    past.stored, past.stored_at = library.units, library.find

    for at, expected in ((100.0, 1.96), (HOUR_S + 100, HOUR_S + 1.96), (2 * HOUR_S + 1,) * 2):
        found = past.find("door", BEGIN + at)
        assert found[-1].at_unix == pytest.approx(BEGIN + expected, abs=0.001)
        assert found[0].key
    assert past.find("door", BEGIN - 1)[-1].at_unix == pytest.approx(BEGIN + 2 * HOUR_S)
    # A clip skips the gap: it would stand still for an hour.
    assert library.units("door", BEGIN + 100, BEGIN + 200) == []


def test_rebuilt_index_is_the_same_after_a_clock_change(library: Library, film: list[Unit]) -> None:
    """Files are found by their contents, not by the order of their names."""
    record(library, film[:25], later(film[25:], -HOUR_S), later(film, HOUR_S))
    index = library._storage.index
    before = index.all_recordings()

    index.set_aside()
    check(library._storage.media, index)

    assert index.all_recordings() == before
