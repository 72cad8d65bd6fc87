"""Video encoded here, read back by a decoder."""

import av
import cv2
import numpy as np
import pytest

from server.capture.frames.encoding import BITRATES, encoding_of
from server.capture.frames.frame import Image
from server.capture.streams.units.encoder import VideoEncoder
from server.capture.streams.units.maker import Encoded
from tests.support.fakes import FakeClock

FPS = 25


def scene(number: int, size: tuple[int, int]) -> Image:
    """Return a picture of a moving object before a still wall, with sensor noise."""
    width, height = size
    image = np.full((height, width, 3), 90, np.uint8)
    image[:, ::16] = (60, 110, 160)
    cv2.circle(image, (number * 7 % width, height // 2), height // 5, (30, 60, 200), -1)
    noise = np.random.default_rng(number).integers(0, 10, image.shape, np.uint8)
    return cv2.add(image, noise)  # type: ignore[return-value]


def encode(
    encoder: VideoEncoder, clock: FakeClock, size: tuple[int, int], count: int = 50
) -> list[Encoded]:
    units = []
    for number in range(count):
        clock.advance(1 / FPS)
        units.append(encoder.encode(encoder.scale(scene(number, size))))
    return units


def decode(units: list[Encoded]) -> list[Image]:
    context = av.CodecContext.create("h264", "r")
    frames = [frame for unit in units for frame in context.decode(av.Packet(unit.data))]
    return [frame.to_ndarray(format="bgr24") for frame in frames]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("width", "size", "expected"),
    [
        (320, (640, 360), (320, 180)),
        (640, (1280, 720), (640, 360)),
        (960, (1280, 720), (960, 540)),
        (1280, (1280, 720), (1280, 720)),
        (641, (641, 361), (640, 360)),
        (160, (320, 240), (160, 120)),
    ],
)
def test_video_matches_the_announced_encoding(
    width: int, size: tuple[int, int], expected: tuple[int, int], clock: FakeClock
) -> None:
    """Clients know the codec before a picture is encoded, and each picture comes out directly."""
    encoding = encoding_of(width, size)
    encoder = VideoEncoder(encoding, FPS, clock)

    units = encode(encoder, clock, size, 3)
    images = decode(units)

    assert {unit.codec for unit in units} == {encoding.codec}
    assert {(unit.width, unit.height) for unit in units} == {expected}
    assert [unit.key for unit in units] == [True, False, False]
    assert len(images) == 3, "none is held back"
    assert cv2.PSNR(images[2], encoder.scale(scene(2, size))) > 24


def test_requested_key_frames_are_limited_to_one_a_second(clock: FakeClock) -> None:
    """Each costs as much bandwidth as ten others, so a crowd that joins gets one."""
    size = (320, 180)
    encoder = VideoEncoder(encoding_of(320, size), FPS, clock)
    keys = []
    for number in range(100):
        clock.advance(1 / FPS)
        if number in (10, 12, 20, 60):
            encoder.request_key()
        if encoder.encode(scene(number, size)).key:
            keys.append(number)

    assert keys in ([0, 25, 60], [0, 26, 60])


def test_bitrate_and_key_frame_size_are_bounded(clock: FakeClock) -> None:
    """A link that is just wide enough carries the video, and no single picture blocks it."""
    size = (640, 360)
    encoder = VideoEncoder(encoding_of(640, size), FPS, clock)
    kbps = dict(BITRATES)[640]

    units = encode(encoder, clock, size, 75)

    sizes = [len(unit.data) for unit in units]
    assert sum(sizes[25:]) * 8 / 1000 / 2 < 1.1 * kbps
    assert max(sizes) * 8 / 1000 < 0.35 * kbps


def test_size_change_restarts_the_encoder(clock: FakeClock) -> None:
    """The encoder restarts when a camera's resolution changes while somebody watches."""
    encoder = VideoEncoder(encoding_of(320, (640, 360)), FPS, clock)

    units = [
        encoder.encode(encoder.scale(scene(1, size)))
        for size in ((640, 360), (640, 360), (640, 480), (640, 480))
    ]

    assert [unit.key for unit in units] == [True, False, True, False]
    assert [unit.height for unit in units] == [180, 180, 240, 240]
    assert [image.shape[0] for image in decode(units[2:])] == [240, 240]
