"""A name belongs to one node; against a real Redis."""

import time

import pytest

from server.cluster.bus.bus import Bus
from server.cluster.outgoing.claims import LIFETIME_S, Claims
from server.errors import ConfigError
from tests.support.servers.cluster import RedisServer


@pytest.fixture
def place(bus: RedisServer) -> Bus:
    """The bus as nodes see it."""
    return Bus(bus.url, "test")


def test_second_claim_is_rejected_with_the_owners_host(place: Bus) -> None:
    """A node that claims a taken name learns which machine has it, and gets no name at all."""
    Claims(place, "0" * 16, "attic", ("door",)).take_all()
    place.client().persist("test:claim:door")  # Long enough to need no renewal.

    with pytest.raises(ConfigError) as caught:
        Claims(place, "1" * 16, "cellar", ("yard", "door")).take_all()

    assert "'door'" in str(caught.value)
    assert "on attic" in str(caught.value)
    assert place.client().get("test:claim:yard") is None


def test_restarted_node_waits_for_its_old_claim_to_expire(place: Bus) -> None:
    """A killed node restarts without an error, once its old claim has expired."""
    Claims(place, "0" * 16, "attic", ("door",)).take_all()

    begun = time.monotonic()
    Claims(place, "1" * 16, "attic", ("door",)).take_all()

    assert time.monotonic() - begun < LIFETIME_S + 0.5


def test_released_names_are_free_immediately(place: Bus) -> None:
    """A node that ends cleanly releases its own names, and no other node's."""
    client = place.client()
    mine = Claims(place, "0" * 16, "attic", ("door",))
    mine.take_all()
    Claims(place, "1" * 16, "cellar", ("yard",)).take_all()

    mine.release(client)
    Claims(place, "0" * 16, "attic", ("yard",)).release(client)

    begun = time.monotonic()
    Claims(place, "2" * 16, "roof", ("door",)).take_all()
    assert time.monotonic() - begun < 0.15
    assert Claims(place, "2" * 16, "roof", ("yard",)).renew(client, {}) == {}


def test_sequence_numbers_pass_to_the_next_owner(place: Bus) -> None:
    """The next node to claim a camera learns its last sequence number."""
    client = place.client()
    first = Claims(place, "0" * 16, "attic", ("door", "yard"))
    first.take_all()
    first.renew(client, {"door": 812})
    first.renew(client, {})
    first.release(client)

    reached = Claims(place, "1" * 16, "cellar", ("door", "yard")).take_all()

    assert reached == {"door": 812, "yard": 0}


@pytest.mark.parametrize("junk", ["-1", "x", "9" * 40, "9" * 15, ""])
def test_invalid_sequence_numbers_are_ignored(place: Bus, junk: str) -> None:
    """A stored value that is not a valid sequence number counts as 0."""
    place.client().set("test:seq:door", junk)

    assert Claims(place, "0" * 16, "attic", ("door",)).take_all() == {"door": 0}
