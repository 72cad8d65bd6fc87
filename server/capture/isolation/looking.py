"""The child's look-out for motion: which pictures it looks at, and what it reports."""

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from server.capture.frames.frame import Picture
from server.capture.isolation.channel import Link, Message
from server.capture.isolation.happenings import send_happening
from server.capture.motion.settings import LOOK_S, WIDTH, MotionSettings

if TYPE_CHECKING:
    from server.capture.motion.watch import MotionWatch
    from server.capture.sources.source import Source

__all__ = ["Looking"]

# How often a picture is fetched from a source that is polled.
POLL_S = 1.0

BEST_QUALITY = 100


class Looking:
    """Looks for motion in one source's pictures. For the thread that reads the source.

    Args:
        source: The source.
        link: To the server.
    """

    def __init__(self, source: "Source", link: Link) -> None:
        self._source = source
        self._link = link
        self._watch: MotionWatch | None = None
        self._due = 0.0

    def configure(self, message: Message) -> None:
        """Take what the server wants from now on: see ``Kind.MOTION``."""
        wanted: Mapping[str, Any] | None = json.loads(message.payload)
        self._watch = None
        if wanted is not None:
            from server.capture.motion.watch import MotionWatch  # It loads OpenCV.

            self._watch = MotionWatch(MotionSettings().with_changes(wanted))

    @property
    def wait_s(self) -> float | None:
        """How long to wait before a picture is fetched that nobody asks for; None for ever."""
        if self._watch is None or self._source.info.still:
            return None
        return max(0.0, self._due - time.monotonic())

    @property
    def width(self) -> int:
        """How wide pixels must be to be looked at."""
        return WIDTH

    def is_due(self) -> bool:
        """Return whether the newest picture is to be looked at."""
        if self._watch is None or self._source.info.still:
            return False
        now = time.monotonic()
        if now < self._due:
            return False
        period_s = POLL_S if self._source.info.polled else LOOK_S
        self._due = max(self._due + period_s, now + period_s / 2)
        return True

    def see(self, picture: Picture) -> None:
        """Look at a picture, and report what there is to report.

        Raises:
            PictureError: If it cannot be decoded.
        """
        from server.capture.motion.pictures import encode_small, shrink

        assert self._watch is not None
        now, now_unix = time.monotonic(), time.time()
        encode: Callable[[], bytes] = lambda: encode_small(picture)  # noqa: E731
        for one in self._watch.see(shrink(picture), now, now_unix, encode):
            send_happening(self._link, one)
