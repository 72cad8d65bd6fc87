"""The last seconds of one camera, in memory."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from server.capture.frames.unit import JPEG, Unit
from server.recording.rewind import Rewind
from tests.support.cameras.units import make_units

B_FRAMES = ("-c:v", "libx264", "-bf", "2", "-g", "10", "-pix_fmt", "yuv420p")

T0 = 1_700_000_000.0

# Capture times around a clock that was set back.
BACK = (0.1, 0.2, 0.6, 0.7, 0.3, 0.4, 0.5, 0.8)


def unit(at: float, key: bool = False, size: int = 100, seq: int | None = None) -> Unit:
    """Return a unit that looks like video; its number follows from its time."""
    number = 1000 + round(at * 100) if seq is None else seq
    return Unit(bytes(size), key, number, T0 + at, "avc1.64001f", 64, 48)


def jpeg(at: float, size: int = 100) -> Unit:
    """Return a unit that looks like a JPEG."""
    return Unit(bytes(size), True, 1000 + round(at * 100), T0 + at, JPEG, 64, 48)


def filled(*units: Unit, seconds: float = 60.0) -> Rewind:
    """Return a buffer with these units."""
    rewind = Rewind(seconds)
    for one in units:
        rewind.put(one)
    return rewind


def video(seconds: int, group: int = 10) -> list[Unit]:
    """Return ten units a second; each group begins with a key frame."""
    return [unit(at / 10, key=at % group == 0) for at in range(seconds * 10)]


def times(units: Sequence[Unit]) -> list[float]:
    """Return the units' capture times."""
    return [round(one.at_unix - T0, 3) for one in units]


def test_find_returns_the_picture_with_its_group_so_far() -> None:
    """The picture is the newest that is not later; it is decoded from its key frame on."""
    rewind = filled(*video(3))

    assert times(rewind.find(T0 + 1.25)) == [1.0, 1.1, 1.2]
    assert times(rewind.find(T0 + 2.0)) == [2.0]
    assert times(rewind.find(T0 + 99)) == [2 + tenth / 10 for tenth in range(10)]
    assert times(rewind.find(T0 - 1)) == [0.0]
    assert Rewind(60).find(T0) == []


def test_span_starts_at_the_key_frame_of_its_first_picture() -> None:
    """A span cut in the middle of a group could not be decoded."""
    rewind = filled(*video(3))

    assert times(rewind.between(T0 + 0.8, T0 + 1.1))[0] == 0.0
    assert times(rewind.between(T0 + 1.8, T0 + 2.1))[-4:] == [1.8, 1.9, 2.0, 2.1]
    assert rewind.between(T0 - 5, T0 - 1) == []
    assert rewind.span == (T0, T0 + 2.9)


@pytest.mark.parametrize(
    ("at", "neighbours"),
    [(1.0, (0.9, 1.1)), (0.0, (None, 0.1)), (0.95, (0.8, 1.0)), (1.9, (1.8, None))],
)
def test_neighbours_are_the_adjacent_pictures(
    at: float, neighbours: tuple[float | None, float | None]
) -> None:
    """They are found across groups as within one."""
    found = filled(*video(2)).neighbours(T0 + at)

    assert found == pytest.approx(
        tuple(one if one is None else T0 + one for one in neighbours), abs=1e-6
    )


def test_decode_run_flushes_a_decoder_that_holds_two(tmp_path: Path) -> None:
    """With B-frames, a decoder outputs a picture two units later. At the end of the buffer, the
    last that can be shown is an older one."""
    units = make_units(tmp_path, 1.0, *B_FRAMES)
    rewind = filled(*units)

    for place in (0, 5, 9, 10, 20, 22, 23, 24):
        lead = rewind.decode_run(units[place].at_unix)
        shown = min(place, 22)
        begin = shown // 10 * 10
        assert lead.units == units[begin : shown + 1]
        assert lead.push == units[shown + 1 : shown + 3]
        assert lead.newest == (shown == 22)


def test_b_frames_are_found_by_their_display_time(tmp_path: Path) -> None:
    """Decoding a moment needs the units up to its own picture. Its neighbours are those in display
    order, and a cut lacks none in between."""
    units = make_units(tmp_path, 1.0, *B_FRAMES, timed=True)
    rewind = filled(*units)
    shown = sorted(one.shown_unix for one in units)

    for place in (1, 2, 3, 11, 17, 22):
        at = shown[place]
        assert rewind.find(at)[-1].shown_unix == at
        assert rewind.decode_run(at).units[-1].at_unix == at
        assert rewind.neighbours(at) == (shown[place - 1], shown[place + 1])
        cut = sorted(one.shown_unix for one in rewind.between(shown[0], at))
        assert cut[-1] >= at
        assert cut == shown[: len(cut)]
    assert rewind.span == (shown[0], shown[-1])


def test_nothing_is_pushed_without_b_frames(tmp_path: Path) -> None:
    """The decoder outputs each picture immediately."""
    units = make_units(tmp_path, 0.5)

    assert filled(*units).decode_run(units[3].at_unix) == (units[:4], [], False)
    assert filled(*units).decode_run(units[-1].at_unix).newest
    assert filled(jpeg(1.0)).decode_run(T0) == ([jpeg(1.0)], [], True)


