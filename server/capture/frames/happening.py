"""What is reported of a camera: motion, or what a processor has seen."""

from dataclasses import dataclass

__all__ = ["Box", "Happening"]

Box = tuple[float, float, float, float]
"""Left, top, width and height in shares of the picture."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that begins, goes on or ends at a camera.

    The first of a label begins an event. Others of that label go on with it, until one says that it
    has ended.

    Attributes:
        label: What it is, such as ``motion``.
        at_unix: When, in Unix seconds.
        score: How certain or how much it is; None if that is not known.
        box: Where in the picture; None if that is not known.
        ended: Whether it is over.
        jpeg: A picture of it; None if there is none, or none better than before.
    """

    label: str
    at_unix: float
    score: float | None = None
    box: Box | None = None
    ended: bool = False
    jpeg: bytes | None = None
