"""A camera's frames going out to the bus."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from server.capture.camera import Camera
from server.cluster.bus.frame_message import peek
from server.cluster.outgoing.publisher import Publisher
from server.delivery.fanout import Fanout
from server.loop import hub
from tests.support.fakes import RecordingViewer, offline_camera, put_frame, settle, until
from tests.support.servers.bus import FakeBus

NODE = "0123456789abcdef"


@pytest.fixture
def camera() -> Camera:
    """The one camera."""
    return offline_camera()


@pytest.fixture
def bus() -> FakeBus:
    """The bus it is shared on."""
    return FakeBus()


@pytest.fixture
def room(camera: Camera) -> Iterator[Fanout]:
    """The camera's fanout, with a running pump."""
    fanout = Fanout(camera)
    fanout.open()
    yield fanout
    fanout.close()


@pytest.fixture
def publisher(bus: FakeBus, room: Fanout, camera: Camera) -> Iterator[Publisher]:
    """Its publisher."""
    publisher = Publisher(cast(Any, bus), "channel", NODE, room, "full", camera.meter)
    yield publisher
    publisher.want(False)


def seqs(bus: FakeBus) -> list[int]:
    return [peek(data)[1] for _, data in bus.commands.published]


def test_unwanted_publisher_encodes_nothing(
    publisher: Publisher, room: Fanout, camera: Camera, bus: FakeBus
) -> None:
    """The publisher is in the room only while it is wanted; otherwise nothing is encoded."""
    put_frame(camera, 1)
    settle()
    publisher.want(True)
    until(lambda: seqs(bus) == [1])
    publisher.want(False)
    put_frame(camera, 2)
    settle()

    assert len(room) == 0
    assert camera.meter.encoded == 1
    assert seqs(bus) == [1]


def test_viewers_and_nodes_share_one_encoding(
    publisher: Publisher, room: Fanout, camera: Camera, bus: FakeBus
) -> None:
    """Local viewers and all other nodes share one encoding."""
    viewer = RecordingViewer()
    room.join("viewer", viewer)
    publisher.want(True)

    for seq in (1, 2, 3):
        put_frame(camera, seq)
        until(lambda: seqs(bus)[-1:] == [seq])  # noqa: B023

    assert viewer.seqs == [1, 2, 3]
    assert camera.meter.encoded == 3


def test_hanging_bus_delays_no_viewer(
    publisher: Publisher, room: Fanout, camera: Camera, bus: FakeBus
) -> None:
    """While a publish hangs, viewers get every frame; then the newest alone goes out."""
    viewer = RecordingViewer()
    room.join("viewer", viewer)
    publisher.want(True)
    bus.commands.hangs = True

    for seq in range(1, 8):
        put_frame(camera, seq)
        until(lambda: viewer.seqs[-1:] == [seq])  # noqa: B023
    bus.commands.hangs = False
    until(lambda: seqs(bus) == [1, 7])

    assert viewer.seqs == [1, 2, 3, 4, 5, 6, 7]


def test_hanging_bus_stops_encoding(publisher: Publisher, camera: Camera, bus: FakeBus) -> None:
    """Without other viewers, no frame is encoded that could not be sent."""
    publisher.want(True)
    bus.commands.hangs = True
    put_frame(camera, 1)
    until(lambda: camera.meter.encoded == 1)
    for seq in range(2, 8):
        put_frame(camera, seq)
        hub.sleep(0.01)

    assert camera.meter.encoded == 1
    bus.commands.hangs = False


def test_lost_frames_are_counted(publisher: Publisher, camera: Camera, bus: FakeBus) -> None:
    """A frame that the bus rejects is a named drop, and the next one follows."""
    publisher.want(True)
    bus.commands.failures = 1
    put_frame(camera, 1)
    until(lambda: camera.meter.drops["bus"] == 1)
    put_frame(camera, 2)

    until(lambda: seqs(bus) == [2])


def test_newest_frame_is_repeated_for_late_subscribers(
    publisher: Publisher, camera: Camera, bus: FakeBus
) -> None:
    """A node that subscribes gets the newest picture without waiting for the next."""
    publisher.want(True)
    put_frame(camera, 5)
    until(lambda: seqs(bus) == [5])

    publisher.repeat()

    until(lambda: seqs(bus) == [5, 5])


def test_publisher_restarts_after_a_hanging_bus(
    publisher: Publisher, camera: Camera, bus: FakeBus
) -> None:
    """A publisher that stopped during a hanging publish works when it is wanted again."""
    publisher.want(True)
    bus.commands.hangs = True
    put_frame(camera, 1)
    settle()
    publisher.want(False)
    bus.commands.hangs = False
    publisher.want(True)
    put_frame(camera, 2)

    until(lambda: seqs(bus)[-1:] == [2])
