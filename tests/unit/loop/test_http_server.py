"""HTTP over the hub: framing, turns, and who is let in."""

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from server.loop import http_server, hub
from server.loop.http_server import Limiter
from server.web.edge.connection_limiter import ConnectionLimiter
from tests.support.fakes import OpenLimiter, until

Application = Callable[[dict[str, object], Callable[..., object]], list[bytes]]


@pytest.fixture
def limiter() -> OpenLimiter:
    """Who is let in."""
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
    assert answer.rstrip().endswith(b"/here") or b"/here" in answer


def test_requests_without_a_pause_leave_the_hub_to_others(
    serve: Callable[[Application], int],
) -> None:
    """Who has the next request ready before the answer is out waits for a turn like everybody else.

    Its green thread never waited, and so kept the hub for as long as the client was quick.
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


def test_whole_requests_that_wait_are_no_half_ones(
    serve_with: Callable[[Application, Limiter], int],
) -> None:
    """A flood of them ended the oldest connections, as if those had never finished their heads."""

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
    """An application that fails answers 500 and keeps its inside to itself."""

    def application(
        environ: dict[str, object], start_response: Callable[..., object]
    ) -> list[bytes]:
        raise ValueError("secret detail")

    answer = ask(serve(application), b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert b" 500 " in answer
    assert b"secret detail" not in answer
    assert b"Traceback" not in answer


def test_small_chunk_is_sent_at_once(serve: Callable[[Application], int]) -> None:
    """A few bytes do not wait for more; a small MJPEG frame would be held back."""
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


def test_accepted_connections_do_not_wait_for_nagle(serve: Callable[[Application], int]) -> None:
    """Each accepted socket has TCP_NODELAY, or small writes would wait for acknowledgements."""
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


def test_peer_that_goes_in_mid_sentence_harms_nobody(serve: Callable[[Application], int]) -> None:
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


def test_gate_counts_who_is_inside(
    serve: Callable[[Application], int], limiter: OpenLimiter
) -> None:
    """Every connection is counted in, and out when it ends."""
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


def test_gate_turns_connections_away(
    serve: Callable[[Application], int], limiter: OpenLimiter
) -> None:
    """A connection too many is told so and ended, before the application hears of it."""
    limiter.refusal = b"HTTP/1.1 503 Too Many\r\n\r\n"

    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = ask(serve(lambda environ, start_response: [b"in"]), request)

    assert answer == limiter.refusal
    until(lambda: limiter.inside == 0)
