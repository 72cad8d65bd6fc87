"""Frames as one endless HTTP response, on real sockets."""

import socket
import struct
import time

import numpy as np
import pytest

from server.capture.camera import Camera
from server.delivery import mjpeg
from server.delivery.fanout import Fanout
from server.delivery.mjpeg import FrameWaiter, MjpegViewer
from server.loop import hub
from tests.support.fakes import ResponseClient, encoded, put_frame, settle, until

Link = tuple[socket.socket, socket.socket]


class Stream(ResponseClient):
    """A viewer's stream, written as by the WSGI server, and its client."""

    def __init__(self, fanout: Fanout, link: Link, chunked: bool = False) -> None:
        server, client = link
        super().__init__(client)
        self.viewer = MjpegViewer(fanout, server, chunked)
        self.task = hub.spawn(self._write, server)

    def _write(self, server: socket.socket) -> None:
        for data in self.viewer.stream(encoded(1)):
            server.sendall(data)


def stamp(seq: int) -> bytes:
    """Return the part's time header for a frame; see ``put_frame``."""
    return b"X-Timestamp: %d.000000" % seq


def test_waiter_joins_the_room(fanout: Fanout) -> None:
    """Creating a waiter joins the room; leaving ends that."""
    waiter = FrameWaiter(fanout)
    assert len(fanout) == 1

    waiter.leave()

    assert len(fanout) == 0


def test_next_returns_the_frame(camera: Camera, fanout: Fanout) -> None:
    """The next frame is the one sent by the room, with its capture time."""
    waiter = FrameWaiter(fanout)
    put_frame(camera, 9)

    frame = waiter.next(2)

    assert frame is not None
    assert frame.seq == 9
    assert frame.at_unix == 9.0 < time.time()


def test_next_times_out(fanout: Fanout) -> None:
    """Without a frame, ``next`` returns None after its timeout."""
    assert FrameWaiter(fanout).next(0.001) is None


def test_next_ends_when_the_waiter_leaves(fanout: Fanout) -> None:
    """A waiter that leaves does not wait for its timeout."""
    waiter = FrameWaiter(fanout)
    task = hub.spawn(waiter.next, 60)
    hub.sleep(0)

    waiter.leave()

    assert task.join(1)


def test_only_one_frame_waits(camera: Camera, fanout: Fanout) -> None:
    """While a frame waits, no other is taken; after that, the newest one is."""
    waiter = FrameWaiter(fanout)
    for seq in (1, 2, 3):
        put_frame(camera, seq)
        settle()
        until(lambda: waiter.obstacle == "unsent")

    first = waiter.next(1)
    fanout.serve(waiter)
    second = waiter.next(1)

    assert first is not None
    assert second is not None
    assert (first.seq, second.seq) == (1, 3)


def test_viewer_joins_before_its_stream_begins(camera: Camera, fanout: Fanout, link: Link) -> None:
    """A viewer joins immediately, but no picture is written into the response head."""
    viewer = MjpegViewer(fanout, link[0], False)
    assert len(fanout) == 1

    put_frame(camera, 1)
    settle()

    assert viewer.obstacle == "unsent"
    with pytest.raises(BlockingIOError):
        link[1].recv(1)


@pytest.mark.parametrize("chunked", [False, True])
def test_pictures_are_streamed_in_order(
    camera: Camera, fanout: Fanout, link: Link, chunked: bool
) -> None:
    """An opening boundary is followed by one part per frame, in its own chunk if chunked."""
    stream = Stream(fanout, link, chunked)
    stream.read(encoded(1).part.data)
    for seq in (2, 3, 4):
        put_frame(camera, seq)
        stream.read(stamp(seq))

    received = stream.received
    assert received.startswith(b"--frame\r\n" + encoded(1).part.data)
    assert [received.count(stamp(seq)) for seq in (2, 3, 4)] == [1, 1, 1]
    assert sorted(map(received.index, map(stamp, (2, 3, 4)))) == list(
        map(received.index, map(stamp, (2, 3, 4)))
    )
    rest = received[len(b"--frame\r\n" + encoded(1).part.data) :]
    if chunked:
        size, _, chunk = rest.partition(b"\r\n")
        assert chunk[: int(size, 16)].endswith(b"\r\n--frame\r\n")
        assert chunk[int(size, 16) :].startswith(b"\r\n")
    else:
        assert rest.startswith(b"Content-Type: image/jpeg\r\n")


