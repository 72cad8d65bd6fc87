"""What OpenCV tells of a device."""

import cv2
import pytest

from server.capture.devices import opencv as video


@pytest.mark.parametrize(
    ("reported", "fps"),
    [(25.0, 25.0), (0.0, 0.0), (90000.0, 0.0), (float("nan"), 0.0), (-1.0, 0.0)],
)
def test_rate_that_cannot_be_is_unknown(reported: float, fps: float) -> None:
    """A time base that FFmpeg reports as a rate is ignored."""
    assert video._sane_fps(reported) == fps


@pytest.mark.parametrize(
    ("code", "name"),
    [(cv2.VideoWriter.fourcc(*"MJPG"), "MJPG"), (0, "unknown"), (-1, "unknown"), (1, "unknown")],
)
def test_codec_is_named(code: int, name: str) -> None:
    """A four-letter code is shown as letters, and anything else as unknown."""
    assert video._codec_name(code) == name
