"""Devices, files and streams through OpenCV, on real files and real sockets."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from server.capture.devices import opencv as video
from server.capture.devices.opencv import DeviceVideo
from server.capture.frames.frame import Image, Jpeg
from server.capture.frames.jpeg import decode_jpeg
from server.capture.sources import pacer
from server.capture.sources import video as network
from server.capture.sources.video import FileVideo, NetworkVideo
from server.config.address import parse_address
from server.errors import PictureError, SourceEnded, SourceError
from tests.support.fakes import FakeClock

FRAMES = 5
FPS = 10.0


def shade(index: int) -> int:
    return 30 + 40 * index


def write_film(path: Path, codec: str) -> Path:
    """Write five pictures, each brighter than the one before, at 10 fps."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), FPS, (64, 48))
    for index in range(FRAMES):
        writer.write(np.full((48, 64, 3), shade(index), np.uint8))
    writer.release()
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose pictures are JPEG."""
    return write_film(tmp_path_factory.mktemp("video") / "clip.avi", "MJPG")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose pictures are not JPEG."""
    return write_film(tmp_path_factory.mktemp("video") / "film.mp4", "mp4v")


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> FakeClock:
    """A pacer whose waits take no time."""
    monkeypatch.setattr(pacer, "time", clock)
    monkeypatch.setattr(pacer.native, "sleep", clock.advance)
    return clock


def grab(source: FileVideo | NetworkVideo) -> Image:
    """Return the next picture, calling grab as often as necessary."""
    for _ in range(1000):
        if source.grab():
            image = source.retrieve()
            assert isinstance(image, np.ndarray)
            return image
    raise AssertionError("no picture became due")


def index_of(image: Image) -> int:
    """Return which of the clip's pictures this is."""
    return round((float(image.mean()) - shade(0)) / 40)


def test_file_says_what_it_is(clip: Path) -> None:
    """Size, rate and codec come from the file; it is not live, so it can wait."""
    source = FileVideo(str(clip), loop=True)

    info = source.info
    source.close()

    assert (info.width, info.height, info.fps, info.codec, info.live) == (
        64,
        48,
        FPS,
        "MJPG",
        False,
    )


def test_file_is_played_in_order_and_ends(clip: Path, paced: FakeClock) -> None:
    """Without loop every picture comes once, and then the normal end."""
    source = FileVideo(str(clip), loop=False)

    played = [index_of(grab(source)) for _ in range(FRAMES)]

    assert played == list(range(FRAMES))
    with pytest.raises(SourceEnded):
        grab(source)
    source.close()


def test_file_begins_again(clip: Path, paced: FakeClock) -> None:
    """With loop the first picture follows the last, for ever."""
    source = FileVideo(str(clip), loop=True)

    played = [index_of(grab(source)) for _ in range(3 * FRAMES)]
    source.close()

    assert played == 3 * list(range(FRAMES))


def test_file_is_played_at_its_own_pace(clip: Path, paced: FakeClock) -> None:
    """Pictures come at the file's rate, even when it starts over."""
    source = FileVideo(str(clip), loop=True)
    grab(source)
    started = paced.now

    for _ in range(2 * FRAMES):
        grab(source)
    source.close()

    assert paced.now - started == pytest.approx(2 * FRAMES / FPS, abs=0.11)


def test_grab_returns_before_a_far_picture_is_due(clip: Path, paced: FakeClock) -> None:
    """Calling grab again does not skip a picture that is not due yet."""
    source = FileVideo(str(clip), loop=True)
    source.info = type(source.info)(64, 48, 0.5, "MJPG", False)
    first = index_of(grab(source))
    source._pacer.schedule(5)

    asked = 0
    while not source.grab():
        asked += 1
    second = index_of(source.retrieve())
    source.close()

    assert asked > 5
    assert (first, second) == (0, 1)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg program")
@pytest.mark.parametrize("suffix", ["mp4", "mjpeg", "ts"])
def test_other_containers_loop_too(suffix: str, tmp_path: Path, paced: FakeClock) -> None:
    """Containers that seek well, badly and not at all are all played round and round."""
    path = tmp_path / f"clip.{suffix}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=10"]
    subprocess.run([*command, "-frames:v", "4", str(path)], check=True, timeout=20)
    source = FileVideo(str(path), loop=True)

    shapes = {grab(source).shape for _ in range(14)}
    source.close()

    assert shapes == {(48, 64, 3)}


