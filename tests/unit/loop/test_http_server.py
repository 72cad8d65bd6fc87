"""HTTP over the hub: framing, turns, and which connections are admitted."""

import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from server.loop import http_server, hub
from server.loop.http_server import Limiter, Secured
from server.web.edge.connection_limiter import ConnectionLimiter
from tests.support.fakes import OpenLimiter, until
from tests.support.network.certificates import Certified

Application = Callable[[dict[str, object], Callable[..., object]], list[bytes]]


@pytest.fixture
def limiter() -> OpenLimiter:
    """The connection limiter."""
    return OpenLimiter()


@pytest.fixture
def serve(
    limiter: OpenLimiter, serve_with: Callable[[Application, Limiter], int]
) -> Callable[[Application], int]:
    """A function that serves an application and returns its port."""
    return lambda application: serve_with(application, limiter)


@pytest.fixture
def serve_with() -> Iterator[Callable[[Application, Limiter], int]]:
    """A function that serves an application with a limiter and returns its port."""
    running: list[tuple[socket.socket, hub.Task]] = []

    def start(application: Application, limiter: Limiter) -> int:
        listener = hub.listen("127.0.0.1", 0)
        running.append((listener, hub.spawn(http_server.serve, listener, application, limiter)))
        return int(listener.getsockname()[1])

    yield start
    for listener, task in running:
        task.kill()
        listener.close()


