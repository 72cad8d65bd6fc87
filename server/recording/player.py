"""Which pictures of the past a viewer is sent next, given when, where and how fast it looks."""

from collections.abc import Callable
from typing import NamedTuple

from server.capture.frames.unit import Unit
from server.recording.memory import SAME_S, Memory

__all__ = ["Player", "Step"]

# No screen shows more pictures a second; playing fast skips the others.
LEAST_INTERVAL_S = 1 / 60

# How much is played next is told whoever keeps it, in seconds of playing.
AHEAD_S = 1.0


class Step(NamedTuple):
    """What is to be done now.

    Attributes:
        units: To be sent, of which the last is painted and the others lead to it; often nothing.
        wait_s: After how many seconds to look again; None for not before something changes.
        arrived: Whether playing has arrived at now.
    """

    units: list[Unit]
    wait_s: float | None = None
    arrived: bool = False


class Player:
    """One viewer's place in a camera's past.

    A seek begins with a picture that can be decoded by itself, whatever was sent before it, so that
    a client may throw away what it no longer wants. Playing forward, pictures come as far apart as
    they were taken; those that are late only lead to the next. Playing backwards, only those come
    that can be decoded by themselves, because any other would need its whole group again.

    Args:
        memory: Of the camera.

    Attributes:
        number: Of the newest seek.
        speed: 0 while it is paused, negative for backwards.
        memory: Of the camera.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.number = 0
        self.speed = 0.0
        self._found: list[Unit] = []  # What the newest seek has found, until that is sent.
        self._shown: Unit | None = None
        self._shown_at = 0.0
        self._from = 0.0, 0.0  # The moment of the past at a monotonic time.

    def seek(self, number: int, found: list[Unit], now: float) -> None:
        """Go to a picture and pause.

        Args:
            number: Larger than any before.
            found: The picture, after those that are needed to decode it.
            now: Monotonic seconds.
        """
        self.number, self._found = number, found
        self.speed = 0.0
        self._from = found[-1].at_unix, now

    def play(self, speed: float, now: float) -> None:
        """Go on from here at a speed; 0 pauses."""
        self._from = self.position(now), now
        self.speed = speed

    def position(self, now: float) -> float:
        """Return which moment is due, in Unix seconds."""
        at_unix, since = self._from
        return at_unix + self.speed * (now - since)

    def step(self, clock: Callable[[], float]) -> Step:
        """Return what is to be done now; called when a picture can be sent.

        Blocks this green thread as its memory does.

        Args:
            clock: Monotonic seconds.
        """
        if self._found:
            return self._show(self._found, clock())
        now = clock()
        if not self.speed or self._shown is None:
            return Step([])
        if (early_s := self._shown_at + LEAST_INTERVAL_S - now) > 0:
            return Step([], early_s)
        number = self.number
        found = self.memory.find(self.position(now) + SAME_S, self.speed * AHEAD_S)
        if number != self.number:
            return self.step(clock)  # A seek came meanwhile.
        if not found:
            return Step([], arrived=True)
        if self.speed < 0:
            del found[1:]
        # The one shown may be forgotten by now; the one before it is no news.
        if (found[-1].at_unix - self._shown.at_unix) * self.speed > 0:
            return self._show(self._after_shown(found), now)
        return self._wait(self._shown, now)

    def _show(self, units: list[Unit], now: float) -> Step:
        self._found = []
        self._shown, self._shown_at = units[-1], now
        return Step(units, LEAST_INTERVAL_S if self.speed else None)

    def _after_shown(self, found: list[Unit]) -> list[Unit]:
        """Return what a viewer lacks that has had everything up to the picture shown."""
        assert self._shown is not None
        for at, unit in enumerate(found):
            if unit.seq == self._shown.seq:
                return found[at + 1 :]
        return found

    def _wait(self, shown: Unit, now: float) -> Step:
        """Return when the next picture is due after the one shown."""
        at_unix = self.position(now)
        before, after = self.memory.neighbours(shown.at_unix)
        if self.speed > 0:
            if after is None:
                return Step([], arrived=True)
            return Step([], max(0.0, after - at_unix) / self.speed)
        if before is None:
            self.play(0.0, now)
            return Step([])
        # One that is a little later is still the same picture.
        return Step([], max(0.0, at_unix - shown.at_unix + 2 * SAME_S) / -self.speed)
