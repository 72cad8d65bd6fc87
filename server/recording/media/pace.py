"""On a busy machine, raise the priority of encoding, then encode fewer pictures. No I/O."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

__all__ = ["ROUND_S", "Pace", "Plan", "spread"]

T = TypeVar("T")

ROUND_S = 0.3
"""Pictures are encoded in rounds of this length."""

# Share of a round that encoding may take at low priority.
LOW_PRIORITY_SHARE = 0.5

# Weight of the newest round in the average time per picture.
WEIGHT = 0.5

# Factor by which the estimated cost at low priority shrinks in each round in which the usual one
# was quick, so that low priority is tried again after some seconds.
DECAY = 0.9


class Plan(NamedTuple):
    """How to encode the waiting pictures.

    Attributes:
        pictures: How many to encode; the others are dropped.
        urgent: Whether to encode at the usual priority instead of a low one.
    """

    pictures: int
    urgent: bool


class Pace:
    """Keeps the encoder of one video at most a round behind its camera.

    Pictures not encoded yet are lost if the server is killed, so they must be few: the priority is
    raised while a low one gets too little time, and if that is not enough, pictures are dropped.
    """

    def __init__(self) -> None:
        # Seconds per picture, including the wait for a core, by urgency.
        self._cost_s = {False: 0.0, True: 0.0}

    def plan(self, waiting: int) -> Plan:
        """Return how to encode ``waiting`` pictures, at least one, that arrived in a round."""
        if waiting * self._cost_s[False] <= LOW_PRIORITY_SHARE * ROUND_S:
            return Plan(waiting, False)
        cost_s = self._cost_s[True]
        if waiting * cost_s <= LOW_PRIORITY_SHARE * ROUND_S:
            self._cost_s[False] *= DECAY
        affordable = waiting if cost_s == 0 else max(1, int(ROUND_S / cost_s))
        return Plan(min(waiting, affordable), True)

    def note(self, pictures: int, urgent: bool, took_s: float) -> None:
        """Record how long it took to encode some pictures."""
        cost_s = took_s / pictures
        weight = WEIGHT if self._cost_s[urgent] else 1.0
        self._cost_s[urgent] += weight * (cost_s - self._cost_s[urgent])


def spread(pictures: Sequence[T], count: int) -> list[T]:
    """Return ``count`` evenly spaced pictures, including the newest."""
    step = len(pictures) / count
    return [pictures[round((number + 1) * step) - 1] for number in range(count)]
