"""Reports of processors about single pictures."""

import math
from typing import NamedTuple

from server.capture.frames.event_report import Box

__all__ = ["MAX_LABEL", "MAX_REPORTS", "Report", "make_report"]

MAX_LABEL = 40

MAX_REPORTS = 16
"""Limit per picture."""

# Labels that Porthole itself reports.
RESERVED = ("motion", "offline", "online", "timelapse")

BOX = "accepted: (left, top, width, height) as fractions of the picture, from 0 to 1, or None"


class Report(NamedTuple):
    """Something in one picture; see :class:`server.capture.frames.event_report.EventReport`."""

    label: str
    score: float | None = None
    box: Box | None = None


def make_report(label: object, score: object = None, box: object = None) -> Report:
    """Validate the arguments, and return them as a report.

    Args:
        label: What it is, in at most 40 characters.
        score: Its confidence, from 0 to 1; None if unknown.
        box: Left, top, width and height as fractions of the picture; None if unknown.

    Raises:
        ValueError: If an argument is invalid; says what is accepted.
    """
    if not isinstance(label, str) or not 0 < len(label) <= MAX_LABEL or not label.isprintable():
        raise ValueError(f"label={label!r:.60}; accepted: text of 1 to {MAX_LABEL} characters")
    if label in RESERVED:
        raise ValueError(f"label={label!r} is reported by Porthole itself; accepted: any other")
    return Report(label, None if score is None else _fraction("score", score), _box(box))


def _box(box: object) -> Box | None:
    if box is None:
        return None
    try:
        numbers = [_fraction("box", one) for one in box]  # type: ignore[attr-defined]
    except TypeError:
        numbers = []
    if len(numbers) != 4:
        raise ValueError(f"box={box!r:.60}; {BOX}")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _fraction(name: str, value: object) -> float:
    """Return a number from 0 to 1 as a float; its type may be any library's."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:
        raise ValueError(f"{name}={value!r:.40}; accepted: a number from 0 to 1")
    return number
