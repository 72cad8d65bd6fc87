"""Units of video as they travel between nodes."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.capture.frames.unit import Unit
from server.cluster.bus.frame_message import HEADER, MAX_SEQ, FrameMessageError, peek, unpack_frame
from server.cluster.bus.unit_message import MORE, VERSION, pack_unit, unpack_unit

NODE = "0123456789abcdef"
KEY = Unit(b"\0\0\0\1picture", True, 812, 1234.5, "avc1.64001f", 1280, 720)
OTHER = replace(KEY, key=False, seq=813)


@pytest.mark.parametrize("repeated", [False, True])
def test_unit_arrives_as_it_was_sent(repeated: bool) -> None:
    """Everything about it, and what it follows; a key picture follows nothing."""
    key = unpack_unit(pack_unit(NODE, KEY, 811, repeated))
    other = unpack_unit(pack_unit(NODE, OTHER, 812, repeated, complete=repeated))

    assert (key.unit, key.after, key.repeated) == (KEY, 0, repeated)
    assert (other.unit, other.after, other.repeated) == (OTHER, 812, repeated)
    assert (key.complete, other.complete) == (False, repeated)
    assert peek(pack_unit(NODE, KEY, 0), VERSION) == (NODE, 812, 1234.5)


def test_a_node_that_knows_no_video_refuses_it() -> None:
    """What is of another version is no picture to it."""
    with pytest.raises(FrameMessageError, match="another version"):
        unpack_frame(pack_unit(NODE, KEY, 0))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        bytes(60),
        pack_unit(NODE, KEY, 0)[: HEADER.size + MORE.size - 1],
        pack_unit(NODE, KEY, 0)[: HEADER.size + MORE.size + 3],
        pack_unit(NODE, replace(KEY, data=b""), 0),
        pack_unit(NODE, replace(KEY, data=b"picture"), 0),
        pack_unit(NODE, replace(KEY, data=bytes(33 << 20)), 0),
        pack_unit(NODE, replace(KEY, width=0), 0),
        pack_unit(NODE, replace(KEY, height=0), 0),
        pack_unit(NODE, replace(KEY, seq=0), 0),
        pack_unit(NODE, replace(KEY, seq=MAX_SEQ + 1), 0),
        pack_unit(NODE, replace(KEY, at_unix=math.nan), 0),
        *(
            pack_unit(NODE, replace(KEY, codec=codec), 0)
            for codec in ("", "avc1", "mp4v.20", "avc1.<script>", "avc1." + 60 * "f")
        ),
        pack_unit(NODE, OTHER, 0),
        pack_unit(NODE, OTHER, 813),
        pack_unit(NODE, OTHER, 814),
        b"PF\x01" + pack_unit(NODE, KEY, 0)[3:],
        b"PF\x03" + pack_unit(NODE, KEY, 0)[3:],
    ],
)
def test_what_is_no_unit_is_refused(message: bytes) -> None:
    """Sizes, versions, numbers, times, codecs and order are all held to what they can be."""
    with pytest.raises(FrameMessageError):
        unpack_unit(message)


@given(st.binary(max_size=100), st.integers(0, 60))
def test_noise_is_refused_in_one_way(noise: bytes, kept: int) -> None:
    """Whatever comes, nothing but FrameMessageError does."""
    try:
        unpack_unit(pack_unit(NODE, OTHER, 812)[:kept] + noise)
    except FrameMessageError:
        pass
