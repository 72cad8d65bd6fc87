"""The numbers of a remote camera's frames, as this node gives them on."""

import time

from server.cluster.bus.frame_message import MAX_SEQ

__all__ = ["MAX_AHEAD_S", "SEQ_PER_S", "Numbering", "largest_seq"]

SEQ_PER_S = 1000
"""A camera's numbers go on from the clock, in ms, so that they grow over restarts: no camera
delivers a thousand frames a second."""

MAX_AHEAD_S = 24 * 3600.0
"""How far a number may be beyond our clock, in seconds; no two clocks of machines agree."""


def largest_seq() -> int:
    """Return the largest number that a frame can honestly have by now."""
    return min(round((time.time() + MAX_AHEAD_S) * SEQ_PER_S), MAX_SEQ)


class Numbering:
    """Gives numbers that never go back, also when those of the camera's node do.

    One for all renditions of a camera, because viewers move between them.
    """

    def __init__(self) -> None:
        self._shift = 0
        self._highest = 0

    def number(self, seq: int) -> int:
        """Return what a frame is numbered here; does not give it out yet."""
        return seq + self._shift

    def give(self, seq: int) -> int:
        """Return what a frame is numbered here, which is given out with this."""
        number = seq + self._shift
        self._highest = max(self._highest, number)
        return number

    def begin_anew(self, seq: int) -> None:
        """Have the frame ``seq`` follow the highest number that was given out."""
        self._shift = self._highest + 1 - seq
