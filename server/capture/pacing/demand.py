"""Decides which of its source's pictures a camera wants decoded, and when."""

import time
from collections.abc import Callable, Collection

from server.capture.frames.rendition import Rendition
from server.capture.motion.settings import MOTION_INTERVAL_S
from server.capture.pacing.schedule import Schedule
from server.capture.sources.reader import Demand

__all__ = ["SEEN_PROBE_S", "UNSEEN_PROBE_S", "PictureDemand"]

SEEN_PROBE_S = 5.0
"""How often a key frame is decoded while viewers need none, if key frames come that often.

Nothing else shows that a video can still be decoded and has not frozen. At 720p it costs about
0.3 % of a core."""

UNSEEN_PROBE_S = 20.0
"""The same while nobody watches at all, such as while the camera is only recorded; but the second
one is decoded after :data:`SEEN_PROBE_S`."""


class PictureDemand:
    """The pictures that one camera wants. Set on the hub; native threads use :attr:`demand`.

    Args:
        schedule: Knows when the next picture for viewers is due.
        best_jpeg: Returns the highest quality at which the source's own JPEG is accepted.
        changed: Whether to skip pictures that show nothing new.

    Attributes:
        demand: Passed to the reader.
        checked: Whether the camera is being checked.
        watched: Whether the camera has viewers or duties.
        pictures: Whether decoded pictures are wanted at all. If not, all viewers get video, and an
            occasional key frame is decoded to verify that this works.
    """

    def __init__(
        self,
        schedule: Schedule,
        best_jpeg: Callable[[], int],
        changed: bool,
    ) -> None:
        self._schedule = schedule
        self.checked = False
        self.watched = False
        self.pictures = True
        self._pixels_from = 0
        self._probe_at = 0.0
        self._seen = True  # Whether anybody watches, even if only video.
        self._first = False  # Whether no picture was taken since the source was opened.
        self._shown = True  # Whether anybody watches JPEG.
        self._searching = False
        self.demand = Demand(
            self._due, best_jpeg, lambda: self._pixels_from, changed, self._keys_only
        )

    def set_renditions(self, renditions: Collection[Rendition]) -> None:
        """Set which renditions are watched; smaller ones need pixels, even from a JPEG source."""
        self._pixels_from = max((one.width for one in renditions if one.width), default=0)
        if self._shown and not renditions:
            self._probe_at = 0.0
        self._shown = bool(renditions)
        self.pictures = self._shown or self._searching

    def set_searching(self, searching: bool) -> None:
        """Set whether this process searches for motion, also while nobody watches."""
        self._searching = searching
        self.pictures = self._shown or searching
        self._probe_at = 0.0

    def watch(self, watched: bool, seen: bool = True) -> None:
        """Set whether the camera has viewers or duties, and whether anybody watches.

        A paused video file continues when the next picture is requested, so this makes one due.
        """
        if (watched and not self.watched) or (seen and not self._seen):
            self._probe_at = 0.0
        self.watched, self._seen = watched, seen

    def restart(self) -> None:
        """Have the first picture of a newly opened source decoded.

        The first key frame passes before any is requested, and the next may take long.
        """
        self._probe_at = 0.0
        self._first = True

    def advance(self) -> None:
        """Note that a picture was taken."""
        first, self._first = self._first, False
        if self._shown:
            self._schedule.advance()
        elif self._searching:
            self._probe_at = time.monotonic() + self._search_interval_s
        else:
            often = first or self._seen
            self._probe_at = time.monotonic() + (SEEN_PROBE_S if often else UNSEEN_PROBE_S)

    @property
    def _search_interval_s(self) -> float:
        """Seconds between pictures to search for motion; at least the set frame rate's interval."""
        limit = self._schedule.limit
        return max(MOTION_INTERVAL_S, 1 / limit if limit else 0.0)

    def _due(self) -> float:
        if self.checked:
            return 0.0
        if not self.watched:
            return float("inf")
        return self._schedule.due if self._shown else self._probe_at

    def _keys_only(self) -> bool:
        return not (self.pictures or self.checked or self._first)