def test_jpeg_is_handed_over_as_the_file_holds_it(clip: Path, paced: FakeClock) -> None:
    """Nothing is decoded while the file's quality is accepted, even after it starts over."""
    source = FileVideo(str(clip), loop=True)
    played = []

    for _ in range(2 * FRAMES):
        while not source.grab():
            pass
        played.append(source.retrieve(jpeg_up_to=100))
    source.close()

    held = clip.read_bytes()
    for number, jpeg in enumerate(played):
        assert isinstance(jpeg, Jpeg)
        assert (jpeg.width, jpeg.height) == (64, 48)
        assert jpeg.data in held
        assert index_of(decode_jpeg(jpeg)) == number % FRAMES


def test_jpeg_that_is_too_fine_is_decoded(clip: Path, paced: FakeClock) -> None:
    """If the accepted quality is lower than the file's, pixels are returned, picture by picture."""
    source = FileVideo(str(clip), loop=True)
    while not source.grab():
        pass
    jpeg = source.retrieve(jpeg_up_to=100)
    assert isinstance(jpeg, Jpeg)
    while not source.grab():
        pass

    assert isinstance(source.retrieve(jpeg_up_to=jpeg.quality - 1), np.ndarray)
    source.close()


def test_gray_picture_becomes_colour(film: Path, paced: FakeClock) -> None:
    """A frame always has three channels."""
    source = FileVideo(str(film), loop=True)
    while not source.grab():
        pass
    real = source._capture

    class Gray:
        """A capture whose pictures have one channel."""

        def retrieve(self) -> tuple[bool, Image]:
            return True, np.full((48, 64), 7, np.uint8)

    source._capture = Gray()  # type: ignore[assignment]
    image = source.retrieve()
    source._capture = real
    source.close()

    assert isinstance(image, np.ndarray)
    assert image.shape == (48, 64, 3)


@pytest.mark.parametrize(
    "answer", [(False, None), (True, None), (True, np.empty((0, 0, 3), np.uint8))]
)
@pytest.mark.parametrize("codec", ["clip", "film"])
def test_undecodable_picture_is_reported(
    codec: str, answer: tuple[bool, Image | None], request: pytest.FixtureRequest
) -> None:
    """A picture that cannot be decoded does not affect the next one."""
    source = FileVideo(str(request.getfixturevalue(codec)), loop=True)
    real = source._capture

    class Broken:
        """A capture that gives no pixels."""

        def retrieve(self) -> tuple[bool, Image | None]:
            return answer

    source._capture = Broken()  # type: ignore[assignment]
    with pytest.raises(PictureError):
        source.retrieve()
    source._capture = real
    source.close()


def test_missing_file_is_reported(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(SourceError, match="there is no file"):
        FileVideo(str(tmp_path / "none.mp4"), loop=True)


def test_folder_is_no_file(tmp_path: Path) -> None:
    """A folder is not a video."""
    with pytest.raises(SourceError, match="is a folder, not a file"):
        FileVideo(str(tmp_path), loop=True)


@pytest.mark.parametrize("content", [b"", b"just text\n" * 50])
def test_file_without_video_is_reported(content: bytes, tmp_path: Path) -> None:
    """The error says so if FFmpeg cannot read a file, whatever is in it."""
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)

    with pytest.raises(SourceError, match="no video that FFmpeg can read"):
        FileVideo(str(path), loop=True)


