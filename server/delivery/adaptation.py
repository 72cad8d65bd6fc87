"""Which rendition fits one viewer: by what its tile shows, and by what its link carries.

The tile sets what is worth sending. Below that the link decides, as its acknowledgements show it.
Each tells how long a frame was on its way, there and back, without the time that the viewer took
to decode and paint it. What that exceeds the link's bare round trip by grows with the frame's size:
this part, the *load*, is what a smaller rendition makes shorter. So a link that is long but wide is
left alone, and on one that is narrow frames get smaller before they get fewer.

Down is fast: two late frames, or one second in which frames had to be skipped. Up is slow: after
two good seconds, one step if that size fits by what was measured, more only if it fits twice over.
What fails is not tried again for a while, and for longer each time, unless the link has changed.

A hub that is late answers late too, which looks like a narrow link. So where its own lag explains
half of a load, the server is named as the cause. What is done about it is the same.
"""

from collections.abc import Callable
from statistics import median
from typing import Literal, NamedTuple

from server.capture.interface import CameraInterface, offered

__all__ = ["Acknowledged", "Reason", "RenditionSelector"]

Reason = Literal["tile", "network", "decoding", "server"]
"""What a choice was made by; ``decoding`` is the browser's part, ``server`` a hub that is late."""

# A picture that takes longer than this on its way is late.
LATE_S = 0.5
LATE_FRAMES = 2

# How long frames are watched before a verdict, and how many good verdicts lead up.
TRIAL_S = 1.0
GOOD_TRIALS = 2

# A machine that is busy for a second is not a slow one.
HARD_TRIALS = 2

# What share of the frames must have been taken, and what share makes a second a good one.
ENOUGH = 0.8
GOOD = 0.95

# How full a link may get, as a share of the time between two frames, by what is known of it.
FULLEST = 0.9
# What is measured on a busy machine is more than the link; so after so many good verdicts it is
# tried all the same.
PATIENT_TRIALS = 8

# After a step up failed: when it is tried again.
FIRST_REST_S = 8.0
MAX_REST_S = 60.0
# A step that has held for so long did not fail.
PROOF_S = 6.0
# A link whose load has become this much lighter is another link.
LIGHTER = 0.6

# What share of a load the hub's own lag must explain for the server to be its cause.
OWN_SHARE = 0.5
# Lags that this share of the measurements did not exceed are the rule, and the worst is what may
# have held up one frame.
AS_A_RULE = 0.9
WORST = 1.0

# Load below this cannot be told from the machines' own request_frame.
LEAST_LOAD_S = 0.02


class Acknowledged(NamedTuple):
    """What an acknowledgement tells.

    Attributes:
        seq: The newest frame it is for.
        frames: How many frames it is for.
        round_trip_s: From when that frame was sent until now.
        hold_s: For how much of that the viewer had it before it was painted.
    """

    seq: int
    frames: int
    round_trip_s: float
    hold_s: float


class _Rest(NamedTuple):
    """For how long a rendition is not tried again, until when, and what the load was before it."""

    seconds: float
    until: float
    load_s: float


