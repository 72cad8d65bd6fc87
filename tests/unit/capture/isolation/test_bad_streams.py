"""Streams that stall, end, break, change or lie, read in a child process."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from server.errors import PictureError, SourceError
from tests.support.cameras.bad_camera import huge_jpeg
from tests.unit.capture.isolation.isolated import Open, loss, picture
from tests.unit.capture.isolation.network_camera import FakeCamera, jpeg, part


def test_stalling_camera_is_lost(isolate: Open, camera: FakeCamera) -> None:
    """A camera that stops sending fails after the time-out, and the error says so."""
    source = isolate(camera.stalls("stall"), timeout_s=1.0)

    assert "sent nothing for 1 s" in loss(source)


def test_ended_stream_is_lost(isolate: Open, camera: FakeCamera) -> None:
    """A camera that closes the connection fails immediately."""
    source = isolate(camera.plays("end", None))

    assert "the stream ended" in loss(source)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (part(jpeg()[:-100]), "incomplete"),
        (part(b""), "is not a JPEG picture"),
        (part(bytes(range(256)) * 20), "is not a JPEG picture"),
        (part(jpeg()[:300] + b"\xff\xd9"), "JPEG"),
    ],
    ids=["truncated", "empty", "garbage", "hollow"],
)
def test_broken_part_is_skipped(fault: bytes, said: str, isolate: Open, camera: FakeCamera) -> None:
    """A bad part costs one picture; the stream continues."""
    source = isolate(camera.plays("broken", *[fault] * 60, waits=True))
    broken, shade = [], int(picture(source)[0, 0, 0])
    camera.seen.set()
    deadline = time.monotonic() + 10
    while shade < 150 and time.monotonic() < deadline:
        try:
            shade = int(picture(source)[0, 0, 0])
        except PictureError as error:
            broken.append(str(error))

    assert shade >= 150
    assert broken
    assert all(said in reason for reason in broken)


@pytest.mark.usefixtures("own_children")
def test_huge_picture_is_rejected_before_decoding(isolate: Open, camera: FakeCamera) -> None:
    """A 12000 x 12000 JPEG in a stream costs one picture but no memory."""
    source = isolate(camera.plays("huge", *[part(huge_jpeg())] * 40, waits=True))
    picture(source)
    camera.seen.set()
    refused, shade = "", 0
    deadline = time.monotonic() + 10
    while shade < 150 and time.monotonic() < deadline:
        try:
            shade = int(picture(source)[0, 0, 0])
        except PictureError as error:
            refused = str(error)
    assert shade >= 150

    status = Path(f"/proc/{source._process.pid}/status").read_text()
    peak_kb = int(status.partition("VmHWM:")[2].split()[0])

    assert "12000 x 12000" in refused
    assert peak_kb < 200_000


def test_source_of_huge_pictures_is_rejected(isolate: Open, camera: FakeCamera) -> None:
    """A source that announces 12000 x 12000 pixels is not opened."""
    camera.scripts["huge"] = lambda: iter([part(huge_jpeg())] * 20)

    with pytest.raises(SourceError, match="12000 x 12000 pixels; accepted"):
        isolate(camera.url("huge"))


def test_size_may_change_mid_stream(isolate: Open, camera: FakeCamera) -> None:
    """Pictures may change size mid-stream; pictures kept earlier stay unchanged."""
    larger, smaller = part(jpeg(1280, 720, 50)), part(jpeg(160, 120, 60))
    source = isolate(camera.plays("sizes", *[larger] * 30, *[smaller] * 30, waits=True))
    first = picture(source)
    camera.seen.set()
    before = first.copy()
    seen = set()
    deadline = time.monotonic() + 10
    while len(seen) < 3 and time.monotonic() < deadline:
        image = picture(source)
        seen.add(image.shape)
        if image.shape == (720, 1280, 3):
            assert abs(int(image[0, 0, 0]) - 50) < 3

    assert seen == {(240, 320, 3), (720, 1280, 3), (120, 160, 3)}
    assert (first == before).all()


@pytest.mark.parametrize("target", ["file://{}", "{}", "concat:{}", "subfile,,start,0,end,0,,:{}"])
def test_playlist_cannot_read_local_files(
    target: str, isolate: Open, camera: FakeCamera, tmp_path: Path
) -> None:
    """A camera's playlist must not make the child read files on this machine."""
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for shade in range(20):
        writer.write(np.full((240, 320, 3), shade, np.uint8))
    writer.release()
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target.format(film)}\n#EXT-X-ENDLIST\n"
    camera.pages["list.m3u8"] = ("application/vnd.apple.mpegurl", text.encode())

    with pytest.raises(SourceError, match="sends no video"):
        isolate(camera.url("list.m3u8"), timeout_s=2.0)

    assert "list.m3u8" in camera.asked
