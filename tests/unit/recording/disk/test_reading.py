"""Pictures come back from a recording as they went in."""

from pathlib import Path

import pytest

from server.capture.frames.unit import Unit
from server.recording.disk.reading import TooMuch, read_units
from tests.support.units import make_units
from tests.unit.recording.disk.test_recording_file import probe, write

B_FRAMES = ("-c:v", "libx264", "-bf", "2", "-b_strategy", "0", "-g", "12", "-pix_fmt", "yuv420p")


def bare(unit: Unit) -> bytes:
    """Return a unit's bytes with start codes of one length."""
    return unit.data.replace(b"\0\0\0\1", b"\0\0\1")


def test_they_are_the_same(film: list[Unit], tmp_path: Path) -> None:
    """Bytes, times, codec and size; key pictures come with their parameter sets."""
    path = tmp_path / "one.mp4"
    write(path, film)

    units = read_units(path, 0, 1e12, 1 << 30)

    assert [bare(one) for one in units] == [bare(one) for one in film]
    assert [one.key for one in units] == [one.key for one in film]
    assert [one.at_unix for one in units] == pytest.approx([one.at_unix for one in film], abs=0.001)
    assert {(one.codec, one.width, one.height) for one in units} == {(film[0].codec, 128, 72)}


@pytest.mark.parametrize(
    ("begin", "end", "first", "last"),
    [(1.0, 2.0, 20, 50), (1.31, 1.31, 30, 32), (-5, -4, 0, 0), (3.9, 99, 90, 99), (50, 60, 90, 99)],
)
def test_a_part_begins_with_what_it_needs(
    film: list[Unit], tmp_path: Path, begin: float, end: float, first: int, last: int
) -> None:
    """The newest key picture that is not later comes first; before the beginning, the first."""
    path = tmp_path / "one.mp4"
    write(path, film)
    zero = film[0].at_unix

    units = read_units(path, zero + begin, zero + max(end, 0) + 0.001, 1 << 30)

    assert bare(units[0]) == bare(film[first])
    assert bare(units[-1]) == bare(film[last])
    assert len(units) == last - first + 1


def test_too_much_is_refused(film: list[Unit], tmp_path: Path) -> None:
    """An hour of a camera could be more than the machine's memory."""
    path = tmp_path / "one.mp4"
    write(path, film)

    with pytest.raises(TooMuch, match="shorter"):
        read_units(path, 0, 1e12, 1000)


def test_b_frames_keep_their_times(tmp_path: Path) -> None:
    """They are decoded in another order than shown; each is shown when it was captured."""
    made = make_units(tmp_path, 2, *B_FRAMES, source="testsrc2=size=128x72:rate=25")
    # As a camera has them: of three pictures the last comes first.
    order = [0, *(at + add for at in range(1, 49, 3) for add in (2, 0, 1))]
    units = [
        Unit(one.data, one.key, one.seq, 1e9 + 0.04 * at, one.codec, one.width, one.height)
        for one, at in zip(made[:49], order, strict=True)
    ]
    path = tmp_path / "one.mp4"
    write(path, units)

    found = probe(path)
    shown = sorted(float(one["pts_time"]) for one in found["packets"])
    back = read_units(path, 0, 1e12, 1 << 30)

    assert found["streams"][0]["nb_read_frames"] == "49"
    # FFmpeg moves each fragment by how much its first picture is late.
    assert [at - shown[0] for at in shown] == pytest.approx(
        [0.04 * at for at in range(49)], abs=0.02
    )
    assert [one.at_unix for one in back] == pytest.approx([one.at_unix for one in units], abs=0.001)
