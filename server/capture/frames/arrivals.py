"""Measures what arrives from a source: pictures and bits per second, and the length of a group."""

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Arrivals", "Figures"]

WINDOW_S = 3.0

# Slow sources are measured over this many of their last arrivals instead, however long ago.
MIN_ARRIVALS = 4

# A rate measured over less than this may reflect a burst after opening.
KNOWN_AFTER_S = 1.0


# Groups differ in length where scenes change, and in cameras that save data: the longest one of the
# last few counts, or the current one as soon as that is longer.
GROUPS = 8
MAX_UNFINISHED = 1000


class Figures(NamedTuple):
    """Measurements of a source's arrivals; 0 or empty where unknown.

    Attributes:
        fps: Frames per second.
        kbps: Kilobits per second, as encoded.
        group: The longest recent distance between key frames, in pictures; 1 if each picture can be
            decoded by itself.
        waiting_for: What must arrive before there is a picture, for people.
    """

    fps: float = 0.0
    kbps: float = 0.0
    group: int = 0
    waiting_for: str = ""


class Arrivals:
    """Measures one source. One thread adds; any thread may read :attr:`figures`.

    Args:
        clock: Returns monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # When each picture arrived, in seconds, and its size. The rates are computed on demand:
        # a heartbeat asks four times a second, while thirty pictures arrive.
        self._recent: deque[tuple[float, int]] = deque()
        self._groups: deque[int] = deque(maxlen=GROUPS)
        self._group = 0
        self._since_key: int | None = None
        self.waiting_for = ""
        """What must arrive before there is a picture; see :class:`Figures`."""

    @property
    def figures(self) -> Figures:
        """The measurements so far."""
        recent = tuple(self._recent)  # A copy, since the other thread may add to it.
        fps = kbps = 0.0
        span_s = recent[-1][0] - recent[0][0] if recent else 0.0
        if span_s >= KNOWN_AFTER_S:
            fps = (len(recent) - 1) / span_s
            kbps = sum(nbytes for _, nbytes in recent[1:]) / span_s / 125
        return Figures(fps, kbps, self._group, self.waiting_for)

    def add(self, nbytes: int = 0, key: bool = True, at: float | None = None) -> None:
        """Note that a picture arrived.

        Args:
            nbytes: Its size as encoded; 0 if unknown.
            key: Whether it can be decoded by itself.
            at: When it arrived, by the clock; None for now.
        """
        now = self._clock() if at is None else at
        recent = self._recent
        recent.append((now, nbytes))
        while len(recent) > MIN_ARRIVALS and now - recent[0][0] > WINDOW_S:
            recent.popleft()
        if key:
            if self._since_key:
                self._groups.append(self._since_key)
                self._group = max(self._groups)
            self._since_key = 0
        if self._since_key is not None:
            self._since_key += 1
            if 0 < self._group < self._since_key <= MAX_UNFINISHED:
                self._group = self._since_key

    def wait_for(self, what: str) -> None:
        """Set what must arrive before there is a picture; empty once there is one."""
        self.waiting_for = what

    def pause(self) -> None:
        """Start measuring the rates afresh, because of a pause that the source did not cause."""
        self._recent.clear()
