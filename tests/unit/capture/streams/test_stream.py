"""Streams from real servers: RTSP from GStreamer, HLS and MPEG-TS over HTTP from FFmpeg."""

import io
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.capture.frames.frame import Jpeg, Picture
from server.capture.rtsp.opening import open_rtsp
from server.capture.sources.testpattern import read_time
from server.capture.streams.stream import open_stream
from server.capture.streams.video import Video
from server.config.address import Address, parse_address
from server.errors import LoginRefused, PictureError, SourceError
from tests.support.cameras.films import make_film
from tests.support.cameras.rtsp_server import PASSWORD, RtspServer
from tests.support.cameras.tcp import answer_with
from tests.support.network.folder import serve_folder

__all__ = ["answer_with"]

TIMEOUT_S = 5.0


@pytest.fixture(scope="module")
def rtsp() -> Iterator[RtspServer]:
    server = RtspServer()
    yield server
    server.stop()


def open_url(url: str, timeout_s: float = TIMEOUT_S, **settings: Any) -> Video:
    address = replace(parse_address(url, Path()), **settings)
    opener = open_rtsp if address.scheme in ("rtsp", "rtsps") else open_stream
    return opener(address, timeout_s)


def test_udp_sockets_are_detected() -> None:
    """A full UDP socket loses packets, so it must be read more often. FFmpeg does not tell which
    transport a camera chose if both may be tried."""
    script = (
        "import socket\n"
        "from server.capture.streams.losses import receives_datagrams\n"
        "kinds = (socket.AF_INET, socket.SOCK_STREAM), (socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "others = [socket.socket(*kind) for kind in kinds]\n"
        "print(receives_datagrams())\n"
        "datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "print(receives_datagrams())\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)

    assert run.stdout.split() == ["False", "True"], run.stderr


def next_picture(source: Video, timeout_s: float = 5.0, **wanted: int) -> Picture:
    """Return the next picture, waiting for it as a camera does."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if source.grab() and (picture := source.retrieve(**wanted)) is not None:
            return picture
    raise AssertionError("no picture came")


def age_of(picture: Picture) -> float:
    """Return a picture's age in seconds, by the time burned into it."""
    assert isinstance(picture, np.ndarray)
    burned = read_time(picture)
    assert burned is not None, "it is torn"
    return time.time() - burned


# RTSP.


@pytest.mark.parametrize(
    ("mount", "codec"),
    [
        ("h264", "h264"),
        ("b-frames", "h264"),
        ("group2", "h264"),
        ("h265", "hevc"),
        ("udp", "h264"),
    ],
)
def test_rtsp_pictures_are_whole_and_current(mount: str, codec: str, rtsp: RtspServer) -> None:
    """Each picture is whole, current, and newer than the one before; UDP is tried after TCP."""
    with closing(open_url(rtsp.url(mount))) as source:
        pictures = [next_picture(source) for _ in range(12)]
        newest = next_picture(source)

        assert age_of(newest) < 1.0
        assert (source.info.codec, source.info.live) == (codec, True)
        assert (source.info.width, source.info.height) == (640, 360)
        burned = [read_time(one) for one in pictures if isinstance(one, np.ndarray)]
        assert None not in burned
        assert burned == sorted(set(burned))
        assert source.arrivals.figures.waiting_for == ""


def test_rtsp_mjpeg_is_passed_through(rtsp: RtspServer) -> None:
    """A camera's own JPEG is passed through over RTSP, too."""
    with closing(open_url(rtsp.url("mjpeg"))) as source:
        picture = next_picture(source, jpeg_up_to=100)

        assert isinstance(picture, Jpeg)
        assert (picture.width, picture.height) == (640, 360)


def test_joining_between_key_frames_reports_the_wait(rtsp: RtspServer) -> None:
    """With ten-second groups the wait may be as long; the first viewer started the group."""
    with closing(open_url(rtsp.url("group10"))) as first:
        next_picture(first)
        for _ in range(10):
            first.grab()

        with closing(open_url(rtsp.url("group10"))) as second:
            for _ in range(5):
                assert second.grab()
                assert second.retrieve() is None

            assert second.arrivals.figures.waiting_for == "a key frame"
            assert second.info.live


def test_first_picture_of_a_short_group_comes_soon(rtsp: RtspServer) -> None:
    """Packets read during opening are kept, so the wait is at most one group."""
    with closing(open_url(rtsp.url("group2"))) as first:
        next_picture(first)
        began = time.monotonic()

        with closing(open_url(rtsp.url("group2"))) as second:
            next_picture(second)

        assert time.monotonic() - began < 3.0


def test_backlog_of_a_hung_camera_is_skipped(rtsp: RtspServer) -> None:
    """After a camera has hung, its backlog is skipped: the picture shown is current."""
    with closing(open_url(rtsp.url("h264"))) as source:
        next_picture(source)

        with rtsp.hanging():
            time.sleep(0.7)
        deadline = time.monotonic() + 4
        ages = [9.0]
        while ages[-1] > 0.3 and time.monotonic() < deadline:
            source.grab()
            if (picture := source.retrieve()) is not None:
                ages.append(age_of(picture))

        assert ages[-1] <= 0.3


