"""The front door: names that are answered to, who may come in, and who gives way."""

from collections import Counter
from typing import Any

import pytest

from server.web.edge import door as door_module
from server.web.edge.door import ConnectionLimiter, OriginCheck

LOOPBACK, ONE, OTHER = "127.0.0.1", "192.0.2.1", "192.0.2.2"


class Entrance:
    """A doorkeeper with room for four half requests, and who gave way."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.gone: list[str] = []
        self.keeper = ConnectionLimiter(
            3, 2, lambda reason: self.refused.update([reason]), most_heads=4
        )

    def come(self, *names: str, address: str = LOOPBACK) -> None:
        for name in names:
            self.keeper.enter(name, address, lambda name=name: self.gone.append(name))  # type: ignore[misc]


@pytest.fixture
def entrance() -> Entrance:
    """Nobody is there."""
    return Entrance()


def test_oldest_half_request_gives_way(entrance: Entrance) -> None:
    """A proxy's address has no bound of its own, but the oldest half request there ends."""
    entrance.come("a", "b", "c", "d", "e")

    assert entrance.gone == ["a"]
    assert entrance.refused == {"408": 1}
    assert (entrance.keeper.admit("a") or b"").startswith(b"HTTP/1.1 408 ")
    assert entrance.keeper.admit("b") is None


def test_whole_requests_make_no_room_for_half_ones(entrance: Entrance) -> None:
    """Whoever is in stays in, however many half requests come."""
    entrance.come("a", "b")
    assert entrance.keeper.admit("a") is None

    entrance.come("c", "d", "e", "f")

    assert entrance.gone == ["b"]


def test_most_crowded_network_gives_way(entrance: Entrance) -> None:
    """Who opens many ends others of its own, not somebody else's."""
    entrance.come("a", address=ONE)
    entrance.come("b", "c", "d")

    entrance.come("e", address=OTHER)

    assert entrance.gone == ["b"]


def test_one_address_has_a_bound(entrance: Entrance) -> None:
    """Of half requests as of whole ones."""
    entrance.come("a", "b", "c", address=ONE)
    assert entrance.gone == ["a"]
    assert entrance.keeper.admit("b") is None
    assert entrance.keeper.admit("c") is None
    entrance.come("d", address=ONE)

    assert (entrance.keeper.admit("d") or b"").startswith(b"HTTP/1.1 429 ")


def test_who_awaits_the_next_request_is_the_newest(entrance: Entrance) -> None:
    """A connection that is kept alive gives way like one that has sent nothing, but last."""
    entrance.come("a")
    assert entrance.keeper.admit("a") is None
    entrance.come("b", "c", "d")
    entrance.keeper.await_next("a")

    entrance.come("e")

    assert entrance.gone == ["b"]


def test_nothing_is_left_of_who_leaves(entrance: Entrance) -> None:
    """Counts go back, whichever they were."""
    for _ in range(10):
        entrance.come("a", "b", address=ONE)
        assert entrance.keeper.admit("a") is None
        entrance.keeper.leave("a")
        entrance.keeper.leave("b")

    assert not entrance.gone
    assert not entrance.refused


def ask(door: OriginCheck, host: str) -> tuple[str, str]:
    """Return status and text of the answer to a request for a host."""
    statuses: list[str] = []
    environ = {"HTTP_HOST": host, "REQUEST_METHOD": "GET"}
    body = door(environ, lambda status, headers: statuses.append(status))
    return statuses[0].split()[0], b"".join(body).decode()


def inside(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b""]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("pi", "200"), ("PI:8000", "200"), ("pi.", "200"), ("pi.local:1", "200")),
        *(("192.0.2.9", "200"), ("[fd00::9]:80", "200"), ("localhost", "200")),
        *(("pi.evil.test", "421"), ("pi.local.evil.test", "421"), ("evil.test", "421")),
        *(("pi..", "421"), ("", "421"), ("a b", "421"), (".", "421")),
    ],
)
def test_own_names_and_addresses_are_answered_to(host: str, status: str) -> None:
    """In any case and on any port; a name that merely begins like one of ours is foreign."""
    assert ask(OriginCheck(inside, ["pi", "pi.local"], []), host)[0] == status


def test_a_refused_name_is_told_the_way_in(caplog: pytest.LogCaptureFixture) -> None:
    """The answer has the option to paste, and the log has it too, once a name."""
    door = OriginCheck(inside, [], [])

    for _ in range(3):
        status, text = ask(door, "Cam.example:8000")

    assert status == "421"
    assert "`--allowed-hosts cam.example`" in text
    assert 'allowed_hosts = ["cam.example"]' in text
    assert [record.message.count("--allowed-hosts cam.example") for record in caplog.records] == [1]


def test_ever_new_names_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Nor does one that is no name at all, or far too long."""
    door = OriginCheck(inside, [], [])

    for number in range(3 * door_module.MAX_LOGGED_NAMES):
        ask(door, f"{number}.example")
    _, long = ask(door, "a" * 5000)
    _, none = ask(door, "<script>")

    assert len(caplog.records) == door_module.MAX_LOGGED_NAMES
    assert len(long) < 400
    assert "allowed" not in long + none