class RenditionSelector:
    """One viewer's rendition. Knows nothing of time but what it is told.

    Args:
        camera: What is watched; its size, and with it what is offered, may change.
        bytes_of: Returns about how many bytes a frame of a rendition has; 0 for unknown.
        now: Monotonic seconds, as everywhere here.
        lag_s: Returns how late the hub was in the last seconds, for a share of its measurements.
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
        # Small at first: on a narrow link the first picture would else take seconds.
        self._index = len(self._names) - 1
        self._starting = True
        self._cause: Reason = "network"

        self._least_s = float("inf")  # The quickest that a frame has been on its way.
        self._from_seq = 0
        self._late = 0
        self._good = 0
        self._hard = 0  # Seconds in a row in which the viewer itself could not keep up.
        self._rests: dict[str, _Rest] = {}  # Of renditions that were tried in vain.
        self._raised_at: float | None = None  # While a step up has not proved itself.
        self._raised_from = 0
        self._load_before_s = 0.0  # Before that step.
        self._begin_trial(now)

    @property
    def rendition(self) -> str:
        """The one that fits."""
        return self._names[self._index]

    @property
    def reason(self) -> Reason:
        """What it was chosen by."""
        return "tile" if self._index == self._top else self._cause

    def aim(self, tile_width: int | None, sent_seq: int, now: float) -> None:
        """Say how wide the tile is.

        Args:
            tile_width: In device pixels; None for as wide as the camera's pictures.
            sent_seq: The newest frame that was sent.
            now: Monotonic seconds.
        """
        self._tile_width = tile_width
        self._look_at_offer(sent_seq, now)

    def miss(self) -> None:
        """Note that a frame went by because this viewer could not take it."""
        self._missed += 1

    def take(self, ack: Acknowledged, sent_seq: int, bare_s: float, now: float) -> bool:
        """Take in an acknowledgement; return whether the choice is another, or has another reason.

        Args:
            ack: What it tells.
            sent_seq: The newest frame that was sent.
            bare_s: What a message takes there and back on a link without load; 0 if unknown.
            now: Monotonic seconds.
        """
        if self._camera.width != self._full_width and self._look_at_offer(sent_seq, now):
            return True
        if ack.seq <= self._from_seq:
            return False  # Sent before the last change, so it tells nothing of what is now.
        fps = self._camera.rate
        before, reason_before = self._index, self.reason
        transit_s = max(0.0, ack.round_trip_s - ack.hold_s)
        self._least_s = min(self._least_s, transit_s)
        if self._starting:
            self._start(transit_s, bare_s)
        else:
            bare_s = bare_s or self._least_s
            load_s = max(0.0, transit_s - bare_s)
            self._acked += ack.frames
            self._loads.append(load_s)
            self._holds.append(ack.hold_s)
            self._late = self._late + 1 if self._is_late(transit_s, load_s, bare_s) else 0
            if self._late >= LATE_FRAMES or (transit_s > LATE_FRAMES * LATE_S and self._late):
                self._lower(self._cause_of(load_s, WORST), LATE_S / 2 / transit_s, now)
            elif now - self._trial_at >= TRIAL_S and len(self._loads) >= 2:
                self._judge(bare_s, fps, now)
                self._begin_trial(now)
        if self._index != before:
            self._restart(sent_seq, now)
        return self._index != before or self.reason != reason_before

    def _look_at_offer(self, sent_seq: int, now: float) -> bool:
        """See what there is and what fills the tile; return whether the rendition changed."""
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
        """Go by the first small frame: where that is quick, the whole one cannot be slow."""
        self._starting = False
        load_s = max(0.0, transit_s - bare_s)
        if transit_s + load_s * (self._ratio(self._top) - 1) <= LATE_S / 2:
            self._index = self._top
        else:
            self._cause = self._cause_of(load_s, WORST)

    def _judge(self, bare_s: float, fps: float, now: float) -> None:
        share = self._acked / (self._acked + self._missed)
        load_s, hold_s = median(self._loads), median(self._holds)
        if share < ENOUGH:
            self._good = 0
            if hold_s > load_s and hold_s * fps > 0.5:
                self._hard += 1
                if self._hard >= HARD_TRIALS or self._raised_at is not None:
                    self._lower("decoding", share, now)
            elif load_s > max(bare_s / 2, LEAST_LOAD_S):
                self._lower(self._cause_of(load_s, AS_A_RULE), share, now)
            # Else the link is long, and the credit window is going to learn it.
            return
        self._hard = 0
        self._good = self._good + 1 if share >= GOOD else 0
        if self._raised_at is not None and now - self._raised_at > PROOF_S:
            self._raised_at = None
            self._rests.pop(self.rendition, None)
        if self._index == self._top or self._good < GOOD_TRIALS:
            return
        larger = self._find_larger(load_s, fps, now)
        if larger < self._index:
            self._raised_at, self._raised_from, self._load_before_s = now, self._index, load_s
            self._index = larger
        elif self._cause == "server" and load_s > LEAST_LOAD_S:
            self._cause = self._cause_of(load_s, AS_A_RULE)  # It may be the link by now.

    def _find_larger(self, load_s: float, fps: float, now: float) -> int:
        """Return how far up it may go by what is known of the link, and of earlier attempts."""
        found = self._index
        for index in range(self._index - 1, self._top - 1, -1):
            rest = self._rests.get(self._names[index])
            if rest is not None and now < rest.until and load_s > LIGHTER * rest.load_s:
                break
            expected_s = load_s * self._ratio(index)
            next_one = index == self._index - 1
            room = FULLEST if next_one else FULLEST / 2
            fits = expected_s * fps <= room or expected_s <= LEAST_LOAD_S
            if not fits and not (next_one and self._good >= PATIENT_TRIALS):
                break
            found = index
        return found

    def _cause_of(self, load_s: float, share: float) -> Reason:
        """Return whose a load is: the server's, as far as its hub was that late, or the link's."""
        own = self._lag_s(share) >= OWN_SHARE * max(load_s, LEAST_LOAD_S)
        return "server" if own else "network"

    def _lower(self, cause: Reason, share: float, now: float) -> None:
        """Choose the largest rendition of no more than this share of the bytes, or the smallest."""
        self._cause = cause
        if self._index + 1 >= len(self._names):
            return
        if self._raised_at is not None:
            self._raised_at = None
            before = self._rests.get(self.rendition)
            rest_s = min(MAX_REST_S, 2 * before.seconds) if before else FIRST_REST_S
            self._rests[self.rendition] = _Rest(rest_s, now + rest_s, self._load_before_s)
            self._index = min(self._raised_from, len(self._names) - 1)  # That one did well.
            return
        smaller = range(self._index + 1, len(self._names))
        self._index = next((one for one in smaller if self._ratio(one) <= share), smaller[-1])

    def _ratio(self, index: int) -> float:
        """Return how many times the bytes of the present rendition another one has."""
        present, other = self._bytes_of(self.rendition), self._bytes_of(self._names[index])
        return other / present if present and other else 1.0

    def _restart(self, seq: int, now: float) -> None:
        self._from_seq = seq
        self._late = self._good = self._hard = 0
        self._begin_trial(now)

    def _begin_trial(self, now: float) -> None:
        self._trial_at = now
        self._acked = self._missed = 0
        self._loads: list[float] = []
        self._holds: list[float] = []
