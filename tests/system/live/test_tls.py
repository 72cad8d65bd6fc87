"""A server that speaks TLS, and real clients that trust its certificate, or do not."""

import contextlib
import hashlib
import http.client
import itertools
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from server.users.users import UsersFile
from server.web.edge.certificate import read_certificate
from tests.support.browser.visitor import PASSWORD
from tests.support.clients.client import Crowd, MjpegViewer, Viewer
from tests.support.network.certificates import Certified, certified
from tests.support.servers.server import PortholeServer, wait_until

__all__ = ["certified"]

Trusting = Callable[..., Viewer]


@pytest.fixture(scope="module")
def server(share_server: Callable[..., PortholeServer]) -> PortholeServer:
    """A server with its own certificate."""
    return share_server("test:?size=1280x720&fps=25", "--tls", "auto")


@pytest.fixture(scope="module")
def trust(server: PortholeServer) -> ssl.SSLContext:
    """A client that has compared the fingerprint and trusts the certificate."""
    return ssl.create_default_context(cafile=server.state / "tls-cert.pem")


@pytest.fixture
def watch(server: PortholeServer, trust: ssl.SSLContext) -> Iterator[Trusting]:
    """Connect viewers over TLS that watch the camera."""
    viewers: list[Viewer] = []

    def start(**options: object) -> Viewer:
        viewer = Viewer("127.0.0.1", server.port, tls=trust, **options)  # type: ignore[arg-type]
        viewers.append(viewer)
        viewer.connect()
        assert viewer.call("watch", {"camera": "test"})["ok"]
        return viewer

    yield start
    for viewer in viewers:
        viewer.close()


def in_the_clear(port: int, method: str, host: str, path: str = "/") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        answer.read()
        return answer


def shown_at(port: int) -> str:
    """Return the SHA-256 of the certificate that a new connection gets."""
    pem = ssl.get_server_certificate(("127.0.0.1", port), timeout=10)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def turned_away(viewer: Viewer) -> str:
    """Connect, expect a rejection, and return its reason."""
    with pytest.raises(ConnectionError) as caught:
        viewer.connect()
    viewer.close()
    return str(caught.value)


def test_printed_fingerprint_matches_the_certificate(server: PortholeServer) -> None:
    """People compare the printed fingerprint with the one in their browser."""
    wait_until(lambda: any("Ctrl-C" in line for line in server.log))
    printed = next(line for line in server.log if "SHA-256" in line).split()[-1]

    assert server.url.startswith("https://")
    assert printed.replace(":", "").lower() == shown_at(server.port)


def test_certificate_covers_every_name_of_the_machine(server: PortholeServer) -> None:
    """It covers localhost too, so that a tunnel works as well as the network."""
    hosts = read_certificate((server.state / "tls-cert.pem").read_bytes()).hosts

    short = socket.gethostname().partition(".")[0].lower()
    assert {"localhost", "127.0.0.1", "::1", short, f"{short}.local"} <= hosts


def test_pages_and_pictures_are_served_over_tls(server: PortholeServer) -> None:
    """A verifying library accepts it; no HSTS header stops browsers from skipping the warning."""
    verify = str(server.state / "tls-cert.pem")

    page = requests.get(server.url, verify=verify, timeout=10)
    picture = requests.get(f"{server.url}snapshot/test.jpg", verify=verify, timeout=10)

    assert page.status_code == 200
    assert picture.content.startswith(b"\xff\xd8")
    assert picture.content.endswith(b"\xff\xd9")
    assert "Strict-Transport-Security" not in page.headers
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(server.url, timeout=10)


def test_frames_arrive_in_order_over_tls(watch: Trusting) -> None:
    """Each frame arrives once, complete and fresh."""
    viewer = watch()

    viewer.pump(lambda: len(viewer.arrivals) >= 30, 10)

    seqs = [arrival.seq for arrival in viewer.arrivals]
    assert seqs == sorted(set(seqs))
    assert viewer.last_jpeg.endswith(b"\xff\xd9")
    assert viewer.arrivals[-1].age_s < 1


def test_slow_viewer_over_tls_does_not_delay_others(watch: Trusting) -> None:
    """It gets fresh frames at its link's rate; its neighbours get every frame meanwhile."""
    slow = watch(bytes_per_s=60_000, receive_buffer=32 * 1024)
    neighbours = [watch() for _ in range(3)]
    crowd = Crowd()
    for viewer in (slow, *neighbours):
        crowd.add(viewer)
    crowd.run(1)
    before = [len(viewer.arrivals) for viewer in neighbours]

    crowd.run(6)

    assert not slow.closed
    assert 3 <= len(slow.arrivals) <= 20
    assert max(arrival.age_s for arrival in slow.arrivals) < 4
    for viewer, seen in zip(neighbours, before, strict=True):
        fresh = viewer.arrivals[seen:]
        assert len(fresh) > 6 * 25 * 0.8
        assert all(one.seq < two.seq for one, two in itertools.pairwise(fresh))


