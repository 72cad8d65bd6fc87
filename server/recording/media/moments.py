"""Select units by time; with B-frames their times are not in order."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

__all__ = ["through", "until"]


# Difference between times of one picture that were computed in different ways.
ROUNDING_S = 1e-4


class Shown(Protocol):
    """A unit in memory or on the disk."""

    @property
    def shown_unix(self) -> float:
        """When its picture was captured, in Unix seconds."""


Kept = TypeVar("Kept", bound=Shown)


def until(units: Sequence[Kept], to_unix: float) -> list[Kept]:
    """Return the units, from the first, of all pictures shown up to a moment; at least one.

    With B-frames, this includes later units that they need, and all shown before those.
    """
    end = max((at for at, one in enumerate(units, 1) if one.shown_unix <= to_unix), default=1)
    latest = max((one.shown_unix for one in units[:end]), default=to_unix)
    return list(units[: max(at for at, one in enumerate(units, 1) if one.shown_unix <= latest)])


def through(units: Sequence[Kept], at_unix: float) -> list[Kept]:
    """Return the units, from the first, up to that of a moment's picture.

    That is the newest that is not later, or the first of all. ``units`` must not be empty.
    """
    at_unix += ROUNDING_S
    not_later = (one.shown_unix for one in units if one.shown_unix <= at_unix)
    shown = max(not_later, default=min(one.shown_unix for one in units))
    return list(units[: next(at for at, one in enumerate(units, 1) if one.shown_unix == shown)])
