"""However connections end, they leave no viewer, no descriptor and no green thread."""

import os
import signal
import socket
import struct
import time
from collections.abc import Callable

import psutil

from tests.support.cameras.bad_camera import MakeCamera
from tests.support.clients.client import MjpegViewer, Viewer
from tests.support.clients.hostile import Hostile
from tests.support.servers.cluster import cameras_of
from tests.support.servers.processes import children_of
from tests.support.servers.server import PortholeServer, wait_until

Start = Callable[..., PortholeServer]

# The slowest are noticed after 15 s (half a request) and 12 s (a viewer that reads nothing). How
# long that takes on a busy machine is not tested here.
PATIENCE_S = 120.0
# Each check takes 20 ms of CPU time.
POLL_S = 0.5


def greenlets_of(server: PortholeServer) -> int:
    """Return the number of the server's green threads."""
    seen = len(server.log)
    server.send_signal(signal.SIGUSR1)
    line: str = wait_until(
        lambda: next((line for line in server.log[seen:] if line.startswith("greenlets ")), None)
    )
    return int(line.split()[1])


def descriptors_of(server: PortholeServer) -> int:
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def held(server: PortholeServer) -> list[object]:
    """Return the connected clients, the viewers, and the processes of cameras."""
    watched = [
        f"{name}: {state['viewers']} viewers"
        for name, state in cameras_of(server).items()
        if state["viewers"]
    ]
    connections = [
        one
        for one in psutil.Process(server.process.pid).net_connections("tcp4")
        if one.status == psutil.CONN_ESTABLISHED and one.laddr.port == server.port
    ]
    # The request for the states may still be closing.
    return [*watched, *children_of(server), *connections[1:]]


def rest(server: PortholeServer) -> None:
    """Wait until there is no viewer, no connection, and no open camera."""
    last: list[object] = []

    def is_at_rest() -> bool:
        last[:] = held(server)
        return not last

    try:
        wait_until(is_at_rest, PATIENCE_S, POLL_S)
    except AssertionError:
        raise AssertionError(f"still there after {PATIENCE_S:g} s: {last}") from None


def reset(sock: socket.socket) -> None:
    """End a connection with RST, as when a client's program crashes."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def hang_up(sock: socket.socket) -> None:
    sock.close()


def churn(server: PortholeServer, end: Callable[[socket.socket], None]) -> None:
    """Connect in every way there is, and end each connection the same way."""
    port = server.port
    for camera in ("test", "door"):
        reading = Viewer("127.0.0.1", port)
        reading.connect()
        reading.call("watch", {"camera": camera})
        reading.pump(lambda viewer=reading: len(viewer.arrivals) >= 2, 20)
        end(reading.sock)

        # In the middle of a frame: a small buffer takes part of it.
        mid = Hostile(port, receive_buffer=2048)
        mid.send(f'42["watch",{{"camera":"{camera}"}}]'.encode())
        mid.sock.recv(500)
        end(mid.sock)

        feed = MjpegViewer("127.0.0.1", port, path=f"/video_feed/{camera}")
        feed.connect()
        feed.sock.settimeout(20)
        feed.read()
        end(feed.sock)

        # Before there is an answer.
        for request in (
            f"GET /snapshot/{camera}.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n",
            f"GET /video_feed/{camera} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /video_feed HTTP/1.1\r\nHo",
        ):
            asking = socket.create_connection(("127.0.0.1", port), 5)
            asking.sendall(request.encode())
            end(asking)
    for payload in (b'42["watch",{"camera":"test"}]', b"x", b'421["stop"', b"41", b"43"):
        hostile = Hostile(port)
        hostile.send(b'42["watch",{"camera":"test"}]')
        hostile.send(payload)
        end(hostile.sock)
    # In the middle of the client's own message, before it has a session.
    half = Hostile(port)
    half.sock.sendall(b"\x81\xfe\x40\x00\0\0\0\0" + b"4" * 100)
    end(half.sock)
    end(Hostile(port, connected=False).sock)


def test_disconnected_clients_leave_nothing_behind(
    start_server: Start, make_camera: MakeCamera
) -> None:
    """Hang-ups, resets and silence of every kind leave no extra descriptor or green thread."""
    camera = make_camera()
    server = start_server(
        *("test:?size=320x180", f"door={camera.url()}", "--release-after", "0.5"),
        *("--check-every", "0"),  # After a check, its process is kept for the next one.
        module="tests.support.servers.observed",
    )
    for end in (hang_up, reset):
        churn(server, end)
    rest(server)
    greenlets = wait_until(lambda: settled(greenlets_of, server))
    descriptors = descriptors_of(server)

    for _ in range(2):
        for end in (hang_up, reset):
            churn(server, end)
    # Some stay silent: half open as far as the server can tell.
    silent = [Hostile(server.port, receive_buffer=2048) for _ in range(5)]
    for hostile in silent:
        hostile.send(b'42["watch",{"camera":"test"}]')
    feeds = [
        MjpegViewer("127.0.0.1", server.port, path="/video_feed/test", receive_buffer=2048)
        for _ in range(3)
    ]
    for feed in feeds:
        feed.connect()
    wait_until(lambda: cameras_of(server)["test"]["viewers"] >= 8)

    rest(server)
    for connection in (*silent, *feeds):
        connection.close()

    wait_until(lambda: greenlets_of(server) <= greenlets, PATIENCE_S, POLL_S)
    wait_until(lambda: descriptors_of(server) <= descriptors, PATIENCE_S, POLL_S)


def settled(read: Callable[[PortholeServer], int], server: PortholeServer) -> int | None:
    """Return a figure once it has been stable for a second, else None."""
    figures = {read(server)}
    for _ in range(4):
        time.sleep(0.25)
        figures.add(read(server))
    return figures.pop() if len(figures) == 1 else None
