"""Ask several nodes for their libraries concurrently."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from server.cluster.bus.library_message import LibraryFacts, pack_answer
from server.cluster.bus.outbox import Outbox
from server.cluster.incoming import remote_library
from server.cluster.incoming.remote_library import RemoteLibraries
from server.errors import RequestError
from server.recording.disk.index import Recorded
from server.recording.library import Missing, Query
from tests.support.servers.bus import FakeBus

WEB, ATTIC, CELLAR, STRANGER = (one * 16 for one in "1234")


class Camera:
    """Another node's camera, as a library sees it."""

    def __init__(self, name: str, owner_id: str, host: str) -> None:
        self.name, self.owner_id, self.host = name, owner_id, host
        self.away: str | None = None
        self.has_library = True


class Nodes:
    """An attic with two cameras and a cellar with one; the test sets their answers."""

    def __init__(self) -> None:
        self.bus = FakeBus()
        self.outbox = Outbox(self.bus)  # type: ignore[arg-type]
        self.cameras = [
            Camera("door", ATTIC, "attic"),
            Camera("gate", ATTIC, "attic"),
            Camera("yard", CELLAR, "cellar"),
        ]
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.facts: dict[str, LibraryFacts] = {}
        self.answerers: dict[str, str] = {}
        self.libraries = RemoteLibraries(
            *(self.bus, WEB, self.outbox, lambda: self.cameras),  # type: ignore[arg-type]
            units_of=lambda camera, key, at: [],
        )
        self.bus.commands.publish = self._publish  # type: ignore[method-assign]

    def _publish(self, channel: str, data: bytes) -> int:
        owner, question = channel.split(":")[-1], json.loads(data)
        self.asked.append((owner, question))
        if owner in self.facts:
            node = self.answerers.get(owner, owner)
            self.libraries.on_answer(pack_answer(question["id"], node, self.facts[owner]))
        return 1


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    """Nodes that have a tenth of a second to answer."""
    monkeypatch.setattr(remote_library, "DEADLINE_S", 0.1)
    nodes = Nodes()
    nodes.outbox.open()
    yield nodes
    nodes.outbox.close()


def row(camera: str) -> Recorded:
    return Recorded(f"{camera}_20261126_120000", camera, 1.0, 2.0, 10, False, "always")


def test_each_node_gets_one_request_for_its_cameras(nodes: Nodes) -> None:
    """One request covers all of its cameras that are wanted; a node without any is not asked."""
    nodes.facts = {ATTIC: LibraryFacts(recordings=[row("door")], more=True, paused="full")}

    found = nodes.libraries.recordings(Query(["door", "gate"], limit=7))

    assert found == ([row("door")], True, ["full (on attic)"], [])
    (asked,) = nodes.asked
    assert (asked[0], asked[1]["cameras"], asked[1]["limit"]) == (ATTIC, ["door", "gate"], 7)


@pytest.mark.parametrize("fault", ["silent", "away", "old", "failing", "stranger", "liar"])
def test_node_without_a_valid_answer_is_named(nodes: Nodes, fault: str) -> None:
    """The other nodes' answers still count."""
    yard = nodes.cameras[2]
    nodes.facts = {
        ATTIC: LibraryFacts(recordings=[row("door")]),
        CELLAR: LibraryFacts(recordings=[row("yard")]),
    }
    if fault == "silent":
        del nodes.facts[CELLAR]
    elif fault == "away":
        yard.away = "its node cellar is unavailable"
    elif fault == "old":
        yard.has_library = False
    elif fault == "failing":
        nodes.facts[CELLAR] = LibraryFacts(error="unavailable", message="no such table")
    elif fault == "stranger":
        nodes.answerers[CELLAR] = STRANGER
    else:
        nodes.facts[CELLAR] = LibraryFacts(recordings=[row("door")])

    found = nodes.libraries.recordings(Query())

    assert found.rows == [row("door")]
    assert found.missing == [Missing("cellar", ["yard"])]
    assert (CELLAR in [owner for owner, _ in nodes.asked]) == (fault not in ("away", "old"))


def test_wrong_answers_and_node_errors_are_reported(nodes: Nodes) -> None:
    """An answer about another recording is an error, and a node's own error is passed on."""
    nodes.facts = {CELLAR: LibraryFacts(recordings=[row("yard")])}
    assert nodes.libraries.recording("yard_20261126_120000") == row("yard")
    with pytest.raises(RequestError, match="wrong answer"):
        nodes.libraries.recording("yard_20261126_130000")

    nodes.facts = {CELLAR: LibraryFacts(error="unavailable", message="the disk is full")}
    with pytest.raises(RequestError, match="the disk is full"):
        nodes.libraries.lock("yard_20261126_120000", True, "ada")
    assert (nodes.asked[-1][1]["do"], nodes.asked[-1][1]["who"]) == ("lock", "ada")
