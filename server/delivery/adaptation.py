"""Chooses the rendition for one viewer from the size of its tile and the speed of its link.

The tile sets the largest size worth sending. Below that the link decides, as measured by
acknowledgements: each gives a frame's round trip, without the time that the viewer took to decode
and paint it. The excess over the link's unloaded round trip is the *load*. It grows with the
frame's size, so a smaller rendition reduces it. A long but wide link is left alone; on a narrow
link frames get smaller before they get fewer.

Stepping down is fast: after two late frames, or one second with skipped frames. Stepping up is
slow: after two good seconds, by one step if the measured load leaves room for that size, by more
only if it leaves room for twice as much. A size that failed is retried after a pause, which doubles
each time, or earlier if the link has changed.

A hub that runs late also handles acknowledgements late, which looks like a narrow link. If the
hub's lag explains half of a load, the server is named as the cause. The reaction is the same.
"""

from collections.abc import Callable
from statistics import median
from typing import Literal, NamedTuple

from server.capture.interface import CameraInterface, offered

__all__ = ["Acknowledged", "Reason", "RenditionSelector"]

Reason = Literal["tile", "network", "decoding", "server"]
"""What limits the rendition; ``decoding`` means a slow browser, ``server`` a hub that runs late."""

# A frame whose transit takes longer than this is late.
LATE_S = 0.5
LATE_FRAMES = 2

# How long frames are measured before a decision, and how many good trials a step up needs.
TRIAL_S = 1.0
GOOD_TRIALS = 2

# A viewer that is busy for one second is not yet slow.
MAX_SLOW_TRIALS = 2

# The share of frames that a viewer must accept, and the share that makes a trial good.
ENOUGH = 0.8
GOOD = 0.95

# The share of the time between two frames that the expected load may take.
MAX_FILL = 0.9
# A busy machine inflates the measured load, so after this many good trials the next size is tried
# anyway.
PATIENT_TRIALS = 8

# How long to wait before trying a size again after a failed step up.
FIRST_COOLDOWN_S = 8.0
MAX_COOLDOWN_S = 60.0
# A step up that has held this long has succeeded.
PROOF_S = 6.0
# A load that has fallen to this share means that the link has changed.
LIGHTER = 0.6

# The share of a load that the hub's lag must explain for the server to be named as the cause.
SERVER_SHARE = 0.5
# Quantiles of the hub's lag: the usual lag explains a whole trial, the worst one a single frame.
USUAL = 0.9
WORST = 1.0

# A load below this is indistinguishable from jitter on the two machines.
MIN_LOAD_S = 0.02


class Acknowledged(NamedTuple):
    """An acknowledgement.

    Attributes:
        seq: The newest frame it covers.
        frames: How many frames it covers.
        round_trip_s: Time since that frame was sent.
        hold_s: The part of it that the viewer took to decode and paint the frame.
        flows: Whether the viewer is being sent video and keeps up with it.
    """

    seq: int
    frames: int
    round_trip_s: float
    hold_s: float
    flows: bool = False

    @property
    def transit_s(self) -> float:
        """How long the frame and its acknowledgement were in transit."""
        return max(0.0, self.round_trip_s - self.hold_s)


class _Cooldown(NamedTuple):
    """How long a failed rendition is blocked, until when, and the load before it was tried."""

    seconds: float
    until: float
    load_s: float


