"""Which connections are admitted, and which give way."""

from collections import Counter

import pytest

from server.web.edge.connection_limiter import ConnectionLimiter

LOOPBACK, ONE, OTHER = "127.0.0.1", "192.0.2.1", "192.0.2.2"


class Entrance:
    """A limiter with room for four incomplete requests, and a record of those that gave way."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.gone: list[str] = []
        self.limiter = ConnectionLimiter(
            3, 2, lambda reason: self.refused.update([reason]), most_heads=4
        )

    def come(self, *names: str, address: str = LOOPBACK) -> None:
        for name in names:
            self.limiter.enter(name, address, lambda name=name: self.gone.append(name))  # type: ignore[misc]


@pytest.fixture
def entrance() -> Entrance:
    """A limiter without connections."""
    return Entrance()


def test_oldest_incomplete_request_gives_way(entrance: Entrance) -> None:
    """A proxy's address has no limit of its own, but its oldest incomplete request is ended."""
    entrance.come("a", "b", "c", "d", "e")

    assert entrance.gone == ["a"]
    assert entrance.refused == {"408": 1}
    assert (entrance.limiter.admit("a") or b"").startswith(b"HTTP/1.1 408 ")
    assert entrance.limiter.admit("b") is None


def test_complete_requests_never_give_way(entrance: Entrance) -> None:
    """They stay, however many incomplete ones come."""
    entrance.come("a", "b")
    assert entrance.limiter.admit("a") is None

    entrance.come("c", "d", "e", "f")

    assert entrance.gone == ["b"]


def test_network_with_most_connections_gives_way(entrance: Entrance) -> None:
    """A client that opens many connections ends its own, not other people's."""
    entrance.come("a", address=ONE)
    entrance.come("b", "c", "d")

    entrance.come("e", address=OTHER)

    assert entrance.gone == ["b"]


def test_connections_per_address_are_limited(entrance: Entrance) -> None:
    """The limit applies to incomplete requests as to complete ones."""
    entrance.come("a", "b", "c", address=ONE)
    assert entrance.gone == ["a"]
    assert entrance.limiter.admit("b") is None
    assert entrance.limiter.admit("c") is None
    entrance.come("d", address=ONE)

    assert (entrance.limiter.admit("d") or b"").startswith(b"HTTP/1.1 429 ")


def test_idle_connection_gives_way_last(entrance: Entrance) -> None:
    """An idle kept-alive connection gives way like one that has sent nothing, but last."""
    entrance.come("a")
    assert entrance.limiter.admit("a") is None
    entrance.come("b", "c", "d")
    entrance.limiter.await_next("a")

    entrance.come("e")

    assert entrance.gone == ["b"]


def test_closed_connections_are_forgotten(entrance: Entrance) -> None:
    """Their counts are removed, whatever they were."""
    for _ in range(10):
        entrance.come("a", "b", address=ONE)
        assert entrance.limiter.admit("a") is None
        entrance.limiter.leave("a")
        entrance.limiter.leave("b")

    assert not entrance.gone
    assert not entrance.refused
