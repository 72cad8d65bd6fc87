"""Which units go into which file."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from server.capture.frames.unit import JPEG, Unit
from server.recording.disk.segmenter import Begin, End, Fragment, Segmenter


def run(segmenter: Segmenter, units: Iterable[Unit]) -> list[Begin | Fragment | End]:
    """Return all steps for these units."""
    return [step for unit in units for step in segmenter.put(unit)]


def kinds(steps: Iterable[Begin | Fragment | End]) -> str:
    """Return the steps as letters, to show their order."""
    return "".join({Begin: "B", Fragment: "f", End: "E"}[type(step)] for step in steps)


def stretched(film: list[Unit], times: int, gap_s: float = 0.0) -> list[Unit]:
    """Return a film repeated several times."""
    length = film[-1].at_unix - film[0].at_unix + 0.04 + gap_s
    return [
        replace(one, at_unix=one.at_unix + at * length, seq=one.seq + at * len(film))
        for at in range(times)
        for one in film
    ]


def test_each_second_is_a_fragment(film: list[Unit]) -> None:
    """A killed process loses at most a second; here each fragment begins with a key frame."""
    segmenter = Segmenter()
    steps = [*run(segmenter, film), *segmenter.end()]
    fragments = [one for one in steps if isinstance(one, Fragment)]

    assert kinds(steps) == "B" + "f" * len(fragments) + "E"
    assert all(one.key for one in fragments)
    assert max(one.ticks for one in fragments) <= 90_000
    assert sum(one.pictures for one in fragments) == len(film)
    assert sum(one.ticks for one in fragments) == 4 * 90_000


def test_a_long_group_is_split(film: list[Unit]) -> None:
    """A camera with a key frame every ten seconds loses no more than others."""
    one_group = [film[0], *(replace(one, key=False) for one in film[1:])]

    fragments = [one for one in run(Segmenter(), one_group) if isinstance(one, Fragment)]

    assert [one.key for one in fragments] == [True, False, False]


def test_file_begins_only_at_a_key_frame(film: list[Unit]) -> None:
    """Units before it cannot be decoded and are counted as skipped, and so is JPEG."""
    segmenter = Segmenter()

    assert run(segmenter, film[1:10]) == []
    assert run(segmenter, [replace(film[0], codec=JPEG)]) == []
    assert segmenter.skipped == 10
    assert kinds(run(segmenter, film[10:20])) == "B"


def test_a_file_ends_after_five_minutes(film: list[Unit]) -> None:
    """It ends at the next key frame, so that nothing is missing between two files."""
    steps = run(Segmenter(), stretched(film, 80))
    begins = [one.first.at_unix for one in steps if isinstance(one, Begin)]

    assert begins == pytest.approx([film[0].at_unix, film[0].at_unix + 300], abs=1e-4)


def test_a_file_ends_where_the_size_changes(film: list[Unit]) -> None:
    """Not every player can follow a change of size."""
    wider = [replace(one, width=256) for one in stretched(film, 2)[len(film) :]]

    assert kinds(run(Segmenter(), [*film, *wider])).count("EB") == 1


def test_a_file_ends_where_the_clock_was_set(film: list[Unit]) -> None:
    """Times within a file neither go back nor jump."""
    for step_s in (-3600.0, 3600.0):
        later = [replace(one, at_unix=one.at_unix + 4 + step_s) for one in film]

        begins = [one for one in run(Segmenter(), [*film, *later]) if isinstance(one, Begin)]

        assert [one.first.at_unix for one in begins] == [film[0].at_unix, later[0].at_unix]


def test_a_file_ends_where_pictures_are_missing(film: list[Unit]) -> None:
    """Units after a loss cannot be decoded before the next key frame."""
    segmenter = Segmenter()
    steps = [*run(segmenter, film[:25]), *segmenter.end(), *run(segmenter, film[27:40])]

    assert kinds(steps) == "BfffEB"
    assert segmenter.skipped == 3


def test_units_of_an_abandoned_file_count_as_skipped(film: list[Unit]) -> None:
    """The next file begins with a key frame."""
    segmenter = Segmenter()
    run(segmenter, film[:5])
    segmenter.abandon()

    assert segmenter.skipped == 5
    assert not segmenter.is_open
    assert kinds(run(segmenter, film[5:12])) == "B"