def test_mjpeg_is_served_over_tls(server: PortholeServer, trust: ssl.SSLContext) -> None:
    """A client that reads nothing does not hold up another client's feed."""
    stuck = MjpegViewer("127.0.0.1", server.port, tls=trust, receive_buffer=32 * 1024)
    stuck.connect()
    viewer = MjpegViewer("127.0.0.1", server.port, tls=trust)
    viewer.connect()
    crowd = Crowd()
    crowd.add(viewer)
    try:
        crowd.run(10, until=lambda: len(viewer.arrivals) >= 60)

        assert len(viewer.arrivals) >= 60
        assert viewer.last_jpeg.startswith(b"\xff\xd8")
        assert viewer.last_jpeg.endswith(b"\xff\xd9")
        assert viewer.arrivals[-1].age_s < 1
    finally:
        crowd.close()
        stuck.close()


def test_chunked_feed_over_tls_is_complete(server: PortholeServer) -> None:
    """Pictures that a library reads over HTTP/1.1 are complete."""
    verify = str(server.state / "tls-cert.pem")
    with requests.get(
        f"{server.url}video_feed/test", verify=verify, timeout=10, stream=True
    ) as feed:
        data = b""
        for part in feed.iter_content(65536):
            data += part
            if data.count(b"\xff\xd9\r\n") >= 10:
                break

    parts = data.split(b"Content-Length: ")[1:-1]
    assert len(parts) >= 9
    for part in parts:
        head, _, body = part.partition(b"\r\n\r\n")
        size = int(head.split(b"\r\n")[0])
        assert body[:2] == b"\xff\xd8"
        assert body[size - 2 : size] == b"\xff\xd9"


def test_plain_http_on_the_same_port_redirects_to_tls(server: PortholeServer) -> None:
    """Plain http:// redirects to https; under a foreign name it redirects nowhere."""
    host = f"localhost:{server.port}"

    looked = in_the_clear(server.port, "GET", host, "/snapshot/test.jpg?rendition=640")
    posted = in_the_clear(server.port, "POST", host, "/login")
    foreign = in_the_clear(server.port, "GET", "evil.example")

    assert looked.status == 308
    assert looked.headers["Location"] == f"https://{host}/snapshot/test.jpg?rendition=640"
    assert posted.status == 400
    assert foreign.status == 421
    assert "308 " in turned_away(Viewer("127.0.0.1", server.port))


def test_foreign_host_is_rejected_over_tls(server: PortholeServer) -> None:
    """The Host header decides, not the handshake's name: DNS rebinding sets both."""
    trust = ssl.create_default_context(cafile=server.state / "tls-cert.pem")
    trust.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain,
        trust.wrap_socket(plain, server_hostname="evil.example") as sock,
    ):
        sock.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 421")


def test_certificate_survives_a_restart(
    start_server: Callable[..., PortholeServer], tmp_path: Path
) -> None:
    """The certificate is the same after a restart, so a browser's exception stays valid."""
    first = start_server("test:?size=320x180", "--tls", "auto")
    shown = shown_at(first.port)
    assert first.stop() == 0

    second = start_server("test:?size=320x180", "--tls", "auto")

    assert shown_at(second.port) == shown


def test_trusted_certificate_secures_logins_and_renews(
    start_server: Callable[..., PortholeServer], certified: Certified, tmp_path: Path
) -> None:
    """A trusted certificate keeps browsers on TLS, and cookies never leave it.

    New connections get a renewed certificate, and viewers go on watching.
    """
    UsersFile(tmp_path / "state").add_user("ada", "operator", None, PASSWORD)
    shown = Certified(tmp_path / "shown")
    server = start_server(
        "test:?size=320x180", "--tls-cert", str(shown.cert), "--tls-key", str(shown.key)
    )
    browser = requests.Session()
    verify = str(shown.cert)
    page = browser.get(f"{server.url}login", verify=verify, timeout=10)
    csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
    origin = f"https://127.0.0.1:{server.port}"
    sent = {"name": "ada", "password": PASSWORD, "csrf": csrf}
    entered = browser.post(
        f"{server.url}login",
        data=sent,
        headers={"Origin": origin},
        verify=verify,
        timeout=10,
        allow_redirects=False,
    )
    cookie = next(one for one in browser.cookies if one.name.startswith("porthole_"))
    headers = {"Cookie": f"{cookie.name}={cookie.value}"}

    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert entered.status_code in (302, 303)
    assert cookie.secure
    trust = shown.trust()
    plain = headers | {"Origin": origin.replace("https", "http")}
    assert "403 " in turned_away(Viewer("127.0.0.1", server.port, tls=trust, headers=plain))
    viewer = Viewer("127.0.0.1", server.port, tls=trust, headers=headers | {"Origin": origin})
    viewer.connect()
    assert viewer.call("watch", {"camera": "test"})["ok"]

    before = shown_at(server.port)
    shutil.copy(certified.key, shown.key)
    shutil.copy(certified.cert, shown.cert)
    crowd = Crowd()
    crowd.add(viewer)
    deadline = time.monotonic() + 20
    while shown_at(server.port) == before and time.monotonic() < deadline:
        crowd.run(0.5)

    assert shown_at(server.port) != before
    seen = len(viewer.arrivals)
    crowd.run(5, until=lambda: len(viewer.arrivals) > seen + 10)
    assert len(viewer.arrivals) > seen + 10
    crowd.close()
