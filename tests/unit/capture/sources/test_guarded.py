"""Sources set from the page that FFmpeg reads: it connects only to checked addresses.

Only the tests' resolver knows the names used here; FFmpeg's does not.
"""

import itertools
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from server.capture.frames.frame import Picture
from server.capture.rtsp.message import Response
from server.capture.rtsp.relay import format_answer
from server.capture.sources.source import Source, open_source
from server.capture.streams.units import annex_b
from server.config import reserved
from server.config.address import Transport, parse_address
from server.errors import AddressRefused, LoginRefused, SourceError
from tests.support.cameras.field_camera import make_certificate
from tests.support.cameras.films import make_film
from tests.support.cameras.rtsp_camera import Habits, RtspCamera
from tests.support.cameras.rtsp_server import RtspServer
from tests.support.cameras.video_clip import encode_clip
from tests.support.network.folder import serve_folder

TIMEOUT_S = 5.0
FILM = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p", "-t", "3")
NAME = "camera.invalid"
FORBIDDEN = "127.0.0.66"

Resolve = Callable[..., None]


@pytest.fixture(scope="module")
def rtsp() -> Iterator[RtspServer]:
    server = RtspServer()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Make a resolver answer with these addresses in turn, repeating the last."""
    real = socket.getaddrinfo
    answers: Iterator[str] = itertools.repeat("127.0.0.1")

    def look_up(host: str, *more: Any, **others: Any) -> Any:
        return real(next(answers) if host == NAME else host, *more, **others)

    def set_answers(*addresses: str) -> None:
        nonlocal answers
        answers = itertools.chain(addresses, itertools.repeat(addresses[-1]))

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(reserved, "REFUSED", (ip_network(FORBIDDEN),))
    return set_answers


@pytest.fixture
def trap() -> Iterator[tuple[int, list[bytes]]]:
    """A port at the forbidden address that records what it receives."""
    caught: list[bytes] = []
    with socket.create_server((FORBIDDEN, 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(TIMEOUT_S)
                    if sent := connection.recv(100):
                        caught.append(sent)

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1], caught
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def open_url(url: str, transport: Transport = "auto", timeout_s: float = TIMEOUT_S) -> Source:
    address = parse_address(url.replace("127.0.0.1", NAME), Path())
    address = replace(address, guarded=True, transport=transport, verify=False)
    return open_source(address, "cam", timeout_s)


def next_picture(source: Source, **wanted: int) -> Picture:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        if source.grab() and (picture := source.retrieve(**wanted)) is not None:
            return picture
    raise AssertionError("no picture came")


# RTSP.


@pytest.mark.parametrize(
    ("mount", "login", "transport"),
    [
        ("small", "open", "udp"),
        ("small", "digest", "udp"),
        ("small", "basic", "udp"),
        ("udp", "open", "auto"),
        ("mjpeg", "digest", "auto"),
        ("mjpeg", "open", "tcp"),
    ],
)
def test_ffmpeg_reads_a_camera_it_cannot_resolve(
    mount: str, login: str, transport: Transport, rtsp: RtspServer
) -> None:
    """This works over UDP, after TCP was refused, with a login and with FFmpeg-only codecs."""
    with closing(open_url(rtsp.url(mount, login), transport)) as source:
        for _ in range(5):
            next_picture(source, jpeg_up_to=100)


def test_ffmpeg_reaches_a_camera_through_our_tls_relay(tmp_path: Path) -> None:
    """The TLS connection is ours; requests and answers pass in both directions, up to PLAY."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate(tmp_path))
    clip = encode_clip(16, "320x180", 8)
    pictures = [[one[begin:end] for begin, end in annex_b.split(one)] for one in clip.units]
    camera = RtspCamera(pictures, Habits(digest=("MD5",)), tls=context)
    try:
        # It sends its video as sound, and FFmpeg waits for that as long as it may.
        with suppress(SourceError):
            open_url(camera.url("ann:pass%20word@"), "udp", 3.0).close()
    finally:
        camera.close()
    asked = [method for method, _ in camera.requests]
    assert [one for one in asked if one != "TEARDOWN"][-3:] == ["SETUP", "SETUP", "PLAY"]


def test_rejected_login_is_reported(rtsp: RtspServer) -> None:
    """The error has the camera's own name, and no password."""
    with pytest.raises(LoginRefused, match=NAME) as caught:
        open_url(rtsp.url("small", "digest", "wrong-one"), "udp")
    assert "wrong-one" not in str(caught.value)


def test_name_that_resolves_elsewhere_later_is_not_followed(
    rtsp: RtspServer, resolve: Resolve, trap: tuple[int, list[bytes]]
) -> None:
    """Our own reader connects to the camera but does not know its codec. FFmpeg, resolving the
    name again, would have connected to the forbidden address."""
    resolve("127.0.0.1", FORBIDDEN)

    with pytest.raises(AddressRefused, match=f"{NAME} is a link-local address"):
        open_url(rtsp.url("mjpeg"))
    assert trap[1] == []