def test_file_that_may_not_be_read_is_reported(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says so if a file may not be read."""
    monkeypatch.setattr(video.os, "access", lambda path, mode: False)  # Root may read anything.

    with pytest.raises(SourceError, match="may not be read"):
        FileVideo(str(clip), loop=True)


def test_missing_device_is_reported() -> None:
    """A device that is not there is named, by its number or its stable path."""
    with pytest.raises(SourceError, match=r"/dev/video61 does not exist; devices here: "):
        DeviceVideo("61")
    with pytest.raises(SourceError, match=r"/dev/v4l/by-id/none does not exist; "):
        DeviceVideo("/dev/v4l/by-id/none")


def test_device_is_opened_by_where_its_path_leads_now(tmp_path: Path) -> None:
    """A link is followed each time: after plugging in again it leads to another number.

    No camera is needed to see which device was opened.
    """
    link = tmp_path / "usb-C920-video-index0"
    said = []
    for leads_to in ("/dev/null", "/dev/zero"):
        link.unlink(missing_ok=True)
        link.symlink_to(leads_to)
        with pytest.raises(SourceError) as caught:
            DeviceVideo(str(link))
        said.append(str(caught.value))
    link.unlink()
    with pytest.raises(SourceError, match="does not exist"):
        DeviceVideo(str(link))

    assert [text.split()[0] for text in said] == ["/dev/null", "/dev/zero"]
    assert all("not a camera" in text for text in said)


def test_unplugging_is_told(tmp_path: Path) -> None:
    """A device whose pictures end says whether it is still there."""
    link = tmp_path / "usb-C920-video-index0"
    link.symlink_to("/dev/null")
    device = object.__new__(DeviceVideo)
    device._target = str(link)
    device._capture = cv2.VideoCapture()  # It has nothing to grab.

    with pytest.raises(SourceError, match="is it still there"):
        device.grab()
    link.unlink()
    with pytest.raises(SourceError, match=f"it was unplugged: {link} does not exist"):
        device.grab()


def test_device_that_is_no_camera_is_reported(tmp_path: Path) -> None:
    """The error tells a device that is not a camera from one that may not be opened."""
    other = tmp_path / "video0"
    other.write_text("")

    assert "not a camera" in video._why_not_device(str(other))
    assert "cannot be opened" in video._why_not_device(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("reported", "fps"),
    [(25.0, 25.0), (0.0, 0.0), (90000.0, 0.0), (float("nan"), 0.0), (-1.0, 0.0)],
)
def test_rate_that_cannot_be_is_unknown(reported: float, fps: float) -> None:
    """A time base that FFmpeg reports as a rate is ignored."""
    assert video._sane_fps(reported) == fps


@pytest.mark.parametrize(
    ("code", "name"),
    [(cv2.VideoWriter.fourcc(*"MJPG"), "MJPG"), (0, "unknown"), (-1, "unknown"), (1, "unknown")],
)
def test_codec_is_named(code: int, name: str) -> None:
    """A four-letter code is shown as letters, and anything else as unknown."""
    assert video._codec_name(code) == name


# Network streams.


@pytest.fixture
def answer_with() -> Iterator[Callable[[bytes], int]]:
    """A function that starts a server with one response for all; returns its port."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(answer: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(2)
                    try:
                        connection.recv(65536)
                        connection.sendall(answer)
                    except OSError:
                        pass  # The client has seen enough.

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(5)


def open_url(url: str) -> NetworkVideo:
    return NetworkVideo(parse_address(url, Path()), 2.0)


def multipart(*shades: int) -> bytes:
    """Return an MJPEG stream over HTTP of plain pictures."""
    parts = [b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"]
    for value in shades:
        jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), value, np.uint8))[1].tobytes()
        head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        parts.append(head.encode() + jpeg + b"\r\n")
    return b"".join(parts)


def test_http_stream_is_read_to_its_end(answer_with: Callable[[bytes], int]) -> None:
    """An MJPEG stream is read picture by picture, and its end is a failure."""
    port = answer_with(multipart(*[90] * 30))
    source = open_url(f"http://127.0.0.1:{port}/stream")

    image = grab(source)

    assert image.shape == (48, 64, 3)
    assert source.info.live
    with pytest.raises(SourceError, match="the stream ended"):
        all(source.grab() for _ in range(100))
    source.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.0 401 Unauthorized\r\n\r\n", "answers 401 Unauthorized"),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", "answers 404 Not Found"),
        (b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<p>hello", "sends no video"),
        (b"", "sends no video"),
    ],
)
def test_refusal_is_told_in_words(
    answer: bytes, said: str, answer_with: Callable[[bytes], int]
) -> None:
    """The error says how a server responded instead of sending video, without the password."""
    port = answer_with(answer)

    with pytest.raises(SourceError) as caught:
        open_url(f"http://ann:s3cret@127.0.0.1:{port}/stream")

    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_nobody_listening_is_reported(scheme: str) -> None:
    """The error for a port where nothing listens says so, at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    started = time.monotonic()

    with pytest.raises(SourceError, match="cannot be reached"):
        open_url(f"{scheme}://127.0.0.1:{port}/")

    assert time.monotonic() - started < 2


def test_unknown_host_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error for an unknown host suggests checking the spelling."""

    def fail(address: tuple[str, int], timeout_s: float) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(network.native.socket, "create_connection", fail)

    assert network._why_not_url("rtsp://cam.invalid/", 1) == (
        "the host cam.invalid is unknown; check the spelling"
    )
