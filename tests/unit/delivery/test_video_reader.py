"""A reader that reads a video at its own pace."""

import pytest

from server.capture.frames import video_track
from server.capture.frames.unit import Unit
from server.capture.frames.video_track import VideoTrack
from server.delivery.video_reader import VideoReader
from server.loop import hub
from tests.support.fakes import FakeClock, until


def unit(seq: int, key: bool = False) -> Unit:
    """Return a unit captured 0.1 s after the previous one."""
    return Unit(b"%d" % seq, key, seq, seq / 10, "avc1.42c01f", 64, 48)


def put(track: VideoTrack, first: int, last: int, keys: tuple[int, ...] = ()) -> None:
    for seq in range(first, last + 1):
        track.put(unit(seq, seq in keys))


def take_all(reader: VideoReader) -> list[tuple[int, bool]]:
    """Return number and catch-up flag of all that the reader returns now."""
    taken = []
    while (one := reader.next()) is not None:
        taken.append((one[0].seq, one[1]))
    return taken


@pytest.fixture
def track() -> VideoTrack:
    """A video in the middle of a group of 20."""
    track = VideoTrack("full")
    put(track, 1, 4, keys=(1,))
    return track


@pytest.fixture
def reader(track: VideoTrack, clock: FakeClock) -> VideoReader:
    """A reader that has just joined."""
    return VideoReader(lambda: track, clock)


def test_reader_starts_with_the_group_so_far(track: VideoTrack, reader: VideoReader) -> None:
    """All but the newest picture are only decoded; later ones are shown."""
    assert take_all(reader) == [(1, True), (2, True), (3, True), (4, False)]

    put(track, 5, 6)

    assert take_all(reader) == [(5, False), (6, False)]
    assert reader.cuts == 0


def test_slow_reader_continues_at_the_next_key_frame(
    track: VideoTrack, reader: VideoReader, clock: FakeClock
) -> None:
    """More than half a second behind, it skips the rest of its group."""
    take_all(reader)
    put(track, 5, 6)
    clock.advance(0.6)
    put(track, 7, 7)

    assert take_all(reader) == []
    put(track, 8, 20)
    assert take_all(reader) == []
    assert reader.cuts == 1
    put(track, 21, 23, keys=(21,))
    assert take_all(reader) == [(21, False), (22, False), (23, False)]


def test_slightly_late_reader_misses_nothing(
    track: VideoTrack, reader: VideoReader, clock: FakeClock
) -> None:
    """A key frame may take a while to send; the units after it wait in the group.

    Their age does not matter: on a bus, a group arrives in a moment.
    """
    take_all(reader)

    put(track, 5, 5)
    clock.advance(0.4)
    put(track, 6, 9)

    assert take_all(reader) == [(seq, False) for seq in range(5, 10)]


def test_group_cut_short_is_counted(track: VideoTrack, reader: VideoReader) -> None:
    """If the next key frame arrives before the last group was read, that is a cut as well."""
    take_all(reader)
    put(track, 5, 8, keys=(6, 8))

    assert take_all(reader) == [(8, False)]
    assert reader.cuts == 1


def test_reader_that_cannot_catch_up_waits_for_a_key_frame(
    track: VideoTrack, reader: VideoReader, clock: FakeClock
) -> None:
    """If sending the group so far took too long, the reader would stay behind for ever."""
    assert reader.next() is not None
    clock.advance(2.1)

    assert reader.next() is None
    put(track, 5, 20)
    assert reader.next() is None
    put(track, 21, 21, keys=(21,))
    assert take_all(reader) == [(21, False)]


def test_lost_chain_restarts_at_a_key_frame(track: VideoTrack, reader: VideoReader) -> None:
    """After a loss at the source, nothing is returned before a key frame."""
    take_all(reader)
    track.lose()
    assert take_all(reader) == []
    put(track, 6, 8, keys=(8,))

    assert take_all(reader) == [(8, False)]


def test_repeated_group_is_not_shown_again(track: VideoTrack, reader: VideoReader) -> None:
    """A node that lost its chain on the bus gets the group again, from its key frame."""
    take_all(reader)
    track.lose()
    assert take_all(reader) == []
    put(track, 1, 6, keys=(1,))

    assert take_all(reader) == [(seq, seq <= 4) for seq in range(1, 7)]


def test_rejoining_restarts_with_the_same_group(track: VideoTrack, reader: VideoReader) -> None:
    """A reader that cannot tell what arrived restarts with the key frame of the same group."""
    take_all(reader)
    put(track, 5, 5)

    reader.rejoin()

    assert [seq for seq, _ in take_all(reader)] == [1, 2, 3, 4, 5]


def test_incomplete_group_is_not_joined(
    track: VideoTrack, reader: VideoReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that had the dropped part of a long group goes on; a new one waits."""
    monkeypatch.setattr(video_track, "MAX_UNITS", 4)
    take_all(reader)

    put(track, 5, 6)

    assert take_all(reader) == [(5, False), (6, False)]
    assert take_all(VideoReader(lambda: track)) == []


def test_reader_follows_a_replaced_camera(clock: FakeClock) -> None:
    """A camera with a new source has a new track; nobody listens to the old one any more."""
    tracks = [VideoTrack("full"), VideoTrack("full")]
    now = iter((0, 0, 0, 1, 1, 1, 1))
    reader = VideoReader(lambda: tracks[next(now)], clock)
    put(tracks[0], 1, 2, keys=(1,))
    assert take_all(reader) == [(1, True), (2, False)]
    put(tracks[1], 9, 9, keys=(9,))

    assert reader.next() == (unit(9, key=True), False)
    assert tracks[0]._listeners == []
    reader.close()
    assert tracks[1]._listeners == []


def test_next_unit_wakes_the_reader(track: VideoTrack, reader: VideoReader) -> None:
    """The camera wakes the reader, which need not poll."""
    take_all(reader)
    reader.wait(0)
    woken: list[bool] = []
    task = hub.spawn(lambda: woken.append(reader.wait(60)))
    hub.sleep(0)

    put(track, 5, 5)

    until(lambda: woken == [True])
    assert task.join(1)
