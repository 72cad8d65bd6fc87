"""One list of users for all nodes, against a real Redis."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.cluster.bus.bus import Bus
from server.cluster.shared import poll
from server.cluster.shared.users import share_users
from server.users.users import UsersFile
from tests.support.fakes import until
from tests.support.servers.cluster import RedisServer

PASSWORD = "correct horse"


class NodeOfTests:
    """One node's copy."""

    def __init__(self, place: Bus, folder: Path) -> None:
        self.file = UsersFile(folder)
        self.accounts = share_users(place, folder)
        self.folder = folder

    @property
    def names(self) -> set[str]:
        return set(self.file.load().users)

    def add(self, name: str) -> None:
        self.file.add_user(name, "viewer", None, PASSWORD)

    def start(self) -> None:
        self.accounts.sync_first()
        self.accounts.open()


@pytest.fixture
def make(
    bus: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], NodeOfTests]]:
    """Return a function that makes nodes, by folder name."""
    monkeypatch.setattr(poll, "PERIOD_S", 0.01)
    place = Bus(bus.url, "test")
    nodes: list[NodeOfTests] = []

    def make_one(name: str) -> NodeOfTests:
        nodes.append(NodeOfTests(place, tmp_path / name))
        return nodes[-1]

    yield make_one
    for node in nodes:
        node.accounts.close()


def test_user_changes_reach_all_nodes(make: Callable[[str], NodeOfTests]) -> None:
    """The first node's users are adopted by all, and so is every later change."""
    one, two = make("one"), make("two")
    one.add("ann")
    one.start()
    two.start()
    first = two.names

    two.add("bob")
    until(lambda: one.names == {"ann", "bob"})
    one.file.remove_user("ann")
    until(lambda: two.names == {"bob"})

    assert first == {"ann"}


def test_lost_users_are_restored(make: Callable[[str], NodeOfTests], bus: RedisServer) -> None:
    """After Redis has lost everything, the nodes' copies become the list again."""
    one = make("one")
    one.add("ann")
    one.start()
    with bus.client() as client:
        client.flushall()
        until(lambda: client.get("test:people"))
    two = make("two")
    two.start()

    assert one.names == two.names == {"ann"}


def test_returning_node_does_not_restore_removed_users(make: Callable[[str], NodeOfTests]) -> None:
    """Users removed while a node was off are gone there too, once it is back."""
    one, late = make("one"), make("late")
    late.add("mallory")
    one.add("ann")
    one.start()

    late.start()

    assert one.names == late.names == {"ann"}
    assert "mallory" in (late.folder / "people.before-bus.json").read_text()


@pytest.mark.parametrize("junk", [b"x", b"{}x", b'{"users": {"eve": {}}}', b"[]"])
def test_invalid_user_list_is_ignored_and_logged(
    make: Callable[[str], NodeOfTests],
    bus: RedisServer,
    junk: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Junk under the key does not change a node's list, and is logged."""
    one = make("one")
    one.add("ann")
    one.start()
    with bus.client() as client:
        client.set("test:people", junk)
    until(lambda: "an invalid list of users" in caplog.text)

    assert one.names == {"ann"}
    one.add("bob")  # This does not repair itself: somebody has to remove the junk.
    assert one.names == {"ann", "bob"}
