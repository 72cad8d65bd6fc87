"""Packets that belong to one picture."""

import pytest

from server.capture.streams.access_units import continues_picture

START = b"\0\0\0\1"
PARAMETERS = START + b"\x67\x42\xc0\x1e" + START + b"\x68\xce\x38\x80"
FIRST_SLICE = START + b"\x65\x88\x84"
SECOND_SLICE = START + b"\x65\x00\xb5\xa2"

PARAMETERS_265 = START + b"\x40\x01\x0c" + START + b"\x42\x01\x01" + START + b"\x44\x01\xc1"
FIRST_265 = START + b"\x26\x01\xaf"
SECOND_265 = START + b"\x26\x01\x2f"


@pytest.mark.parametrize(
    ("codec", "data", "continues"),
    [
        ("h264", PARAMETERS + FIRST_SLICE, False),
        ("h264", PARAMETERS + SECOND_SLICE, True),
        ("h264", START + b"\x09\xf0" + FIRST_SLICE + SECOND_SLICE, False),
        ("h264", PARAMETERS, False),
        ("hevc", PARAMETERS_265 + FIRST_265, False),
        ("hevc", PARAMETERS_265 + SECOND_265, True),
        ("mpeg4", PARAMETERS + SECOND_SLICE, False),
        ("h264", b"\0\0\0\x05\x65\x00\xb5\xa2\x11", False),
        ("h264", b"", False),
        ("h264", START, False),
        ("h264", START * 5000, False),
    ],
)
def test_second_half_is_identified_by_its_first_slice(
    codec: str, data: bytes, continues: bool
) -> None:
    """The first slice of a second half does not begin in the picture's corner."""
    assert continues_picture(codec, data) is continues
