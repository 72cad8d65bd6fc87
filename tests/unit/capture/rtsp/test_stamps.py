"""The decoding order of pictures that are displayed in another."""

import pytest

from server.capture.rtsp.rtp import Stamps
from server.capture.rtsp.stamps import DecodeStamps

PLAIN = list(range(12))
B_FRAMES = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11]
PYRAMID = [0, 4, 2, 1, 3, 8, 6, 5, 7, 12, 10, 9, 11]


@pytest.mark.parametrize(("shown", "settled"), [(PLAIN, 0), (B_FRAMES, 2), (PYRAMID, 3)])
def test_decoding_times_grow_once_the_order_is_known(shown: list[int], settled: int) -> None:
    """Without B-frames they equal the display times; otherwise they lag by the reordering delay."""
    stamps = DecodeStamps()

    decoded = [stamps.see(one, at == 0) for at, one in enumerate(shown)]

    steady = decoded[settled:]
    assert steady == sorted(set(steady))
    assert all(one <= other for one, other in zip(steady, shown[settled:], strict=True))


def test_decoding_times_follow_a_clock_set_back() -> None:
    """No key frame is displayed before earlier pictures, so a lower time means a new start."""
    stamps = DecodeStamps()
    for one in (1000, 1001, 1002):
        stamps.see(one, False)

    assert [stamps.see(one, one == 5) for one in (5, 6, 7)] == [5, 6, 7]


def test_rtp_timestamps_continue_past_the_wrap() -> None:
    """RTP timestamps have 32 bits and wrap after 13 hours; a step back stays a step back."""
    stamps = Stamps()
    top = 1 << 32

    assert [stamps.extend(one % top) for one in (top - 10, top - 5, top + 3, top - 2)] == [
        *(0, 5, 13, 8),
    ]
