"""A part of a camera's past, on the bus."""

import pytest

from server.capture.frames.unit import JPEG, Unit
from server.cluster.bus.messages import MessageError
from server.cluster.bus.past_message import PastFacts, pack_part, unpack_part

REQUEST, NODE = "0123456789abcdef", "fedcba9876543210"
UNITS = [
    Unit(b"\0\0\0\1key", True, 7, 1.25, "avc1.64001f", 64, 48),
    Unit(b"\0\0\0\1other", False, 8, 1.5, "avc1.64001f", 64, 48),
    Unit(b"\xff\xd8picture\xff\xd9", True, 9, 1.75, JPEG, 1920, 1080),
]


def test_part_arrives_as_it_was_sent() -> None:
    """Video and JPEG arrive with their times, numbers and sizes."""
    facts = PastFacts(begin=1.0, end=9.5, before=None, after=2.0, more=True)

    part = unpack_part(pack_part(REQUEST, NODE, facts, UNITS))

    assert (part.id, part.node, part.facts, part.units) == (REQUEST, NODE, facts, UNITS)


@pytest.mark.parametrize("cut", [1, 5, 20, 60])
def test_truncated_parts_are_rejected(cut: int) -> None:
    """Half a message is rejected."""
    whole = pack_part(REQUEST, NODE, PastFacts(), UNITS)

    with pytest.raises(MessageError):
        unpack_part(whole[:-cut])
    with pytest.raises(MessageError):
        unpack_part(whole[:cut])


@pytest.mark.parametrize(
    "unit",
    [
        Unit(b"x", True, 0, 1.0, JPEG, 64, 48),
        Unit(b"x", True, 1, float("nan"), JPEG, 64, 48),
        Unit(b"x", True, 1, 1.0, "text/html", 64, 48),
        Unit(b"x", True, 1, 1.0, JPEG, 0, 48),
        Unit(b"", True, 1, 1.0, JPEG, 64, 48),
    ],
)
def test_impossible_units_are_rejected(unit: Unit) -> None:
    """Any client of the bus could send them."""
    with pytest.raises(MessageError):
        unpack_part(pack_part(REQUEST, NODE, PastFacts(), [unit]))
