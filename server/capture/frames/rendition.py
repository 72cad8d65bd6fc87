"""The sizes in which a camera is offered."""

from dataclasses import dataclass

__all__ = ["FULL", "Rendition", "ladder_of"]


@dataclass(frozen=True, slots=True)
class Rendition:
    """One size of a camera's frames.

    Attributes:
        name: Used in viewers' requests and in the headers of frames.
        width: The maximum in pixels; None for the camera's own.
    """

    name: str
    width: int | None

    def scales(self, width: int) -> bool:
        """Return whether pictures of this width must be scaled down for it."""
        return self.width is not None and self.width < width


FULL = Rendition("full", None)
"""The camera's own size."""


def ladder_of(widths: tuple[int, ...]) -> tuple[Rendition, ...]:
    """Return the renditions of these widths and the full one, the largest first."""
    smaller = (Rendition(str(width), width) for width in sorted(set(widths), reverse=True))
    return (FULL, *smaller)
