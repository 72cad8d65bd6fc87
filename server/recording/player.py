"""Which pictures of the past a viewer is sent next, given when, where and how fast it looks."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from server.capture.frames.unit import Unit
from server.recording.memory import SAME_S, Lead, Memory

__all__ = ["Player", "Step"]

# No screen shows more pictures a second; playing fast skips the others.
LEAST_INTERVAL_S = 1 / 60

# One that is due already comes when the next look finds it.
LEAST_WAIT_S = 0.004

# How much is played next is told whoever keeps it, in seconds of playing.
AHEAD_S = 1.0


class Step(NamedTuple):
    """What is to be done now.

    Attributes:
        units: To be sent, of which the last is painted and the others lead to it; often nothing.
        push: To be sent after them, and only decoded.
        wait_s: After how many seconds to look again; None for not before something changes.
        arrived: Whether playing has arrived at now.
    """

    units: list[Unit]
    push: Sequence[Unit] = ()
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
        self._found: Lead | None = None  # By the newest seek, until that is sent.
        self._shown: float | None = None  # The time of the picture that was sent last.
        self._sent_seq = 0  # Of the last unit that was sent.
        self._sent_at = 0.0
        self._from = 0.0, 0.0  # The moment of the past at a monotonic time.

    def seek(self, number: int, found: Lead, now: float) -> None:
        """Go to a picture and pause.

        Args:
            number: Larger than any before.
            found: What shows the picture.
            now: Monotonic seconds.
        """
        self.number, self._found = number, found
        self.speed = 0.0
        self._from = found.units[-1].at_unix, now

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
        now = clock()
        if self._found is not None:
            return self._show(self._found, now)
        if not self.speed or self._shown is None:
            return Step([])
        if (early_s := self._sent_at + LEAST_INTERVAL_S - now) > 0:
            return Step([], wait_s=early_s)
        number = self.number
        self._skip_gap(now)
        found = self.memory.lead(self.position(now) + SAME_S, self.speed * AHEAD_S)
        if self.speed < 0 and len(found.units) > 1:
            found = self.memory.lead(found.units[0].at_unix)
        if number != self.number:
            return self.step(clock)  # A seek came meanwhile.
        if not found.units:
            return Step([], arrived=True)
        at_unix = found.units[-1].at_unix
        # The one shown may be forgotten by now; the one before it is no news.
        if (at_unix - self._shown) * self.speed <= 0:
            return self._wait(found, now)
        if self.speed < 0:
            return self._show(found, now)
        units = self._after_sent(found.units)
        if units:
            return self._show(Lead(units, []), now)
        self._shown = at_unix  # It has pushed out the one before.
        return self._wait(found, now)

    def _skip_gap(self, now: float) -> None:
        """Leave out what was not kept: nobody wants to look at one picture until it is over."""
        at_unix = self.position(now)
        for begin, end in self.memory.gaps:
            if begin + SAME_S < at_unix < end:
                self._from = (end if self.speed > 0 else begin), now

    def _show(self, found: Lead, now: float) -> Step:
        units, push, _ = found
        self._found = None
        self._shown, self._sent_at = units[-1].at_unix, now
        self._sent_seq = (push or units)[-1].seq
        return Step(units, push, LEAST_INTERVAL_S if self.speed else None)

    def _after_sent(self, units: list[Unit]) -> list[Unit]:
        """Return what a viewer lacks that has had everything up to the last unit that was sent."""
        if self._sent_seq < units[0].seq:
            return units
        return [one for one in units if one.seq > self._sent_seq]

    def _wait(self, found: Lead, now: float) -> Step:
        """Return when the next picture is due after the one shown."""
        assert self._shown is not None
        if self.speed > 0 and found.newest:
            return Step([], arrived=True)
        before, after = self.memory.neighbours(self._shown)
        at_unix = self.position(now)
        if self.speed < 0 and before is None:
            self.play(0.0, now)
            return Step([])
        if self.speed > 0 and any(begin == self._shown for begin, _ in self.memory.gaps):
            return Step([], wait_s=LEAST_WAIT_S)
        # Backwards, one that is a little later is still the same picture.
        due = self._shown - 2 * SAME_S if self.speed < 0 else after or at_unix
        return Step([], wait_s=max(LEAST_WAIT_S, (due - at_unix) / self.speed))
