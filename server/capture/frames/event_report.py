"""Reports from a camera: motion, or something that a processor has detected."""

from dataclasses import dataclass

__all__ = ["Box", "EventReport"]

Box = tuple[float, float, float, float]
"""Left, top, width and height as fractions of the picture."""


@dataclass(frozen=True, slots=True)
class EventReport:
    """Something that begins, continues or ends at a camera.

    The first report with a label begins an event. Later ones with that label continue it, until one
    of them has ``ended`` set.

    Attributes:
        label: What it is, such as ``motion``.
        at_unix: When, in Unix seconds.
        score: Its certainty or extent; None if unknown.
        box: Where in the picture; None if unknown.
        ended: Whether it is over.
        jpeg: A picture of it; None if there is none, or none better than before.
    """

    label: str
    at_unix: float
    score: float | None = None
    box: Box | None = None
    ended: bool = False
    jpeg: bytes | None = None
