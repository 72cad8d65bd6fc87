"""Messages about a node's recordings and events: lists, pieces of files, changes, new events.

A question is JSON. An answer has the kind ``PL``, see :mod:`server.cluster.bus.answer`, and may end
with a piece of a file.

Nodes of earlier versions are never asked: they do not announce a library.
"""

import math
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from server.cluster.bus.answer import pack_head, unpack_head
from server.cluster.bus.messages import (
    CameraName,
    Count,
    Message,
    MessageError,
    NodeId,
    Text,
)
from server.cluster.bus.past_message import Moment
from server.errors import ErrorCode
from server.recording.disk.index import Event, Recorded
from server.recording.disk.layout import camera_of

__all__ = [
    "MAX_PICTURE_BYTES",
    "MAX_ROWS",
    "PIECE_BYTES",
    "DayRow",
    "Happened",
    "LibraryAnswer",
    "LibraryFacts",
    "Question",
    "pack_answer",
    "unpack_answer",
]

MAX_ROWS = 501
"""Longest list: the rows of a page, and one more that shows that there are more."""

PIECE_BYTES = 256 << 10
"""Files are requested piece by piece, so that Redis never holds much of one."""

MAX_PICTURE_BYTES = 8 << 20
"""Largest picture of an event, which is sent as one piece."""

# The piece, and the facts before it.
MAX_BYTES = (1 << 20) + MAX_PICTURE_BYTES

MAX_TEXT = 40

KIND = b"PL"

Name = Annotated[str, Field(max_length=80)]


class Question(Message):
    """Asks a node for its recordings and events, or to change one.

    ``list`` and ``count`` use ``cameras``; the other requests concern one row, ``key``.
    """

    id: NodeId
    node: NodeId
    do: Literal["list", "count", "find", "read", "lock", "unlock", "delete"]
    kind: Literal["recording", "event"] = "recording"
    cameras: Annotated[list[CameraName], Field(max_length=256)] = Field(default_factory=list)
    label: Annotated[str | None, Field(max_length=80)] = None
    since: Moment | None = None
    before: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_ROWS - 1)] = 1
    month: Annotated[str, Field(pattern=r"^\d{4}-\d\d$")] = "1970-01"
    key: Name = ""
    begin: Count = 0
    """Offset of the first byte to read from the file; an event's picture is read as a whole."""
    nbytes: Annotated[int, Field(ge=0, le=PIECE_BYTES)] = 0
    who: Annotated[str, Field(max_length=80)] = ""
    """Who makes the change, for the audit log."""


class DayRow(Message):
    """A camera's counts for one day."""

    day: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    camera: CameraName
    recordings: Count
    events: Count
    seconds: Annotated[float, Field(ge=0, le=1e9)]


class LibraryFacts(Message):
    """The JSON part of an answer.

    Attributes:
        more: Whether there are more rows than listed.
        paused: Why recording is paused there; empty if it is not.
    """

    recordings: Annotated[list[Recorded], Field(max_length=MAX_ROWS)] = Field(default_factory=list)
    events: Annotated[list[Event], Field(max_length=MAX_ROWS)] = Field(default_factory=list)
    days: Annotated[list[DayRow], Field(max_length=31 * 256)] = Field(default_factory=list)
    more: bool = False
    paused: Text = ""
    error: ErrorCode | None = None
    message: Text = ""

    @property
    def rows(self) -> list[Recorded | Event]:
        """All recordings and events."""
        return [*self.recordings, *self.events]


class LibraryAnswer(NamedTuple):
    """An answer: the question's id, the answering node's id, facts, and a piece of a file."""

    id: str
    node: str
    facts: LibraryFacts
    piece: bytes


class Happened(Message):
    """An event of a camera began, changed or ended."""

    node: NodeId
    event: Event

    def check(self) -> Event:
        """Return the event.

        Raises:
            MessageError: If the event is impossible.
        """
        _check(self.event)
        return self.event


def pack_answer(question: str, node: str, facts: LibraryFacts, piece: bytes = b"") -> bytes:
    """Return an answer as bytes; question and node are ids of 16 hexadecimal digits."""
    return pack_head(KIND, question, node, facts) + piece


def unpack_answer(message: bytes) -> LibraryAnswer:
    """Return the answer.

    Raises:
        MessageError: If the message is not a valid one.
    """
    question, node, facts, begin = unpack_head(KIND, LibraryFacts, message, MAX_BYTES)
    for row in facts.rows:
        _check(row)
    return LibraryAnswer(question, node, facts, message[begin:])


def _check(row: Recorded | Event) -> None:
    """Raise MessageError for an impossible row."""
    texts = [row.film, row.reason if isinstance(row, Recorded) else row.label]
    numbers = [row.begin, row.end or 0.0]
    if isinstance(row, Event):
        numbers += [row.score or 0.0, *(row.box or ())]
    elif row.bytes < 0:
        raise MessageError("a recording of an impossible size")
    if camera_of(row.id) != row.camera or any(len(one) > MAX_TEXT for one in texts):
        raise MessageError("a recording or an event with an impossible name")
    if not all(map(math.isfinite, numbers)) or any(abs(one) > 1e12 for one in numbers):
        raise MessageError("a recording or an event at an impossible time")
