"""Derives a camera's state from what is known of its source, and announces changes."""

import logging
import time
from collections.abc import Callable
from typing import Any

from server.capture.frames.info import SourceInfo
from server.capture.interface import State
from server.capture.isolation.units import GATHER_S
from server.capture.motion.change import KEEP_ALIVE_S
from server.capture.pacing.demand import SEEN_PROBE_S, UNSEEN_PROBE_S
from server.capture.pacing.measured import Measured
from server.capture.pacing.schedule import Schedule
from server.capture.retry import REFUSED_S, Retry
from server.config.models import ServerSettings
from server.errors import SourceError

__all__ = ["CameraState"]

log = logging.getLogger(__name__)

# A source that delivered pictures for this long was working.
WELL_S = 3.0

# No limit for pictures is shorter: while they show nothing new, only one may come every
# KEEP_ALIVE_S.
LEAST_LIMIT_S = 2 * KEEP_ALIVE_S

# How long the next key frame may take: in groups of pictures, or if their length is unknown.
GROUPS = 1.5
UNKNOWN_GROUP_S = 30.0

# A leaving viewer first gives up its pictures and is gone a moment later. For this long the usual
# limits still decide whether the source was silent.
LEAVING_S = 0.1

# While the last picture is younger than this, nothing is late. One in CALLS_PER_CHECK calls of
# may_be_late() asks for a full check all the same.
FRESH_S = 0.25
CALLS_PER_CHECK = 4

# A source that looks frozen is reopened after this many times the setting frozen_after.
FROZEN_PATIENCE = 3


