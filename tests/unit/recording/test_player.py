"""Which pictures of the past are sent next."""

from pathlib import Path

import pytest

from server.capture.frames.unit import Unit
from server.recording.memory import DecodeRun
from server.recording.player import Player, Step
from server.recording.rewind import Rewind
from tests.support.cameras.units import make_units
from tests.support.fakes import FakeClock
from tests.unit.recording.test_rewind import B_FRAMES, T0, filled, jpeg, times, video


def at(rewind: Rewind, moment: float, clock: FakeClock) -> Player:
    """Return a player that shows this moment."""
    player = Player(rewind)
    player.seek(1, rewind.decode_run(T0 + moment), clock.now)
    player.step(clock)
    return player


def follow(player: Player, clock: FakeClock, until_s: float) -> list[list[Unit]]:
    """Advance time; return what is sent at each step, until a step sends nothing."""
    sent: list[list[Unit]] = []
    end = clock.now + until_s
    while clock.now < end:
        step = player.step(clock)
        if step.units:
            sent.append(step.units)
        if step.arrived or step.wait_s is None:
            return sent
        clock.advance(step.wait_s + 1e-6)
    return sent


def painted(sent: list[list[Unit]]) -> list[float]:
    return times([units[-1] for units in sent])


def test_a_seek_shows_one_picture_and_pauses(clock: FakeClock) -> None:
    """All units that lead up to it are sent with it, once."""
    rewind = filled(*video(3))
    player = Player(rewind)

    player.seek(1, rewind.decode_run(T0 + 1.2), clock.now)
    first, second = player.step(clock), player.step(clock)
    clock.advance(5)

    assert times(first.units) == [1.0, 1.1, 1.2]
    assert (second, player.step(clock)) == (Step([]), Step([]))


def test_only_the_newest_seek_is_shown(clock: FakeClock) -> None:
    """Of several seeks before there is credit, only the last is shown."""
    rewind = filled(*video(3))
    player = Player(rewind)

    player.seek(1, rewind.decode_run(T0 + 1.2), clock.now)
    player.seek(2, rewind.decode_run(T0 + 0.1), clock.now)

    assert times(player.step(clock).units) == [0.0, 0.1]
    assert player.step(clock) == Step([])


def test_seek_always_starts_at_a_key_frame(clock: FakeClock) -> None:
    """The client may have discarded the units it was sent before the seek."""
    player = at(filled(*video(3)), 1.2, clock)

    player.seek(2, player.memory.decode_run(T0 + 1.3), clock.now)

    assert times(player.step(clock).units) == [1.0, 1.1, 1.2, 1.3]


@pytest.mark.parametrize("speed", [0.25, 1.0, 2.0])
def test_playing_shows_each_picture_at_its_time(clock: FakeClock, speed: float) -> None:
    """They are spaced as captured, and each unit is sent once."""
    player, begun = at(filled(*video(4)), 1.0, clock), clock.now

    player.play(speed, clock.now)
    sent = follow(player, clock, 0.95 / speed)

    assert painted(sent) == pytest.approx([1 + tenth / 10 for tenth in range(1, 10)])
    assert all(len(units) == 1 for units in sent)
    assert clock.now - begun == pytest.approx(1 / speed, abs=0.11 / speed)


def test_playback_catches_up_after_a_wait_for_credit(clock: FakeClock) -> None:
    """After a while without credit, playing continues at the current position."""
    player = at(filled(*video(4)), 1.0, clock)
    player.play(1.0, clock.now)

    clock.advance(0.55)
    within = player.step(clock).units
    clock.advance(1.0)
    beyond = player.step(clock).units

    assert times(within) == [1.1, 1.2, 1.3, 1.4, 1.5]
    assert times(beyond) == [2.0, 2.1, 2.2, 2.3, 2.4, 2.5], "from a key frame on"


def test_fast_playback_is_capped_at_the_screen_rate(clock: FakeClock) -> None:
    """At eight times thirty frames per second, three of four JPEGs are skipped."""
    player = at(filled(*(jpeg(one / 30) for one in range(300))), 0.0, clock)

    player.play(8.0, clock.now)
    sent = follow(player, clock, 1.0)

    assert 50 < len(sent) <= 61


