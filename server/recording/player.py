"""Playback: which kept pictures a viewer is sent next, given its position and speed."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from server.capture.frames.unit import Unit
from server.recording.memory import SAME_S, DecodeRun, Memory

__all__ = ["Player", "Step"]

# Screens show 60 fps; fast playback skips the others.
MIN_INTERVAL_S = 1 / 60

# Shortest wait between two steps, also if the next picture is already due.
MIN_WAIT_S = 0.004

# How far ahead to prefetch, in seconds of playback.
LOOKAHEAD_S = 1.0


class Step(NamedTuple):
    """The next step of a playback.

    Attributes:
        units: Units to send: the last is painted, the others are needed to decode it; often none.
        push: Units to send after them, which are only decoded.
        wait_s: Seconds until the next step; None to wait for a change.
        arrived: Whether playback has caught up with live.
    """

    units: list[Unit]
    push: Sequence[Unit] = ()
    wait_s: float | None = None
    arrived: bool = False


class Player:
    """One viewer's position in a camera's past.

    A seek always begins with a key frame, so that a client may discard whatever it was sent
    before. Forward, pictures are sent at the intervals at which they were captured; those that are
    late are only decoded. Backwards, only key frames are sent, because any other would need its
    whole group again.

    Args:
        memory: The camera's.

    Attributes:
        number: Of the latest seek.
        speed: 0 while paused, negative for backwards.
        memory: The camera's.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.number = 0
        self.speed = 0.0
        self._found: DecodeRun | None = None  # The result of the latest seek, until it is sent.
        self._shown: float | None = None  # The time of the last picture sent.
        self._sent_seq = 0  # Of the last unit sent.
        self._sent_at = 0.0
        self._anchor = 0.0, 0.0  # A position, and the monotonic time at which it was due.

    def seek(self, number: int, found: DecodeRun, now: float) -> None:
        """Go to a picture and pause.

        Args:
            number: Larger than that of any earlier seek.
            found: The units of the picture.
            now: Monotonic seconds.
        """
        self.number, self._found = number, found
        self.speed = 0.0
        self._anchor = found.units[-1].at_unix, now

    def play(self, speed: float, now: float) -> None:
        """Continue from the current position at a speed; 0 pauses."""
        self._anchor = self.position(now), now
        self.speed = speed

    def position(self, now: float) -> float:
        """Return the moment that is due, in Unix seconds."""
        at_unix, since = self._anchor
        return at_unix + self.speed * (now - since)

    def step(self, clock: Callable[[], float]) -> Step:
        """Return the next step; called when a picture can be sent.

        Blocks this green thread if its memory does.

        Args:
            clock: Monotonic seconds.
        """
        now = clock()
        if self._found is not None:
            return self._show(self._found, now)
        if not self.speed or self._shown is None:
            return Step([])
        if (early_s := self._sent_at + MIN_INTERVAL_S - now) > 0:
            return Step([], wait_s=early_s)
        number = self.number
        self._skip_gap(now)
        found = self.memory.decode_run(self.position(now) + SAME_S, self.speed * LOOKAHEAD_S)
        if self.speed < 0 and len(found.units) > 1:
            found = self.memory.decode_run(found.units[0].at_unix)
        if number != self.number:
            return self.step(clock)  # A seek came meanwhile.
        if not found.units:
            return Step([], arrived=True)
        at_unix = found.units[-1].at_unix
        # If the picture shown has been dropped, an earlier one is found; do not go back.
        if (at_unix - self._shown) * self.speed <= 0:
            return self._wait(found, now)
        if self.speed < 0:
            return self._show(found, now)
        units = self._after_sent(found.units)
        if units:
            return self._show(DecodeRun(units, []), now)
        self._shown = at_unix  # It was sent already, as the push of the one before.
        return self._wait(found, now)

    def _skip_gap(self, now: float) -> None:
        """Skip a gap instead of showing the picture before it all the while."""
        at_unix = self.position(now)
        for begin, end in self.memory.gaps:
            if begin + SAME_S < at_unix < end:
                self._anchor = (end if self.speed > 0 else begin), now

    def _show(self, found: DecodeRun, now: float) -> Step:
        units, push, _ = found
        self._found = None
        self._shown, self._sent_at = units[-1].at_unix, now
        self._sent_seq = (push or units)[-1].seq
        return Step(units, push, MIN_INTERVAL_S if self.speed else None)

    def _after_sent(self, units: list[Unit]) -> list[Unit]:
        """Return the units after the last one sent; all if that belongs to an earlier group."""
        if self._sent_seq < units[0].seq:
            return units
        return [one for one in units if one.seq > self._sent_seq]

    def _wait(self, found: DecodeRun, now: float) -> Step:
        """Return a step that waits until the picture after the one shown is due."""
        assert self._shown is not None
        if self.speed > 0 and found.newest:
            return Step([], arrived=True)
        before, after = self.memory.neighbours(self._shown)
        at_unix = self.position(now)
        if self.speed < 0 and before is None:
            self.play(0.0, now)
            return Step([])
        if self.speed > 0 and any(begin == self._shown for begin, _ in self.memory.gaps):
            return Step([], wait_s=MIN_WAIT_S)
        # Backwards, a slightly earlier position still finds the same picture.
        due = self._shown - 2 * SAME_S if self.speed < 0 else after or at_unix
        return Step([], wait_s=max(MIN_WAIT_S, (due - at_unix) / self.speed))
