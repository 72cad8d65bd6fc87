"""The commands in docs/clients.md, run as printed except for names and addresses."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from server.users.users import UsersFile
from tests.support.servers.server import ROOT, PortholeServer

PASSWORD = "correct-horse"

SIZE = (360, 640, 3)


class Clients:
    """A server with one camera, and client programs run as documented.

    Attributes:
        environment: Makes them trust the server's certificate, as documented.
    """

    def __init__(self, server: PortholeServer, token: str) -> None:
        self._text = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
        found = re.findall(r"`(\w+)=tls-cert\.pem` in the environment", self._text)
        assert len(found) == 3
        self.environment = {name: str(server.state / "tls-cert.pem") for name in found}
        self._changes = {
            "https://": server.url.partition("127")[0],
            "cameras.example": f"127.0.0.1:{server.port}",
            "PASSWORD": PASSWORD,
            "TOKEN": token,
        }

    def lines(self, title: str) -> str:
        """Return the first code block under a title."""
        found = re.search(rf"^## {title}\n.*?```\w*\n(.*?)```", self._text, re.S | re.M)
        assert found, title
        text = found[1]
        for there, here in self._changes.items():
            text = text.replace(there, here)
        return text


@pytest.fixture(scope="module", params=["off", "auto"])
def clients(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clients]:
    """Start a server with the user ada and a token; once without TLS, once with."""
    state = tmp_path_factory.mktemp("clients")
    UsersFile(state).add_user("ada", "viewer", None, PASSWORD)
    token = UsersFile(state).add_token("octo", "viewer", ["door"])
    server = PortholeServer(
        *("door=test:?size=640x360&fps=10", "--port", "0", "--tls", request.param),
        state=state,
        environment={},
    )
    yield Clients(server, token)
    assert server.stop() == 0


def run(command: list[str], folder: Path, clients: Clients) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"OPENCV_FFMPEG_LOGLEVEL": "-8"} | clients.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_curl_gets_pictures(clients: Clients, tmp_path: Path) -> None:
    """The documented commands work with a password and with a token."""
    for line in clients.lines("curl").splitlines():
        done = run(["sh", "-c", line], tmp_path, clients)
        assert done.returncode == 0, done.stderr
        assert cv2.imread(str(tmp_path / "door.jpg")).shape == SIZE
        (tmp_path / "door.jpg").unlink()


def test_ffmpeg_probes_and_records_the_feed(clients: Clients, tmp_path: Path) -> None:
    """Both commands work, and two seconds of recording contain the frames of two seconds."""
    look, record = clients.lines("ffmpeg").splitlines()

    looked = run(["sh", "-c", look], tmp_path, clients)
    assert "640x360" in looked.stderr, looked.stderr
    recorded = run(["sh", "-c", record], tmp_path, clients)
    assert recorded.returncode == 0, recorded.stderr
    pictures = cv2.VideoCapture(str(tmp_path / "door.mkv"), cv2.CAP_FFMPEG)
    count = 0
    while pictures.read()[0]:
        count += 1
    assert 10 <= count <= 25, "two seconds of ten pictures"


def test_opencv_reads_pictures(clients: Clients, tmp_path: Path) -> None:
    """The documented program prints the shape of each picture; it is stopped after five."""
    program = clients.lines("OpenCV") + "    print(picture.shape)\n"
    program = program.replace("while True:", "for _ in range(5):")

    done = run([sys.executable, "-c", program], tmp_path, clients)

    assert done.stdout == f"{SIZE}\n" * 5, done.stderr
