"""Logins that all nodes share, against a real Redis."""

from collections.abc import Callable, Mapping

import pytest

from server.cluster.bus.bus import Bus
from server.cluster.shared import poll
from server.cluster.shared.logins import SharedLogins, Values
from server.loop import hub
from tests.support.fakes import until
from tests.support.servers.cluster import RedisServer


class NodeOfTests:
    """One node's knowledge of logins."""

    def __init__(self, place: Bus) -> None:
        self.known: dict[str, Values] = {}
        self.shared = SharedLogins(place)

    def open(self) -> None:
        self.shared.open(lambda: self.known, self._take_up)

    def log_in(self, key: str) -> None:
        self.known[key] = [key, "generation", 1.0]
        self.shared.put(key, self.known[key])

    def log_out(self, key: str) -> None:
        del self.known[key]
        self.shared.drop(key)

    def _take_up(self, logins: Mapping[str, Values]) -> None:
        self.known = dict(logins)


# Nodes left open would keep writing to the Redis of other tests.
@pytest.fixture
def make(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[], NodeOfTests]:
    """Return a function that makes nodes, not yet open."""
    monkeypatch.setattr(poll, "PERIOD_S", 0.01)
    place = Bus(own_redis.url, "test")
    return lambda: NodeOfTests(place)


def test_logins_and_logouts_reach_other_nodes(make: Callable[[], NodeOfTests]) -> None:
    """One node's change reaches the other a moment later, or immediately on a query."""
    one, two = make(), make()
    one.open()
    two.open()

    one.log_in("ann")
    asked = two.shared.get("ann")
    until(lambda: set(two.known) == {"ann"})
    two.log_out("ann")
    until(lambda: not one.known)

    assert asked == ["ann", "generation", 1.0]
    assert two.shared.get("ann") is None


def test_lost_logins_are_restored(make: Callable[[], NodeOfTests], bus: RedisServer) -> None:
    """Logins survive a Redis that lost everything, even if an empty node connects first."""
    one, two = make(), make()
    one.open()
    one.log_in("ann")
    until(lambda: one.shared._seen_epoch)  # It has queried Redis, and knows the epoch.
    one.shared._task.kill()  # type: ignore[union-attr]
    with bus.client() as client:
        client.flushall()
    two.open()
    until(lambda: two.shared._seen_epoch)

    one.open()

    until(lambda: set(two.known) == {"ann"})
    assert set(one.known) == {"ann"}


def test_returning_node_drops_ended_logins(make: Callable[[], NodeOfTests]) -> None:
    """A login in a node's folder that ended while the node was off does not come back."""
    one, late = make(), make()
    one.open()
    one.log_in("ann")
    late.known = {"bob": ["bob", "generation", 1.0]}
    until(lambda: one.shared._seen_epoch)

    late.open()

    until(lambda: set(late.known) == {"ann"})
    hub.sleep(0.05)
    assert set(one.known) == {"ann"}


@pytest.mark.parametrize("junk", [b"x", b"[1]", b"{}", b"null", b"[" * 1000, b"1" * 500])
def test_invalid_login_entries_are_skipped(
    make: Callable[[], NodeOfTests], bus: RedisServer, junk: bytes
) -> None:
    """Entries in Redis that are not logins are skipped."""
    one = make()
    with bus.client() as client:
        client.hset("test:logins", "eve", junk)
    one.open()
    one.log_in("ann")

    until(lambda: one.shared._seen is not None)

    assert one.shared.get("eve") is None
    assert set(one.known) == {"ann"}
