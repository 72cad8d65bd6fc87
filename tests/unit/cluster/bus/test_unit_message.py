"""Units of video on the bus between nodes."""

import math
from dataclasses import replace
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.capture.frames.unit import Unit
from server.cluster.bus.frame_message import HEADER, MAX_SEQ, FrameMessageError, peek, unpack_frame
from server.cluster.bus.unit_message import EARLY, MORE, VERSION, pack_unit, unpack_unit
from tests.support.cameras.units import make_units

NODE = "0123456789abcdef"
KEY = Unit(b"\0\0\0\1picture", True, 812, 1234.5, "avc1.64001f", 1280, 720)
OTHER = replace(KEY, key=False, seq=813)
SHOWN_BEFORE = replace(OTHER, early_s=-0.04)


@pytest.mark.parametrize("repeated", [False, True])
def test_unit_arrives_as_it_was_sent(repeated: bool) -> None:
    """All fields arrive, including the predecessor's number; a key frame has none."""
    key = unpack_unit(pack_unit(NODE, KEY, 811, repeated))
    other = unpack_unit(pack_unit(NODE, OTHER, 812, repeated, complete=repeated))

    assert (key.unit, key.after, key.repeated) == (KEY, 0, repeated)
    assert (other.unit, other.after, other.repeated) == (OTHER, 812, repeated)
    assert (key.complete, other.complete) == (False, repeated)
    assert peek(pack_unit(NODE, KEY, 0), VERSION) == (NODE, 812, 1234.5)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_b_frames_arrive_with_their_times(codec: str, tmp_path: Path) -> None:
    """Other nodes used to play them in decoding order. A node of an earlier version ignores the
    flag and gets units that decode as before."""
    options = ("-c:v", {"h264": "libx264", "hevc": "libx265"}[codec], "-bf", "2", "-g", "10")
    quickly = ("-preset", "ultrafast", "-x265-params", "log-level=0", "-pix_fmt", "yuv420p")
    more = ("-x264-params", "aud=1") if codec == "h264" else ()
    source = "testsrc2=size=128x72:rate=25"
    units = make_units(tmp_path, 0.8, *options, *quickly, *more, source=source, timed=True)
    assert len({unit.early_s for unit in units}) > 1

    messages = [pack_unit(NODE, unit, unit.seq - 1) for unit in units]

    for unit, message in zip(units, messages, strict=True):
        arrived = unpack_unit(message).unit
        assert arrived == replace(unit, early_s=pytest.approx(unit.early_s, abs=1e-6))
    assert digests(codec, [_as_before(one) for one in messages]) == digests(
        codec, [unit.data for unit in units]
    )


def _as_before(message: bytes) -> bytes:
    """Return the unit as an earlier version decodes it, which ignores the flag."""
    return message[HEADER.size + MORE.size + message[HEADER.size + MORE.size - 1] :]


def digests(codec: str, data: list[bytes]) -> list[bytes]:
    """Return digests of the pictures that a decoder makes of units."""
    decoder = av.CodecContext.create(codec, "r")
    frames = [frame for one in data for frame in decoder.decode(av.Packet(one))]
    frames += decoder.decode(None)
    assert len(frames) == len(data)
    return [frame.to_ndarray().tobytes() for frame in frames]


def test_node_without_video_support_rejects_units() -> None:
    """To such a node, a unit is a message of another version, not a picture."""
    with pytest.raises(FrameMessageError, match="another version"):
        unpack_frame(pack_unit(NODE, KEY, 0))


def _with_flag(message: bytes, flag: int) -> bytes:
    at = HEADER.size + 8
    return message[:at] + bytes([message[at] | flag]) + message[at + 1 :]


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
        pack_unit(NODE, replace(OTHER, early_s=-5.1), 812),
        pack_unit(NODE, SHOWN_BEFORE, 812)[:75],
        pack_unit(NODE, SHOWN_BEFORE, 812).replace(b"-40000", b"-4e000"),
        _with_flag(pack_unit(NODE, OTHER, 812), EARLY),
        b"PF\x01" + pack_unit(NODE, KEY, 0)[3:],
        b"PF\x03" + pack_unit(NODE, KEY, 0)[3:],
    ],
)
def test_invalid_units_are_rejected(message: bytes) -> None:
    """Sizes, versions, numbers, times, codecs and order must be plausible."""
    with pytest.raises(FrameMessageError):
        unpack_unit(message)


@given(st.binary(max_size=100), st.integers(0, 110))
def test_random_bytes_raise_only_frame_message_error(noise: bytes, kept: int) -> None:
    """Random bytes raise FrameMessageError and nothing else."""
    try:
        unpack_unit(pack_unit(NODE, SHOWN_BEFORE, 812)[:kept] + noise)
    except FrameMessageError:
        pass