def ask(port: int, text: bytes) -> bytes:
    """Send bytes over a new connection and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setblocking(False)
        sock.send(text)
        received = b""
        while hub.wait_readable(sock, 2):
            data = sock.recv(65536)
            if not data:
                return received
            received += data
    raise AssertionError(f"the server does not end the connection; so far {received!r}")


def test_application_is_served(serve: Callable[[Application], int]) -> None:
    """A WSGI application answers a request."""

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(environ["PATH_INFO"]).encode()]

    answer = ask(serve(application), b"GET /here HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"/here" in answer


def test_peer_that_reads_nothing_is_closed_after_one_timeout(
    serve: Callable[[Application], int], limiter: OpenLimiter
) -> None:
    """Unsent bytes used to be offered twice more, and the connection counted all that time."""
    gave_up: list[float] = []

    def application(environ: Any, start_response: Callable[..., object]) -> Any:
        environ["eventlet.input"].get_socket().settimeout(1.0)
        start_response("200 OK", [])
        try:
            while True:
                yield bytes(8000)  # Less than the server buffers before it sends.
        finally:
            gave_up.append(time.monotonic())

    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        peer.connect(("127.0.0.1", serve(application)))
        peer.send(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        until(lambda: gave_up, 10)
        until(lambda: not limiter.inside, 10)

    assert time.monotonic() - gave_up[0] < 1.0


def test_pipelined_requests_do_not_monopolize_the_hub(
    serve: Callable[[Application], int],
) -> None:
    """A client with its next request ready before the answer is out waits for a turn.

    Its green thread used never to wait, and so kept the hub as long as the client was fast.
    """
    rounds = 0
    seen: list[int] = []

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        seen.append(rounds)
        began = time.thread_time()
        while time.thread_time() - began < 0.001:
            pass
        start_response("200 OK", [("Content-Length", "0")])
        return []

    def count_rounds() -> None:
        nonlocal rounds
        while len(seen) < 100:
            rounds += 1
            hub.sleep(0)

    port = serve(application)
    requests = 99 * b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    hub.spawn(count_rounds)
    ask(port, requests + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert max(Counter(seen).values()) <= 4, "in one round"


def test_waiting_requests_do_not_count_as_unfinished(
    serve_with: Callable[[Application, Limiter], int],
) -> None:
    """A flood of whole requests used to close the oldest, as if their headers were unfinished."""

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        began = time.thread_time()
        while time.thread_time() - began < 0.02:
            pass
        start_response("200 OK", [("Content-Length", "0")])
        return []

    port = serve_with(application, ConnectionLimiter(100, 100, most_heads=2))
    answers: list[bytes] = []
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for _ in range(12):
        hub.spawn(lambda: answers.append(ask(port, request)))
    until(lambda: len(answers) == 12)

    assert {answer[9:12] for answer in answers} == {b"200"}


def test_traceback_is_not_sent_to_clients(
    serve: Callable[[Application], int], capfd: pytest.CaptureFixture[str]
) -> None:
    """An application that fails answers 500 without internal details."""

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        raise ValueError("secret detail")

    answer = ask(serve(application), b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert b" 500 " in answer
    assert b"secret detail" not in answer
    assert b"Traceback" not in answer


def test_small_chunk_is_sent_at_once(serve: Callable[[Application], int]) -> None:
    """A few bytes do not wait for more; that would hold back a small MJPEG frame."""
    release = hub.Signal()

    def application(environ: dict[str, object], start_response: Callable[..., object]) -> object:
        start_response("200 OK", [("Content-Type", "text/plain")])

        def body() -> Iterator[bytes]:
            yield b"first"
            release.wait(5)
            yield b"second"

        return body()

    with socket.create_connection(("127.0.0.1", serve(application))) as sock:  # type: ignore[arg-type]
        sock.setblocking(False)
        sock.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b""
        while b"first" not in received:
            assert hub.wait_readable(sock, 2)
            received += sock.recv(65536)
        early = received
        release.set()
        while hub.wait_readable(sock, 2) and (data := sock.recv(65536)):
            received += data

    assert b"second" not in early
    assert b"second" in received


def test_accepted_sockets_disable_nagle(serve: Callable[[Application], int]) -> None:
    """Each accepted socket has TCP_NODELAY; small writes would wait for acknowledgements."""
    found: list[int] = []

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        sock = environ["eventlet.input"].get_socket()  # type: ignore[attr-defined]
        found.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        start_response("200 OK", [])
        return []

    ask(serve(application), b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert found == [1]


def test_broken_off_request_does_not_affect_the_next(serve: Callable[[Application], int]) -> None:
    """After a connection that breaks off, the next one is served."""

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    port = serve(application)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.send(b"GET / HT")

    assert b" 204 " in ask(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


def test_limiter_counts_open_connections(
    serve: Callable[[Application], int], limiter: OpenLimiter
) -> None:
    """Every connection counts from its beginning to its end."""
    inside: list[int] = []

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        inside.append(limiter.inside)
        start_response("204 No Content", [])
        return []

    ask(serve(application), b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert inside == [1]
    until(lambda: limiter.inside == 0)


def test_limiter_rejects_surplus_connections(
    serve: Callable[[Application], int], limiter: OpenLimiter
) -> None:
    """A surplus connection gets an answer and is closed, before the application is called."""
    limiter.refusal = b"HTTP/1.1 503 Too Many\r\n\r\n"

    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = ask(serve(lambda environ, start_response: [b"in"]), request)

    assert answer == limiter.refusal
    until(lambda: limiter.inside == 0)


# Over TLS.

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def reply_with(text: str) -> Application:
    """Return an application that answers with a text and the scheme."""

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{text} {environ['wsgi.url_scheme']}".encode()]

    return application


@pytest.fixture
def secured(certified: Certified) -> Iterator[Callable[[Limiter], int]]:
    """A function that serves over TLS and returns its port."""
    running: list[tuple[socket.socket, hub.Task]] = []

    def start(limiter: Limiter) -> int:
        listener = hub.listen("127.0.0.1", 0)
        how = Secured(certified.context, reply_with("clear"))
        task = hub.spawn(http_server.serve, listener, reply_with("private"), limiter, how)
        running.append((listener, task))
        return int(listener.getsockname()[1])

    yield start
    for listener, task in running:
        task.kill()
        listener.close()


def ask_over_tls(port: int, context: ssl.SSLContext) -> tuple[bytes, str | None, str | None]:
    """Return the answer to a request, the TLS version, and the negotiated protocol."""
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(
            plain, server_hostname="localhost", do_handshake_on_connect=False
        ) as sock,
    ):
        sock.setblocking(False)
        take_green(sock, sock.do_handshake)
        sock.send(REQUEST)
        received = b""
        while data := take_green(sock, lambda: sock.recv(65536)):
            received += data
        return received, sock.version(), sock.selected_alpn_protocol()


def take_green(sock: socket.socket, step: Callable[[], bytes | None]) -> bytes | None:
    """Repeat a step of a TLS client until it needs no more data."""
    while True:
        try:
            return step()
        except ssl.SSLWantReadError:
            assert hub.wait_readable(sock, 3), "the server sends nothing"


def test_tls_is_served(
    secured: Callable[[Limiter], int], limiter: OpenLimiter, certified: Certified
) -> None:
    """The application sees the scheme, and the end of an answer is not a broken connection."""
    trust = certified.trust()
    trust.set_alpn_protocols(["h2", "http/1.1"])

    answer, version, protocol = ask_over_tls(secured(limiter), trust)

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"private https" in answer
    assert (version, protocol) == ("TLSv1.3", "http/1.1")
    until(lambda: limiter.inside == 0)


def test_tls_1_2_requires_forward_secrecy(
    secured: Callable[[Limiter], int], limiter: OpenLimiter, certified: Certified
) -> None:
    """Ciphers with which a stolen key would decrypt recorded traffic are rejected."""
    trust = certified.trust()
    trust.maximum_version = ssl.TLSVersion.TLSv1_2
    port = secured(limiter)
    assert ask_over_tls(port, trust)[1] == "TLSv1.2"

    weak = certified.trust()
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("ECDHE-ECDSA-AES256-SHA384:AES256-GCM-SHA384:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        ask_over_tls(port, weak)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_versions_are_rejected(
    secured: Callable[[Limiter], int], limiter: OpenLimiter, certified: Certified
) -> None:
    """TLS 1.1 gets a proper alert, and the next client is served."""
    old = certified.trust()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    port = secured(limiter)

    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        ask_over_tls(port, old)

    until(lambda: limiter.inside == 0)
    assert b"private" in ask_over_tls(port, certified.trust())[0]


@pytest.mark.parametrize("garbage", [b"\x16garbage\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(99)])
def test_malformed_handshake_closes_the_connection(
    secured: Callable[[Limiter], int],
    limiter: OpenLimiter,
    certified: Certified,
    garbage: bytes,
) -> None:
    """The client gets at most an alert; others are served."""
    port = secured(limiter)

    answer = ask(port, garbage)

    assert answer[:1] in (b"", b"\x15")
    until(lambda: limiter.inside == 0)
    assert b"private" in ask_over_tls(port, certified.trust())[0]


def test_plain_http_goes_to_another_application(
    secured: Callable[[Limiter], int], limiter: OpenLimiter
) -> None:
    """It is answered on the same port, but the application behind TLS never sees it."""
    assert b"clear http" in ask(secured(limiter), REQUEST)
    until(lambda: limiter.inside == 0)


@pytest.mark.parametrize("start", [b"", b"\x16", b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03"])
def test_stalled_handshake_times_out(
    secured: Callable[[Limiter], int],
    limiter: OpenLimiter,
    certified: Certified,
    monkeypatch: pytest.MonkeyPatch,
    start: bytes,
) -> None:
    """A stalled client delays nobody, and is disconnected at its deadline."""
    monkeypatch.setattr(http_server, "HANDSHAKE_DEADLINE_S", 0.5)
    port = secured(limiter)
    with socket.create_connection(("127.0.0.1", port)) as stalled:
        stalled.setblocking(False)
        stalled.send(start)
        until(lambda: limiter.inside == 1)

        assert b"private" in ask_over_tls(port, certified.trust())[0]
        assert hub.wait_readable(stalled, 3), "the connection was not ended"
        assert stalled.recv(65536)[:1] in (b"", b"\x15")
    until(lambda: limiter.inside == 0)


def test_unfinished_handshakes_count_as_unfinished_requests(
    secured: Callable[[Limiter], int], certified: Certified
) -> None:
    """If there are too many, the oldest are closed, so they lock nobody out."""
    refused: list[str] = []
    port = secured(ConnectionLimiter(100, 100, refused.append, most_heads=2))
    stalled = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
    for sock in stalled:
        sock.setblocking(False)
        sock.send(b"\x16\x03\x01")

    assert b"private" in ask_over_tls(port, certified.trust())[0]

    assert refused.count("408") == 3
    assert hub.wait_readable(stalled[0], 3)
    assert stalled[0].recv(10) == b""
    for sock in stalled:
        sock.close()
