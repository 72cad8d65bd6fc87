"""Decides whether a viewer is sent video, and which.

A viewer that asked for a fixed rendition gets video of it if the camera's own video can be passed
through, or if the camera prefers video. Otherwise the link decides, see :class:`VideoSelector`.
"""

from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Literal

from server.capture.frames.rendition import FULL
from server.capture.interface import CameraInterface
from server.delivery.adaptation import Acknowledged, Reason, RenditionSelector
from server.delivery.link import Link
from server.delivery.video import decodes

__all__ = ["FixedChoice", "VideoSelector"]

# How often the choice is reconsidered, and how long after a change a larger one may be tried.
CHECK_S = 0.5
RISE_PAUSE_S = 2.0

# The share of a link that a video's bit rate may take at first: the camera's own video, and one
# encoded here, whose bit rate is even and bounded.
ENTER = 0.7
ENTER_ENCODED = 0.95
# Small frames make a link look narrower than it is. After PROBE_AFTER_S without a break, PROBE_ROOM
# raises the limit for the next larger video.
PROBE_AFTER_S = 6.0
PROBE_ROOM = 1.2
# A link that is fuller than this is too narrow as soon as the viewer has fallen behind once.
STAY = 0.9
# A viewer that falls behind this often within BREAKS_S gets something smaller.
MAX_BREAKS = 3
BREAKS_S = 6.0

# A frame whose transit exceeds the unloaded round trip by more than this is late.
LATE_S = 0.5
LATE_FRAMES = 2

# A browser's decoder that takes more than this share of the frame interval is slow.
SLOW_SHARE = 0.5

# How long to wait before a failed video is tried again.
FIRST_COOLDOWN_S = 8.0
MAX_COOLDOWN_S = 60.0


class FixedChoice:
    """A fixed rendition, as video if there is one, else JPEG. Video may become available later.

    Args:
        camera: The camera being watched.
        rendition: The rendition's name.
        codecs: What the viewer decodes, such as ``h264``.
    """

    reason: Literal["fixed"] = "fixed"

    def __init__(self, camera: CameraInterface, rendition: str, codecs: frozenset[str]) -> None:
        self.rendition = rendition
        self._codecs = codecs
        self._camera = camera
        self._known: tuple[str | None, bool] | None = None
        self.video: str | None = None
        self._update()

    @property
    def offered(self) -> str | None:
        """The name of the video that the viewer may be sent; None if there is none."""
        return self.video

    def follow(self, camera: CameraInterface, sent_seq: int, now: float) -> bool:
        """Choose for another camera from now on; return whether the choice changed."""
        self._camera = camera
        return self._update()

    def miss(self) -> None:
        """Do nothing: the choice is fixed."""

    def take(self, ack: Acknowledged, sent_seq: int, bare_s: float, now: float) -> bool:
        """Check whether video is available now; return whether the choice changed."""
        return self._update()

    def _update(self) -> bool:
        track = self._camera.videos.get(self.rendition)
        known = None if track is None else (track.codec, track.passed_through)
        if known == self._known:
            return False
        before, self.video, self._known = self.video, None, known
        if track is not None and track.codec is not None and decodes(self._codecs, track.codec):
            wanted = track.passed_through or self._camera.prefers_video
            self.video = self.rendition if wanted else None
        return self.video != before


