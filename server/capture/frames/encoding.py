"""How videos are encoded here: H.264, so that every browser can decode them."""

import functools
from typing import NamedTuple

__all__ = ["MAX_FPS", "Encoding", "encoding_of"]

MAX_FPS = 30.0

# By width, kilobits a second at up to 30 pictures a second. At 25, a scene with a moving object,
# the noise of a sensor and a camera that pans has 34 to 40 dB then (luma). The wider a picture,
# the fewer bits each pixel needs. 640 fits a link of 500 kbit/s.
BITRATES = ((320, 150), (640, 400), (960, 900), (1280, 1800), (1920, 3500), (2560, 5500))
WIDEST_KBPS = 8000

# Up to this width x264's "superfast" is used instead of "ultrafast", because narrow links get
# these: at 640x360 it brings 1.3 dB for 0.6 ms more (2.3 ms a picture), at 1280x720 nothing.
BETTER_UP_TO = 960

# Level, and its most macroblocks a second and in a picture: ITU-T H.264, table A-1.
LEVELS = (
    *((10, 1485, 99), (11, 3000, 396), (12, 6000, 396), (13, 11880, 396), (21, 19800, 792)),
    *((22, 20250, 1620), (30, 40500, 1620), (31, 108000, 3600), (32, 216000, 5120)),
    *((40, 245760, 8192), (50, 589824, 22080), (51, 983040, 36864)),
)
HIGHEST = 52


class Encoding(NamedTuple):
    """How one video is encoded.

    Attributes:
        width: In pixels, even.
        kbps: Kilobits a second that it takes at most.
        level: Of H.264, times ten.
        better: Whether it is encoded with more effort than the least.
    """

    width: int
    kbps: int
    level: int
    better: bool

    @property
    def codec(self) -> str:
        """What a decoder must be configured for, by RFC 6381: Main profile, or Baseline."""
        return f"avc1.{'4d40' if self.better else '42c0'}{self.level:02x}"


@functools.lru_cache(maxsize=64)
def encoding_of(width: int, size: tuple[int, int]) -> Encoding:
    """Return how a video is encoded; asked several times a second.

    Args:
        width: How wide it is to be, in pixels.
        size: Width and height of the pictures that it is made of.
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
