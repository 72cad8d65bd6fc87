"""Chooses how to encode videos: as H.264, which every browser can decode."""

import functools
from typing import NamedTuple

__all__ = ["MAX_FPS", "Encoding", "encoding_of"]

MAX_FPS = 30.0

# Kilobits per second by width, for up to 30 frames per second. At 25, a scene with a moving object,
# sensor noise and a panning camera reaches a PSNR of 34 to 40 dB (luma). The wider a picture, the
# fewer bits each pixel needs. 640 fits a link of 500 kbit/s.
BITRATES = ((320, 150), (640, 400), (960, 900), (1280, 1800), (1920, 3500), (2560, 5500))
WIDEST_KBPS = 8000

# Up to this width use x264's "superfast" instead of "ultrafast", because slow links get these
# sizes: at 640x360 it gains 1.3 dB for 0.6 ms more (2.3 ms a picture), at 1280x720 nothing.
BETTER_UP_TO = 960

# Level times ten, and its maximum macroblocks per second and per picture: ITU-T H.264, table A-1.
LEVELS = (
    *((10, 1485, 99), (11, 3000, 396), (12, 6000, 396), (13, 11880, 396), (21, 19800, 792)),
    *((22, 20250, 1620), (30, 40500, 1620), (31, 108000, 3600), (32, 216000, 5120)),
    *((40, 245760, 8192), (50, 589824, 22080), (51, 983040, 36864)),
)
HIGHEST = 52


class Encoding(NamedTuple):
    """The parameters for encoding one video.

    Attributes:
        width: In pixels, even.
        kbps: The maximum bit rate, in kilobits per second.
        level: The H.264 level, times ten.
        better: Whether to use the slower preset.
    """

    width: int
    kbps: int
    level: int
    better: bool

    @property
    def codec(self) -> str:
        """The RFC 6381 codec string: Main profile, or Baseline."""
        return f"avc1.{'4d40' if self.better else '42c0'}{self.level:02x}"


@functools.lru_cache(maxsize=64)
def encoding_of(width: int, size: tuple[int, int]) -> Encoding:
    """Return how to encode a video; cached, as it is called several times a second.

    Args:
        width: The video's width, in pixels.
        size: Width and height of the pictures to encode.
    """
    height = size[1] * width // size[0]
    blocks = -(-width // 16) * -(-height // 16)
    level = next(
        (
            level
            for level, a_second, a_picture in LEVELS
            if blocks <= a_picture and blocks * MAX_FPS <= a_second
        ),
        HIGHEST,
    )
    kbps = next((kbps for wide, kbps in BITRATES if width <= wide), WIDEST_KBPS)
    return Encoding(width - width % 2, kbps, level, width <= BETTER_UP_TO)
