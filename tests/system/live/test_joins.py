"""Viewers join at any moment, and their chains break: each picture must be one of the film."""

from collections.abc import Callable
from pathlib import Path

from bench.joins import Joins, make_films, source_of
from tests.support.servers.server import PortholeServer


def test_no_picture_is_grey_or_torn(
    tmp_path: Path, start_server: Callable[..., PortholeServer]
) -> None:
    """Each viewer sees only pictures that an undisturbed decoder sees; see ``bench/joins.py``."""
    films = make_films(tmp_path, 3.0, "320x180", "256x144")
    del films["plain"]  # One camera needs a command; another is encoded the same way.
    server = start_server(*(source_of(name, film) for name, film in films.items()))
    joins = Joins(server.port, films)

    joins.run(joins=20, breaks=5)

    assert joins.faults == []
    for shown in joins.shown.values():
        assert shown.units == shown.identical > 0
    assert sum(shown.jpegs for shown in joins.shown.values()) > 5
