"""The load client counts what is on the wire, however the bytes are split."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from server.protocol import TEXT, mjpeg_part, picture_head, websocket_frame
from tests.support.clients.client import Crowd, MjpegViewer, Viewer
from tests.support.fakes import until

Serve = Callable[..., "Wire"]

SIZES = (12, 300, 125_000)
"""Sizes smaller than a head, about as long, and with the longest kind of length field."""


class Wire:
    """A listener that accepts a connection, sends bytes in pieces and keeps what it gets."""

    def __init__(self, welcome: bytes, data: bytes, piece: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heard = b""
        self._pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
        self._welcome = welcome
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.recv(4096)
            connection.sendall(self._welcome)
            for piece in self._pieces:
                connection.sendall(piece)
            try:
                while data := connection.recv(4096):
                    self.heard += data
            except OSError:
                return  # The viewer has left with unread bytes.

    def close(self) -> None:
        self._thread.join(5)
        self._listener.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    wires: list[Wire] = []

    def start(welcome: bytes, data: bytes, piece: int = 1 << 20) -> Wire:
        wires.append(Wire(welcome, data, piece))
        return wires[-1]

    yield start
    for wire in wires:
        wire.close()


WELCOME = b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + b"".join(
    websocket_frame(TEXT, b'40{"sid":"wire"}')
)


def packets(*sizes: int) -> bytes:
    """Return frames with pictures of these sizes, with an event between the first two."""
    frames = [
        picture_head("door", seq, float(seq), 64, 48, "full", size) + b"\x81" * size
        for seq, size in enumerate(sizes, start=1)
    ]
    event = b"".join(websocket_frame(TEXT, b'42["notice",{"level":"info"}]'))
    return frames[0] + event + b"".join(frames[1:])


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("piece", [997, 60_001, 1 << 20])
def test_frames_split_across_reads_are_counted(serve: Serve, light: bool, piece: int) -> None:
    """Each frame's number, time and size are right, whether or not its picture is kept."""
    wire = serve(WELCOME, packets(*SIZES, 50), piece)
    viewer = Viewer("127.0.0.1", wire.port, light=light)

    viewer.connect()
    viewer.pump(lambda: len(viewer.arrivals) == 4, 5)
    viewer.close()

    assert [(one.seq, one.at_unix, one.size) for one in viewer.arrivals] == [
        (seq, float(seq), size) for seq, size in enumerate((*SIZES, 50), start=1)
    ]
    assert viewer.events == [("notice", {"level": "info"})]
    assert viewer.last_jpeg == (b"" if light else b"\x81" * 50)


@pytest.mark.parametrize("light", [False, True])
def test_multipart_split_across_reads_is_counted(serve: Serve, light: bool) -> None:
    """The parts' lengths and times are read from their headers."""
    parts = b"".join(mjpeg_part(b"\xff" * size, size) for size in SIZES)
    wire = serve(b"HTTP/1.0 200 OK\r\n\r\n--frame\r\n", parts, 997)
    viewer = MjpegViewer("127.0.0.1", wire.port, light=light)
    crowd = Crowd()

    viewer.connect()
    crowd.add(viewer)
    crowd.run(5, until=lambda: len(viewer.arrivals) == 3)
    crowd.close()

    assert [(one.at_unix, one.size) for one in viewer.arrivals] == [(s, s) for s in SIZES]


def test_each_frame_is_acknowledged(serve: Serve) -> None:
    """By default an acknowledgement goes out for every frame."""
    wire = serve(WELCOME, packets(9, 9, 9))
    viewer = Viewer("127.0.0.1", wire.port, light=True)

    viewer.connect()
    viewer.pump(lambda: len(viewer.arrivals) == 3, 5)
    viewer.close()
    wire.close()

    assert wire.heard.count(b'42["ack", "door", ') == 3


def test_ack_for_two_frames_meets_its_deadline(serve: Serve) -> None:
    """With one ack per two frames, an odd last frame is acknowledged at the deadline."""
    wire = serve(WELCOME, packets(9, 9, 9))
    viewer = Viewer("127.0.0.1", wire.port, light=True, ack_every=2)
    crowd = Crowd()

    viewer.connect()
    crowd.add(viewer)
    started = time.monotonic()
    crowd.run(5, until=lambda: wire.heard.count(b"ack") == 2)
    took_s = time.monotonic() - started
    crowd.close()
    wire.close()

    assert wire.heard.count(b'"ack", "door", 2]') == 1
    assert wire.heard.count(b'"ack", "door", 3]') == 1
    assert took_s < 2


def test_light_viewer_notices_a_closed_connection(serve: Serve) -> None:
    """A light viewer notices a closed connection like any other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        viewer = MjpegViewer("127.0.0.1", listener.getsockname()[1], light=True)
        viewer.connect()
        connection, _ = listener.accept()
        connection.close()

        until(lambda: viewer.read() or viewer.closed)

        viewer.close()
