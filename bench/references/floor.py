"""The floor: writes the same bytes once per viewer and frame, at 30 fps, and does nothing else.

With ``--video`` it sends the same pictures as H.264 access units.

It answers the handshake like a Socket.IO server, and then reads nothing. No server that sends every
frame to every viewer over TCP can cost less.
"""

import argparse
import selectors
import socket
import time
from pathlib import Path
from typing import Any

from bench.references.listening import announce
from bench.support.content import FPS, SIZE, load_jpegs, load_units
from server.protocol import TEXT, socket_head, websocket_frame

WELCOME = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    + b"".join(websocket_frame(TEXT, b'40{"sid":"floor"}'))
)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--video", action="store_true")
    arguments = parser.parse_args()
    frames: list[tuple[bytes, dict[str, Any]]] = (
        [
            (data, {"codec": codec, "key": key})
            for data, key, codec in load_units(arguments.pictures)
        ]
        if arguments.video
        else [(jpeg, {}) for jpeg in load_jpegs(arguments.pictures)]
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.setblocking(False)
    announce("floor", listener.getsockname()[1])
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    viewers: dict[socket.socket, memoryview] = {}
    due = time.monotonic()
    seq = 0
    while True:
        while (remaining := due - time.monotonic()) > 0:
            for _ in selector.select(remaining):
                viewers[_welcome(listener)] = memoryview(b"")
        due += 1 / FPS
        seq += 1
        header = {
            "camera": "test",
            "seq": seq,
            "at": time.time(),
            "width": SIZE[0],
            "height": SIZE[1],
            "rendition": "full",
        }
        data, more = frames[seq % len(frames)]
        packet = socket_head("frame", header | more, len(data)) + data
        for viewer in list(viewers):
            _send(viewer, packet, viewers)


def _welcome(listener: socket.socket) -> socket.socket:
    viewer, _ = listener.accept()
    viewer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    viewer.recv(4096)
    viewer.sendall(WELCOME)
    viewer.setblocking(False)
    return viewer


def _send(viewer: socket.socket, packet: bytes, viewers: dict[socket.socket, memoryview]) -> None:
    # Half a packet would break the stream, so finish the last one before sending another.
    data = viewers[viewer] or memoryview(packet)
    try:
        viewers[viewer] = data[viewer.send(data) :]
    except BlockingIOError:
        pass  # The buffer is full: this viewer skips a frame.
    except OSError:
        del viewers[viewer]


if __name__ == "__main__":
    main()