def test_seek_and_fetch_agree_when_times_are_out_of_order() -> None:
    """Times are out of order where the clock was set back by less than a second. A seek used
    positions in time order as positions in the group, and showed another picture than the one
    fetched for that moment."""
    kept = [unit(0, key=True)] + [unit(at, seq=1000 + seq) for seq, at in enumerate(BACK, 1)]
    rewind = filled(*kept)

    for moment in (0.0, 0.15, 0.35, 0.5, 0.72, 9.0):
        lead = rewind.decode_run(T0 + moment)
        assert lead.units == rewind.find(T0 + moment)
        assert lead.units[-1].at_unix <= T0 + moment + 1e-6
        assert lead.newest == (len(lead.units) == len(kept))


def test_old_groups_are_dropped_whole() -> None:
    """Half a group is useless, so it goes when all of it is too old."""
    rewind = filled(*video(5), seconds=2.0)

    assert times(rewind.units)[0] == 2.0
    assert rewind.nbytes == 100 * len(rewind.units)


def test_only_group_keeps_its_key_frame_when_dropped() -> None:
    """Otherwise nothing could be shown of a camera with a key frame a minute."""
    rewind = filled(*video(1, group=100))

    rewind.drop_group()
    rewind.put(unit(1.0))

    assert times(rewind.units) == [0.0]
    assert rewind.nbytes == 100
    rewind.put(unit(1.1, key=True))
    rewind.put(unit(1.2))
    assert times(rewind.units) == [0.0, 1.1, 1.2]
    for _ in range(3):
        rewind.drop_group()
    assert rewind.units == []


def test_units_after_a_loss_are_dropped_until_a_key_frame() -> None:
    """They could not be decoded; listeners are notified of the loss once."""
    rewind = filled(unit(0.0, key=True))
    told: list[Unit | None] = []
    end = rewind.listen(told.append)

    rewind.lose()
    rewind.lose()
    rewind.put(unit(0.1))
    rewind.put(unit(0.2, key=True))
    end()
    rewind.put(unit(0.3))

    assert [one and one.seq for one in told] == [None, 1020]
    assert times(rewind.units) == [0.0, 0.2, 0.3]


def test_clock_set_back_clears_the_buffer() -> None:
    """Times would be out of order; recorders still get every unit."""
    rewind = filled(*video(1))
    told: list[Unit | None] = []
    rewind.listen(told.append)

    rewind.put(unit(-9.0))
    rewind.put(unit(-8.9, key=True))

    assert times(rewind.units) == [-8.9]
    assert len(told) == 2


@pytest.mark.parametrize("one", [unit, jpeg])
def test_thinning_spaces_pictures_by_their_age(
    one: Callable[..., Unit],
) -> None:
    """Older moments keep fewer; the newest stay complete, and everything can be decoded."""
    units = [one(at / 10) if one is jpeg else one(at / 10, at % 10 == 0) for at in range(300)]
    rewind = filled(*units)

    for _ in rewind.thin(1 / 8):
        pass

    kept = times(rewind.units)
    assert rewind.nbytes == 100 * len(kept)
    assert kept[0] == 0.0
    assert times(units)[-10:] == kept[-10:]
    for old, new in pairwise(kept):
        assert new - old <= max(0.1, (29.9 - old) / 8) + 1e-6
    assert len(kept) < 120
    assert rewind.find(T0 + 3.3)[0].key


def test_thinning_can_be_interleaved_with_new_units() -> None:
    """Units come and go between the steps."""
    rewind = filled(*(jpeg(at / 100) for at in range(1000)), seconds=10.0)

    steps = 0
    for steps, _ in enumerate(rewind.thin(1 / 8), 1):
        for at in range(10):
            rewind.put(jpeg(10 + steps + at / 100))

    assert steps > 3
    assert rewind.nbytes == 100 * len(rewind.units)
    assert times(rewind.units) == sorted(times(rewind.units))


def test_time_without_kept_pictures_is_a_gap() -> None:
    """A camera viewed an hour ago counted as kept for an hour. Its last picture from then was kept
    until something newer was old enough."""
    before, after = [jpeg(at / 10) for at in range(50)], [jpeg(30 + at / 10) for at in range(50)]
    rewind = filled(*before, *after)
    lone = filled(*before, jpeg(3600), jpeg(3600.1))
    slow = filled(*(jpeg(at) for at in range(0, 50, 10)))
    stalled = filled(*video(3), *(unit(20 + at / 10) for at in range(10)), unit(90))

    assert rewind.gaps == [(T0 + 4.9, T0 + 30)]
    assert times(rewind.find(T0 + 20)) == [4.9]
    assert (lone.gaps, times(lone.units)) == ([], [3600, 3600.1])
    assert slow.gaps == []
    # What continues without a key frame needs the units before it.
    assert times(stalled.units)[0] == 2.0
    for _ in range(50):
        rewind.drop_group()
    assert (rewind.gaps, times(rewind.units)[0]) == ([], 30)
