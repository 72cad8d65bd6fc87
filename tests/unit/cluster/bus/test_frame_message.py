"""Frames on the bus between nodes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.capture.frames.frame import Frame, Jpeg
from server.cluster.bus.frame_message import (
    HEADER,
    MAX_SEQ,
    FrameMessageError,
    pack_frame,
    peek,
    unpack_frame,
)
from server.delivery.encoder import encode_jpeg
from tests.support.fakes import picture

NODE = "0123456789abcdef"


def jpeg(width: int = 64, height: int = 48) -> bytes:
    return encode_jpeg(Frame(picture(width, height), 1, 1.0), "door", "full", 80)[0].jpeg


def test_frame_arrives_as_it_was_sent() -> None:
    """Number, time and picture are the sender's; the size is the picture's."""
    data = jpeg()

    parcel = pack_frame(NODE, 812, 1234.5, data)
    frame = unpack_frame(parcel)

    assert peek(parcel) == (NODE, 812, 1234.5)
    assert (frame.seq, frame.at_unix) == (812, 1234.5)
    assert frame.picture == Jpeg(data, 64, 48, 80)
    assert len(parcel) - len(data) == HEADER.size == 27


@pytest.mark.parametrize(
    "parcel",
    [
        b"",
        bytes(27),
        pack_frame(NODE, 1, 1.0, b""),
        pack_frame(NODE, 0, 1.0, jpeg()),
        pack_frame(NODE, MAX_SEQ + 1, 1.0, jpeg()),
        pack_frame(NODE, 1, math.nan, jpeg()),
        pack_frame(NODE, 1, math.inf, jpeg()),
        pack_frame(NODE, 1, 1.0, b"\xff\xd8"),
        pack_frame(NODE, 1, 1.0, jpeg()[:200]),
        b"PG" + pack_frame(NODE, 1, 1.0, jpeg())[2:],
        b"PF\x02" + pack_frame(NODE, 1, 1.0, jpeg())[3:],
        pack_frame(NODE, 1, 1.0, bytes(33 * 1024 * 1024)),
    ],
)
def test_invalid_frames_are_rejected(parcel: bytes) -> None:
    """Sizes, versions, numbers, times and pictures must be plausible."""
    with pytest.raises(FrameMessageError):
        unpack_frame(parcel)


@given(st.binary(max_size=400), st.booleans())
def test_random_bytes_raise_only_frame_message_error(noise: bytes, with_header: bool) -> None:
    """Random bytes raise FrameMessageError and nothing else."""
    parcel = pack_frame(NODE, 1, 1.0, b"\xff\xd8" + noise + b"\xff\xd9") if with_header else noise

    try:
        unpack_frame(parcel)
    except FrameMessageError:
        pass