def test_playback_arrives_at_live(clock: FakeClock) -> None:
    """After the newest picture, the next is a live one."""
    player = at(filled(*video(2)), 1.5, clock)
    player.play(8.0, clock.now)

    sent = follow(player, clock, 10.0)

    assert painted(sent)[-1] == pytest.approx(1.9)
    assert player.step(clock).arrived


def test_jpeg_is_played_backwards_picture_by_picture(clock: FakeClock) -> None:
    """It pauses at the first picture."""
    player = at(filled(*(jpeg(one / 10) for one in range(20))), 0.5, clock)

    player.play(-1.0, clock.now)
    sent = follow(player, clock, 5.0)

    assert painted(sent) == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.0])
    assert player.speed == 0


def test_video_is_played_backwards_by_its_key_frames(clock: FakeClock) -> None:
    """Any other picture would need its whole group."""
    player = at(filled(*video(4)), 2.5, clock)

    player.play(-2.0, clock.now)
    sent = follow(player, clock, 5.0)

    assert painted(sent) == [2.0, 1.0, 0.0]
    assert all(len(units) == 1 for units in sent)


def test_playback_resumes_where_it_was_paused(clock: FakeClock) -> None:
    """The position does not move during the pause."""
    player = at(filled(*video(4)), 1.0, clock)
    player.play(1.0, clock.now)
    follow(player, clock, 0.5)

    player.play(0.0, clock.now)
    clock.advance(10)
    player.play(1.0, clock.now)

    assert player.position(clock.now) == pytest.approx(T0 + 1.5, abs=0.1)


def test_playback_never_steps_back_after_thinning(clock: FakeClock) -> None:
    """The shown picture may be thinned out; an older one must not follow it."""
    rewind = filled(*(jpeg(one / 10) for one in range(600)))
    player = at(rewind, 0.5, clock)
    player.play(0.25, clock.now)

    for _ in rewind.thin(1 / 8):
        pass
    clock.advance(0.1)

    assert T0 + 0.5 not in [one.at_unix for one in rewind.units]
    assert player.step(clock).units == []


def test_seek_during_a_memory_lookup_wins(clock: FakeClock) -> None:
    """Another node's memory takes a while to answer, and the answer is stale by then."""
    rewind = filled(*video(4))
    player = at(rewind, 1.0, clock)

    class Slow(Rewind):
        def decode_run(self, at_unix: float, toward_s: float = 0.0) -> DecodeRun:
            player.seek(2, rewind.decode_run(T0 + 3.0), clock.now)
            return rewind.decode_run(at_unix)

    player.play(1.0, clock.now)
    clock.advance(0.5)
    player.memory = Slow(60)

    assert times(player.step(clock).units) == [3.0]


def test_pushed_units_are_not_sent_twice(clock: FakeClock, tmp_path: Path) -> None:
    """With B-frames, playback continues after the units that pushed out the shown picture."""
    units = make_units(tmp_path, 2.0, *B_FRAMES)
    rewind = filled(*units)
    player = Player(rewind)
    player.seek(1, rewind.decode_run(units[12].at_unix), clock.now)
    first = player.step(clock)
    player.play(1.0, clock.now)

    sent = follow(player, clock, 3.0)

    assert [*first.units, *first.push] == units[10:15]
    assert [one for some in sent for one in some] == units[15 : 15 + len(sent)]
    assert len(units) - 15 - len(sent) <= 2
    assert player.step(clock).arrived


@pytest.mark.parametrize(("begin", "speed", "order"), [(4.7, 1.0, 1), (30.2, -1.0, -1)])
def test_playback_skips_gaps(clock: FakeClock, begin: float, speed: float, order: int) -> None:
    """One picture used to stay on screen for as long as nobody had watched the camera."""
    pictures = [4.7, 4.8, 4.9, 30.0, 30.1, 30.2]
    rewind = filled(*(jpeg(at / 10) for at in range(50)), *(jpeg(30 + at / 10) for at in range(50)))
    player = at(rewind, begin, clock)

    player.play(speed, clock.now)
    sent = follow(player, clock, 0.55)

    assert painted(sent)[: len(pictures) - 1] == pictures[::order][1:]
