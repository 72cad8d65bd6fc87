"""The documentation's example client, run as printed."""

import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.network.nginx import Nginx
from tests.support.network.reverse_proxy import free_ports
from tests.support.servers.server import ROOT, PortholeServer, wait_until

Start = Callable[..., PortholeServer]
StartNginx = Callable[[Sequence[int]], Nginx]

FRESH_S = 0.5
RESUMED_S = 10.0

BEFORE_S = 3.0
"""Clients that could not do TLS used to be disconnected after 2 to 6 s."""


def example() -> str:
    """Return the first Python program of docs/protocol.md."""
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.S)
    assert found
    return found[1]


@pytest.fixture
def start_example(
    tmp_path: Path, certificate: Path
) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Run the example unchanged, in its own folder."""
    started: list[subprocess.Popen[str]] = []
    (tmp_path / "client.py").write_text(example(), encoding="utf-8")

    def start(url: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "client.py", url],
            cwd=tmp_path,
            env=os.environ | {"SSL_CERT_FILE": str(certificate / "cert.pem")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:  # Closes its pipe, too.
            process.kill()


def test_example_client_survives_tls_and_a_restart(
    start_server: Start,
    start_nginx: StartNginx,
    start_example: Callable[[str], subprocess.Popen[str]],
    tmp_path: Path,
    trust: ssl.SSLContext,
) -> None:
    """Behind nginx, over TLS, the server is restarted: pictures are fresh before and after.

    The example once froze for good on a restart, was disconnected every few seconds over TLS, and
    crashed when a header and its picture changed places.
    """
    (port,) = free_ports(1)
    arguments = (
        *("test:?size=320x240&fps=25", "--port", str(port)),
        "--trusted-proxies",
        "127.0.0.1",
    )
    server = start_server(*arguments)
    nginx = start_nginx([port, port])
    newest = tmp_path / "newest.jpg"

    client = start_example(nginx.url)
    wait_until(newest.exists)
    gaps_s = longest_gap_s(newest, BEFORE_S)
    assert server.stop() == 0
    stopped_unix = time.time()
    start_server(*arguments)
    wait_until(lambda: newest.stat().st_mtime > stopped_unix, RESUMED_S)
    gaps_after_s = longest_gap_s(newest, 1.0)

    assert client.poll() is None
    client.kill()
    _, errors = client.communicate(timeout=10)
    assert (gaps_s < FRESH_S, gaps_after_s < FRESH_S) == (True, True), (gaps_s, gaps_after_s)
    assert "Traceback" not in errors, errors


def longest_gap_s(picture: Path, for_s: float) -> float:
    """Return the greatest age that a file reached which is rewritten over and over."""
    longest_s = 0.0
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        longest_s = max(longest_s, time.time() - picture.stat().st_mtime)
        time.sleep(0.02)
    return longest_s
