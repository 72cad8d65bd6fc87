"""An RTSP camera with configurable habits; by default it behaves like a typical one."""

import contextlib
import hashlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.support.cameras.rtp import interleave, packetize, rtp

__all__ = ["Habits", "RtspCamera"]

SDP = """v=0\r
o=- 1 1 IN IP4 127.0.0.1\r
s=camera\r
t=0 0\r
a=control:*\r
m=audio 0 RTP/AVP 0\r
a=control:sound\r
m=video 0 RTP/AVP 96\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 packetization-mode=1{sets}\r
a=control:video\r
"""

USER, PASSWORD = "ann", "pass word"

FPS = 25


@dataclass
class Habits:
    """How a camera differs from the default.

    Attributes:
        sets: The parameter sets in its description, as in ``;sprop-parameter-sets=...``.
        digest: The digest algorithms it offers; none for no login.
        nonce_requests: A nonce is stale after this many requests.
        timeout_s: It hangs up after this long without a request.
        methods: The methods it announces.
        channel: The channel of its packets, whatever the client requested.
        told_channel: The channel it announces.
        early: Whether it sends packets before it answers PLAY.
        asks: Whether it sends requests to the client.
        redirects_to: Where it redirects every client.
        base: Content-Base; empty for none.
        lost: Indices of packets that it skips, from 0.
    """

    sets: str = ""
    digest: tuple[str, ...] = ()
    nonce_requests: int = 1000
    timeout_s: float = 60.0
    methods: str = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"
    channel: int = 0
    told_channel: int = 0
    early: bool = False
    asks: bool = False
    redirects_to: str = ""
    base: str = ""
    lost: tuple[int, ...] = ()


@dataclass
class RtspCamera:
    """Sends a short film in a loop.

    Args:
        pictures: The NAL units of each picture.
        habits: See :class:`Habits`.
        tls: For TLS; None for plain TCP.

    Attributes:
        requests: Method and URL of each request.
    """

    pictures: list[list[bytes]]
    habits: Habits = field(default_factory=Habits)
    requests: list[tuple[str, str]] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def url(self, login: str = "") -> str:
        """Return its address."""
        return f"rtsp{'s' if self.tls else ''}://{login}127.0.0.1:{self.port}/live"

    def close(self) -> None:
        """Stop the camera and close its connections."""
        if self._over.is_set():
            return
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=work, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            stack.enter_context(connection)
            if self.tls is not None:
                wrapped = self.tls.wrap_socket(connection, server_side=True)
                connection = stack.enter_context(wrapped)
            _Session(self, connection, self._over).run()


class _Session:
    """One connection."""

    def __init__(self, camera: RtspCamera, connection: socket.socket, over: threading.Event):
        self._camera, self._connection, self._over = camera, connection, over
        self._habits = camera.habits
        self._nonces = self._answered = 0
        self._packets: Iterator[bytes] | None = None
        self._heard_at = time.monotonic()

    def run(self) -> None:
        self._connection.settimeout(1 / FPS)
        data = b""
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                chunk = self._connection.recv(4096)
                if not chunk:
                    return
                data += chunk
            while data[:1] == b"$":  # An RTCP report; ignored.
                data = data[4 + int.from_bytes(data[2:4], "big") :]
            while b"\r\n\r\n" in data and data[:1] != b"$":
                head, _, data = data.partition(b"\r\n\r\n")
                if not head.startswith(b"RTSP/"):
                    self._heard_at = time.monotonic()
                    self._answer(head.decode())
            if self._packets is not None:
                self._connection.sendall(next(self._packets))
                if time.monotonic() - self._heard_at > self._habits.timeout_s:
                    return

    def _answer(self, head: str) -> None:
        habits = self._habits
        method, url, _ = head.split("\r\n")[0].split(" ")
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
        self._camera.requests.append((method, url))
        sequence = headers["CSeq"]
        if habits.redirects_to:
            self._send("302 Moved", sequence, f"Location: {habits.redirects_to}")
            return
        if habits.digest and not self._is_allowed(method, headers.get("Authorization", "")):
            self._refuse(sequence, stale=self._answered >= habits.nonce_requests)
            return
        self._answered += 1
        if method == "OPTIONS":
            self._send("200 OK", sequence, f"Public: {habits.methods}")
        elif method == "DESCRIBE":
            body = SDP.format(sets=habits.sets)
            base = [f"Content-Base: {habits.base}"] if habits.base else []
            kind = "Content-Type: application/sdp"
            self._send("200 OK", sequence, *base, kind, f"Content-Length: {len(body)}", body=body)
        elif method == "SETUP":
            channels = f"{habits.told_channel}-{habits.told_channel + 1}"
            transport = f"Transport: RTP/AVP/TCP;unicast;interleaved={channels}"
            session = f"Session: 4711;timeout={habits.timeout_s:g}"
            self._send("200 OK", sequence, transport, session)
        elif method == "PLAY":
            self._packets = self._film()
            for _ in range(3 if habits.early else 0):
                self._connection.sendall(next(self._packets))
            if habits.asks:
                self._connection.sendall(b"SET_PARAMETER rtsp://x/ RTSP/1.0\r\nCSeq: 9\r\n\r\n")
            self._send("200 OK", sequence, "Session: 4711")
        elif method in habits.methods:
            self._send("200 OK", sequence, "Session: 4711")
        else:
            self._send("501 Not Implemented", sequence)

    def _send(self, status: str, sequence: str, *headers: str, body: str = "") -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {sequence}", *headers, "", body]
        self._connection.sendall("\r\n".join(lines).encode())

    @property
    def _nonce(self) -> str:
        return f"n{self._nonces}"

    def _refuse(self, sequence: str, stale: bool) -> None:
        self._nonces += 1
        self._answered = 0
        challenges = [
            f'WWW-Authenticate: Digest realm="a \\"b\\"", nonce="{self._nonce}", '
            f'algorithm={one}, qop="auth", stale={str(stale).lower()}'
            for one in self._habits.digest
        ]
        self._send("401 Unauthorized", sequence, *challenges)

    def _is_allowed(self, method: str, given: str) -> bool:
        pairs = re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))', given)
        fields = {name: quoted or plain for name, quoted, plain in pairs}
        if fields.get("nonce") != self._nonce or self._answered >= self._habits.nonce_requests:
            return False
        digests = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
        new = digests[fields["algorithm"]]

        def hashed(*parts: str) -> str:
            return new(":".join(parts).encode()).hexdigest()

        secret = hashed(USER, 'a "b"', PASSWORD)
        asked = hashed(method, fields["uri"])
        proof = (fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"])
        return fields["response"] == hashed(secret, *proof, asked)

    def _film(self) -> Iterator[bytes]:
        """Yield pictures in sending order, endlessly."""
        number = at = 0
        while True:
            for units in self._camera.pictures:
                payloads = list(packetize(units, "h264"))
                packets = []
                for place, (payload, _) in enumerate(payloads):
                    last = place == len(payloads) - 1
                    packet = rtp(payload, number, at * 90_000 // FPS, last)
                    if number not in self._habits.lost:
                        packets.append(interleave(packet, self._habits.channel))
                    number += 1
                at += 1
                yield b"".join(packets)
