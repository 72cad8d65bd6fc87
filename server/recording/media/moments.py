"""Which of some units belong to a moment; with B-frames their times are not in order."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

__all__ = ["through", "until"]


# By how much the time of a picture may seem later where it was computed in another way.
ROUNDED_S = 1e-4


class Shown(Protocol):
    """A unit, wherever it is kept."""

    @property
    def shown_unix(self) -> float:
        """When its picture was captured, in Unix seconds."""


Kept = TypeVar("Kept", bound=Shown)


def until(units: Sequence[Kept], to_unix: float) -> list[Kept]:
    """Return the first of some units: all that are shown up to a moment, and at least one.

    With B-frames those that they need are among them, and whatever is shown before the last.
    """
    end = max((at for at, one in enumerate(units, 1) if one.shown_unix <= to_unix), default=1)
    latest = max((one.shown_unix for one in units[:end]), default=to_unix)
    return list(units[: max(at for at, one in enumerate(units, 1) if one.shown_unix <= latest)])


def through(units: Sequence[Kept], at_unix: float) -> list[Kept]:
    """Return the first of some units up to that whose picture is that of a moment.

    That is the newest that is not later, or the first of all. There must be some.
    """
    at_unix += ROUNDED_S
    not_later = (one.shown_unix for one in units if one.shown_unix <= at_unix)
    shown = max(not_later, default=min(one.shown_unix for one in units))
    return list(units[: next(at for at, one in enumerate(units, 1) if one.shown_unix == shown)])
