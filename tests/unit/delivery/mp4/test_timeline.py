"""When the pictures of an endless file are shown."""

import itertools
import random

from server.delivery.mp4.muxer import TIMESCALE
from server.delivery.mp4.timeline import Timeline

START = 1_700_000_000.0


def place(timeline: Timeline, times: list[float]) -> list[tuple[float, float]]:
    """Return the begin and end of each picture in seconds."""
    placed = [timeline.place(START + at) for at in times]
    return [(begin / TIMESCALE, (begin + length) / TIMESCALE) for begin, length in placed]


def test_jittery_times_give_an_even_gapless_sequence() -> None:
    """Pictures up to 20 ms early or late are shown evenly, without drift."""
    dice = random.Random(1)
    times = [at / 25 + dice.uniform(-0.02, 0.02) for at in range(1000)]

    placed = place(Timeline(), times)

    assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(placed))
    lengths = [end - begin for begin, end in placed[100:]]
    assert 0.02 < min(lengths) < max(lengths) < 0.06
    off = [begin - at / 25 for at, (begin, _) in enumerate(placed)]
    assert max(map(abs, off)) < 0.15
    assert max(map(abs, off[100:])) < 0.05


def test_timeline_follows_a_change_of_frame_rate() -> None:
    """From 30 fps to 5 and back, times stay close to the camera's."""
    times = [at / 30 for at in range(90)]
    times += [times[-1] + (at + 1) / 5 for at in range(50)]
    times += [times[-1] + (at + 1) / 30 for at in range(90)]

    placed = place(Timeline(), times)

    assert all(end > begin for begin, end in placed)
    off = [begin - at for at, (begin, _) in zip(times, placed, strict=True)]
    assert max(map(abs, off)) < 0.4
    assert abs(off[139]) < 0.05
    assert abs(off[-1]) < 0.05


def test_pause_in_the_pictures_is_kept() -> None:
    """After three seconds without pictures, the next is shown three seconds later."""
    times = [at / 25 for at in range(50)] + [4.96 + at / 25 for at in range(50)]

    placed = place(Timeline(), times)

    assert abs(placed[50][0] - 4.96) < 0.001
    assert abs(placed[99][0] - 6.92) < 0.05


def test_times_keep_growing_when_the_clock_is_set_back() -> None:
    """Times in the file only grow, whatever the camera's clock does."""
    times = [at / 25 for at in range(50)] + [at / 25 - 3600 for at in range(50, 100)]

    placed = place(Timeline(), times)

    assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(placed))
    assert abs(placed[99][0] - 99 / 25) < 0.05


def test_catch_up_pictures_take_almost_no_time() -> None:
    """A viewer that joins gets the group so far, and must not stay a group behind."""
    timeline = Timeline()
    before = [timeline.place(START + at / 25, catch_up=True) for at in range(50)]

    placed = place(timeline, [at / 25 for at in range(50, 60)])

    assert before[-1] == (49 * TIMESCALE // 1000, TIMESCALE // 1000)
    assert placed[0] == (0.05, 0.09)
    assert abs(placed[-1][0] - (0.05 + 9 / 25)) < 0.001


def test_pause_after_catching_up_does_not_change_the_rate() -> None:
    """The first pictures after the pause used to last half of it each, and the others hurried.

    A file without viewers pauses: a new viewer gets what is there, and the next picture a second
    later.
    """
    timeline = Timeline()
    for at in range(14):
        timeline.place(START + at / 25, catch_up=True)
    times = [14 / 25, *(1.7 + at / 25 for at in range(40))]

    placed = place(timeline, times)

    lengths = [end - begin for begin, end in placed]
    assert 0.02 < min(lengths) < max(lengths) < 0.08
    begins = [begin - placed[1][0] for begin, _ in placed[1:]]
    assert max(abs(begin - at / 25) for at, begin in enumerate(begins)) < 0.06


def test_b_frames_stay_in_order_while_catching_up() -> None:
    """Even if times jitter, a rate learned meanwhile applies to later pictures only."""
    dice = random.Random(1)
    timeline = Timeline(0.08)
    shown = []
    for at in range(50):
        captured = at / 25 + dice.uniform(-0.015, 0.015)
        early_s = (-0.04, 0.04)[at % 2] if at else 0.0  # Every other one is shown before another.
        begin, _ = timeline.place(START + captured, catch_up=True)
        offset = timeline.offset(begin, START + captured, early_s)
        shown.append((captured - early_s, begin + offset))

    shown.sort()

    assert all(one <= later for (_, one), (_, later) in itertools.pairwise(shown))
