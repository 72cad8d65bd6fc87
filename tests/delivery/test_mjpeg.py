"""Frames as one endless HTTP response, on real sockets."""

import socket
import time
from collections.abc import Iterator

import pytest

from server import hub
from server.capture.camera import Camera
from server.delivery import mjpeg
from server.delivery.fanout import Fanout
from server.delivery.mjpeg import MjpegViewer
from tests.conftest import encoded, offline_camera, put_frame, settle, until


@pytest.fixture
def camera() -> Camera:
    """A camera whose frames the test puts in by hand."""
    return offline_camera()


@pytest.fixture
def fanout(camera: Camera) -> Iterator[Fanout]:
    """The camera's room, at work."""
    room = Fanout(camera)
    room.open()
    yield room
    room.close()


@pytest.fixture
def link() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection as its server's end, which is green, and its client's."""
    listener = hub.listen("127.0.0.1", 0)
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    listener.close()
    client.setblocking(False)
    yield server, client
    client.close()
    server.close()


def test_viewer_joins_the_room(fanout: Fanout) -> None:
    """Making a viewer is to watch; leaving is to stop."""
    viewer = MjpegViewer(fanout, None)
    assert len(fanout) == 1

    viewer.leave()

    assert len(fanout) == 0


def test_next_returns_the_frame(camera: Camera, fanout: Fanout) -> None:
    """A frame that the room sends is the next one."""
    viewer = MjpegViewer(fanout, None)
    put_frame(camera, 1)

    frame = viewer.next(2)

    assert frame is not None
    assert frame.seq == 1


def test_next_gives_up_in_time(fanout: Fanout) -> None:
    """Without a frame there is an answer all the same."""
    assert MjpegViewer(fanout, None).next(0.001) is None


def test_next_ends_when_the_viewer_leaves(fanout: Fanout) -> None:
    """A viewer that is made to leave does not wait for its time-out."""
    viewer = MjpegViewer(fanout, None)
    task = hub.spawn(viewer.next, 60)
    hub.sleep(0)

    viewer.leave()

    assert task.join(1)


def test_only_one_frame_waits(camera: Camera, fanout: Fanout) -> None:
    """While a frame is not picked up, the viewer takes no other; then it gets the newest."""
    viewer = MjpegViewer(fanout, None)
    for seq in (1, 2, 3):
        put_frame(camera, seq)
        settle()
        until(lambda: viewer.obstacle == "unsent")

    first = viewer.next(1)
    fanout.serve(viewer)
    second = viewer.next(1)

    assert first is not None
    assert second is not None
    assert (first.seq, second.seq) == (1, 3)


def test_stream_yields_parts_in_order(camera: Camera, fanout: Fanout) -> None:
    """The stream is an opening boundary and then a part a frame."""
    viewer = MjpegViewer(fanout, None)
    stream = viewer.stream(encoded(1))

    opening, first = next(stream), next(stream)
    put_frame(camera, 2)
    second = next(stream)

    assert opening == b"--frame\r\n"
    assert first == encoded(1).part
    assert b"X-Timestamp: 2.000000" in second


def test_stream_takes_nothing_while_sending(camera: Camera, fanout: Fanout) -> None:
    """From handing out a part until it has left, no other frame is taken."""
    viewer = MjpegViewer(fanout, None)
    stream = viewer.stream(encoded(1))
    next(stream)
    assert viewer.obstacle is None

    next(stream)

    assert viewer.obstacle == "unsent"


def test_stream_ends_when_the_viewer_leaves(fanout: Fanout) -> None:
    """A viewer that left is streamed no more."""
    viewer = MjpegViewer(fanout, None)
    stream = viewer.stream(encoded(1))
    next(stream)
    next(stream)

    viewer.leave()

    assert list(stream) == []


def test_stream_ends_when_the_camera_is_stopped(camera: Camera, fanout: Fanout) -> None:
    """A stopped camera ends its streams, instead of showing a still picture for ever."""
    stream = MjpegViewer(fanout, None).stream(encoded(1))
    next(stream)
    next(stream)

    camera.stop()

    assert list(stream) == []


def test_stream_ends_when_the_peer_has_gone(
    fanout: Fanout, link: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that went away is noticed even when no pictures come."""
    monkeypatch.setattr(mjpeg, "PEER_CHECK_S", 0.01)
    server, client = link
    stream = MjpegViewer(fanout, server).stream(encoded(1))
    next(stream)
    next(stream)
    client.close()

    assert list(stream) == []


def test_stream_goes_on_while_the_peer_is_there(
    camera: Camera,
    fanout: Fanout,
    link: tuple[socket.socket, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A pause in the pictures does not end the stream."""
    monkeypatch.setattr(mjpeg, "PEER_CHECK_S", 0.001)
    server, _ = link
    stream = MjpegViewer(fanout, server).stream(encoded(1))
    next(stream)
    next(stream)
    parts: list[bytes] = []
    task = hub.spawn(lambda: parts.append(next(stream)))
    hub.sleep(0.02)
    assert not task.done

    put_frame(camera, 2)

    until(lambda: parts)


def test_slow_peer_is_shown_fresh_pictures(
    camera: Camera, fanout: Fanout, link: tuple[socket.socket, socket.socket]
) -> None:
    """What waits for a peer that does not read is a picture, not seconds of them."""
    server, client = link
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_000_000)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    viewer = MjpegViewer(fanout, server)
    part = bytes(200_000)
    sent: list[int] = []

    def write() -> None:
        """Do what the WSGI server does: write all of a part, then ask for the next."""
        for _ in viewer.stream(encoded(1, part)):
            sent.append(viewer.last_seq)
            rest = memoryview(part)
            while rest:
                rest = rest[server.send(rest) :]

    task = hub.spawn(write)
    for seq in range(2, 40):
        put_frame(camera, seq)
        settle()
    task.kill()

    # The boundary and a part or two: TCP_NOTSENT_LOWAT says "full" long before the buffer is.
    assert len(sent) <= 4


def test_frames_have_their_capture_time(camera: Camera, fanout: Fanout) -> None:
    """The time that a part tells is that of its picture, not that of its sending."""
    viewer = MjpegViewer(fanout, None)
    put_frame(camera, 9)

    frame = viewer.next(2)

    assert frame is not None
    assert frame.at_unix == 9.0 < time.time()
