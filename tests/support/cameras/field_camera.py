"""A network camera with the HTTP behaviours of real cameras, one per path."""

import gzip
import hashlib
import itertools
import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np

from tests.support.cameras.bad_camera import jpeg

__all__ = ["LOGIN", "PICTURES", "STREAMS", "FieldCamera", "make_certificate"]

SIZE = (320, 180)
PICTURES = tuple(jpeg(*SIZE, number) for number in range(8))
"""The picture that every stream repeats."""

PNG = cv2.imencode(".png", np.full((48, 64, 3), 80, np.uint8))[1].tobytes()

LOGIN = ("ann", "s3cret of: the/yard@home")

INTERVAL_S = 0.02

SOUND = bytes(range(256)) * 3 + PICTURES[0][:900]
"""Bytes that look like the start of a picture but are not one."""


def part(
    body: bytes, kind: str = "image/jpeg", length: int | None = -1, boundary: str = "--b"
) -> bytes:
    """Return one part; ``length`` None omits it, -1 is the true length."""
    lines = [boundary, f"Content-Type: {kind}"]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length < 0 else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body + b"\r\n"


def usual(picture: bytes) -> bytes:
    """Return a well-formed part."""
    return part(picture)


def upper(picture: bytes) -> bytes:
    head, blank, body = part(picture).partition(b"\r\n\r\n")
    return head.upper().replace(b"--B", b"--b") + blank + body


def bare_lines(picture: bytes) -> bytes:
    head, _, body = part(picture).partition(b"\r\n\r\n")
    return head.replace(b"\r\n", b"\n") + b"\n\n" + body


def among_others(picture: bytes) -> bytes:
    sound, words = part(SOUND, "audio/basic"), part(b'{"motion": true}', "application/json")
    return sound + part(picture) + words


MULTIPART = "multipart/x-mixed-replace; boundary=b"

# Path: the stream's type, how a picture is sent, and what is sent before the first one.
STREAMS: dict[str, tuple[str | None, Callable[[bytes], bytes], bytes]] = {
    "usual": (MULTIPART, usual, b""),
    "no-first-boundary": (MULTIPART, lambda p: part(p, boundary="")[2:] + b"--b\r\n", b""),
    "no-boundary-at-all": (MULTIPART, lambda p: p, b""),
    "no-part-heads": (MULTIPART, lambda p: b"--b\r\n\r\n" + p + b"\r\n", b""),
    "other-boundary": (MULTIPART, lambda p: part(p, boundary="--another one"), b""),
    "boundary-with-dashes": ("multipart/x-mixed-replace;boundary=--b", usual, b""),
    "quoted-boundary": ('Multipart/X-Mixed-Replace; boundary="b c"', usual, b""),
    "no-boundary-named": ("multipart/x-mixed-replace", usual, b""),
    "preamble": (MULTIPART, usual, b"This is a stream.\r\n\r\n" * 200),
    "half-a-picture-first": (MULTIPART, usual, PICTURES[0][5000:] + b"\r\n"),
    "among-others": (MULTIPART, among_others, b""),
    "short-length": (MULTIPART, lambda p: part(p, length=len(p) - 2), b""),
    "long-length": (MULTIPART, lambda p: part(p, length=len(p) + 500), b""),
    "absurd-length": (MULTIPART, lambda p: part(p, length=10**18), b""),
    "no-length": (MULTIPART, lambda p: part(p, length=None), b""),
    "padded": (MULTIPART, lambda p: part(p + bytes(-len(p) % 4096)), b""),
    "upper-case": (MULTIPART, upper, b""),
    "bare-line-feeds": (MULTIPART, bare_lines, b""),
    "endless-header": (MULTIPART, lambda p: part(p).replace(b"\r\n", b"\r\nX:" + b"y" * 9999, 1)
                       .replace(b"yC", b"y\r\nC"), b""),
    "one-after-the-other": ("video/x-motion-jpeg", lambda p: p, b""),
    "one-after-the-other-as-image": ("image/jpeg", lambda p: p, b""),
    "one-after-the-other-untyped": (None, lambda p: p, b""),
    "parts-untyped": (None, usual, b""),
    "parts-as-text": ("text/plain", usual, b""),
}  # fmt: skip


