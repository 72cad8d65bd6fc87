"""A network camera: sends prepared pictures as MJPEG over HTTP to any number of readers.

Not a reference but a source for Porthole; its own cost is not counted. Every reader has its own
thread and clock, so that sixteen cameras do not all deliver at the same moment.
"""

import argparse
import socket
import threading
import time
from pathlib import Path

from bench.references.listening import announce
from bench.support.content import load_jpegs

HEAD = (
    b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n"
    b"Cache-Control: no-store\r\nConnection: close\r\n\r\n--frame\r\n"
)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--fps", type=float, default=30)
    arguments = parser.parse_args()
    parts = [_part(jpeg) for jpeg in load_jpegs(arguments.pictures)]
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    announce("camera", listener.getsockname()[1])
    while True:
        reader, _ = listener.accept()
        threading.Thread(target=_serve, args=(reader, parts, arguments.fps), daemon=True).start()


def _part(jpeg: bytes) -> bytes:
    # Includes the closing boundary, so that a reader need not wait for the next picture.
    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
    return head + jpeg + b"\r\n--frame\r\n"


def _serve(reader: socket.socket, parts: list[bytes], fps: float) -> None:
    reader.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with reader:
        try:
            reader.recv(4096)
            reader.sendall(HEAD)
            due = time.monotonic()
            number = 0
            while True:
                reader.sendall(parts[number % len(parts)])
                number += 1
                due += 1 / fps
                time.sleep(max(0.0, due - time.monotonic()))
        except OSError:
            return  # The reader has left.


if __name__ == "__main__":
    main()
