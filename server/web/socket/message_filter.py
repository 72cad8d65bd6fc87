"""Filters clients' messages before Engine.IO sees them.

Engine.IO and Socket.IO accept more than dashboards need, and some input makes them raise in places
that leave a dead session in the rooms: an unknown packet type, an acknowledgement of nothing, a
binary event with endless attachments, an event named ``connect``. Our clients send only a few kinds
of text.
"""

import json
import re
from enum import Enum
from typing import Any

__all__ = ["Json", "Verdict", "check_message"]

# Engine.IO protocol 4: 1 is close, 3 pong, 4 a message. In a message, Socket.IO protocol 5: 0 is
# connect and 1 disconnect, with or without a namespace and a JSON object; 2 is an event.
LIFECYCLE = re.compile(r"3|40(/[^,\[\]{}]*,?)?(\{.*\})?", re.DOTALL)
DISCONNECT = re.compile(r"1|41(/[^,\[\]{}]*,?)?(\{.*\})?", re.DOTALL)
EVENT = re.compile(r"42(/[^,\[\]{}]*,)?[0-9]{0,10}(?=\[)")

# Names of the server's own handlers; an event so named would call them with forged data.
RESERVED = ("connect", "disconnect", "connect_error")

MAX_INTEGER_DIGITS = 20


class Verdict(Enum):
    """What to do with a message."""

    PASS = "pass it to Engine.IO"
    DROP = "not an event we can answer: count and ignore it"
    LEAVE = "a disconnect: close the connection"
    END = "a protocol error: close the connection"


class Json:
    """JSON codec for Socket.IO: the standard one, but with bounded integers."""

    dumps = staticmethod(json.dumps)

    @staticmethod
    def loads(text: str) -> Any:
        """Parse JSON; a huge integer becomes a float, which is rejected later as out of range."""
        return _DECODER.decode(text)


def check_message(message: str | bytes) -> Verdict:
    """Return what to do with a client's message."""
    if isinstance(message, bytes):
        return Verdict.END
    event = EVENT.match(message)
    if event is None:
        # A malformed event is a client's mistake; anything else is no Socket.IO client.
        if message.startswith("42"):
            return Verdict.DROP
        if DISCONNECT.fullmatch(message):
            return Verdict.LEAVE
        return Verdict.PASS if LIFECYCLE.fullmatch(message) else Verdict.END
    try:
        arguments = Json.loads(message[event.end() :])
    except (ValueError, RecursionError):
        return Verdict.DROP
    if not isinstance(arguments, list) or not arguments or not isinstance(arguments[0], str):
        return Verdict.DROP
    return Verdict.DROP if arguments[0] in RESERVED else Verdict.PASS


def _bounded_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else float(digits)


# Created once: json.loads with an option would create one per call.
_DECODER = json.JSONDecoder(parse_int=_bounded_int)
