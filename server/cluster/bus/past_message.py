"""A part of a camera's past on the bus: facts, then units of video or JPEG.

An answer of the kind ``PP``, see :mod:`server.cluster.bus.answer`; then for each unit::

    seq     at_unix  key  width   height  length  length  codec           unit
    uint64  float64  1    uint16  uint16  1       uint32  ASCII           the rest

``at_unix`` is when the unit's picture was captured; with B-frames it can go back.

Nodes of earlier versions are never asked: they do not announce a memory.
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
"""Largest part; the remaining units are in the next. A single unit may be larger."""

# Larger than any unit.
MAX_BYTES = 32 << 20

KIND = b"PP"
UNIT = struct.Struct("!QdBHHBI")
CODEC = re.compile(r"(avc1|avc3|hvc1|hev1)\.[0-9A-Za-z.]{1,58}|" + JPEG)

Moment = Annotated[float, Field(ge=-1e12, le=1e12)]
"""Unix seconds."""


class PastRequest(Message):
    """Asks for the picture at a time, or all pictures up to another, with all units to decode."""

    id: NodeId
    node: NodeId
    camera: Annotated[str, Field(min_length=1, max_length=40)]
    at: Moment
    until: Moment | None = None
    after: Annotated[int, Field(ge=0, le=MAX_SEQ)] = 0
    """Number of the last unit received; send those after it."""
    after_at: Moment | None = None
    """Time of the last unit received."""
    deep: bool = False
    """Whether to search the disk as well, where units have times but no numbers."""
    recording: Annotated[str | None, Field(max_length=80)] = None
    """With ``deep``, id of the recording with the picture; None to search for it."""
    empty: bool = False
    """Whether to send only the facts."""
    lead: bool = False
    """Whether to send a :class:`server.recording.memory.DecodeRun`."""


class PastFacts(Message):
    """The JSON part of an answer.

    Attributes:
        begin: Time of the oldest picture kept; None if there is none.
        end: Time of the newest picture kept.
        before: Time of the picture before the first unit, or before the one that a lead shows;
            without units, before the requested picture. None if there is none.
        after: Time of the picture after, likewise.
        more: Whether there are more units to request.
        pushed: Number of units at a lead's end that only push its picture out of the decoder.
        newest: Whether no later picture can be shown yet.
        gaps: Time spans without pictures.
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
    """An answer.

    Attributes:
        id: Id of the request.
        node: Id of the answering node.
        facts: The JSON part.
        units: The units in order.
    """

    id: str
    node: str
    facts: PastFacts
    units: list[Unit]


def pack_part(request: str, node: str, facts: PastFacts, units: Sequence[Unit]) -> bytes:
    """Return an answer as bytes.

    Args:
        request: Id of the request, 16 hexadecimal digits.
        node: Id of the camera's node, 16 hexadecimal digits.
        facts: The JSON part.
        units: The units in order.
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
        raise MessageError("an incomplete unit")
    seq, at_unix, key, width, height, named, size = UNIT.unpack_from(message, begin)
    begin += UNIT.size
    codec = message[begin : begin + named].decode("latin-1")
    begin += named
    data = message[begin : begin + size]
    if not CODEC.fullmatch(codec) or len(data) != size or not size:
        raise MessageError("a unit that is incomplete or has an unknown codec")
    if not 0 < seq <= MAX_SEQ or not math.isfinite(at_unix) or not width or not height:
        raise MessageError("a unit with an impossible number, time or size")
    return Unit(data, bool(key), seq, at_unix, codec, width, height), begin + size
