"""Motion detection in the child: which pictures it examines, and how it reports events."""

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from server.capture.frames.frame import Picture
from server.capture.isolation.channel import Link, Message
from server.capture.isolation.event_reports import send_event_report
from server.capture.motion.motion_picture import MotionPicture, motion_picture
from server.capture.motion.settings import MOTION_INTERVAL_S, WIDTH, MotionSettings
from server.capture.sources.source import video_of

if TYPE_CHECKING:
    from server.capture.motion.tracker import MotionTracker
    from server.capture.sources.source import Source

__all__ = ["MotionSampler"]

# The interval at which a polled source is fetched for motion detection.
POLL_S = 1.0

BEST_QUALITY = 100

# The share of a core for detection, including decoding. If it suffices, the whole video is decoded.
# Otherwise each key frame is examined, and as many pictures after it as the budget allows; if
# something may have moved, every picture until that is certain. For example, 720p at 30 fps in
# groups of 2 s, at 1.6 ms per picture, is watched for about 0.8 s of each group.
SHARE = 0.02

# The largest budget saved up or overdrawn, in seconds of a core.
MAX_CREDIT_S = 0.06

# In longer groups, key frames alone would miss too much: everything is decoded, and every picture
# that is due is examined.
MAX_BLIND_S = 2.5

# The weight of a new measurement in the moving average of a picture's cost.
WEIGHT = 0.2


class MotionSampler:
    """Detects motion in one source's pictures. For the thread that reads the source.

    Args:
        source: The source.
        link: The connection to the server.
    """

    def __init__(self, source: "Source", link: Link) -> None:
        self._source = source
        self._own = video_of(source)
        self._link = link
        self._watch: MotionTracker | None = None
        self._due = 0.0
        self._fresh = True  # Whether no picture of this group has been examined yet.
        self._key_at = time.monotonic()
        self._is_long = False  # Whether the previous group was longer than MAX_BLIND_S.
        self._credit_s = MAX_CREDIT_S
        self._credited_at = time.monotonic()
        self._cost_s = 0.0  # The average cost of decoding a picture.

    def configure(self, message: Message) -> None:
        """Apply the server's settings from a ``Kind.MOTION`` message."""
        wanted: Mapping[str, Any] | None = json.loads(message.payload)
        self._watch = None
        if wanted is not None:
            from server.capture.motion.tracker import MotionTracker  # Loads OpenCV.

            self._watch = MotionTracker(MotionSettings().with_changes(wanted))

    @property
    def on(self) -> bool:
        """Whether motion detection is on."""
        return self._watch is not None

    @property
    def wait_s(self) -> float | None:
        """Seconds until a polled source must be fetched for motion detection; None for never."""
        if self._watch is None or self._source.info.still:
            return None
        return max(0.0, self._due - time.monotonic())

    def is_due(self) -> bool:
        """Return whether the newest picture is due to be examined."""
        if self._watch is None or self._source.info.still:
            return False
        now = time.monotonic()
        if self._own is None or self._own.at_key:
            self._fresh, self._is_long = True, now - self._key_at > MAX_BLIND_S
            self._key_at = now
        if now < self._due or not (self._fresh or self._is_affordable(now)):
            return False
        self._fresh = False
        period_s = POLL_S if self._source.info.polled else MOTION_INTERVAL_S
        self._due = max(self._due + period_s, now + period_s / 2)
        return True

    def _is_affordable(self, now: float) -> bool:
        """Return whether the budget suffices for decoding, or must be ignored."""
        assert self._watch is not None
        assert self._own is not None
        earned_s = SHARE * (now - self._credited_at)
        self._credit_s = min(MAX_CREDIT_S, self._credit_s + earned_s)
        self._credited_at = now
        if self._watch.in_doubt or self._is_long or now - self._key_at > MAX_BLIND_S:
            return True
        return self._own.undecoded * self._cost_s <= self._credit_s

    def decode_and_examine(self) -> None:
        """Decode and examine a picture that nothing else needs, and report events.

        Raises:
            PictureError: If it cannot be decoded.
        """
        began = time.thread_time()
        if self._own is not None:
            pictures = max(1, self._own.undecoded)
            small = self._own.motion_picture()
            self._cost_s += WEIGHT * ((time.thread_time() - began) / pictures - self._cost_s)
        else:
            picture = self._source.retrieve(BEST_QUALITY, WIDTH)
            small = None if picture is None else motion_picture(picture)
        if small is not None:
            self._examine(small)
        self._credit_s = max(-MAX_CREDIT_S, self._credit_s - (time.thread_time() - began))

    def examine(self, picture: Picture) -> None:
        """Examine a picture that was decoded for another purpose, and report events.

        Raises:
            PictureError: If it cannot be decoded.
        """
        self._examine(motion_picture(picture))

    def _examine(self, picture: MotionPicture) -> None:
        from server.capture.motion.pictures import encode_small

        assert self._watch is not None
        at, at_unix = time.monotonic(), time.time()
        encode: Callable[[], bytes] = lambda: encode_small(picture.full())  # noqa: E731
        for one in self._watch.see(picture.grey, at, at_unix, encode):
            send_event_report(self._link, one)