class RenditionSelector:
    """Selects one viewer's rendition. Takes the time as a parameter, in monotonic seconds.

    Args:
        camera: The watched camera; its size, and with it the offered renditions, may change.
        bytes_of: Returns the approximate size of a rendition's frame in bytes; 0 if unknown.
        now: Monotonic seconds.
        lag_s: Returns the given quantile of the hub's lag over the last seconds.
    """

    def __init__(
        self,
        camera: CameraInterface,
        bytes_of: Callable[[str], float],
        now: float,
        lag_s: Callable[[float], float] = lambda share: 0.0,
    ) -> None:
        self._camera = camera
        self._bytes_of = bytes_of
        self._lag_s = lag_s
        self._tile_width: int | None = None
        self._full_width = camera.width
        self._names = [rendition.name for rendition in offered(camera)]
        self._top = 0
        # Start small: on a narrow link a full-size first picture would take seconds.
        self._index = len(self._names) - 1
        self._starting = True
        self._cause: Reason = "network"

        self._min_transit_s = float("inf")  # The shortest transit so far.
        self._from_seq = 0
        self._late = 0
        self._good = 0
        self._slow_trials = 0  # Trials in a row in which the viewer itself could not keep up.
        self._cooldowns: dict[str, _Cooldown] = {}  # Of renditions that failed.
        self._raised_at: float | None = None  # While a step up is on trial.
        self._raised_from = 0
        self._load_before_s = 0.0  # The load before that step.
        self._begin_trial(now)

    video: None = None
    offered: None = None
    """It never selects video."""

    @property
    def rendition(self) -> str:
        """The selected rendition's name."""
        return self._names[self._index]

    @property
    def filling(self) -> list[str]:
        """The renditions from the one that fills the tile down."""
        return self._names[self._top :]

    @property
    def largest(self) -> str:
        """The rendition that fills the tile."""
        return self._names[self._top]

    @property
    def starting(self) -> bool:
        """Whether no frame has been acknowledged yet."""
        return self._starting

    @property
    def reason(self) -> Reason:
        """What limits the rendition."""
        return "tile" if self._index == self._top else self._cause

    def aim(self, tile_width: int | None, sent_seq: int, now: float) -> None:
        """Set the width of the tile.

        Args:
            tile_width: In device pixels; None for the width of the camera's pictures.
            sent_seq: The newest frame sent.
            now: Monotonic seconds.
        """
        self._tile_width = tile_width
        self._update_offer(sent_seq, now)

    def follow(self, camera: CameraInterface, sent_seq: int, now: float) -> bool:
        """Choose for another camera from now on; return whether the rendition changed.

        Args:
            camera: The replacement.
            sent_seq: The newest frame sent.
            now: Monotonic seconds.
        """
        self._camera = camera
        return self._update_offer(sent_seq, now)

    def shrink(self, cause: Reason) -> None:
        """Step down by one size, because video of this size was too much."""
        self._cause = cause
        self._index = min(max(self._index, self._top) + 1, len(self._names) - 1)

    def miss(self) -> None:
        """Count a frame that was skipped because this viewer could not take it."""
        self._missed += 1

    def take(self, ack: Acknowledged, sent_seq: int, bare_s: float, now: float) -> bool:
        """Record an acknowledgement; return whether the rendition or its reason changed.

        Args:
            ack: The acknowledgement.
            sent_seq: The newest frame sent.
            bare_s: The round trip of a message on the unloaded link; 0 if unknown.
            now: Monotonic seconds.
        """
        if self._camera.width != self._full_width and self._update_offer(sent_seq, now):
            return True
        if ack.seq <= self._from_seq:
            return False  # Sent before the last change: no information about the current size.
        before, reason_before = self._index, self.reason
        transit_s = ack.transit_s
        self._min_transit_s = min(self._min_transit_s, transit_s)
        if self._starting:
            self._start(transit_s, bare_s)
        else:
            bare_s = bare_s or self._min_transit_s
            load_s = max(0.0, transit_s - bare_s)
            self._acked += ack.frames
            self._loads.append(load_s)
            self._holds.append(ack.hold_s)
            self._late = self._late + 1 if self._is_late(transit_s, load_s, bare_s) else 0
            if self._late >= LATE_FRAMES or (transit_s > LATE_FRAMES * LATE_S and self._late):
                self._lower(self._cause_of(load_s, WORST), LATE_S / 2 / transit_s, now)
            elif now - self._trial_at >= TRIAL_S and len(self._loads) >= 2:
                self._evaluate(bare_s, self._camera.rate, now)
                self._begin_trial(now)
        if self._index != before:
            self._restart(sent_seq, now)
        return self._index != before or self.reason != reason_before

    def _update_offer(self, sent_seq: int, now: float) -> bool:
        """Update the offered and the tile-filling size; return whether the rendition changed."""
        before, was_top = self.rendition, self._index == self._top and not self._starting
        renditions = offered(self._camera)
        self._full_width = self._camera.width
        self._names = [rendition.name for rendition in renditions]
        wanted = self._tile_width or float("inf")
        filling = [one for one in renditions if one.width is None or one.width >= wanted]
        self._top = len(filling) - 1
        kept = self._names.index(before) if before in self._names else 0
        self._index = self._top if was_top else max(self._top, kept)
        if self.rendition == before:
            return False
        self._restart(sent_seq, now)
        return True

    @staticmethod
    def _is_late(transit_s: float, load_s: float, bare_s: float) -> bool:
        return transit_s > LATE_S and load_s > bare_s / 2

    def _start(self, transit_s: float, bare_s: float) -> None:
        """Start with the largest size if the first, small frame was quick enough."""
        self._starting = False
        load_s = max(0.0, transit_s - bare_s)
        if transit_s + load_s * (self._ratio(self._top) - 1) <= LATE_S / 2:
            self._index = self._top
        else:
            self._cause = self._cause_of(load_s, WORST)

    def _evaluate(self, bare_s: float, fps: float, now: float) -> None:
        share = self._acked / (self._acked + self._missed)
        load_s, hold_s = median(self._loads), median(self._holds)
        if share < ENOUGH:
            self._good = 0
            if hold_s > load_s and hold_s * fps > 0.5:
                self._slow_trials += 1
                if self._slow_trials >= MAX_SLOW_TRIALS or self._raised_at is not None:
                    self._lower("decoding", share, now)
            elif load_s > max(bare_s / 2, MIN_LOAD_S):
                self._lower(self._cause_of(load_s, USUAL), share, now)
            # Otherwise the link is long, and the credit window will adapt to it.
            return
        self._slow_trials = 0
        self._good = self._good + 1 if share >= GOOD else 0
        if self._raised_at is not None and now - self._raised_at > PROOF_S:
            self._raised_at = None
            self._cooldowns.pop(self.rendition, None)
        if self._index == self._top or self._good < GOOD_TRIALS:
            return
        larger = self._find_larger(load_s, fps, now)
        if larger < self._index:
            self._raised_at, self._raised_from, self._load_before_s = now, self._index, load_s
            self._index = larger
        elif self._cause == "server" and load_s > MIN_LOAD_S:
            self._cause = self._cause_of(load_s, USUAL)  # The cause may now be the link.

    def _find_larger(self, load_s: float, fps: float, now: float) -> int:
        """Return the largest rendition that the measured load and earlier failures allow."""
        found = self._index
        for index in range(self._index - 1, self._top - 1, -1):
            failed = self._cooldowns.get(self._names[index])
            if failed and now < failed.until and load_s > LIGHTER * failed.load_s:
                break
            expected_s = load_s * self._ratio(index)
            next_one = index == self._index - 1
            room = MAX_FILL if next_one else MAX_FILL / 2
            fits = expected_s * fps <= room or expected_s <= MIN_LOAD_S
            if not fits and not (next_one and self._good >= PATIENT_TRIALS):
                break
            found = index
        return found

    def _cause_of(self, load_s: float, share: float) -> Reason:
        """Return ``server`` if the hub's lag explains the load, else ``network``."""
        explained_s = self._lag_s(share)
        return "server" if explained_s >= SERVER_SHARE * max(load_s, MIN_LOAD_S) else "network"

    def _lower(self, cause: Reason, share: float, now: float) -> None:
        """Step down to the largest rendition within this share of the bytes, or the smallest."""
        self._cause = cause
        if self._index + 1 >= len(self._names):
            return
        if self._raised_at is not None:
            self._raised_at = None
            before = self._cooldowns.get(self.rendition)
            pause_s = min(MAX_COOLDOWN_S, 2 * before.seconds) if before else FIRST_COOLDOWN_S
            cooldown = _Cooldown(pause_s, now + pause_s, self._load_before_s)
            self._cooldowns[self.rendition] = cooldown
            self._index = min(self._raised_from, len(self._names) - 1)  # It worked before.
            return
        smaller = range(self._index + 1, len(self._names))
        self._index = next((one for one in smaller if self._ratio(one) <= share), smaller[-1])

    def _ratio(self, index: int) -> float:
        """Return the size of another rendition's frames relative to the current one's."""
        current, other = self._bytes_of(self.rendition), self._bytes_of(self._names[index])
        return other / current if current and other else 1.0

    def _restart(self, seq: int, now: float) -> None:
        self._from_seq = seq
        self._late = self._good = self._slow_trials = 0
        self._begin_trial(now)

    def _begin_trial(self, now: float) -> None:
        self._trial_at = now
        self._acked = self._missed = 0
        self._loads: list[float] = []
        self._holds: list[float] = []
