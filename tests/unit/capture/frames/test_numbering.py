"""One numbering for pictures and the units they are decoded from."""

from hypothesis import given
from hypothesis import strategies as st

from server.capture.frames.numbering import UNCOUNTED, Numbering, Place


def test_pictures_are_numbered_without_video() -> None:
    """Without video, pictures are numbered consecutively: skipped ones leave no gap."""
    numbering = Numbering()

    assert [numbering.number(UNCOUNTED) for _ in range(3)] == [1, 2, 3]


def test_picture_shares_the_number_of_its_unit() -> None:
    """Picture and unit arrive on two sockets, so either may come first, even at the start."""
    unit_first, picture_first = Numbering(), Numbering()
    for numbering in (unit_first, picture_first):
        numbering.number(UNCOUNTED)

    units = [unit_first.number(Place(40, 40 + at)) for at in range(5)]
    picture = picture_first.number(Place(40, 42))
    late = [picture_first.number(Place(40, 40 + at)) for at in range(5)]

    assert units == late == [2, 3, 4, 5, 6]
    assert picture == units[2]
    assert unit_first.number(Place(40, 44)) == 6


def test_numbers_continue_across_video_restarts() -> None:
    """Numbers are not reused when video stops, resumes or reconnects."""
    numbering = Numbering()

    first = [numbering.number(Place(1, number)) for number in (1, 2, 9)]
    without = [numbering.number(UNCOUNTED), numbering.number(UNCOUNTED)]
    again = numbering.number(Place(30, 31))
    numbering.restart()
    reconnected = numbering.number(Place(1, 1))
    numbering.continue_from(100)

    assert [*first, *without, again, reconnected] == [1, 2, 9, 10, 11, 13, 14]
    assert numbering.number(UNCOUNTED) == 101


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50))))
def test_newest_number_never_decreases(places: list[tuple[int, int]]) -> None:
    """The number never decreases, even if a child restarts its count."""
    numbering = Numbering()
    newest = 0
    for begun, after in places:
        numbering.number(Place(begun, begun + after) if begun else UNCOUNTED)
        assert numbering.newest >= newest
        newest = numbering.newest
