"""Devices through OpenCV, and how their pictures are converted."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from server.capture.devices import opencv as video
from server.capture.devices.opencv import OpenCvVideo
from server.capture.frames.frame import Image, Jpeg
from server.errors import PictureError


@pytest.fixture
def jpegs(tmp_path: Path) -> OpenCvVideo:
    """A source of JPEG pictures, like a webcam's; here they come from a file."""
    return open_film(tmp_path / "film.avi", "MJPG")


@pytest.fixture
def pixels(tmp_path: Path) -> OpenCvVideo:
    """A source of pictures that are not JPEG."""
    return open_film(tmp_path / "film.mp4", "mp4v")


def open_film(path: Path, codec: str) -> OpenCvVideo:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10.0, (64, 48))
    for shade in (30, 70, 110):
        writer.write(np.full((48, 64, 3), shade, np.uint8))
    writer.release()
    # Makes FFmpeg return undecoded data, as AS_SENT_BY_V4L2 does with V4L2.
    return OpenCvVideo(cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), (cv2.CAP_PROP_FORMAT, -1.0))


class Answering:
    """A capture that returns the values it is given.

    Args:
        arrived: Whether there is a picture.
        data: The picture.
    """

    def __init__(self, arrived: bool, data: Image | None) -> None:
        self._answer = arrived, data

    def retrieve(self) -> tuple[bool, Image | None]:
        return self._answer

    def release(self) -> None:
        pass


def test_jpeg_passes_through_undecoded(jpegs: OpenCvVideo) -> None:
    """A JPEG is decoded only if its quality is above what is accepted."""
    assert jpegs.grab()
    jpeg = jpegs.retrieve(jpeg_up_to=100)
    assert isinstance(jpeg, Jpeg)
    assert (jpeg.width, jpeg.height) == (64, 48)
    assert jpegs.grab()

    assert isinstance(jpegs.retrieve(jpeg_up_to=jpeg.quality - 1), np.ndarray)
    jpegs.close()


def test_gray_picture_becomes_colour(pixels: OpenCvVideo) -> None:
    """A frame always has three channels."""
    pixels._capture = Answering(True, np.full((48, 64), 7, np.uint8))  # type: ignore[assignment]

    image = pixels.retrieve()

    assert isinstance(image, np.ndarray)
    assert image.shape == (48, 64, 3)


@pytest.mark.parametrize(
    "answer", [(False, None), (True, None), (True, np.empty((0, 0, 3), np.uint8))]
)
@pytest.mark.parametrize("codec", ["jpegs", "pixels"])
def test_undecodable_picture_is_reported(
    codec: str, answer: tuple[bool, Image | None], request: pytest.FixtureRequest
) -> None:
    """A picture that cannot be decoded is reported and does not affect the next one."""
    source = request.getfixturevalue(codec)
    source._capture = Answering(*answer)

    with pytest.raises(PictureError):
        source.retrieve()


@pytest.mark.parametrize(
    ("reported", "fps"),
    [(25.0, 25.0), (0.0, 0.0), (90000.0, 0.0), (float("nan"), 0.0), (-1.0, 0.0)],
)
def test_implausible_frame_rate_is_unknown(reported: float, fps: float) -> None:
    """A time base that FFmpeg reports as a frame rate is ignored."""
    assert video._sane_fps(reported) == fps


@pytest.mark.parametrize(
    ("code", "name"),
    [(cv2.VideoWriter.fourcc(*"MJPG"), "MJPG"), (0, "unknown"), (-1, "unknown"), (1, "unknown")],
)
def test_codec_is_named(code: int, name: str) -> None:
    """A four-letter code is shown as letters, anything else as unknown."""
    assert video._codec_name(code) == name
