"""What arrives from a source, measured: pictures a second, bits a second, length of a group."""

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Arrivals", "Figures"]

WINDOW_S = 3.0

# Slow sources are measured over their last arrivals instead, however long ago.
MIN_ARRIVALS = 4

# A rate that follows from less than this may be a burst after opening.
KNOWN_AFTER_S = 1.0


class Figures(NamedTuple):
    """What is known of a source's arrivals; 0 and an empty text for what is not.

    Attributes:
        fps: Pictures a second.
        kbps: Kilobits a second, as encoded.
        group: Pictures from one key frame to the next; 1 if each can be decoded by itself.
        waiting_for: What must come before there is a picture, for people.
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
        self._recent: deque[tuple[float, int]] = deque()
        self._nbytes = 0  # Of all recent ones.
        self._since_key: int | None = None
        self.figures = Figures()

    def add(self, nbytes: int = 0, key: bool = True) -> None:
        """Note that a picture arrived.

        Args:
            nbytes: Its size as encoded; 0 if unknown.
            key: Whether it can be decoded by itself.
        """
        now = self._clock()
        recent = self._recent
        recent.append((now, nbytes))
        self._nbytes += nbytes
        while len(recent) > MIN_ARRIVALS and now - recent[0][0] > WINDOW_S:
            self._nbytes -= recent.popleft()[1]
        group = self.figures.group
        if key:
            group, self._since_key = self._since_key or group, 0
        if self._since_key is not None:
            self._since_key += 1
        fps = kbps = 0.0
        span_s = now - recent[0][0]
        if span_s >= KNOWN_AFTER_S:
            fps = (len(recent) - 1) / span_s
            kbps = (self._nbytes - recent[0][1]) / span_s / 125
        self.figures = self.figures._replace(fps=fps, kbps=kbps, group=group)

    def wait_for(self, what: str) -> None:
        """Say what must come before there is a picture; nothing once there is one."""
        self.figures = self.figures._replace(waiting_for=what)

    def pause(self) -> None:
        """Start the rates anew after a pause that was not the source's doing."""
        self._recent.clear()
        self._nbytes = 0