def test_hanging_camera_times_out(rtsp: RtspServer) -> None:
    """Reading ends after the time-out, and the error says so."""
    with closing(open_url(rtsp.url("h264"), timeout_s=1.0)) as source, rtsp.hanging():
        began = time.monotonic()

        with pytest.raises(SourceError, match="has sent nothing for 1 s"):
            all(source.grab() for _ in range(1000))

        assert time.monotonic() - began < 3


def test_packet_loss_shows_no_torn_picture(rtsp: RtspServer) -> None:
    """With one packet in 50 lost over UDP, some pictures are missing and the others are whole."""
    with closing(open_url(rtsp.url("lossy"))) as source:
        whole = missing = 0
        while whole < 40:
            source.grab()
            try:
                picture = source.retrieve()
            except PictureError:
                picture = None
            if picture is None:
                missing += 1
                continue
            whole += 1
            assert isinstance(picture, np.ndarray)
            burned = read_time(picture)
            assert burned is not None
            # The bar is where it was at that time, and nowhere else; see rtsp_service.py.
            left = int(burned * 200) % 600
            row = picture[200, :, 0].astype(int)
            assert row[left + 6 : left + 34].min() > 160
            outside = np.delete(row, range(max(0, left - 6), min(640, left + 46)))
            assert outside.max() < 140


@pytest.mark.parametrize("login", ["digest", "basic"])
def test_login_is_accepted(login: str, rtsp: RtspServer) -> None:
    """The password has all the characters that must be encoded in a URL."""
    with closing(open_url(rtsp.url("h264", login))) as source:
        assert next_picture(source) is not None


@pytest.mark.parametrize("login", ["digest", "basic"])
@pytest.mark.parametrize(
    ("password", "said"), [("wrong-one", "refuses the user name or password"), ("", "wants a user")]
)
def test_rejected_login_is_reported(login: str, password: str, said: str, rtsp: RtspServer) -> None:
    """The error is one of its own, so that it is tried rarely, and contains no password."""
    url = rtsp.url("h264", login, password or PASSWORD)
    if not password:
        url = "rtsp://" + url.partition("@")[2]

    with pytest.raises(LoginRefused) as caught:
        open_url(url)

    assert said in str(caught.value)
    assert "wrong-one" not in str(caught.value)


@pytest.mark.parametrize(
    ("mount", "transport", "said"),
    [
        ("nosuch", "auto", r"no such stream \(404 Not Found\)"),
        ("sound", "auto", r"sends no video \(sound only\)"),
        ("udp", "tcp", r'does not send over TCP \(461.*transport = "udp" or "auto"'),
    ],
)
def test_rtsp_errors_are_reported(mount: str, transport: str, said: str, rtsp: RtspServer) -> None:
    """All of these used to give "no video that FFmpeg can read"."""
    with pytest.raises(SourceError, match=said):
        open_url(rtsp.url(mount), transport=transport)


# Other hosts and answers.

Answer = Callable[..., int]


