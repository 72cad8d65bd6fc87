"""A part of a camera's past on the bus: what there is, then units, video and JPEG alike.

An answer of the kind ``PP``, see :mod:`server.cluster.bus.answer`, and for each unit::

    seq     at_unix  key  width   height  length  length  codec           unit
    uint64  float64  1    uint16  uint16  1       uint32  ASCII           the rest

``at_unix`` is when a unit's own picture was captured: with B-frames it goes back.

A node of an earlier version is never asked: it does not say how much it remembers.
"""

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from server.capture.frames.unit import JPEG, Unit
from server.cluster.bus.answer import pack_head, unpack_head
from server.cluster.bus.frame_message import MAX_SEQ
from server.cluster.bus.messages import Message, MessageError, NodeId, Text
from server.errors import ErrorCode

__all__ = [
    "MAX_PART_BYTES",
    "Moment",
    "PastFacts",
    "PastPart",
    "PastRequest",
    "pack_part",
    "unpack_part",
]

MAX_PART_BYTES = 1 << 20
"""Units beyond this are in the next part; a single one may be larger."""

# Beyond any unit.
MAX_BYTES = 32 << 20

KIND = b"PP"
UNIT = struct.Struct("!QdBHHBI")
CODEC = re.compile(r"(avc1|avc3|hvc1|hev1)\.[0-9A-Za-z.]{1,58}|" + JPEG)

Moment = Annotated[float, Field(ge=-1e12, le=1e12)]
"""Unix seconds."""


class PastRequest(Message):
    """Asks for the picture of a moment, or all to another one, each with what it needs."""

    id: NodeId
    node: NodeId
    camera: Annotated[str, Field(min_length=1, max_length=40)]
    at: Moment
    until: Moment | None = None
    after: Annotated[int, Field(ge=0, le=MAX_SEQ)] = 0
    """The number of the last unit that the node has had; it needs those after it."""
    after_at: Moment | None = None
    """When that was captured."""
    deep: bool = False
    """Whether to look on the disk as well, where units have times but no numbers."""
    recording: Annotated[str | None, Field(max_length=80)] = None
    """With ``deep``, the recording that holds the picture; without, it is looked for."""
    empty: bool = False
    """Whether only the facts are wanted."""
    lead: bool = False
    """Whether what shows the picture is wanted, see :class:`server.recording.memory.Lead`."""


class PastFacts(Message):
    """What there is besides the units of a part.

    Attributes:
        begin: When the first picture of all was taken; None with nothing.
        end: When the last one was.
        before: When the one before the first unit was taken, or the one before what a lead shows;
            None for none. Without units, the one before the picture that was asked for.
        after: When the one after was, likewise.
        more: Whether there are more units to be asked for.
        pushed: How many units of a lead only push it out.
        newest: Whether no later picture can be shown yet.
        gaps: Between which times nothing was kept.
    """

    begin: Moment | None = None
    end: Moment | None = None
    before: Moment | None = None
    after: Moment | None = None
    more: bool = False
    pushed: Annotated[int, Field(ge=0, le=16)] = 0
    newest: bool = True
    gaps: tuple[tuple[Moment, Moment], ...] = ()
    error: ErrorCode | None = None
    message: Text = ""


@dataclass(frozen=True, slots=True)
class PastPart:
    """One answer.

    Attributes:
        id: Of the request.
        node: Who answers.
        facts: What there is.
        units: In order.
    """

    id: str
    node: str
    facts: PastFacts
    units: list[Unit]


def pack_part(request: str, node: str, facts: PastFacts, units: Sequence[Unit]) -> bytes:
    """Return an answer as bytes.

    Args:
        request: Its id, 16 hexadecimal digits.
        node: Id of the camera's node, 16 hexadecimal digits.
        facts: What there is.
        units: In order.
    """
    parts = [pack_head(KIND, request, node, facts)]
    for one in units:
        codec = one.codec.encode("ascii")
        sizes = one.width, one.height, len(codec), len(one.data)
        parts += (UNIT.pack(one.seq, one.shown_unix, one.key, *sizes), codec, one.data)
    return b"".join(parts)


def unpack_part(message: bytes) -> PastPart:
    """Return the answer.

    Raises:
        MessageError: If the message is not a valid one.
    """
    request, node, facts, begin = unpack_head(KIND, PastFacts, message, MAX_BYTES)
    units: list[Unit] = []
    while begin < len(message):
        unit, begin = _unpack_unit(message, begin)
        units.append(unit)
    return PastPart(id=request, node=node, facts=facts, units=units)


def _unpack_unit(message: bytes, begin: int) -> tuple[Unit, int]:
    if len(message) < begin + UNIT.size:
        raise MessageError("half a unit")
    seq, at_unix, key, width, height, named, size = UNIT.unpack_from(message, begin)
    begin += UNIT.size
    codec = message[begin : begin + named].decode("latin-1")
    begin += named
    data = message[begin : begin + size]
    if not CODEC.fullmatch(codec) or len(data) != size or not size:
        raise MessageError("a unit of an unknown codec, or half a one")
    if not 0 < seq <= MAX_SEQ or not math.isfinite(at_unix) or not width or not height:
        raise MessageError("a unit with an impossible number, time or size")
    return Unit(data, bool(key), seq, at_unix, codec, width, height), begin + size
