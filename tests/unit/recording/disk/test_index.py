"""The index of weeks of recordings: a query for one day does not scan all the others."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest

from server.recording.disk.index import Event, Index, Recorded

BEGIN = time.mktime((2026, 11, 1, 0, 0, 0, 0, 0, -1))
DAY_S = 86400.0
FILE_S = 900.0

CAMERAS = ("door", "yard", "roof")
STEPS = 50

DAYS = 3, 30


def fill(index: Index, days: int) -> None:
    """Add each camera's files of a quarter of an hour, with an event in each."""
    files = [
        Recorded(f"{camera}_{at:.0f}", camera, at, at + FILE_S, 1_000_000, False, "always")
        for at in (BEGIN + FILE_S * number for number in range(round(days * DAY_S / FILE_S)))
        for camera in CAMERAS
    ]
    events = [Event(f"{one.id}_", one.camera, "motion", one.begin, one.begin + 9) for one in files]
    with index.changing() as connection:
        for table, rows in (("recordings", files), ("events", events)):
            names = list(asdict(rows[0]))
            marks = ", ".join(f":{name}" for name in names)
            connection.executemany(
                f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",
                [asdict(row) | ({"box": None} if table == "events" else {}) for row in rows],
            )


def steps_of(index: Index, ask: Callable[[], object]) -> int:
    """Return the number of virtual machine steps that SQLite takes for a query."""
    count = 0

    def step() -> int:
        nonlocal count
        count += STEPS
        return 0

    with index.changing() as connection:
        connection.set_progress_handler(step, STEPS)
    ask()
    with index.changing() as connection:
        connection.set_progress_handler(None, 0)
    return count


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Index, Index]]:
    """An index of a few days, and one of a month."""
    both = Index(tmp_path_factory.mktemp("few")), Index(tmp_path_factory.mktemp("many"))
    for index, days in zip(both, DAYS, strict=True):
        fill(index, days)
    yield both
    for index in both:
        index.close()


# Each query is for the last day, which begins at the given time.
QUESTIONS: dict[str, Callable[[Index, float], object]] = {
    "a day": lambda index, at: index.recordings(None, at, at + DAY_S, 5000),
    "a day of a camera": lambda index, at: index.recordings(["yard"], at, at + DAY_S, 5000),
    "a moment": lambda index, at: index.recordings(["yard"], at + 999, at + 999.01),
    "the last before": lambda index, at: index.recordings(["yard"], None, at, 1),
    "events of a day": lambda index, at: index.events(None, None, at, at + DAY_S),
    "a span": lambda index, at: index.span("yard"),
    "the oldest": lambda index, at: index.oldest(),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_cost_of_a_day_query_does_not_grow_with_history(
    indexes: tuple[Index, Index], question: str
) -> None:
    """Ten times as many recordings used to be scanned for it."""
    few, many = (
        steps_of(index, partial(QUESTIONS[question], index, BEGIN + (days - 1) * DAY_S))
        for index, days in zip(indexes, DAYS, strict=True)
    )

    assert many <= 1.2 * few + 5 * STEPS


def test_month_query_scans_only_its_month(indexes: tuple[Index, Index]) -> None:
    """A query for an empty month costs next to nothing."""
    _, index = indexes

    found = index.days("2026-11", None)
    other = steps_of(index, lambda: index.days("2027-03", None))

    assert len(found) == 30
    assert found["2026-11-03"]["door"] == {"recordings": 96, "events": 96, "seconds": 86400.0}
    assert other <= 10 * STEPS


def test_long_and_open_recordings_are_found_by_their_end(tmp_path: Path) -> None:
    """They are found however early they began: a film of a week, or a file written for hours."""

    def day() -> set[str]:
        since = BEGIN + 7 * DAY_S
        return {one.id for one in index.recordings(["door"], since, since + DAY_S, 5000)}

    index = Index(tmp_path)
    fill(index, 10)
    long = Recorded("door_1", "door", BEGIN + 50, BEGIN + 8 * DAY_S, 1, False, "timelapse")
    goes_on = replace(long, id="door_2", begin=BEGIN + 60, end=BEGIN + 60, open=True)
    offline = Event("door_3", "door", "offline", BEGIN + 70)
    before = day()

    index.put(goes_on)
    with_open = day()
    index.put(long)
    with_long = day()
    index.put_event(offline)

    assert with_open - before == {"door_2"}
    assert with_long - with_open == {"door_1"}
    since = BEGIN + 7 * DAY_S
    assert "door_3" in {one.id for one in index.events(["door"], None, since, None, 5000)}
    # A file that only touches the day is not in it.
    assert len(before) == 96
    index.close()