@pytest.mark.parametrize(
    ("scheme", "answer", "said"),
    [
        ("http", b"HTTP/1.0 403 Forbidden\r\n\r\n", "refuses the user name or password (403"),
        ("http", b"HTTP/1.0 404 Not Found\r\n\r\n", "has no such stream (404 Not Found)"),
        ("http", b"HTTP/1.0 503 Busy\r\n\r\n", "answers with an error (5xx)"),
        ("http", b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<p>hello", "sends no video"),
        ("rtsp", b"RTSP/1.0 400 Bad\r\nCSeq: 1\r\n\r\n", "answers with an error (400 Bad Request)"),
        ("rtsp", b"SSH-2.0-OpenSSH\r\n", "FFmpeg can"),
    ],
)
def test_unusable_answers_are_reported(
    scheme: str, answer: bytes, said: str, answer_with: Answer
) -> None:
    """The errors give host and port, but not the password."""
    port = answer_with(answer)

    with pytest.raises(SourceError) as caught:
        open_url(f"{scheme}://ann:s3cret@127.0.0.1:{port}/stream", timeout_s=2.0)

    assert said in str(caught.value)
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_silent_host_times_out(scheme: str, answer_with: Answer) -> None:
    """If a host accepts the connection and stays silent, opening ends after the time-out."""
    port = answer_with(None)
    began = time.monotonic()

    with pytest.raises(SourceError, match=r"did not answer within 0\.5 s"):
        open_url(f"{scheme}://127.0.0.1:{port}/", timeout_s=0.5)

    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("rtsp://127.0.0.1:1/", "cannot be reached (Connection refused)"),
        ("http://127.0.0.1:1/", "cannot be reached (Connection refused)"),
        ("rtsp://cam.invalid/", "the host cam.invalid is unknown; check the spelling"),
    ],
)
def test_unreachable_host_is_reported(url: str, said: str) -> None:
    """The error is immediate and says why."""
    with pytest.raises(SourceError) as caught:
        open_url(url)

    assert said in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera's self-signed certificate, with its key."""
    path = tmp_path_factory.mktemp("tls") / "camera.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=camera"]
    files = ["-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
    subprocess.run([*command, *files], check=True, timeout=60, capture_output=True)
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.mark.parametrize("scheme", ["https", "rtsps"])
@pytest.mark.parametrize(
    ("verify", "said"),
    [(None, "404 Not Found"), (False, "404 Not Found"), (True, "certificate that is not valid")],
)
def test_certificate_is_checked_as_configured(
    scheme: str, verify: bool | None, said: str, certificate: Path, answer_with: Answer
) -> None:
    """By default it is not checked for a private host, since cameras sign their own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    protocol = "HTTP" if scheme == "https" else "RTSP"
    port = answer_with(f"{protocol}/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n".encode(), context)

    with pytest.raises(SourceError, match=said):
        open_url(f"{scheme}://127.0.0.1:{port}/x", verify=verify)


def test_host_without_tls_is_reported(answer_with: Answer) -> None:
    """The error says that the host of an https URL does not speak TLS."""
    port = answer_with(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with pytest.raises(SourceError, match=r"the TLS handshake with .* failed"):
        open_url(f"https://127.0.0.1:{port}/x")


# HTTP and pipes.


class Folder(SimpleHTTPRequestHandler):
    """Serves files as fast as they are read."""

    def log_message(self, *_args: object) -> None:
        pass

    def copyfile(self, source: Any, outputfile: Any) -> None:
        try:
            super().copyfile(source, outputfile)
        except OSError:
            pass  # The reader has left.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder, and the address it is served at."""
    path = tmp_path_factory.mktemp("www")
    make_film(path / "film.ts", *FILM, "-t", "8")
    with serve_folder(path, Folder) as url:
        yield path, url


FILM = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-pix_fmt", "yuv420p")


def gaps_of(source: Video, seconds: float) -> list[float]:
    """Watch for a while; return the times between pictures."""
    next_picture(source)
    began = before = time.monotonic()
    gaps = []
    while before - began < seconds:
        next_picture(source)
        now = time.monotonic()
        gaps.append(now - before)
        before = now
    return gaps


def test_film_over_http_is_played_at_its_pace(folder: tuple[Path, str]) -> None:
    """It used to play as fast as the network delivered it."""
    with closing(open_url(f"{folder[1]}/film.ts")) as source:
        gaps = gaps_of(source, 1.6)

        assert 30 <= len(gaps) <= 42
        assert not source.info.live


def test_live_playlist_has_no_gaps(folder: tuple[Path, str]) -> None:
    """Each segment arrives in one burst, and used to be shown so, with a second's gap."""
    path, url = folder
    command = ["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]
    playlist = ["-f", "hls", "-hls_time", "1", "-hls_flags", "delete_segments"]
    program = subprocess.Popen([*command, *FILM, *playlist, str(path / "live.m3u8")])
    try:
        deadline = time.monotonic() + 20
        while not (path / "live.m3u8").exists() and time.monotonic() < deadline:
            time.sleep(0.05)

        with closing(open_url(f"{url}/live.m3u8")) as source:
            gaps = gaps_of(source, 5)

            assert source.info.live
            assert max(gaps) < 0.6
            assert len(gaps) == pytest.approx(125, abs=25)
    finally:
        program.kill()
        program.wait()


@pytest.mark.parametrize(
    ("form", "options", "pace"),
    [
        # A program that is late catches up, so its pace is not exact.
        ("h264", ("-re",), (12, 75)),
        ("mjpeg", ("-re",), (12, 75)),
        ("mpegts", (), (20, 30)),
    ],
)
def test_piped_video_is_played(form: str, options: tuple[str, ...], pace: tuple[int, int]) -> None:
    """A command's pictures are shown as they come, or by timestamp if they come too fast."""
    codec = ("-c:v", "mjpeg") if form == "mjpeg" else FILM
    pattern = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]
    command = ["ffmpeg", "-v", "error", *options, *pattern, *codec, "-f", form, "-"]
    program = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert program.stdout is not None
    pipe = os.fdopen(os.dup(program.stdout.fileno()), "rb", buffering=0)
    try:
        with closing(open_stream(Address("exec", "x", "exec:x"), TIMEOUT_S, pipe)) as source:
            gaps = gaps_of(source, 1.0)

            assert pace[0] <= len(gaps) <= pace[1]
            assert source.info.live
        assert pipe.closed
    finally:
        program.kill()
        program.communicate()


@pytest.mark.parametrize("name", ["{}", "file://{}", "concat:{}"])
def test_piped_playlist_cannot_name_files(name: str, folder: tuple[Path, str]) -> None:
    """Data from a camera or command must not make us read files on this machine."""
    film = name.format(folder[0] / "film.ts")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:8\n#EXTINF:8,\n{film}\n#EXT-X-ENDLIST\n"

    with pytest.raises(SourceError):
        open_stream(Address("exec", "x", "exec:x"), 2.0, io.BytesIO(playlist.encode()))
