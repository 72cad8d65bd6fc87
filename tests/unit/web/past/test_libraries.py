"""This node's and other nodes' recordings as one library."""

from typing import Any, cast

import pytest

from server.errors import RequestError
from server.recording.disk.index import Recorded
from server.recording.library import Found, Missing, Query
from server.web.past.libraries import Libraries


def row(camera: str, begin: float, nbytes: int = 10) -> Recorded:
    return Recorded(
        f"{camera}_20261126_1200{begin:02.0f}", camera, begin, begin + 1, nbytes, False, "always"
    )


class Shelf:
    """A library, here or on another node, with some recordings."""

    def __init__(self, *rows: Recorded, missing: tuple[Missing, ...] = ()) -> None:
        self.rows = sorted(rows, key=lambda one: one.begin, reverse=True)
        self.missing = missing
        self.fault: RequestError | None = None

    def has(self, camera: str) -> bool:
        return camera == "door"

    def recordings(self, query: Query) -> Found[Recorded]:
        before = query.before or float("inf")
        rows = [one for one in self.rows if one.begin < before]
        return Found(rows[: query.limit], len(rows) > query.limit, (), self.missing)

    def recording(self, key: str) -> Recorded | None:
        if self.fault is not None:
            raise self.fault
        return next((one for one in self.rows if one.id == key), None)


def libraries(here: Shelf, there: Shelf | None) -> Libraries:
    return Libraries(cast(Any, here), cast(Any, there))


@pytest.mark.parametrize("limit", [1, 2, 3, 9])
def test_paging_over_two_libraries_skips_nothing(limit: int) -> None:
    """This holds for any page size, and wherever the rows are."""
    here = Shelf(*(row("yard", at) for at in (1, 2, 3, 7)))
    there = Shelf(*(row("door", at) for at in (4, 5, 8)), missing=(Missing("attic", ["gate"]),))
    both = libraries(here, there)

    seen: list[float] = []
    found = both.recordings(Query(limit=limit))
    while found.more:
        seen += [one.begin for one in found.rows]
        found = both.recordings(Query(limit=limit, before=found.rows[-1].begin))
    seen += [one.begin for one in found.rows]

    assert seen == [8, 7, 5, 4, 3, 2, 1]
    assert found.missing == there.missing


def test_recording_on_two_nodes_is_listed_once() -> None:
    """Two nodes on one machine may share their folder; the camera's own node takes precedence."""
    both = libraries(Shelf(row("door", 1, nbytes=10)), Shelf(row("door", 1, nbytes=20)))

    assert both.recordings(Query()).rows == [row("door", 1, nbytes=20)]
    held = both.recording(row("door", 1).id)
    assert held is not None
    assert held.row.bytes == 20


def test_recordings_of_a_moved_camera_are_found() -> None:
    """A camera moved to another node leaves its recordings here, also while that node is away."""
    here, there = Shelf(row("door", 1)), Shelf(row("door", 2))
    both = libraries(here, there)

    assert both.recording(row("door", 2).id) == (row("door", 2), there)
    assert both.recording(row("door", 1).id) == (row("door", 1), None)
    there.fault = RequestError("unavailable", "its node attic is unavailable")
    assert both.recording(row("door", 1).id) == (row("door", 1), None)
    with pytest.raises(RequestError, match="attic"):
        both.recording(row("door", 2).id)
