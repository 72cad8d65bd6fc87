"""Debian's nginx with the configuration that Porthole ships."""

import contextlib
import functools
import http.client
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.network.nginx import Nginx
from tests.support.servers.server import PortholeServer, start_server

__all__ = ["start_server"]

Start = Callable[..., PortholeServer]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a self-signed certificate for this machine: cert.pem and key.pem."""
    folder = tmp_path_factory.mktemp("tls")
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
    ]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def start_nodes(start_server: Start, tmp_path: Path) -> Callable[[int], list[PortholeServer]]:
    """Start this many servers that trust nginx, each with its own state folder."""

    def start(count: int) -> list[PortholeServer]:
        return [
            start_server(
                *("test:?size=640x360&fps=25", "--trusted-proxies", "127.0.0.1"),
                *("--state", str(tmp_path / f"node-{number}")),
            )
            for number in range(1, count + 1)
        ]

    return start


@pytest.fixture
def start_nginx(certificate: Path, tmp_path: Path) -> Iterator[Callable[..., Nginx]]:
    """Start nginx in front of two servers."""
    started: list[Nginx] = []

    def start(ports: Sequence[int]) -> Nginx:
        nginx = Nginx(tmp_path / f"nginx-{len(started)}", certificate, ports)
        started.append(nginx)
        nginx.start()
        return nginx

    yield start

    for nginx in started:
        nginx.stop()


@pytest.fixture(scope="session")
def trust(certificate: Path) -> ssl.SSLContext:
    """Trust only the certificate that nginx uses here."""
    return ssl.create_default_context(cafile=certificate / "cert.pem")


def fetch(
    url: str,
    trust: ssl.SSLContext,
    headers: dict[str, str] | None = None,
    data: bytes | None = None,
    source: str = "127.0.0.1",
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Return status, headers and body, whatever the status; connect from the address ``source``."""
    where = urlsplit(url)
    assert where.hostname
    kind: Any = functools.partial(http.client.HTTPSConnection, context=trust)
    if where.scheme == "http":
        kind = http.client.HTTPConnection
    connection = kind(where.hostname, where.port, timeout=15, source_address=(source, 0))
    with contextlib.closing(connection):
        given = {"Content-Type": "application/x-www-form-urlencoded"} if data else {}
        path = where.path + ("?" + where.query if where.query else "")
        connection.request("POST" if data else "GET", path, data, given | (headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
