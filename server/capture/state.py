"""The state of a camera: it follows from what is known of its source, and is announced."""

import logging
import random
import time
from collections.abc import Callable

from server.capture.interface import State
from server.capture.schedule import Schedule
from server.config.models import ServerSettings
from server.errors import SourceError

__all__ = ["CameraState"]

log = logging.getLogger(__name__)

RETRY_FIRST_S = 1.0
MAX_RETRY_S = 10.0
RETRY_GROWTH = 1.6

# A source that looks frozen is reopened after this many times the setting frozen_after.
FROZEN_PATIENCE = 3


class CameraState:
    """The facts about one camera, and what follows: its state, and when to try again.

    Only its camera uses it, on the hub.

    Args:
        name: The camera's name, for the log.
        title: Its title.
        server: For the time limits.
        schedule: Knows how often pictures come.
        withheld: Returns why pictures are held back after they were captured; empty if not.
        on_change: Called when the state is new.
        on_notice: Called with level and message.

    Attributes:
        title: What people see.
        enabled: Whether an operator lets it work.
        viewers: How many watch.
        ended: Whether a file has been played to its end.
        failure: Why it failed, since the last success, whether watched or not.
        missing: Whether the failure is that there is no such device or file.
        broken: What was wrong with the last picture, if it could not be decoded.
        left_silent: What was wrong when the last viewer left, if no picture was coming; else empty.
        current: The state as last announced.
        reason: Why it is in that state, for people.
        since_unix: Since when, in Unix seconds.
    """

    def __init__(
        self,
        name: str,
        title: str,
        server: ServerSettings,
        schedule: Schedule,
        withheld: Callable[[], str],
        on_change: Callable[[], None],
        on_notice: Callable[[str, str], None],
    ) -> None:
        self._name = name
        self.title = title
        self._server = server
        self._schedule = schedule
        self._withheld = withheld
        self._on_change = on_change
        self._on_notice = on_notice

        self.enabled = True
        self.viewers = 0
        self.ended = False
        self.failure: str | None = None
        self.missing = False
        self.broken = ""
        self.left_silent = ""
        self._is_open = False
        self._picture_at: float | None = None  # Monotonic; the last grab since open or since idle.
        self._waiting_since: float | None = None  # Monotonic; for the first one after either.
        self._unwatched_since = 0.0
        self._still_s = 0.0
        self._attempt = 0
        self._retry_at = 0.0

        self.current: State = "idle"
        self.reason = "nobody is watching"
        self.since_unix = time.time()

    # Called by the camera.

    def watched_by(self, viewers: int) -> None:
        """Note how many watch."""
        if bool(viewers) != bool(self.viewers):
            self.left_silent = "" if viewers else self._silence
        if self.viewers and not viewers:
            self._unwatched_since = time.monotonic()
            self._picture_at = None
            self._still_s = 0.0
        if viewers and not self.viewers and self._is_open:
            self._waiting_since = time.monotonic()
        self.viewers = viewers

    def opening(self) -> None:
        """Note that the source is being opened."""
        self._picture_at = self._waiting_since = None
        self.broken = self.left_silent = ""

    def opened(self) -> None:
        """Note that the source is open, and its first picture is waited for."""
        self._is_open = True
        self._waiting_since = time.monotonic()

    def grabbed(self) -> None:
        """Note that a picture came."""
        self._picture_at = time.monotonic()

    def delivered(self, still_s: float) -> None:
        """Note that it could be decoded, and for how many seconds it has been the same."""
        self._still_s = still_s
        self.broken = ""

    def give_up_if_frozen(self) -> None:
        """Raise SourceError when the picture has stood still so long that only reopening helps."""
        limit_s = FROZEN_PATIENCE * self._server.frozen_after
        if limit_s and self._still_s > limit_s:
            raise SourceError(f"the picture has not changed for {limit_s:g} s; opened anew")

    def give_up_if_silent(self) -> None:
        """Raise SourceError if no picture came before the last viewer left, nor since."""
        if self.left_silent and self._picture_at is None:
            raise SourceError(self.left_silent)

    def closing(self) -> None:
        """Note that the source is being closed."""
        self._is_open = False
        self._picture_at = self._waiting_since = None

    def fail(self, reason: str, missing: bool = False) -> None:
        """Record a failure; log and announce it only if the camera worked before."""
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

    def recover(self) -> None:
        """Clear the failure, and announce that the camera works again."""
        self.clear_failure()
        log.info("camera=%s is back online", self._name)
        self._on_notice("info", f"{self.title} is back online")

    def clear_failure(self) -> None:
        """Clear the failure without announcing it."""
        self.failure, self.missing = None, False

    # Whether the source is to be open, and when to try again.

    def wants_source(self, checked: bool) -> bool:
        """Whether the source is to be opened: for viewers, or to be checked."""
        return self.enabled and not self.ended and (self.viewers > 0 or checked)

    def keeps_source(self, checked: bool) -> bool:
        """Whether an open source should stay so, although nobody may be watching."""
        if not self.enabled or self.viewers or checked:
            return self.enabled
        return time.monotonic() - self._unwatched_since < self._server.release_after

    def back_off(self, delivered: bool) -> None:
        """Set when to try again: later each time, and not in step with other cameras.

        Kept while nobody watches, so that viewers who come and go do not hammer a dead camera.

        Args:
            delivered: Whether there were pictures since the last attempt.
        """
        self._attempt = 1 if delivered else self._attempt + 1
        delay = min(MAX_RETRY_S, RETRY_FIRST_S * RETRY_GROWTH ** min(self._attempt - 1, 10))
        self._retry_at = time.monotonic() + delay * random.uniform(0.8, 1.2)

    @property
    def retry_in_s(self) -> float:
        """For how many seconds it is not to be tried again; 0 if at once."""
        if self.failure is None or not self.viewers:
            return 0.0
        return max(0.0, self._retry_at - time.monotonic())

    # The state that follows.

    def refresh(self, changed: bool = False) -> None:
        """Announce the state if it, or with ``changed`` anything else people see, is new."""
        state, reason = self._derive()
        if state in ("live", "idle") and self.failure is not None:
            self.recover()
        if state != self.current:
            # Viewers come and go; what an operator of the machine wants to know is trouble.
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
        if self.failure is not None and self._picture_at is None:
            return "retrying", self.failure
        if not self.viewers:
            if self.left_silent and self._is_open and self._picture_at is None:
                return "stalled", self.left_silent
            return "idle", "nobody is watching"
        if silence := self._silence:
            return "stalled", silence
        if self._picture_at is None:
            return "starting", "waiting for the first picture"
        if withheld := self._withheld():
            return "stalled", withheld
        frozen_s = self._server.frozen_after
        if frozen_s and self._still_s > frozen_s:
            return "stalled", f"the picture has not changed for more than {frozen_s:g} s"
        return "live", ""

    @property
    def _silence(self) -> str:
        """What to say of a source that is open and brings no picture; nothing if it does."""
        since = self._waiting_since if self._picture_at is None else self._picture_at
        fps = self._schedule.source_fps
        limit_s = max(self._server.stall_after, 3 / fps if fps else 0)
        if since is None or time.monotonic() - since <= limit_s:
            return ""
        broken = f"; {self.broken}" if self.broken else ""
        return f"no picture for more than {limit_s:g} s{broken}"