class FieldCamera:
    """One camera on loopback. Behaviours are the paths of :data:`STREAMS`, and ``_PAGES``.

    Args:
        login: The scheme it requires: ``Basic``, ``Digest``, or none.
        certificate: A file with a certificate and its key, if it speaks TLS.
        single: Whether it serves one connection at a time and rejects a second one.
    """

    def __init__(
        self, login: str = "", certificate: Path | None = None, single: bool = False
    ) -> None:
        self.asked: list[tuple[str, str]] = []
        """The path and the ``Authorization`` of each request."""
        self.connections = 0
        """Connections so far."""
        self.most_at_once = 0
        """The most connections at a time; counted only if it serves one."""
        self.elsewhere = ""
        """Where ``/moved`` leads."""
        self.not_modified = 0
        """How often a still was unchanged."""
        self._login = login
        self._scheme = "https" if certificate else "http"
        self._single = single
        self._at_once = 0
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The connection's own thread does the handshake, at the first read.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def url(self, path: str, login: str = "", host: str = "127.0.0.1") -> str:
        """Return the URL of a path; ``login`` is the part before the ``@``."""
        port = self._server.server_address[1]
        return f"{self._scheme}://{login and login + '@'}{host}:{port}/{path}"

    def close(self) -> None:
        """End all streams, and stop."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def pause(self) -> bool:
        """Wait until the next picture is due; return False when the camera stops."""
        return not self._over.wait(INTERVAL_S)

    def begin(self) -> bool:
        """Count a new connection; return whether to serve it."""
        with self._changed:
            self.connections += 1
            self._at_once += 1
            if self._single:
                # The end of the previous one may not be noticed yet.
                self._changed.wait_for(lambda: self._at_once == 1, 0.5)
                self.most_at_once = max(self.most_at_once, self._at_once)
            return not self._single or self._at_once == 1

    def end(self) -> None:
        """Count a connection that ends."""
        with self._changed:
            self._at_once -= 1
            self._changed.notify_all()

    def is_authorized(self, given: str, path: str) -> bool:
        """Return whether an ``Authorization`` header is valid."""
        if self._login == "Basic":
            return given == "Basic " + b64encode(":".join(LOGIN).encode()).decode()
        return not self._login or given == _digest(given, path)

    @property
    def challenge(self) -> str:
        """The challenge, as a header."""
        more = ', nonce="n0nce", qop="auth", algorithm=MD5' if self._login == "Digest" else ""
        return f'{self._login} realm="camera"{more}'


def make_certificate(folder: Path) -> Path:
    """Make a self-signed certificate for 127.0.0.1; return the file with it and its key."""
    key, certificate = folder / "key.pem", folder / "camera.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=camera"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    certificate.write_text(certificate.read_text() + key.read_text())
    return certificate


def _digest(given: str, path: str) -> str:
    """Return the correct ``Authorization`` for the client's nonce count and cnonce."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    fields = dict(
        field.strip().partition("=")[::2]
        for field in given.removeprefix("Digest ").split(",")
        if "=" in field
    )
    count, client = (fields.get(name, "").strip('"') for name in ("nc", "cnonce"))
    name, password = LOGIN
    secret, asked = md5(f"{name}:camera:{password}"), md5(f"GET:{path}")
    answer = md5(f"{secret}:n0nce:{count}:{client}:auth:{asked}")
    return given if fields.get("response") == f'"{answer}"' else "another"


def _handler_of(camera: FieldCamera) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.camera = camera
    return Handler


