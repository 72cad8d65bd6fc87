"""Sequence numbers for a remote camera's frames on this node."""

import time

from server.cluster.bus.frame_message import MAX_SEQ

__all__ = ["MAX_AHEAD_S", "SEQ_PER_S", "Numbering", "largest_seq"]

SEQ_PER_S = 1000
"""A shared camera's numbers start at the Unix time in ms, so that they grow across restarts: no
camera delivers a thousand frames per second."""

MAX_AHEAD_S = 24 * 3600.0
"""How far a number may be ahead of our clock, in seconds, as two machines' clocks may differ."""


def largest_seq() -> int:
    """Return the largest number that a genuine frame can have now."""
    return min(round((time.time() + MAX_AHEAD_S) * SEQ_PER_S), MAX_SEQ)


class Numbering:
    """Maps a node's numbers to numbers that never go back, even if the node's do.

    All renditions of a camera share one instance, because viewers move between renditions.
    """

    def __init__(self) -> None:
        self._shift = 0
        self._highest = 0

    def number(self, seq: int) -> int:
        """Return a frame's number on this node, without recording it as used."""
        return seq + self._shift

    def assign(self, seq: int) -> int:
        """Return a frame's number on this node, and record it as used."""
        number = seq + self._shift
        self._highest = max(self._highest, number)
        return number

    def restart(self, seq: int) -> None:
        """Number the frame ``seq`` one above the highest number used so far."""
        self._shift = self._highest + 1 - seq
