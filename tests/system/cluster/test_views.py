"""Saved views on all nodes, against a real Redis."""

from pathlib import Path

import pytest

from server.cluster.bus.bus import Bus
from server.cluster.shared import poll
from server.cluster.shared.file import SharedFile
from server.views.views import EVERYBODY, Views
from tests.support.fakes import until
from tests.support.servers.cluster import RedisServer

NIGHT = {"name": "Night", "query": "layout=1"}


def share(place: Bus, folder: Path) -> tuple[Views, SharedFile]:
    views = Views(folder)
    views.load()
    aside = folder / "views.before-bus.json"
    return views, SharedFile(place, "views", "saved views", views.text, views.replace, aside)


def test_saved_views_are_shared_by_all_nodes(
    bus: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change on one node reaches all nodes and their pages; a joining node sets its own aside."""
    monkeypatch.setattr(poll, "PERIOD_S", 0.01)
    place = Bus(bus.url, "test")
    one, sharing_one = share(place, tmp_path / "one")
    two, sharing_two = share(place, tmp_path / "two")
    two.add(EVERYBODY, NIGHT | {"name": "Lost"})
    told: list[str | None] = []
    two.on_change = told.append
    one.add(EVERYBODY, NIGHT)
    try:
        sharing_one.open()
        with bus.client() as client:
            until(lambda: client.get("test:views"))
        sharing_two.open()
        until(lambda: [view.name for view in two.shared()] == ["Night"])
        two.add("ann", NIGHT | {"name": "Hers"})
        until(lambda: [view.name for view in one.of("ann").views] == ["Hers"])
    finally:
        sharing_one.close()
        sharing_two.close()

    assert told == [EVERYBODY, "ann"]
    assert "Lost" in (tmp_path / "two" / "views.before-bus.json").read_text()
