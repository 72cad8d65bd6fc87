"""Facts about a camera's source: what it announced when opened, and what was measured."""

import time
from typing import Any

from server.capture.frames.arrivals import Figures
from server.capture.frames.info import SourceInfo

__all__ = ["Measured"]

# A measurement is announced again after it changed by this fraction, and at most this often.
FPS_CHANGE = 0.05
OTHER_CHANGE = 0.25
EVERY_S = 5.0

# The first figures cover one second only. After this time they cover the longest period, and a
# smaller change of the rate is announced, once.
SETTLED_S = 4.0
FINE_FPS_CHANGE = 0.01

# Drivers' names of codecs, and FFmpeg's for the same.
CODECS = {"MJPG": "mjpeg", "JPEG": "mjpeg", "H264": "h264", "HEVC": "hevc", "YUYV": "raw"}


class Measured:
    """The facts about one camera's source, as they are announced. Used on the hub.

    They stay valid after the source is closed, until they are replaced: a camera that reconnects is
    likely to be the same as before.

    Attributes:
        info: What the source announced; None if it was never open.
        polled: Whether each picture is requested; see :class:`SourceInfo`.
        size: Width and height of its pictures, in pixels, which may differ from those announced; 0
            while unknown.
        fps: Pictures a second: measured, or until then announced; 0 while unknown, and for polled
            sources, whose rate is the requested one.
        waiting_for: What must arrive before there is a picture, for people.
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
        self._announced_at = float("-inf")
        self._is_fine = False

    @property
    def kbps(self) -> int:
        """Kilobits a second, as encoded; 0 while unknown."""
        return round(self._kbps)

    @property
    def group_s(self) -> float:
        """Seconds from one key frame to the next, at most; 0 while unknown."""
        return self._group / self.fps if self.fps else 0.0

    def opened(self, info: SourceInfo) -> None:
        """Take what the source announces after it was opened, was set or has changed."""
        before, self.info, self.polled = self.info, info, info.polled
        if info == before and self._opened_at:
            return
        self.size = info.width, info.height
        if before and info.fps == before.fps and self._opened_at:
            return  # What was measured still holds.
        self.fps = 0.0 if info.polled else round(info.fps, 3) or self.fps
        self._opened_at = time.monotonic()
        self._announced_at = float("-inf")
        self._is_fine = info.fps > 0  # An announced rate is exact, if it is right at all.
        self.waiting_for = ""

    def closed(self) -> None:
        """Note that the source is closed."""
        self.waiting_for = ""
        self._opened_at = 0.0

    def update(self, figures: Figures, info: SourceInfo) -> bool:
        """Take measurements, and what the source announces; return whether STATE changed."""
        self.waiting_for = figures.waiting_for
        if self._opened_at and info is not self.info and info != self.info:
            self.opened(info)
            return True
        if not figures.fps or info.still:
            return False  # The other figures are announced together with the rate.
        now = time.monotonic()
        if now - self._announced_at < EVERY_S:
            return False
        fps = 0.0 if self.polled else round(figures.fps, 1 if figures.fps > 10 else 2)
        settled = now - self._opened_at > SETTLED_S
        fraction = FINE_FPS_CHANGE if settled and not self._is_fine else FPS_CHANGE
        changes = (
            _differs(fps, self.fps, fraction),
            _differs(figures.kbps, self._kbps, OTHER_CHANGE),
            _differs(figures.group, self._group, OTHER_CHANGE),
        )
        if not any(changes):
            return False
        self._announced_at = now
        self._is_fine = settled
        self.fps = fps or self.fps
        self._kbps = figures.kbps or self._kbps
        self._group = figures.group or self._group
        return True

    def describe(self) -> dict[str, Any]:
        """Return the part of STATE about the source; null where unknown."""
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


def _differs(now: float, announced: float, fraction: float) -> bool:
    """Return whether a number, if known, differs from the announced one by more than a fraction."""
    return bool(now) and abs(now - announced) > fraction * announced
