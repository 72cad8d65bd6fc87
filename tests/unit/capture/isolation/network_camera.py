"""A network camera that can misbehave in every way that cheap cameras do."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

PASSWORD = "s3cret-of-the-door"


@cache
def jpeg(width: int = 320, height: int = 240, shade: int = 90) -> bytes:
    """Return a plain picture."""
    return cv2.imencode(".jpg", np.full((height, width, 3), shade, np.uint8))[1].tobytes()


def part(body: bytes, kind: str = "image/jpeg") -> bytes:
    """Return one part of a multipart stream."""
    head = f"--b\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body + b"\r\n"


class FakeCamera:
    """A network camera; ``/NAME`` streams what its script ``NAME`` yields, then stalls.

    A script yields parts; ``None`` ends the connection.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, Callable[[], Iterator[bytes | None]]] = {}
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.asked: list[str] = []
        self.over = threading.Event()
        self.seen = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.strip("/")
                camera.asked.append(name)
                kind, page = camera.pages.get(name, ("", b""))
                self.send_response(200)
                self.send_header("Content-Type", kind or "multipart/x-mixed-replace; boundary=b")
                self.end_headers()
                if kind:
                    self.wfile.write(page)
                    return
                try:
                    for sent in camera.scripts[name]():
                        if sent is None or camera.over.is_set():
                            return
                        self.wfile.write(sent)
                    camera.over.wait(30)
                except OSError:
                    pass  # The reader has left.

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def url(self, name: str) -> str:
        return f"http://ann:{PASSWORD}@127.0.0.1:{self._server.server_port}/{name}"

    def plays(self, name: str, *parts: bytes | None, waits: bool = False) -> str:
        """Make ``/NAME`` send good pictures, then ``parts``, then good ones; return its URL.

        With ``waits``, the parts are sent once :attr:`seen` is set: the reader may still be loading
        the decoder for the first picture.
        """

        def script() -> Iterator[bytes | None]:
            for number in range(20):
                yield part(jpeg(shade=number))
                time.sleep(0.01)
            if waits:
                self.seen.wait(10)
            for sent in (*parts, *[part(jpeg(shade=200))] * 1000):
                yield sent
                time.sleep(0.01)

        self.scripts[name] = script
        return self.url(name)

    def stalls(self, name: str, after: int = 20) -> str:
        """Make ``/NAME`` send some good pictures and then nothing; return its URL."""
        self.scripts[name] = lambda: iter([part(jpeg(shade=n)) for n in range(after)])
        return self.url(name)

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@pytest.fixture
def camera() -> Iterator[FakeCamera]:
    """A network camera."""
    fake = FakeCamera()
    yield fake
    fake.close()
