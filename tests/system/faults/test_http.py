"""Ambiguous, foreign, slow and excessive requests."""

import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from server.errors import ConfigError
from server.web.edge.origin import OriginCheck
from tests.support.clients.client import Viewer
from tests.support.clients.hostile import Hostile, ask
from tests.support.servers.server import ROOT, PortholeServer, expect_frames, wait_until

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]

HOST = b"Host: localhost\r\n"

AMBIGUOUS = {
    "two lengths": HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n",
    "the same length twice": HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n",
    "signed length": HOST + b"Content-Length: +5\r\n",
    "length in words": HOST + b"Content-Length: five\r\n",
    "endless length": HOST + b"Content-Length: 99999999999999999999\r\n",
    "chunked": HOST + b"Transfer-Encoding: chunked\r\n",
    "unknown encoding": HOST + b"Transfer-Encoding: cow\r\n",
    "length and encoding": HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    "no host": b"Accept: */*\r\n",
    "two hosts": HOST + HOST,
    "folded line": HOST + b"Accept: a\r\n b\r\n",
    "space before colon": HOST + b"Content-Length : 5\r\n",
    "no colon": HOST + b"nonsense\r\n",
}


@pytest.fixture
def server(share_server: Start) -> PortholeServer:
    return share_server("test:?size=320x180")


@pytest.mark.parametrize("headers", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_ambiguous_framing_is_refused(server: PortholeServer, headers: bytes) -> None:
    """A request that two servers could read differently gets 400 and ends the connection."""
    answer = ask(server.port, b"POST / HTTP/1.1\r\n" + headers + b"\r\nabcde")

    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert answer.count(b"HTTP/1.") == 1
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    "request_line",
    [b"nonsense", b"GET /", b"GET / HTTP/9.9", b"GET / HTTP/1.1 more", b"\x00\x01\x02", b"GET  "],
)
def test_malformed_request_line_gets_an_error(server: PortholeServer, request_line: bytes) -> None:
    """A malformed request line gets an error, not a traceback, and the server goes on."""
    answer = ask(server.port, request_line + b"\r\nHost: localhost\r\n\r\n", timeout_s=3)

    assert b"Traceback" not in answer
    assert re.match(rb"HTTP/1\.[01] (400|505) ", answer), answer
    assert ask(server.port, b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").endswith(b"ok\n")


SHORT = {
    ("POST /login", 16384): 303,
    ("POST /login", 16385): 400,
    ("GET /healthz?" + "a" * 4096, 0): 200,
    ("GET /healthz?" + "a" * 4097, 0): 414,
    ("GET /healthz?" + "&" * 63, 0): 200,
    ("GET /healthz?" + "&" * 64, 0): 414,
}


def test_oversized_requests_are_rejected(server: PortholeServer) -> None:
    """Long bodies, long queries and those with many fields are rejected before parsing."""
    statuses = {}

    for line, size in SHORT:
        head = f"{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        request = f"{head}Content-Length: {size}\r\n\r\n".encode() + b"a" * size
        statuses[line, size] = int(ask(server.port, request).split(b" ")[1])

    assert statuses == SHORT


HOSTS = {
    "localhost": 200,
    "localhost:8000": 200,
    "127.0.0.1": 200,
    "[::1]:80": 200,
    "192.168.1.7:8000": 200,
    "LOCALHOST": 200,
    "cams.example": 200,
    "evil.example": 421,
    "localhost.evil.example": 421,
    "127.0.0.1.evil.example": 421,
    "evil.example:8000": 421,
    "localhost@evil.example": 421,
    "": 421,
    "a b": 421,
    "localhost:port": 421,
}


def test_foreign_hosts_are_refused(start_server: Start) -> None:
    """Only our names and numeric addresses are served; DNS rebinding brings its own name."""
    server = start_server("test:", "--allowed-hosts", "cams.example")

    statuses = {
        host: ask(
            server.port,
            f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode(),
        ).split(b" ")[1]
        for host in HOSTS
    }

    assert statuses == {host: str(status).encode() for host, status in HOSTS.items()}


ORIGINS = {
    "http://localhost": 101,
    "http://LOCALHOST:80": 101,
    "http://localhost:80": 101,
    "https://localhost": 403,
    "https://panel.example": 101,
    "https://panel.example:443": 101,
    "https://PANEL.example": 101,
    "capacitor://localhost": 101,
    "http://panel.example": 403,
    "http://panel.example:443": 403,
    "https://localhost:80": 403,
    "http://localhost:443": 403,
    "http://evil@localhost": 403,
    "http://localhost@evil.example": 403,
    "http://localhost/": 403,
    "http://localhost/x": 403,
    "http://localhost?x": 403,
    "http://localhost#x": 403,
    "ws://localhost": 403,
    "localhost": 403,
    "//localhost": 403,
    "http://evil.example": 403,
    "http://localhost:9999": 403,
    "http://localhost.evil.example": 403,
    "null": 403,
    "": 403,
    "file://": 403,
}


def test_foreign_origins_cannot_connect(start_server: Start) -> None:
    """A WebSocket opens for our own page and for allowed origins only.

    Scheme, host and port must match, and nothing may follow them.
    """
    server = start_server(
        "test:", "--allowed-origins", "https://panel.example/,capacitor://localhost"
    )
    statuses = {}

    for origin in ORIGINS:
        with socket.create_connection(("127.0.0.1", server.port), 5) as sock:
            sock.sendall(
                f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
                f"Origin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                "X-Forwarded-Host: evil.example\r\n\r\n".encode()
            )
            statuses[origin] = int(sock.recv(1000).split(b" ")[1])

    assert statuses == ORIGINS


@pytest.mark.parametrize("origin", ["panel.example", "https://panel.example/x", "null", "*"])
def test_invalid_allowed_origin_is_rejected_at_startup(origin: str) -> None:
    """A malformed allowed origin is an error; otherwise it would silently allow nothing."""
    with pytest.raises(ConfigError, match="accepted: a scheme"):
        OriginCheck(lambda *_: [], (), (origin,))


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://cams.example", 101),
        ("https://cams.example:443", 101),
        ("http://cams.example", 403),
        ("http://cams.example:443", 403),
    ],
)
def test_plain_http_page_cannot_connect_over_tls(
    share_server: Start, origin: str, status: int
) -> None:
    """An attacker who can modify a plain http page must not reach what TLS protects."""
    server = share_server(
        "test:?size=320x180", "--trusted-proxies", "127.0.0.1", "--allowed-hosts", "cams.example"
    )

    with socket.create_connection(("127.0.0.1", server.port), 5) as sock:
        sock.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: cams.example\r\n"
            f"Origin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "X-Forwarded-Proto: https\r\n\r\n".encode()
        )
        answer = int(sock.recv(1000).split(b" ")[1])

    assert answer == status