class _Handler(BaseHTTPRequestHandler):
    camera: FieldCamera
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        try:
            if self.camera.begin():
                super().handle()
        except OSError:
            pass  # The reader is gone.
        finally:
            self.camera.end()

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        name = self.path.strip("/").partition("?")[0]
        self.camera.asked.append((name, given))
        if not self.camera.is_authorized(given, self.path):
            self._answer(401, b"", ("WWW-Authenticate", self.camera.challenge))
        elif name in STREAMS:
            self._stream(*STREAMS[name])
        else:
            _PAGES[name](self)

    def _head(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self._head(status, ("Content-Length", str(len(body))), *headers)
        self.wfile.write(body)

    def _stream(
        self, kind: str | None, form: Callable[[bytes], bytes], before: bytes, count: int = 10**9
    ) -> None:
        self.close_connection = True
        self._head(200, *((("Content-Type", kind),) if kind else ()))
        self.wfile.write(before)
        for picture in self._pictures(count):
            self.wfile.write(form(picture))

    def _pictures(self, count: int) -> Iterator[bytes]:
        for picture in itertools.islice(itertools.cycle(PICTURES), count):
            yield picture
            if not self.camera.pause():
                return

    def log_message(self, *args: object) -> None:
        pass

    def chunked(self) -> None:
        """Send a stream in chunks, some of a few bytes."""
        self.close_connection = True
        self._head(200, ("Content-Type", MULTIPART), ("Transfer-Encoding", "chunked"))
        for picture in self._pictures(10**9):
            data = part(picture)
            for piece in (data[:3], data[3:70], data[70:]):
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

    def closes(self) -> None:
        """Close after a few pictures."""
        self._stream(MULTIPART, usual, b"", 5)

    def silent(self) -> None:
        """Send a few pictures, and then nothing."""
        self._stream(MULTIPART, usual, b"", 5)
        self.camera._over.wait(30)

    def drips(self) -> None:
        """Send pictures, and then a byte now and then."""
        self._stream(MULTIPART, usual, b"", 5)
        while self.camera.pause():
            self.wfile.write(b"-")

    def mute(self) -> None:
        """Accept the request, and send nothing."""
        self.camera._over.wait(30)

    def burst(self) -> None:
        """Send many pictures at once, and then nothing."""
        self._head(200, ("Content-Type", MULTIPART))
        self.wfile.write(b"".join(part(one) for one in PICTURES))
        self.camera._over.wait(30)

    def still(self) -> None:
        """Answer with the newest picture, and keep the connection."""
        picture = PICTURES[len(self.camera.asked) % len(PICTURES)]
        self._answer(200, picture, ("Content-Type", "image/jpeg"))

    def still_in_chunks(self) -> None:
        """Like :meth:`still`, but chunked, without a length."""
        self._head(200, ("Content-Type", "image/jpeg"), ("Transfer-Encoding", "chunked"))
        picture = PICTURES[len(self.camera.asked) % len(PICTURES)]
        self.wfile.write(f"{len(picture):x}\r\n".encode() + picture + b"\r\n0\r\n\r\n")

    def still_until_closed(self) -> None:
        """Send neither type nor length, and close the connection."""
        self.close_connection = True
        self._head(200)
        self.wfile.write(PICTURES[len(self.camera.asked) % len(PICTURES)] + bytes(100))

    def still_with_tag(self) -> None:
        """Answer 304 if nothing has changed."""
        if self.headers.get("If-None-Match") == '"v1"':
            self.camera.not_modified += 1
            self._head(304, ("ETag", '"v1"'))
            return
        self._answer(200, PICTURES[0], ("Content-Type", "image/jpeg"), ("ETag", '"v1"'))

    def still_that_hangs_up(self) -> None:
        """Close the connection after an answer without announcing it."""
        self.still()
        self.close_connection = True

    def still_as_png(self) -> None:
        """Answer with a picture that is not JPEG."""
        self._answer(200, PNG, ("Content-Type", "image/png"))

    def still_squeezed(self) -> None:
        """Compress the picture although the client did not ask for it."""
        self._answer(
            200,
            gzip.compress(PICTURES[0]),
            ("Content-Type", "image/jpeg"),
            ("Content-Encoding", "gzip"),
        )

    def empty_stream(self) -> None:
        """Send a stream whose length is declared as 0."""
        self.close_connection = True
        self._head(200, ("Content-Type", MULTIPART), ("Content-Length", "0"))
        for picture in self._pictures(10**9):
            self.wfile.write(part(picture))

    def icy(self) -> None:
        """Speak a dialect of HTTP."""
        self.close_connection = True
        self.wfile.write(b"ICY 200 OK\r\n\r\n")

    def half(self) -> None:
        """Declare the whole length, and send half a picture."""
        self.close_connection = True
        body = PICTURES[0]
        self._head(200, ("Content-Type", "image/jpeg"), ("Content-Length", str(len(body))))
        self.wfile.write(body[: len(body) // 2])

    def page(self) -> None:
        """Answer with the camera's web page."""
        body = b"<!DOCTYPE html><title>IP Camera\n Login</title><p>token=s3cret"
        self._answer(200, body, ("Content-Type", "text/html; charset=utf-8"))

    def words(self) -> None:
        """Answer with an error text."""
        self._answer(200, b'{"error": "token s3cret is old"}', ("Content-Type", "application/json"))

    def playlist(self) -> None:
        """Answer with something that is neither a picture nor a page."""
        self._answer(200, b"#EXTM3U\n", ("Content-Type", "application/vnd.apple.mpegurl"))

    def hang_up(self) -> None:
        """Close the connection instead of answering."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def nothing(self) -> None:
        """Answer with an empty body."""
        self._answer(200, b"")

    def moved(self) -> None:
        """Redirect to ``elsewhere``."""
        self._answer(302, b"over there", ("Location", self.camera.elsewhere))

    def status(self) -> None:
        """Answer with the status in the query."""
        self._answer(int(self.path.partition("?")[2]), b"no")


_PAGES: dict[str, Callable[[_Handler], None]] = {
    name.replace("_", "-"): method
    for name, method in vars(_Handler).items()
    if callable(method) and not name.startswith(("_", "do_")) and method.__doc__
}
