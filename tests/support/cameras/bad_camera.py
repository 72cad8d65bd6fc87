"""A network camera that can misbehave in all the ways of cheap ones."""

import struct
import threading
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import cv2
import numpy as np
import pytest

__all__ = ["PICTURES", "BadCamera", "Fault", "MakeCamera", "huge_jpeg", "jpeg", "make_camera"]

Fault = Literal[
    "none", "stall", "frozen", "truncated", "empty", "garbage", "huge", "refuse", "black hole"
]

# A working sensor's pictures always differ; this many different ones are sent in turn.
PICTURES = 24


class BadCamera:
    """MJPEG over HTTP on loopback, on its own port.

    Args:
        fps: Parts a second.
        size: Width and height of its pictures, in pixels.
        login: Whether it requires credentials.
    """

    def __init__(
        self, fps: float = 25, size: tuple[int, int] = (320, 180), login: bool = False
    ) -> None:
        self.size = size
        """Frame rate from now on; may be changed in mid-stream."""
        self.fault: Fault = "none"
        """The current fault; one that affects parts affects every part."""
        self.sent = 0
        """Good parts sent."""
        self.streams = 0
        """Streams that are open now."""
        self.authorizations: set[str | None] = set()
        """The credentials that were presented."""
        self._login = login
        self._interval_s = 1 / fps
        self._hang_ups = 0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.appear()

    def url(self, credentials: str = "") -> str:
        """Return its address, with ``NAME:PASSWORD`` in it if given."""
        return f"http://{credentials and credentials + '@'}127.0.0.1:{self._port}/live"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    def hang_up(self) -> None:
        """End all streams."""
        self._hang_ups += 1

    def disappear(self) -> None:
        """Go offline: end all streams and stop listening."""
        self.hang_up()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def appear(self) -> None:
        """Come back online on the same port."""
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.authorizations.add(self.headers["Authorization"])
                with camera._lock:
                    camera.streams += 1
                try:
                    camera._serve(self)
                except OSError:
                    pass  # The reader is gone.
                finally:
                    with camera._lock:
                        camera.streams -= 1

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop for good."""
        self._over.set()
        self.disappear()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        hang_ups = self._hang_ups
        if self.fault == "refuse":
            request.send_error(503)
            return
        if self._login and not request.headers["Authorization"]:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.end_headers()
            return
        while self.fault == "black hole":
            if self._pause() or self._hang_ups != hang_ups:
                return
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
        request.end_headers()
        number = 0
        while not self._pause() and self._hang_ups == hang_ups:
            fault = self.fault
            if fault in ("stall", "black hole"):
                continue
            if fault != "frozen":
                number += 1
            request.wfile.write(part(self._body(fault, number)))
            self.sent += fault == "none"

    def _pause(self) -> bool:
        """Wait until the next part is due; return whether the camera is stopping."""
        return self._over.wait(self._interval_s)

    def _body(self, fault: Fault, number: int) -> bytes:
        good = jpeg(*self.size, number % PICTURES)
        if fault == "truncated":
            return good[: len(good) // 2]
        if fault == "empty":
            return b""
        if fault == "garbage":
            return bytes(range(256)) * 8
        return huge_jpeg() if fault == "huge" else good


MakeCamera = Callable[..., BadCamera]


@pytest.fixture
def make_camera() -> Iterator[MakeCamera]:
    """Make cameras that are closed at the end."""
    cameras: list[BadCamera] = []

    def make(**options: Any) -> BadCamera:
        cameras.append(BadCamera(**options))
        return cameras[-1]

    yield make
    for camera in cameras:
        camera.close()


def part(body: bytes) -> bytes:
    """Return one part of the stream."""
    head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body + b"\r\n"


@cache
def jpeg(width: int, height: int, number: int) -> bytes:
    """Return a noisy picture, different for every number."""
    pixels = np.random.default_rng(number).normal(90 + number, 6, (height, width, 3))
    return cv2.imencode(".jpg", pixels.clip(0, 255).astype(np.uint8))[1].tobytes()


@cache
def huge_jpeg() -> bytes:
    """Return a JPEG of a few bytes whose header says 12000 x 12000: a decoder allocates all of it.

    Encoding that many pixels would take seconds.
    """
    small = jpeg(320, 180, 0)
    at = small.index(b"\xff\xc0") + 5
    return small[:at] + struct.pack(">HH", 12000, 12000) + small[at + 4 :]
