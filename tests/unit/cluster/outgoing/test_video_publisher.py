"""A camera's video units going out to the bus."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from server.capture.camera import Camera
from server.capture.frames.unit import Unit
from server.capture.frames.video_track import VideoTrack
from server.cluster.bus.unit_message import UnitMessage, unpack_unit
from server.cluster.outgoing import video_publisher
from server.cluster.outgoing.video_publisher import VideoPublisher
from server.delivery import video_reader
from server.delivery.fanout import Fanout
from server.loop import hub
from tests.support.fakes import offline_camera, settle, until
from tests.support.servers.bus import FakeBus

NODE = "0123456789abcdef"


@pytest.fixture
def camera() -> Camera:
    """The one camera, which has video."""
    camera = offline_camera()
    camera.videos = {"full": VideoTrack("full")}
    return camera


@pytest.fixture
def track(camera: Camera) -> VideoTrack:
    """Its video."""
    return camera.videos["full"]


@pytest.fixture
def bus() -> FakeBus:
    """The bus it is shared on."""
    return FakeBus()


@pytest.fixture
def room(camera: Camera) -> Iterator[Fanout]:
    """The camera's fanout."""
    fanout = Fanout(camera)
    yield fanout
    fanout.close()


@pytest.fixture
def publisher(bus: FakeBus, room: Fanout, camera: Camera) -> Iterator[VideoPublisher]:
    """Its publisher, which is wanted."""
    publisher = VideoPublisher(cast(Any, bus), "channel", NODE, room, camera, "full")
    publisher.want(True)
    settle()
    yield publisher
    publisher.want(False)


def put(track: VideoTrack, *seqs: int, key: bool = False) -> None:
    """Put units a tenth of a second apart, and let other green threads run."""
    for seq in seqs:
        track.put(Unit(b"\0\0\1%d" % seq, key, seq, seq / 10, "avc1.42c01f", 64, 48))
    settle()


def sent_units(bus: FakeBus) -> list[UnitMessage]:
    return [unpack_unit(data) for _, data in bus.commands.published]


def links(bus: FakeBus) -> list[tuple[int, int]]:
    """Return the number of each unit and of its predecessor."""
    return [(one.unit.seq, one.after) for one in sent_units(bus)]


def test_video_is_published_only_while_wanted(
    publisher: VideoPublisher, room: Fanout, track: VideoTrack, bus: FakeBus
) -> None:
    """The publisher watches the video only while wanted, and begins with the group so far."""
    put(track, 1, key=True)
    put(track, 2)
    assert len(room) == 1
    publisher.want(False)
    put(track, 3)
    assert len(room) == 0
    assert links(bus) == [(1, 0), (2, 1)]

    publisher.want(True)
    put(track, 4)

    assert links(bus)[2:] == [(1, 0), (2, 1), (3, 2), (4, 3)]
    assert [one.repeated for one in sent_units(bus)[2:]] == [True, True, False, False]


def test_each_unit_names_its_predecessor(
    publisher: VideoPublisher, track: VideoTrack, bus: FakeBus
) -> None:
    """Numbers may skip, as where pictures were not encoded; the chain is still complete."""
    put(track, 3, key=True)
    put(track, 4, 7, 8)
    put(track, 9, key=True)
    put(track, 11)

    assert links(bus) == [(3, 0), (4, 3), (7, 4), (8, 7), (9, 0), (11, 9)]


def test_group_so_far_is_repeated_for_late_subscribers(
    publisher: VideoPublisher,
    track: VideoTrack,
    bus: FakeBus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many nodes ask at the same time, the group is sent again once, and marked."""
    put(track, 1, key=True)
    put(track, 2)

    for _ in range(5):
        publisher.repeat()
    settle()
    put(track, 3)
    publisher.repeat()
    settle()

    assert links(bus)[2:] == [(1, 0), (2, 1), (3, 2)]
    assert [one.repeated for one in sent_units(bus)[2:]] == [True, True, False]
    assert [one.complete for one in sent_units(bus)[2:]] == [False, True, False]

    monkeypatch.setattr(video_publisher, "REPEAT_PERIOD_S", 0.0)
    publisher.repeat()
    settle()
    assert links(bus)[5:] == [(1, 0), (2, 1), (3, 2)]


def test_slow_bus_skips_to_the_next_key_frame(
    publisher: VideoPublisher,
    track: VideoTrack,
    bus: FakeBus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a publish hangs nothing queues up; after half a second the group is dropped."""
    monkeypatch.setattr(video_reader, "MAX_WAIT_S", 0.05)
    put(track, 1, key=True)
    until(lambda: links(bus) == [(1, 0)])
    bus.commands.hangs = True
    put(track, 2, 3)
    hub.sleep(0.1)
    put(track, *range(4, 12))
    bus.commands.hangs = False
    until(lambda: (2, 1) in links(bus))
    put(track, 12)
    put(track, 13, key=True)

    until(lambda: links(bus)[-1] == (13, 0))
    assert links(bus) == [(1, 0), (2, 1), (13, 0)]


def test_lost_unit_is_counted_and_its_group_resent(
    publisher: VideoPublisher, track: VideoTrack, bus: FakeBus, camera: Camera
) -> None:
    """A unit that the bus rejects is a named drop; nodes that have the others skip them."""
    put(track, 1, key=True)
    bus.commands.failures = 1
    put(track, 2)
    until(lambda: camera.meter.drops["bus"] == 1)

    until(lambda: (2, 1) in links(bus))
    assert links(bus) == [(1, 0), (1, 0), (2, 1)]
    assert [one.repeated for one in sent_units(bus)] == [False, True, False]