def test_stream_ends_when_the_viewer_leaves(fanout: Fanout, link: Link) -> None:
    """The stream of a viewer that left ends."""
    stream = Stream(fanout, link)
    stream.read(encoded(1).part.data)

    stream.viewer.leave()

    assert stream.task.join(1)
    assert len(fanout) == 0


def test_stream_ends_when_the_camera_is_stopped(
    camera: Camera, fanout: Fanout, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped camera ends its streams instead of showing a frozen picture."""
    monkeypatch.setattr(mjpeg, "PEER_CHECK_S", 0.01)
    stream = Stream(fanout, link)
    stream.read(encoded(1).part.data)

    camera.stop()

    assert stream.task.join(1)


def test_stream_ends_when_the_peer_has_gone(
    fanout: Fanout, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser that went away is detected even when no pictures come."""
    monkeypatch.setattr(mjpeg, "PEER_CHECK_S", 0.01)
    stream = Stream(fanout, link)
    stream.read(encoded(1).part.data)

    stream.client.close()

    assert stream.task.join(1)
    assert len(fanout) == 0


@pytest.mark.parametrize("last_words", [b"", b"GET / HTTP/1.1\r\n\r\n"])
def test_stream_ends_on_a_reset_with_bytes_unsent(
    camera: Camera, fanout: Fanout, link: Link, last_words: bytes
) -> None:
    """A reset leaves bytes unsent for ever, and must be detected although pictures keep coming.

    Each such stream used to keep its connection and its camera open as long as the server ran.
    """
    server, client = link
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400_000)
    stream = Stream(fanout, link)
    stream.read(encoded(1).part.data)
    # Small frames: the last exceeds the peer's buffer but fits the kernel's.
    shown = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
    seq = 1
    while not stream.viewer.obstacle:
        seq += 1
        put_frame(camera, seq, shown)
        until(lambda seq=seq: stream.viewer.last_seq == seq)  # type: ignore[misc]

    client.send(last_words)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    for later in range(1, 20):
        put_frame(camera, seq + later, shown)
        hub.sleep(0.01)

    assert stream.task.done
    assert len(fanout) == 0


def test_stream_continues_during_a_pause_in_the_pictures(
    camera: Camera, fanout: Fanout, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause does not end the stream while the peer is still there."""
    monkeypatch.setattr(mjpeg, "PEER_CHECK_S", 0.001)
    stream = Stream(fanout, link)
    stream.read(encoded(1).part.data)
    hub.sleep(0.05)
    assert not stream.task.done

    put_frame(camera, 2)

    stream.read(stamp(2))


def test_slow_peer_gets_fresh_pictures(camera: Camera, fanout: Fanout, link: Link) -> None:
    """A peer that does not read has a picture or two waiting, and then gets the newest."""
    server, client = link
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_000_000)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    stream = Stream(fanout, link)
    stream.read(encoded(1).part.data)
    large = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    for seq in range(2, 40):
        put_frame(camera, seq, large)
        settle()
        until(lambda seq=seq: fanout.camera.meter.encoded >= 1)  # type: ignore[misc]

    received = stream.read(stamp(39))

    shown = [seq for seq in range(2, 40) if stamp(seq) in received]
    assert len(shown) <= 6
    assert shown[-1] == 39
    stream.task.kill()


def test_peer_that_reads_nothing_is_disconnected(
    camera: Camera, fanout: Fanout, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After half a picture the response cannot end properly, so the connection is closed."""
    closed: list[bool] = []
    monkeypatch.setattr(mjpeg, "WRITE_DEADLINE_S", 0.05)
    monkeypatch.setattr(mjpeg, "answer_was_sent", lambda: closed.append(True))
    server, client = link
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    stream = Stream(fanout, link)
    stream.read(encoded(1).part.data)

    put_frame(camera, 2, np.random.default_rng(1).integers(0, 255, (1080, 1920, 3), np.uint8))

    assert stream.task.join(10)
    assert closed == [True]
    assert len(fanout) == 0
