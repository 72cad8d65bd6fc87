"""How a video is encoded on a machine that is too busy for all of it: sooner, or less. No I/O."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

__all__ = ["ROUND_S", "Pace", "Plan", "spread"]

T = TypeVar("T")

ROUND_S = 0.3
"""Pictures of this time are encoded at once."""

# Of a round, what encoding may take at low priority.
LOW_SHARE = 0.5

# The weight of the newest round in what a picture takes.
WEIGHT = 0.5

# A low priority is tried again after some seconds in which the usual one was quick: in each round,
# what a picture takes with it is then taken to be so many times as much.
FORGET = 0.9


class Plan(NamedTuple):
    """What to do with the pictures that wait.

    Attributes:
        pictures: How many to encode; the others are left out.
        urgent: Whether at the usual priority, instead of a low one.
    """

    pictures: int
    urgent: bool


class Pace:
    """Keeps the encoder of one video within a round of its camera.

    What is not encoded is lost if the server is killed, so it must never be much: the priority is
    raised while a low one gets too little time, and pictures are left out while that is not enough.
    """

    def __init__(self) -> None:
        # By urgency: how long one picture takes, in seconds, waiting for a core included.
        self._cost_s = {False: 0.0, True: 0.0}

    def plan(self, waiting: int) -> Plan:
        """Return what to do with so many pictures, at least one, that came in a round or more."""
        if waiting * self._cost_s[False] <= LOW_SHARE * ROUND_S:
            return Plan(waiting, False)
        cost_s = self._cost_s[True]
        if waiting * cost_s <= LOW_SHARE * ROUND_S:
            self._cost_s[False] *= FORGET
        affordable = waiting if cost_s == 0 else max(1, int(ROUND_S / cost_s))
        return Plan(min(waiting, affordable), True)

    def note(self, pictures: int, urgent: bool, took_s: float) -> None:
        """Note how long it took to encode some."""
        cost_s = took_s / pictures
        weight = WEIGHT if self._cost_s[urgent] else 1.0
        self._cost_s[urgent] += weight * (cost_s - self._cost_s[urgent])


def spread(pictures: Sequence[T], count: int) -> list[T]:
    """Return so many of them, as far apart as possible; the newest is one."""
    step = len(pictures) / count
    return [pictures[round((number + 1) * step) - 1] for number in range(count)]