class CameraState:
    """The facts about one camera, and the state and retry time derived from them.

    Only its camera uses it, on the hub.

    Args:
        name: The camera's name, for the log.
        title: Its title.
        server: For the time limits.
        source: What is known of its source.
        schedule: Knows how often pictures come.
        withheld: Returns why captured pictures are held back; empty if they are not.
        shown: Returns whether viewers have a picture, or need none because they get video.
        on_change: Called when the state has changed.
        on_notice: Called with level and message.

    Attributes:
        title: What people see.
        enabled: Whether it may run; False after an operator has stopped it.
        viewers: The number of viewers.
        duties: Other reasons to keep its source open, such as recording.
        wanted: Whether it has viewers or duties.
        ended: Whether a file has been played to its end.
        failure: Why it failed, watched or not; None if it has worked since.
        missing: Whether the failure is that there is no such device or file.
        broken: What was wrong with the last picture, if it could not be decoded.
        frozen: Whether it was closed because its picture froze, and has shown no other since.
        left_silent: Why no picture was arriving when the last viewer left; empty if one was.
        retry: Knows when it may be tried again.
        current: The state as last announced.
        reason: Why it is in that state, for people.
        since_unix: Since when, in Unix seconds.
    """

    def __init__(
        self,
        name: str,
        title: str,
        server: ServerSettings,
        source: Measured,
        schedule: Schedule,
        withheld: Callable[[], str],
        shown: Callable[[], bool],
        on_change: Callable[[], None],
        on_notice: Callable[[str, str], None],
    ) -> None:
        self._name = name
        self.title = title
        self._server = server
        self._source = source
        self._schedule = schedule
        self._withheld = withheld
        self._shown = shown
        self._on_change = on_change
        self._on_notice = on_notice

        self.enabled = True
        self.viewers = 0
        self.duties: frozenset[str] = frozenset()
        self.wanted = False
        self.ended = False
        self.failure: str | None = None
        self.missing = False
        self.broken = ""
        self.frozen = False
        self.left_silent = ""
        self.retry = Retry()
        self._sparse_since: float | None = None
        self._is_open = False
        # In monotonic seconds, reset when the source is opened and when viewers come or leave: when
        # anything last arrived, when a picture was last decoded, when the wait for the first began.
        self._arrived_at: float | None = None
        self._picture_at: float | None = None
        self._waiting_since: float | None = None
        self._pictures_s = 0.0  # From the first picture after opening to the last.
        self._first_picture_at: float | None = None
        self._was_left_over = False
        self._unwatched_since = 0.0
        self._still_s = 0.0
        self._may_be_late_calls = 0

        self.current: State = "idle"
        self.reason = "nobody is watching"
        self.since_unix = time.time()

    def describe(self) -> dict[str, Any]:
        """Return the part of STATE about the state and the viewers."""
        return {
            "state": self.current,
            "reason": self.reason,
            "since": round(self.since_unix, 3),
            "viewers": self.viewers,
        }

    # Called by the camera.

    @property
    def sparse(self) -> bool:
        """Whether only an occasional key frame is decoded, because viewers need none."""
        return self._sparse_since is not None

    @sparse.setter
    def sparse(self, sparse: bool) -> None:
        if self.sparse and not sparse:
            self._expect_sooner()
        self._sparse_since = (self._sparse_since or time.monotonic()) if sparse else None

    def watched_by(self, viewers: int, duties: frozenset[str] = frozenset()) -> None:
        """Set the number of viewers, and the duties."""
        before, wanted = self.wanted, viewers > 0 or bool(duties)
        if wanted != before:
            self.left_silent = "" if wanted else self._silence
        if before and not wanted:
            self._unwatched_since = time.monotonic()
            self._arrived_at = self._picture_at = None
            self._still_s = 0.0
        if wanted and not before and self._is_open:
            self._waiting_since = time.monotonic()
        if viewers and not self.viewers and self.sparse:
            self._expect_sooner()
        self.viewers, self.duties, self.wanted = viewers, duties, wanted

    def _expect_sooner(self) -> None:
        """Count a picture that is recent by the current limit as new: a shorter one will apply."""
        now = time.monotonic()
        if self._has_picture(now):
            self._picture_at = now

    def opening(self) -> None:
        """Note that the source is being opened."""
        self._forget_pictures()
        self._first_picture_at, self._pictures_s = None, 0.0
        self.broken = self.left_silent = ""
        self.retry.begin()

    def opened(self, info: SourceInfo) -> None:
        """Note that the source is open; its first picture is awaited."""
        self._source.opened(info)
        self._is_open = True
        self._waiting_since = time.monotonic()

    def arrived(self, broken: str = "") -> None:
        """Note that something arrived: a picture or a part of one.

        Args:
            broken: What was wrong with it, if it could not be decoded.
        """
        self._arrived_at = time.monotonic()
        self.broken = broken or self.broken

    def delivered(self, still_s: float = 0.0) -> None:
        """Note that a picture was decoded, and for how long it has not changed."""
        now = time.monotonic()
        self._arrived_at = now
        if self._is_left_over(now):
            return
        self._picture_at = now
        self._still_s = still_s
        self.frozen = self.frozen and still_s > 0
        self.broken = ""
        if self._first_picture_at is None:
            self._first_picture_at = now
            self.retry.succeed()
        self._pictures_s = now - self._first_picture_at

    def _is_left_over(self, now: float) -> bool:
        """Return whether this may be an old picture: the first one after a silence.

        When a read times out, FFmpeg first returns what its parser held back. If the source is
        alive, another picture follows soon.
        """
        self._was_left_over = (
            self._picture_at is not None
            and not self._has_picture(now)
            and not self._was_left_over
            and not self._source.polled
            and self._schedule.expected_fps > 0
            and self._schedule.rate >= 1
        )
        return self._was_left_over

    def give_up_if_frozen(self) -> None:
        """Raise SourceError if the picture has been frozen for so long that only reopening helps.

        If reopening does not help, the source is given the same time again.
        """
        limit_s = FROZEN_PATIENCE * self._server.frozen_after
        if not limit_s or self._still_s <= limit_s or self._waiting_since is None:
            return
        if time.monotonic() - self._waiting_since > limit_s:
            self.frozen = True
            raise SourceError(f"the picture has not changed for {limit_s:g} s; reopening")

    def give_up_if_silent(self) -> None:
        """Raise SourceError if the source was silent when the last viewer left, and still is."""
        if self.left_silent and not self._is_sound:
            raise SourceError(self.left_silent)

    def closing(self) -> None:
        """Note that the source is being closed."""
        self._is_open = False
        self._source.closed()
        self._forget_pictures()

    def fail(self, reason: str, missing: bool = False, refused: bool = False) -> None:
        """Record a failure; log and announce it only if the camera worked before.

        Args:
            reason: What went wrong, for people.
            missing: Whether there is no such device or file.
            refused: Whether the source refused the user name or password.
        """
        if refused:
            self.retry.refuse()
            minutes = REFUSED_S / 60
            reason = f"{reason}; retrying every {minutes:g} min; press Start to retry now"
        else:
            self.retry.refused = False
        first = self.failure is None
        self.failure, self.missing = reason, missing
        self.refresh(changed=True)
        if first:
            log.warning("camera=%s lost: %s", self._name, reason)
            self._on_notice("warning", f"{self.title} went offline: {reason}")

    def lose_picture(self) -> None:
        """Forget when the last picture came, and whether it was frozen."""
        self._picture_at = None
        self._still_s = 0.0

    def _forget_pictures(self) -> None:
        self._arrived_at = self._picture_at = self._waiting_since = None

    def recover(self) -> None:
        """Clear the failure, and announce that the camera works again."""
        self.clear_failure()
        log.info("camera=%s is back online", self._name)
        self._on_notice("info", f"{self.title} is back online")

    def find(self) -> None:
        """Note that its device or file exists; it may have been missing."""
        if self.missing:
            self.recover()
            self.refresh()

    def clear_failure(self) -> None:
        """Clear the failure without announcing it."""
        self.failure, self.missing = None, False

    # Whether the source should be open, and when to try again.

    def start_over(self) -> None:
        """Enable it again, whether it was stopped, had ended or failed."""
        self.enabled, self.ended, self.frozen = True, False, False
        self.clear_failure()
        self.retry.reset()

    def wants_source(self, checked: bool) -> bool:
        """Return whether to open the source: for viewers, a duty or a check."""
        return self.enabled and not self.ended and (self.wanted or checked)

    def keeps_source(self, checked: bool) -> bool:
        """Return whether to keep an open source open, perhaps without viewers."""
        if not self.enabled or self.wanted or checked:
            return self.enabled
        return time.monotonic() - self._unwatched_since < self._server.release_after

    def back_off(self) -> None:
        """Schedule the next try, if it has failed."""
        if self.failure is not None and not self.retry.refused:
            self.retry.fail(well=self._pictures_s >= WELL_S)

    @property
    def retry_in_s(self) -> float:
        """Seconds until it may be tried again; 0 for now."""
        held = self.failure is not None and (self.wanted or self.retry.refused)
        return self.retry.left_s if held else 0.0

    # The derived state.

    def may_be_late(self) -> bool:
        """Return whether to check the time limits; called periodically.

        While new pictures arrive nothing is late, and announcing measurements can wait.
        """
        self._may_be_late_calls += 1
        at = self._picture_at
        if self._may_be_late_calls % CALLS_PER_CHECK == 0 or at is None or self.current != "live":
            return True
        return self._still_s > 0 or bool(self._withheld()) or time.monotonic() - at > FRESH_S

    def refresh(self, changed: bool = False) -> None:
        """Announce the state if it has changed, or with ``changed`` in any case."""
        state, reason = self._derive()
        if state in ("live", "idle") and self.failure is not None:
            self.recover()
        if state != self.current:
            # Viewers come and go; the log is about trouble.
            level = logging.DEBUG if state in ("idle", "starting", "live") else logging.INFO
            log.log(level, "camera=%s state=%s reason=%s", self._name, state, reason)
            self.since_unix = time.time()
        if changed or (state, reason) != (self.current, self.reason):
            self.current, self.reason = state, reason
            self._on_change()

    def _derive(self) -> tuple[State, str]:
        if not self.enabled:
            return "stopped", "stopped by an operator"
        if self.ended:
            return "ended", "the file has been played to its end"
        waiting_for = self._source.waiting_for if self._is_open else ""
        silence = self._silence
        if self.failure is not None and self._picture_at is None:
            if self.wanted and waiting_for and self._arrived_at is not None and not silence:
                return "starting", f"waiting for {waiting_for}"
            if self.wanted or not (self._is_open and self._is_sound):
                return "retrying", self.failure
        if not self.wanted:
            if self.left_silent and self._is_open and not self._is_sound:
                return "stalled", self.left_silent
            if self.frozen and self.failure is not None:
                return "retrying", self.failure
            return "idle", "nobody is watching"
        if silence:
            return "stalled", silence
        if not self._has_picture(time.monotonic()):
            return "starting", f"waiting for {waiting_for or 'the first picture'}"
        if withheld := self._withheld():
            return "stalled", withheld
        if not self._shown():
            return "starting", "waiting for the first picture"
        frozen_s = self._server.frozen_after
        if frozen_s and self._still_s > frozen_s:
            return "stalled", f"the picture has not changed for more than {frozen_s:g} s"
        return "live", ""

    def _has_picture(self, now: float) -> bool:
        """Return whether the last picture is recent enough."""
        if self._picture_at is None:
            return False
        age_s = now - self._picture_at
        return age_s <= LEAST_LIMIT_S or age_s <= self._picture_limit_s

    @property
    def _is_sound(self) -> bool:
        """Whether intact pictures seem to arrive while nobody watches."""
        return self._arrived_at is not None and not self.broken and not self._source.waiting_for

    @property
    def _silence(self) -> str:
        """Why an open source counts as silent, for people; empty if it does not."""
        if self._waiting_since is None:
            return ""
        now, arrived_at, picture_at = time.monotonic(), self._arrived_at, self._picture_at
        if arrived_at is not None and picture_at is not None:
            silent_s = now - min(arrived_at, picture_at)
            if silent_s <= min(self._server.stall_after, LEAST_LIMIT_S):
                return ""  # The usual case: no limit is shorter.
        waiting_for = self._source.waiting_for
        limits = [
            (self._arrived_at, self._arrival_limit_s),
            (self._picture_at, max(self._picture_limit_s, self.key_wait_s)),
        ]
        for at, limit_s in limits:
            if now - (self._waiting_since if at is None else at) > limit_s:
                why = self.broken or (waiting_for and f"waiting for {waiting_for}")
                return f"no picture for more than {round(limit_s, 1):g} s" + (why and f"; {why}")
        return ""

    @property
    def _arrival_limit_s(self) -> float:
        fps = self._schedule.expected_fps
        limit_s = max(self._server.stall_after, 3 / fps if fps else 0.0)
        # While nobody watches a video, its units arrive in batches.
        return limit_s + (GATHER_S if self.sparse and not self.viewers else 0.0)

    @property
    def _picture_limit_s(self) -> float:
        limit_s = max(self._arrival_limit_s, 3 / self._schedule.rate, LEAST_LIMIT_S)
        since = self._sparse_since
        if since is not None and time.monotonic() - since > LEAVING_S:
            limit_s += SEEN_PROBE_S if self.viewers else UNSEEN_PROBE_S
            limit_s += GROUPS * self._source.group_s or UNKNOWN_GROUP_S
        return limit_s

    @property
    def key_wait_s(self) -> float:
        """How long the next key frame may take, in seconds, if one is awaited; else 0."""
        if not self._source.waiting_for:
            return 0.0
        group_s = self._source.group_s
        limit_s = GROUPS * group_s + self._server.stall_after if group_s else UNKNOWN_GROUP_S
        return float(round(limit_s))
