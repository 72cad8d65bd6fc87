"""Viewers who join at any moment, and whose chains break: is each picture one of the film?"""

from collections.abc import Callable
from pathlib import Path

from bench.joins import Joins, make_films, source_of
from tests.support.servers.server import PortholeServer


def test_no_picture_is_grey_or_torn(
    tmp_path: Path, start_server: Callable[..., PortholeServer]
) -> None:
    """Each shows a picture of the film, as an undisturbed decoder does; see ``bench/joins.py``."""
    films = make_films(tmp_path, 3.0, "320x180", "256x144")
    del films["plain"]  # It needs a command; another one is encoded alike.
    server = start_server(*(source_of(name, film) for name, film in films.items()))
    joins = Joins(server.port, films)

    joins.run(joins=20, breaks=5)

    assert joins.faults == []
    for shown in joins.shown.values():
        assert shown.units == shown.identical > 0
    assert sum(shown.jpegs for shown in joins.shown.values()) > 5
