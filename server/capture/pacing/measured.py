"""What is known of a camera's source: what it said when it was opened, and what was measured."""

import time
from typing import Any

from server.capture.frames.arrivals import Figures
from server.capture.frames.info import SourceInfo

__all__ = ["Measured"]

# A measured number is announced again after it changed by this share, and at most this often.
FPS_CHANGE = 0.05
OTHER_CHANGE = 0.25
EVERY_S = 5.0

# The first figures follow from one second; after this time, of the longest that is measured over,
# a smaller change of the rate is worth telling, once.
SETTLED_S = 4.0
FINE_FPS_CHANGE = 0.01

# The names that drivers give, and what FFmpeg calls the same.
CODECS = {"MJPG": "mjpeg", "JPEG": "mjpeg", "H264": "h264", "HEVC": "hevc", "YUYV": "raw"}


class Measured:
    """The facts about one camera's source, as they are announced. Used on the hub.

    What was known when the source was last open stays until it is known anew: a camera that
    reconnects is likely to be the same as before.

    Attributes:
        info: What the source said of itself; None while it was never open.
        polled: Whether each picture is asked for; see :class:`SourceInfo`.
        size: Width and height of its pictures, in pixels, which may differ from what it said; 0
            while unknown.
        fps: Pictures a second: measured, or promised until then; 0 while unknown, and for sources
            that are polled, whose rate is what is asked of them.
        waiting_for: What must come before there is a picture, for people.
    """

    def __init__(self) -> None:
        self.info: SourceInfo | None = None
        self.polled = False
        self.fps = 0.0
        self.waiting_for = ""
        self.size = (0, 0)
        self._kbps = 0.0
        self._group = 0
        self._opened_at = 0.0
        self._told_at = float("-inf")
        self._is_fine = False

    @property
    def kbps(self) -> int:
        """Kilobits a second, as encoded; 0 while unknown."""
        return round(self._kbps)

    @property
    def group_s(self) -> float:
        """Seconds from one key frame to the next; 0 while unknown."""
        return self._group / self.fps if self.fps else 0.0

    def opened(self, info: SourceInfo) -> None:
        """Take what the source says, when it was opened, was set or has changed."""
        before, self.info, self.polled = self.info, info, info.polled
        if info == before and self._opened_at:
            return
        self.size = info.width, info.height
        if before and info.fps == before.fps and self._opened_at:
            return  # What was measured still holds.
        self.fps = 0.0 if info.polled else round(info.fps, 3) or self.fps
        self._opened_at = time.monotonic()
        self._told_at = float("-inf")
        self._is_fine = info.fps > 0  # A promise is exact, if it is kept at all.
        self.waiting_for = ""

    def closed(self) -> None:
        """Note that it is not waited for anything any more."""
        self.waiting_for = ""
        self._opened_at = 0.0

    def update(self, figures: Figures, info: SourceInfo) -> bool:
        """Take what was measured, and what the source says; return whether to announce that."""
        self.waiting_for = figures.waiting_for
        if self._opened_at and info is not self.info and info != self.info:
            self.opened(info)
            return True
        if not figures.fps or info.still:
            return False  # What is known already is told together with the rate.
        now = time.monotonic()
        if now - self._told_at < EVERY_S:
            return False
        fps = 0.0 if self.polled else round(figures.fps, 1 if figures.fps > 10 else 2)
        settled = now - self._opened_at > SETTLED_S
        share = FINE_FPS_CHANGE if settled and not self._is_fine else FPS_CHANGE
        changes = (
            _differs(fps, self.fps, share),
            _differs(figures.kbps, self._kbps, OTHER_CHANGE),
            _differs(figures.group, self._group, OTHER_CHANGE),
        )
        if not any(changes):
            return False
        self._told_at = now
        self._is_fine = settled
        self.fps = fps or self.fps
        self._kbps = figures.kbps or self._kbps
        self._group = figures.group or self._group
        return True

    def describe(self) -> dict[str, Any]:
        """Return what STATE says of the source; null is what is not known."""
        return {"source_fps": self.fps or None, "source": self._describe_source()}

    def _describe_source(self) -> dict[str, Any] | None:
        if self.info is None:
            return None
        width, height = self.size
        codec = CODECS.get(self.info.codec, self.info.codec.lower())
        return {
            "width": width or None,
            "height": height or None,
            "fps": self.fps or None,
            "codec": None if codec in ("", "unknown") else codec[:40],
            "group": self._group or None,
            "kbps": self.kbps or None,
        }


def _differs(now: float, told: float, share: float) -> bool:
    """Return whether a number that is known differs from what was told by more than a share."""
    return bool(now) and abs(now - told) > share * told
