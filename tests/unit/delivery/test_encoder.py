"""Encoding frames to JPEG."""

import cv2
import numpy as np
import pytest
from websockets.protocol import Protocol, Side

from server.capture.frames.frame import Frame
from server.capture.sources.testpattern import TestPattern
from server.delivery.encoder import encode_jpeg
from server.errors import EncodeError
from server.protocol import socket_head
from tests.support.fakes import encoded, picture


def test_jpeg_decodes_to_the_picture() -> None:
    """The JPEG decodes to the same size and nearly the same pixels."""
    image = TestPattern("door", (320, 240)).render(1.7e9)

    frame, _, took_s = encode_jpeg(Frame(image, 3, 9.5), "door", "full", 95)

    decoded = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(int) - image).mean() < 4
    assert 0 < took_s < 5


def test_packet_starts_with_the_header() -> None:
    """The header has exactly the fields of the wire contract, followed by the picture."""
    frame, *_ = encode_jpeg(Frame(picture(64, 48), 3, 9.5), "door", "full", 80)
    header = {
        "camera": "door",
        "seq": 3,
        "at": 9.5,
        "width": 64,
        "height": 48,
        "rendition": "full",
    }

    assert frame.packet.data == socket_head("frame", header, len(frame.jpeg)) + frame.jpeg
    assert frame.packet is frame.packet, "built once"


def test_lower_quality_gives_fewer_bytes() -> None:
    """Quality 20 takes less than half of the bytes of quality 90."""
    frame = Frame(TestPattern("door", (320, 240), noise=0.1).render(1.7e9), 1, 0.0)

    low, high = (len(encode_jpeg(frame, "door", "full", quality)[0].jpeg) for quality in (20, 90))

    assert low < high / 2


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((1, 65536, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
    ],
    ids=["too wide for JPEG", "empty", "two channels"],
)
def test_pixels_that_cannot_be_encoded_are_reported(image: np.ndarray) -> None:
    """If OpenCV refuses the pixels, the error names the camera."""
    with pytest.raises(EncodeError, match="camera 'door'"):
        encode_jpeg(Frame(image, 1, 0.0), "door", "full", 80)


def test_packet_and_part_are_built_once() -> None:
    """All viewers share one packet and one part; no frame is wrapped twice."""
    frame = encoded(1)

    assert frame.packet is frame.packet
    assert frame.part is frame.part


def test_packet_and_part_hold_the_jpeg() -> None:
    """Both forms carry the picture's bytes unchanged."""
    frame = encoded(1, b"\xff\xd8" + bytes(range(256)) * 300)
    client = Protocol(Side.CLIENT)

    client.receive_data(frame.packet.data)
    _, attachment = client.events_received()

    assert attachment.data == frame.jpeg
    assert frame.jpeg in frame.part.data
    size, _, rest = frame.chunk.data.partition(b"\r\n")
    assert int(size, 16) == frame.part.size
    assert rest == frame.part.data + b"\r\n"
