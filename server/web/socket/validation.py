"""Checks clients' messages before Engine.IO sees them.

Engine.IO and Socket.IO allow more than dashboards need, and unexpected input makes them raise where
it leaves a dead session in the rooms: an unknown packet type, an acknowledgement of nothing, a
binary event with endless attachments, an event named ``connect``. Clients here send a few kinds of
text and nothing else.
"""

import json
import re
from enum import Enum
from typing import Any

__all__ = ["Json", "Verdict", "judge"]

# Engine.IO protocol 4: 1 closes, 3 is a pong, 4 a message; inside it Socket.IO protocol 5: 0
# connects and 1 disconnects, with or without a namespace and a JSON object; 2 is an event.
LIFECYCLE = re.compile(r"3|40(/[^,\[\]{}]*,?)?(\{.*\})?", re.DOTALL)
GOODBYE = re.compile(r"1|41(/[^,\[\]{}]*,?)?(\{.*\})?", re.DOTALL)
EVENT = re.compile(r"42(/[^,\[\]{}]*,)?[0-9]{0,10}(?=\[)")

# The server's own handlers have these names; an event would call them with forged data.
RESERVED = ("connect", "disconnect", "connect_error")

MAX_INTEGER_DIGITS = 20


class Verdict(Enum):
    """What to do with a message."""

    PASS = "Engine.IO may see it"
    DROP = "not an event that could be answered; it is counted and ignored"
    LEAVE = "a disconnect; the connection ends"
    END = "a protocol error; the connection ends"


class Json:
    """The JSON codec for Socket.IO: the standard one, with a limit on the length of numbers."""

    dumps = staticmethod(json.dumps)

    @staticmethod
    def loads(text: str) -> Any:
        """Parse JSON; a huge integer becomes a float, which is rejected later as out of range."""
        return _DECODER.decode(text)


def judge(message: str | bytes) -> Verdict:
    """Return what to do with a client's message."""
    if isinstance(message, bytes):
        return Verdict.END
    event = EVENT.match(message)
    if event is None:
        # Half an event is a client's mistake; anything else is not a Socket.IO client at all.
        if message.startswith("42"):
            return Verdict.DROP
        if GOODBYE.fullmatch(message):
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


# Made once: json.loads with an option would make one for every call.
_DECODER = json.JSONDecoder(parse_int=_bounded_int)
