"""Saved views: whose they are, their order, and how they are stored."""

import json
import stat
from pathlib import Path

import pytest

from server.errors import ConfigError, ViewError
from server.views import views as module
from server.views.views import EVERYBODY, FILE, Views


@pytest.fixture
def views(tmp_path: Path) -> Views:
    """A store without views."""
    views = Views(tmp_path)
    views.load()
    return views


def add(views: Views, name: str, whose: str | None = "ann", query: str = "layout=1") -> str:
    return views.add(whose, {"name": name, "query": query}).id


def names(views: Views, whose: str | None = "ann") -> list[str]:
    kept = views.shared() if whose is EVERYBODY else views.of(whose).views
    return [one.name for one in kept]


def test_views_survive_a_restart(views: Views, tmp_path: Path) -> None:
    """Shared and personal views, their order and the default survive, in a private file."""
    add(views, "Night", EVERYBODY)
    yard = add(views, "Yard")
    add(views, "Door")
    views.change("ann", yard, {"at": 1, "query": "?camera=yard&token=x"})
    views.choose_default("ann", yard)

    again = Views(tmp_path)
    again.load()

    assert names(again, EVERYBODY) == ["Night"]
    assert names(again) == ["Door", "Yard"]
    assert again.of("ann").default == yard
    assert again.of("ann").views[1].query == "camera=yard"
    assert again.of("bob").views == []
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_removed_view_can_be_restored(views: Views) -> None:
    """It returns to its place and id; users who had it as their default open it again."""
    first = add(views, "First", EVERYBODY)
    add(views, "Second", EVERYBODY)
    views.choose_default("ann", first)
    removed = views.remove(EVERYBODY, first)

    views.add(EVERYBODY, removed.model_dump() | {"at": 0})

    assert names(views, EVERYBODY) == ["First", "Second"]
    assert views.shared()[0].id == views.of("ann").default == first


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": 7}, "name"),
        ({"name": "YARD"}, "name"),
        ({"query": None}, "query"),
        ({"query": "filter=" + "x" * 3000}, "query"),
        ({"id": "../../etc"}, "id"),
        ({"at": -1}, "at"),
        ({"at": True}, "at"),
    ],
)
def test_invalid_view_names_the_wrong_field(
    views: Views, values: dict[str, object], field: str
) -> None:
    """The error names the field, and nothing is changed."""
    add(views, "Yard")

    with pytest.raises(ViewError) as error:
        views.add("ann", {"name": "New", "query": ""} | values)

    assert error.value.field == field
    assert names(views) == ["Yard"]


def test_number_of_views_is_limited(views: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are limits for one person's views, the shared ones, and the whole file."""
    monkeypatch.setattr(module, "MAX_OWN", 2)
    monkeypatch.setattr(module, "MAX_SHARED", 1)
    for name in ("one", "two"):
        add(views, name)
    add(views, "one", EVERYBODY)
    with pytest.raises(ViewError, match="2 views already"):
        add(views, "three")
    with pytest.raises(ViewError, match="1 views already"):
        add(views, "two", EVERYBODY)
    monkeypatch.setattr(module, "MAX_BYTES", 200)
    with pytest.raises(ViewError, match="no room"):
        add(views, "one", "bob")


def test_users_cannot_change_each_others_views(views: Views) -> None:
    """Ids are looked up in one list only."""
    ours = add(views, "Yard")

    for attempt in (
        lambda: views.change("bob", ours, {"name": "Mine"}),
        lambda: views.remove(EVERYBODY, ours),
        lambda: views.choose_default("bob", ours),
    ):
        with pytest.raises(ViewError, match="does not exist any more"):
            attempt()


def test_view_that_cannot_be_saved_is_not_added(views: Views, tmp_path: Path) -> None:
    """If the disk fails, everything stays as it was, also in memory."""
    add(views, "Yard")
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()

    with pytest.raises(ConfigError, match="cannot be written"):
        add(views, "Door")

    assert names(views) == ["Yard"]


@pytest.mark.parametrize("stored", [{"version": 2}, {"version": 1, "shared": [{"id": "x"}]}])
def test_file_of_another_version_is_left_alone(tmp_path: Path, stored: dict[str, object]) -> None:
    """Having no views, with a message, is better than overwriting them."""
    (tmp_path / FILE).write_text(json.dumps(stored))
    views = Views(tmp_path)
    views.load()

    with pytest.raises(ConfigError, match="cannot be used"):
        add(views, "Yard")

    assert views.shared() == []
    assert json.loads((tmp_path / FILE).read_text()) == stored


def test_views_of_removed_users_are_forgotten(views: Views) -> None:
    """Somebody else may get the name; shared views stay."""
    add(views, "Yard")
    add(views, "Yard", "bob")
    add(views, "Night", EVERYBODY)

    views.keep_only({"bob"})

    assert (names(views), names(views, "bob"), names(views, EVERYBODY)) == ([], ["Yard"], ["Night"])


def test_another_nodes_views_replace_ours(views: Views, tmp_path: Path) -> None:
    """They are stored as received, so both nodes have the same bytes; invalid ones are rejected."""
    other = Views(tmp_path / "other")
    other.load()
    add(other, "Night", EVERYBODY)
    told: list[str | None] = []
    views.on_change = told.append
    text = other.text()
    assert text is not None
    views.replace(text)

    with pytest.raises(ConfigError, match="invalid views"):
        views.replace(b'{"shared": 3}')

    assert names(views, EVERYBODY) == ["Night"]
    assert views.text() == text
    assert told == [EVERYBODY]


def test_a_renamed_camera_stays_in_every_view(views: Views) -> None:
    """Both shared and personal views are updated."""
    add(views, "Door", query="camera=door")
    add(views, "All", EVERYBODY, "order=door,yard")

    views.rename_camera("door", "gate")

    assert views.of("ann").views[0].query == "camera=gate"
    assert views.shared()[0].query == "order=gate,yard"
