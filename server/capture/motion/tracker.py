"""Watches one camera's pictures for motion, and reports when it begins, grows and ends."""

from collections.abc import Callable, Iterator

from server.capture.frames.event_report import EventReport
from server.capture.motion.background import Grey
from server.capture.motion.detector import Detector, Motion
from server.capture.motion.settings import LABEL, MotionSettings

__all__ = ["MotionTracker"]

# Motion that pauses for less continues the same event.
END_S = 2.0

# Motion not yet reported is discarded if none is detected for this long.
FADE_S = 0.7

# Encode at most one picture in this time.
PICTURE_S = 1.0


class MotionTracker:
    """Turns detected motion into event reports. Used by one thread.

    Args:
        settings: What counts as motion.
    """

    def __init__(self, settings: MotionSettings) -> None:
        self._detector = Detector(settings)
        self._min_s = settings.min_s
        # In monotonic and in Unix seconds: when motion began, and when it was last detected.
        self._began: tuple[float, float] | None = None
        self._moved: tuple[float, float] = (0.0, 0.0)
        self._going = False
        self._best = 0.0  # The score of the last picture reported.
        self._encoded_at = float("-inf")

    @property
    def in_doubt(self) -> bool:
        """Whether motion was detected that is still too short to be reported."""
        return self._began is not None and not self._going

    def see(
        self, grey: Grey, at: float, at_unix: float, encode: Callable[[], bytes]
    ) -> Iterator[EventReport]:
        """Examine the next picture; yield the events to report.

        Args:
            grey: A small grey copy.
            at: When it was captured, in monotonic seconds.
            at_unix: The same in Unix seconds.
            encode: Returns the picture as JPEG.
        """
        motion = self._detector.see(grey, at)
        if motion is not None:
            self._began = self._began or (at, at_unix)
            self._moved = at, at_unix
            yield from self._continue(motion, at, at_unix, encode)
        elif self._began is not None:
            silent_s = at - self._moved[0]
            if self._going and silent_s >= END_S:
                yield EventReport(LABEL, self._moved[1], ended=True)
            if silent_s >= (END_S if self._going else FADE_S):
                self._began, self._going = None, False

    def _continue(
        self, motion: Motion, at: float, at_unix: float, encode: Callable[[], bytes]
    ) -> Iterator[EventReport]:
        assert self._began is not None
        began_at, began_unix = self._began
        if not self._going:
            if at - began_at < self._min_s:
                return
            self._going, self._best, self._encoded_at = True, 0.0, float("-inf")
            at_unix = began_unix
        if motion.score > self._best and at - self._encoded_at >= PICTURE_S:
            self._best, self._encoded_at = motion.score, at
            yield EventReport(LABEL, at_unix, motion.score, motion.box, False, encode())
