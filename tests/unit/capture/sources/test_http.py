"""HTTP cameras, with a real server that behaves like cameras in the field."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from server.capture.frames.frame import Jpeg, size_of
from server.capture.sources.http import open_http
from server.capture.sources.mjpeg import MjpegStream
from server.capture.sources.still import StillCamera
from server.config.address import parse_address
from server.errors import PictureError, SourceError
from tests.support.cameras.field_camera import PICTURES, STREAMS, FieldCamera
from tests.unit.capture.sources.opened_url import (
    GOOD,
    Open,
    camera,
    certificate,
    grab,
    grab_on,
    hand_over,
    make_camera,
    open_url,
    refusal,
)

__all__ = ["camera", "certificate", "make_camera", "open_url"]


@pytest.mark.parametrize("name", [*STREAMS, "chunked"])
def test_every_stream_format_is_read(name: str, camera: FieldCamera, open_url: Open) -> None:
    """Whatever surrounds them, pictures arrive immediately and unchanged.

    Tasmota sends no first boundary, others send sound between pictures, lengths that are two bytes
    short, padding, or no parts at all: each used to end the stream, or delay it by five seconds.
    """
    source = open_url(camera.url(name))
    seen = [grab(source) for _ in range(6)]

    assert isinstance(source, MjpegStream)
    assert set(seen) <= set(PICTURES)
    assert len(set(seen)) > 1
    info = source.info
    assert (info.width, info.height, info.codec) == (320, 180, "mjpeg")
    assert (info.live, info.polled, info.fps) == (True, False, 0)


def test_picture_is_available_as_pixels(camera: FieldCamera, open_url: Open) -> None:
    """Pixels are returned where wanted, alone or with the camera's JPEG."""
    source = open_url(camera.url("usual"))
    assert source.grab()

    alone, beside = source.retrieve(), source.retrieve(100, 80)

    assert isinstance(alone, np.ndarray)
    assert alone.shape == (180, 320, 3)
    assert isinstance(beside, Jpeg)
    assert beside.pixels is not None
    assert beside.pixels.shape == (45, 80, 3)


def test_arrivals_are_counted(camera: FieldCamera, open_url: Open) -> None:
    """The rate is measured from all arrivals, skipped ones included; none is invented.

    FFmpeg reported 25 fps for every such camera.
    """
    source = open_url(camera.url("usual"))
    assert source.arrivals.figures.fps == 0
    started, pictures = time.monotonic(), 0
    while time.monotonic() < started + 1.3:
        pictures += source.grab()

    figures = source.arrivals.figures
    assert figures.fps == pytest.approx(pictures / 1.3, rel=0.3)
    size = sum(map(len, PICTURES)) / len(PICTURES)
    assert figures.kbps == pytest.approx(figures.fps * size / 125, rel=0.2)
    assert figures.group == 1


def test_newest_of_several_pictures_is_shown(camera: FieldCamera, open_url: Open) -> None:
    """Pictures that waited are counted but not shown: a live camera shows the present."""
    source = open_url(camera.url("burst"))
    grabs = [grab(source)]
    while grabs[-1] != PICTURES[-1]:
        grabs.append(grab(source))

    assert len(grabs) < len(PICTURES)
    assert len(source.arrivals._recent) == len(PICTURES)


def test_end_of_stream_is_reported(camera: FieldCamera, open_url: Open) -> None:
    """A camera that closes after some pictures is lost immediately, and the reason says so."""
    source = open_url(camera.url("closes"))
    started = time.monotonic()

    with pytest.raises(SourceError, match="the stream ended: the camera closed the connection"):
        grab_on(source)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("path", "said"),
    [("silent", "sent nothing for 0.5 s"), ("drips", "data without a picture for 0.5 s")],
)
def test_camera_without_pictures_times_out(
    path: str, said: str, camera: FieldCamera, open_url: Open
) -> None:
    """A camera that goes silent, or sends only other data, is lost after the time-out."""
    source = open_url(camera.url(path), timeout_s=0.5)

    with pytest.raises(SourceError, match=said):
        grab_on(source)


@pytest.mark.parametrize("path", ["still", "still-in-chunks"])
@pytest.mark.parametrize("login", ["", "Basic", "Digest"])
def test_still_is_requested_for_each_picture(
    path: str, login: str, make_camera: Callable[..., FieldCamera], open_url: Open
) -> None:
    """A URL that returns one JPEG is requested for each picture, over one connection.

    It used to give one picture, and then was retried for ever.
    """
    camera = make_camera(login, single=True)
    source = open_url(camera.url(path, GOOD if login else ""))
    before = len(camera.asked)
    seen = [grab(source) for _ in range(4)]

    assert isinstance(source, StillCamera)
    assert (source.info.polled, source.info.live) == (True, False)
    # The first picture is the one received at opening.
    assert len(camera.asked) - before == 3
    assert len(set(seen)) == 4
    assert camera.most_at_once == 1
    # The 401 answer may have closed one.
    assert camera.connections <= (2 if login else 1)