class VideoSelector:
    """Selects video or JPEG for one viewer, by the size of its tile and the speed of its link.

    It starts with the smallest JPEG, which measures the link, unless the link is already known. The
    camera's own video is chosen wherever it fits, because it costs nothing. Video that must be
    encoded is for links that cannot carry JPEG of the tile's size: the largest size whose bit rate
    fits is chosen. A video that was too much is tried again after a pause, which doubles each time.

    Args:
        camera: The camera being watched.
        kbps_of: Returns a video's bit rate in kilobits per second, measured or guessed.
        bytes_of: Returns the approximate size of a rendition's JPEG in bytes; 0 if unknown.
        pictures: Selects the rendition of JPEG.
        codecs: What the viewer decodes, such as ``h264``.
        link: The viewer's link, as measured.
    """

    def __init__(
        self,
        camera: CameraInterface,
        kbps_of: Callable[[str], float],
        bytes_of: Callable[[str], float],
        pictures: RenditionSelector,
        codecs: frozenset[str],
        link: Link,
    ) -> None:
        self.video: str | None = None
        """The name of the video to be sent; None for JPEG."""
        self._camera = camera
        self._kbps_of = kbps_of
        self._bytes_of = bytes_of
        self._pictures = pictures
        self._codecs = codecs
        self._link = link
        self._flows = False
        self._broke = False  # Whether video was interrupted since the last acknowledgement.
        self._breaks: deque[float] = deque(maxlen=MAX_BREAKS)  # Times of such interruptions.
        self._holds: list[float] = []
        self._late = 0
        self._cause: Reason = "network"
        self._cooldowns: dict[str, tuple[float, float]] = {}  # Of failed videos: seconds, until.
        self._changed_at = 0.0
        self._check_at = 0.0

    @property
    def rendition(self) -> str:
        """The rendition for JPEG, which is sent while video does not flow."""
        return self._pictures.rendition

    @property
    def reason(self) -> Reason:
        """What limits the picture."""
        if self.video is None:
            return self._pictures.reason
        return "tile" if self.video in (self._own, self._pictures.largest) else self._cause

    @property
    def offered(self) -> str | None:
        """The name of the video that the viewer may be sent; None if there is none."""
        return self.video or next(iter((self._own, *self._encoded)), None)

    def aim(self, tile_width: int | None, sent_seq: int, now: float) -> None:
        """Set the width of the tile, see :meth:`RenditionSelector.aim`."""
        self._pictures.aim(tile_width, sent_seq, now)
        self._check_at = 0.0

    def begin(self, now: float) -> None:
        """Begin with the camera's own video if the link is known to carry it."""
        own, link = self._own, self._link
        if own is None or not link.is_known:
            return
        if self._kbps_of(own) * 1000 <= ENTER * link.rate_bps:
            self.video, self._changed_at = own, now

    def follow(self, camera: CameraInterface, sent_seq: int, now: float) -> bool:
        """Choose for another camera from now on; return whether the choice changed."""
        self._camera = camera
        self._cooldowns.clear()
        before, self.video, self._flows = self.video, None, False
        return self._pictures.follow(camera, sent_seq, now) or before is not None

    def miss(self) -> None:
        """Count a frame that was skipped because this viewer could not take it."""
        if self._flows:
            self._flows, self._broke = False, True
        else:
            self._pictures.miss()

    def take(self, ack: Acknowledged, sent_seq: int, bare_s: float, now: float) -> bool:
        """Record an acknowledgement; return whether the choice or its reason changed."""
        if self._broke:
            self._broke = False
            self._breaks.append(now)
        self._flows = ack.flows
        if ack.flows:
            late = ack.transit_s - self._link.bare_s > LATE_S
            self._late = self._late + 1 if late else 0
            self._holds.append(ack.hold_s)
        is_due = now >= self._check_at or self._late >= LATE_FRAMES
        if ack.flows and not is_due:
            return False  # The usual case: nothing to decide yet.
        before = self.video, self.rendition, self.reason
        if not ack.flows:
            self._pictures.take(ack, sent_seq, bare_s, now)
        if is_due and (before[0] is not None or not self._pictures.starting):
            self._check_at = now + CHECK_S
            self._select(now)
        return (self.video, self.rendition, self.reason) != before

    def _select(self, now: float) -> None:
        before = self.video
        cause = self._trouble(now) if before is not None else None
        if cause is not None:
            self._fail(cause, now)
        wanted = [self._own, *self._encoded] if self._wants_encoded else [self._own]
        names = [name for name in wanted if name is not None]
        next_larger = names[_index(names, self.video) - 1] if self.video in names[1:] else None
        found = next((one for one in names if self._fits(one, now, one == next_larger)), None)
        rises = before is None or (found is not None and names.index(found) < _index(names, before))
        if found == before or (rises and now - self._changed_at < RISE_PAUSE_S):
            return
        self.video, self._changed_at = found, now
        self._late = 0
        self._breaks.clear()

    def _trouble(self, now: float) -> Reason | None:
        """Return why a viewer cannot keep up with its video; None if it can."""
        slow = bool(self._holds) and median(self._holds) * self._camera.rate > SLOW_SHARE
        self._holds.clear()
        if self._late >= LATE_FRAMES:
            return "network"
        breaks = sum(at > now - BREAKS_S for at in self._breaks)
        if breaks and slow:
            return "decoding"
        assert self.video is not None
        narrow = self._kbps_of(self.video) * 1000 > STAY * self._link.rate_bps
        return "network" if breaks >= MAX_BREAKS or (narrow and not self._flows) else None

    def _fits(self, name: str, now: float, is_next_larger: bool) -> bool:
        """Return whether a video is already being sent, or fits the link with room to spare."""
        if name == self.video:
            return True
        room = ENTER if name == self._own else ENTER_ENCODED
        broke_at = self._breaks[-1] if self._breaks else 0.0
        if is_next_larger and self._flows and now - max(broke_at, self._changed_at) > PROBE_AFTER_S:
            room *= PROBE_ROOM
        _, until = self._cooldowns.get(name, (0.0, 0.0))
        return now >= until and self._kbps_of(name) * 1000 <= room * self._link.rate_bps

    def _fail(self, cause: Reason, now: float) -> None:
        """Stop sending the current video, and block it for a while."""
        assert self.video is not None
        seconds, _ = self._cooldowns.get(self.video, (FIRST_COOLDOWN_S / 2, 0.0))
        seconds = min(2 * seconds, MAX_COOLDOWN_S)
        self._cooldowns[self.video] = seconds, now + seconds
        self.video, self._cause = None, cause
        if cause == "decoding":
            self._pictures.shrink(cause)

    @property
    def _wants_encoded(self) -> bool:
        """Whether to encode video for this viewer, because JPEG that fills its tile is too much."""
        if self._pictures.reason in ("decoding", "server"):
            return False  # Video would be more work, for the server and for the browser.
        if self._camera.prefers_video:
            return True
        filling_bps = 8 * self._bytes_of(self._pictures.largest) * self._camera.rate
        if self.video in self._encoded:
            return not filling_bps or filling_bps > ENTER * self._link.rate_bps
        if len(self._pictures.filling) == 1:  # There is no smaller JPEG.
            return filling_bps > self._link.rate_bps
        return self.video is not None or self._pictures.reason != "tile"

    @property
    def _own(self) -> str | None:
        """The name of the camera's own video, if the viewer decodes it."""
        track = self._camera.videos.get(FULL.name)
        passed = track is not None and track.passed_through and self._decodes(FULL.name)
        return FULL.name if passed else None

    @property
    def _encoded(self) -> list[str]:
        """The names of the videos that can be encoded, from the tile's size down."""
        found = [name for name in self._pictures.filling if self._decodes(name)]
        return [name for name in found if not self._camera.videos[name].passed_through]

    def _decodes(self, name: str) -> bool:
        track = self._camera.videos.get(name)
        return track is not None and track.codec is not None and decodes(self._codecs, track.codec)


def _index(names: list[str], name: str | None) -> int:
    """Return the index of a name, or the length of the list if it is missing."""
    return names.index(name) if name in names else len(names)
