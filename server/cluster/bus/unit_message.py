"""A video unit on the bus: the header of a frame, a second header, then the unit's bytes.

::

    as a frame  after    flags  width   height  length  codec                 unit
    27          uint64   1      uint16  uint16  1       length bytes, ASCII   the rest, Annex B

``after`` is the number of the previous unit, needed to decode this one; 0 for a key frame. A unit
with the flag EARLY has its ``early_s`` embedded, see :mod:`server.cluster.bus.display_time_sei`;
nodes of earlier versions ignore that.
"""

import re
import struct
from dataclasses import dataclass

from server.capture.frames.unit import Unit
from server.cluster.bus.display_time_sei import add_early, take_early
from server.cluster.bus.frame_message import HEADER, MAGIC, MAX_SEQ, FrameMessageError, peek

__all__ = ["VERSION", "UnitMessage", "pack_unit", "unpack_unit"]

VERSION = 2
"""Nodes of earlier versions do not know this version, and never subscribe to it."""

MORE = struct.Struct("!QBHHB")

# Flags.
KEY = 1
REPEATED = 2
COMPLETE = 4
EARLY = 8

CODEC = re.compile(r"(avc1|avc3|hvc1|hev1)\.[0-9A-Za-z.]{1,58}")

# Annex B begins with one of these.
START_CODES = (b"\0\0\1", b"\0\0\0\1")


@dataclass(frozen=True, slots=True)
class UnitMessage:
    """A unit as received from another node.

    Attributes:
        unit: The unit, with its node's number.
        after: Number of the previous unit; 0 for a key frame.
        repeated: Whether it is sent again, for a new subscriber.
        complete: Whether it is the last of the repeated units.
    """

    unit: Unit
    after: int
    repeated: bool
    complete: bool


def pack_unit(
    node: str, unit: Unit, after: int, repeated: bool = False, complete: bool = False
) -> bytes:
    """Return a unit as bytes.

    Args:
        node: Id of the camera's node, 16 hexadecimal digits.
        unit: The unit to send.
        after: Number of the previous unit.
        repeated: Whether it is sent again, for a new subscriber.
        complete: Whether it is the last of the repeated units.
    """
    codec = unit.codec.encode("ascii")
    flags = KEY * unit.key | REPEATED * repeated | COMPLETE * complete
    data = unit.data
    if unit.early_s:
        flags |= EARLY
        data = add_early(data, unit.codec, unit.early_s)
    return b"".join(
        (
            HEADER.pack(MAGIC, VERSION, bytes.fromhex(node), unit.seq, unit.at_unix),
            MORE.pack(0 if unit.key else after, flags, unit.width, unit.height, len(codec)),
            codec,
            data,
        )
    )


def unpack_unit(message: bytes) -> UnitMessage:
    """Return the unit.

    Raises:
        FrameMessageError: If the message is not a valid unit.
    """
    _, seq, at_unix = peek(message, VERSION)
    begin = HEADER.size + MORE.size
    if len(message) < begin:
        raise FrameMessageError(f"not a unit: {len(message)} bytes")
    after, flags, width, height, length = MORE.unpack_from(message, HEADER.size)
    codec = message[begin : begin + length].decode("latin-1")
    data = message[begin + length :]
    if not CODEC.fullmatch(codec):
        raise FrameMessageError("a unit with an unknown codec")
    if not width or not height or not data.startswith(START_CODES):
        raise FrameMessageError("a unit without a size or a picture")
    key = bool(flags & KEY)
    if (after != 0) if key else not 0 < after < seq <= MAX_SEQ:
        raise FrameMessageError("a unit with an impossible predecessor")
    early_s = 0.0
    if flags & EARLY:
        try:
            data, early_s = take_early(data, codec)
        except ValueError as error:
            raise FrameMessageError(f"a unit with an invalid early time: {error}") from None
    unit = Unit(data, key, seq, at_unix, codec, width, height, early_s)
    return UnitMessage(unit, after, bool(flags & REPEATED), bool(flags & COMPLETE))