def test_still_without_type_or_length_is_accepted(camera: FieldCamera, open_url: Open) -> None:
    """A picture that ends with its connection is a still too, whatever is appended to it."""
    source = open_url(camera.url("still-until-closed"))

    assert isinstance(source, StillCamera)
    assert {grab(source) for _ in range(3)} <= set(PICTURES)


def test_still_is_requested_only_if_newer(camera: FieldCamera, open_url: Open) -> None:
    """If a camera labels its pictures, only a newer one is requested, and it may answer 304."""
    source = open_url(camera.url("still-with-tag"))

    assert [grab(source) for _ in range(3)] == [PICTURES[0]] * 3
    assert camera.not_modified == 2


def test_still_survives_a_closed_connection(camera: FieldCamera, open_url: Open) -> None:
    """If a camera closes a kept-alive connection, the next request opens a new one."""
    source = open_url(camera.url("still-that-hangs-up"))

    assert len({grab(source) for _ in range(4)}) == 4


def test_truncated_still_is_reported(camera: FieldCamera, open_url: Open) -> None:
    """A truncated still is reported; while the camera runs, it costs one picture."""
    assert "incomplete" in refusal(open_url, camera.url("half"))

    source = open_url(camera.url("still"))
    grab(source)
    source._client._url = camera.url("half")
    assert source.grab()
    with pytest.raises(PictureError, match="incomplete"):
        source.retrieve()
    source._client._url = camera.url("still")
    assert grab(source) in PICTURES


@pytest.mark.parametrize("path", ["usual", "still"])
def test_reopened_camera_sees_one_connection(
    path: str, make_camera: Callable[..., FieldCamera], open_url: Open
) -> None:
    """A camera that serves one client at a time can be reopened right after a close."""
    camera = make_camera(single=True)
    for _ in range(3):
        source = open_url(camera.url(path))
        grab(source)
        source.close()

    assert camera.most_at_once == 1
    assert camera.connections == 3


def test_png_still_is_polled_too(camera: FieldCamera, open_url: Open) -> None:
    """A PNG used to be shown once, then its "stream" ended, again and again."""
    source = open_url(camera.url("still-as-png"))

    pictures = [source.retrieve() for _ in range(3) if source.grab()]

    assert isinstance(source, StillCamera)
    assert (source.info.polled, source.info.codec) == (True, "png")
    assert [size_of(one) for one in pictures] == 3 * [(64, 48)]


def test_text_answer_is_reported_by_its_type(camera: FieldCamera, open_url: Open) -> None:
    """The error gives the content type, not the text, which may contain a secret. It used to call
    the text a video that FFmpeg cannot read."""
    said = refusal(open_url, camera.url("words"))

    assert said.endswith(" answers with application/json, not pictures")


def test_compressed_picture_is_decompressed(camera: FieldCamera, open_url: Open) -> None:
    """Some servers compress everything, whatever the request says."""
    source = open_url(camera.url("still-squeezed"))

    assert source.grab()
    assert isinstance(source.retrieve(100), Jpeg)


def test_stream_with_a_zero_content_length_is_read(camera: FieldCamera, open_url: Open) -> None:
    """A stream's "Content-Length: 0" cannot be true, so it is ignored."""
    source = open_url(camera.url("empty-stream"))

    assert isinstance(source, MjpegStream)
    assert all(source.grab() for _ in range(3))


def test_invalid_http_is_left_to_ffmpeg(camera: FieldCamera) -> None:
    """FFmpeg knows ICY, and headers of any length; if it fails too, the first reason is given."""
    address = parse_address(camera.url("icy"), Path())

    assert open_http(address, 5.0, lambda *_: camera) is camera  # type: ignore[comparison-overlap]
    with pytest.raises(SourceError, match="not in valid HTTP"):
        open_http(address, 5.0, hand_over)


def test_host_that_comes_up_is_reached_quickly() -> None:
    """The kernel retries 3 s after the first attempt, and then only after 7."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        # With a full queue, new connections are dropped silently.
        place = deaf.getsockname()
        first = [socket.socket() for _ in range(3)]
        for one in first:
            one.setblocking(False)
            one.connect_ex(place)

        def answer() -> None:
            time.sleep(1.2)
            began = time.monotonic()
            while True:
                accepted, _ = deaf.accept()
                with accepted:
                    accepted.settimeout(0.1)
                    try:
                        if accepted.recv(1000):
                            answered_after.append(time.monotonic() - began)
                            return
                    except OSError:
                        continue

        answered_after: list[float] = []
        host = threading.Thread(target=answer)
        host.start()
        with pytest.raises(SourceError, match="closed the connection"):
            open_http(parse_address(f"http://127.0.0.1:{place[1]}/", Path()), 9.0, hand_over)
        host.join()
        for one in first:
            one.close()

    assert answered_after[0] < 1.5
