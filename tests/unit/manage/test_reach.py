"""Which hosts the server may be sent to by an address that an admin types."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from server.config.address import Address, parse_address
from server.errors import SourceError
from server.manage.reach import ReachError, check_reachable


def address_of(text: str) -> Address:
    return parse_address(text, Path())


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "169.254.1.9", "[fe80::1]", "[::ffff:169.254.169.254]"),
        *("[fd00:ec2::254]", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
        *("[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "2852039166", "0xa9fea9fe"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_link_local_addresses_are_rejected(scheme: str, host: str) -> None:
    """Cloud providers serve credentials there; every spelling of the address is recognized."""
    with pytest.raises(ReachError, match="link-local"):
        check_reachable(address_of(f"{scheme}://{host}/x"), follow=False)


def test_host_with_a_link_local_address_is_rejected() -> None:
    """One bad address is enough: the client chooses which one it connects to."""

    def find(host: str, port: int) -> list[str]:
        assert (host, port) == ("camera.example", 554)
        return ["192.168.1.20", "169.254.169.254"]

    with pytest.raises(ReachError):
        check_reachable(address_of("rtsp://camera.example/live"), find=find)


@pytest.mark.parametrize(
    "source", ["rtsp://192.168.1.20/live", "rtsp://[fd12::7]/live", "test:", "device:0"]
)
def test_private_addresses_are_allowed(source: str) -> None:
    """Nearly all cameras have private addresses."""
    check_reachable(address_of(source))


def test_unknown_host_is_reported() -> None:
    """The error says that the host is unknown, not that it is forbidden."""

    def find(host: str, port: int) -> list[str]:
        raise OSError

    with pytest.raises(SourceError, match="unknown") as caught:
        check_reachable(address_of("http://camera.invalid/"), find=find)
    assert not isinstance(caught.value, ReachError)


@contextmanager
def redirecting(to: str) -> Iterator[tuple[str, list[str]]]:
    """Serve redirects to an address; yield our address and the requests received."""
    asked: list[str] = []

    class Redirect(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Authorization')}")
            self.send_response(302)
            self.send_header("Location", to)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Redirect) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://joe:s3cret@127.0.0.1:{server.server_port}/a", asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("to", ["http://169.254.169.254/latest/meta-data", "//[fe80::1]/"])
def test_redirect_to_a_link_local_address_is_rejected(to: str) -> None:
    """An allowed host could otherwise redirect the server to a forbidden one."""
    with redirecting(to) as (url, asked), pytest.raises(ReachError, match="link-local"):
        check_reachable(address_of(url))

    assert asked == ["/a None"], "the password is for the camera"


def test_redirect_loop_is_rejected() -> None:
    """The server gives up after five requests."""
    with redirecting("/a") as (url, asked), pytest.raises(ReachError, match="too often"):
        check_reachable(address_of(url))

    assert len(asked) == 5