def test_redirect_is_checked(rtsp: RtspServer, trap: tuple[int, list[bytes]]) -> None:
    """FFmpeg would follow any redirect; here only one to an allowed address is followed."""
    port, caught = trap
    evil = RtspCamera([], Habits(redirects_to=f"rtsp://{FORBIDDEN}:{port}/latest"))
    kind = RtspCamera([], Habits(redirects_to=rtsp.url("small")))
    try:
        with pytest.raises(AddressRefused, match=f"{FORBIDDEN} is a link-local address"):
            open_url(evil.url(), "udp")
        with closing(open_url(kind.url(), "udp")) as source:
            next_picture(source)
    finally:
        evil.close()
        kind.close()
    assert caught == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "RTP/AVP/UDP;unicast;client_port=5000-5001;source=169.254.169.254;"
            "destination=10.0.0.9;server_port=80-81;ssrc=AB",
            "RTP/AVP/UDP;unicast;client_port=5000-5001;server_port=80-81;ssrc=AB;source=10.0.0.1",
        ),
        (
            "RTP/AVP;multicast;destination=224.0.0.1;port=9-10;ttl=9,RTP/AVP",
            "RTP/AVP;source=10.0.0.1",
        ),
    ],
)
def test_datagrams_go_to_the_camera_only(said: str, told: str) -> None:
    """FFmpeg sends reports to whatever address an answer gives as the video's source."""
    headers = (("cseq", "3"), ("location", "rtsp://169.254.169.254/"), ("transport", said))

    answer = format_answer(Response(headers, b"v=0\r\n", 200), "10.0.0.1")

    assert (
        answer
        == (
            f"RTSP/1.0 200 -\r\ncseq: 3\r\ntransport: {told}\r\ncontent-length: 5\r\n\r\nv=0\r\n"
        ).encode()
    )


# HTTP.


class Folder(SimpleHTTPRequestHandler):
    """Serves files and ranges of them, and redirects elsewhere."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_args: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError):  # The reader has left.
            super().handle()

    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", "http://" + self.path.removeprefix("/to/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        try:
            data = Path(self.translate_path(self.path)).read_bytes()
        except OSError:
            self.send_error(404)
            return
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(asked[1]) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        self.wfile.write(data[begin:])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder, and the address it is served at."""
    path = tmp_path_factory.mktemp("www")
    make_film(path / "film.ts", *FILM)
    make_film(path / "film.mp4", *FILM)  # Its index is at the end.
    with serve_folder(path, Folder) as url:
        yield path, url


def playlist(*segments: str) -> str:
    lines = [f"#EXTINF:3,\n{one}\n" for one in segments]
    return "".join(["#EXTM3U\n#EXT-X-TARGETDURATION:3\n", *lines, "#EXT-X-ENDLIST\n"])


@pytest.mark.parametrize("name", ["film.ts", "film.mp4", "film.m3u8", "to/HERE/film.m3u8"])
def test_ffmpeg_reads_files_and_playlists_over_http(name: str, folder: tuple[Path, str]) -> None:
    """Files and playlists are read, also behind a redirect; a missing segment is skipped."""
    path, url = folder
    (path / "film.m3u8").write_text(playlist("film.ts", "missing.ts", "film.ts"))
    name = name.replace("HERE", url.removeprefix("http://"))

    with closing(open_url(f"{url}/{name}")) as source:
        assert not source.info.live
        assert (source.info.codec, source.info.width) == ("h264", 320)
        for _ in range(5):
            next_picture(source)


@pytest.mark.parametrize("lead", ["", "to/"])
def test_playlist_cannot_reach_a_forbidden_address(
    lead: str, folder: tuple[Path, str], trap: tuple[int, list[bytes]]
) -> None:
    """A segment at the forbidden address is not requested, directly or behind a redirect."""
    port, caught = trap
    path, url = folder
    place = f"{FORBIDDEN}:{port}/latest"
    there = f"{url.replace('127.0.0.1', NAME)}/to/{place}" if lead else f"http://{place}"
    (path / "evil.m3u8").write_text(playlist(there, "film.ts"))

    with pytest.raises(AddressRefused, match=f"{FORBIDDEN} is a link-local address"):
        open_url(f"{url}/evil.m3u8")
    assert caught == []


@pytest.mark.parametrize(
    "segment", ["file://{}", "{}", "crypto:{}", "tcp://127.0.0.66:80", "data:x"]
)
def test_playlist_may_refer_only_to_http(segment: str, folder: tuple[Path, str]) -> None:
    """Local files and other protocols are rejected."""
    path, url = folder
    (path / "odd.m3u8").write_text(playlist(segment.format(path / "film.ts")))

    with pytest.raises(SourceError):
        open_url(f"{url}/odd.m3u8")