def test_slow_headers_are_cut_off(server: PortholeServer, connect: Connect) -> None:
    """Sending a byte a second does not keep a connection open beyond the deadline for the head."""
    dripping = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(20)]
    started = time.monotonic()
    good = connect(server)
    good.call("watch", {"camera": "test"})

    ended = 0
    while time.monotonic() - started < 30 and ended < len(dripping):
        ended = 0
        for sock in dripping:
            try:
                sock.send(b"G")
                sock.settimeout(0.001)
                ended += sock.recv(1) == b""
            except TimeoutError:
                pass
            except OSError:
                ended += 1
        expect_frames(good, 15)
    for sock in dripping:
        sock.close()

    assert ended == len(dripping)
    assert time.monotonic() - started < 25


def test_excess_connections_are_rejected(start_server: Start) -> None:
    """Beyond the limit a connection gets 429; when others leave, there is room again."""
    server = start_server("test:", "--max-connections", "8")
    crowd = [Hostile(server.port) for _ in range(8)]

    crowded = ask(server.port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    crowd.pop().close()

    assert crowded.startswith(b"HTTP/1.1 429")
    healthy = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"
    wait_until(lambda: ask(server.port, healthy).startswith(b"HTTP/1.1 200"))
    for hostile in crowd:
        hostile.close()


def test_half_sent_requests_do_not_block_others(start_server: Start) -> None:
    """Requests are answered quickly beside 2,000 half-sent ones.

    Half-sent requests from a proxy's address once made everybody else wait for 16 s.
    """
    server = start_server("test:")
    established = Hostile(server.port)
    crowd = []
    answers, took_s = [], []
    for number in range(2000):
        half = socket.create_connection(("127.0.0.1", server.port), 5)
        half.sendall(b"GET / HTTP/1.1\r\nHost: local")
        crowd.append(half)
        if number % 200 == 199:
            begun = time.monotonic()
            healthy = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"
            answers.append(ask(server.port, healthy)[9:12])
            took_s.append(time.monotonic() - begun)

    established.send(b'421["clock",{"t":1}]')
    established.expect(b"431[")
    for half in crowd:
        half.close()
    established.close()

    assert answers == [b"200"] * 10
    assert max(took_s) < 2


def test_server_survives_running_out_of_descriptors(tmp_path: Path) -> None:
    """When there are fewer descriptors than connections, the server goes on serving."""
    code = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120));"
        "sys.argv = ['manage.py', 'run', '--port', '0', '--state', sys.argv[1]];"
        "runpy.run_path('manage.py', run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().rstrip("/\n").rpartition(":")[2])
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft > 400, f"this test needs descriptors of its own ({soft}, {hard})"

        crowd = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(300)]
        for sock in crowd:
            sock.close()

        healthy = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"
        wait_until(lambda: ask(port, healthy).startswith(b"HTTP/1.1 200"))
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
