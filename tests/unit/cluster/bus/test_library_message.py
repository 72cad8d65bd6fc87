"""A node's library, on the bus."""

from dataclasses import replace

import pytest

from server.cluster.bus.library_message import (
    DayRow,
    LibraryFacts,
    Question,
    pack_answer,
    unpack_answer,
)
from server.cluster.bus.messages import MessageError, parse_message
from server.recording.disk.index import Event, Recorded

QUESTION, NODE = "0123456789abcdef", "fedcba9876543210"

RECORDED = Recorded("door_20261126_120000", "door", 1.5, 3.5, 4096, False, "always", True)
EVENT = Event(
    *("door_20261126_120000000-2", "door", "motion", 1.25, None, 0.5, (0.0, 0.1, 1.0, 0.9), True)
)
DAY = DayRow(day="2026-11-26", camera="door", recordings=2, events=1, seconds=600.5)


def test_answer_arrives_as_it_was_sent() -> None:
    """Rows of all kinds arrive, and a piece of a file."""
    facts = LibraryFacts(recordings=[RECORDED], events=[EVENT], days=[DAY], more=True, paused="x")

    answer = unpack_answer(pack_answer(QUESTION, NODE, facts, b"\0piece"))

    assert answer == (QUESTION, NODE, facts, b"\0piece")


@pytest.mark.parametrize("cut", [1, 5, 20, 60])
def test_truncated_answers_are_rejected(cut: int) -> None:
    """Half a message is rejected, and so is one with a wrong prefix."""
    whole = pack_answer(QUESTION, NODE, LibraryFacts(recordings=[RECORDED]))

    for message in (whole[:-cut], whole[:cut], b"PP" + whole[2:]):
        with pytest.raises(MessageError):
            unpack_answer(message)


@pytest.mark.parametrize(
    "row",
    [
        replace(RECORDED, id="yard_20261126_120000"),
        replace(RECORDED, id="door_20261126_120000/../../x"),
        replace(RECORDED, begin=1e300),
        replace(RECORDED, bytes=-1),
        replace(RECORDED, reason="x" * 41),
        replace(EVENT, camera="yard"),
        replace(EVENT, begin=float("nan")),
        replace(EVENT, box=(0.0, 0.0, float("inf"), 1.0)),
        replace(EVENT, label="x" * 41),
    ],
)
def test_impossible_rows_are_rejected(row: Recorded | Event) -> None:
    """Any client of the bus could send them."""
    is_event = isinstance(row, Event)
    told = {"events" if is_event else "recordings": [row]}
    with pytest.raises(MessageError):
        unpack_answer(pack_answer(QUESTION, NODE, LibraryFacts.model_construct(**told)))


@pytest.mark.parametrize(
    "fields",
    [
        '"do": "format"',
        '"do": "list", "limit": 501',
        '"do": "list", "cameras": ["../door"]',
        '"do": "read", "nbytes": 1000000000',
        '"do": "read", "begin": -1',
        '"do": "count", "month": "%"',
    ],
)
def test_impossible_questions_are_rejected(fields: str) -> None:
    """A node does not answer invalid or expensive requests."""
    asked = f'{{"id": "{QUESTION}", "node": "{NODE}", {fields}}}'

    with pytest.raises(MessageError):
        parse_message(Question, asked.encode())
