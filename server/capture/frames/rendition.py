"""The sizes that a camera is offered in."""

from dataclasses import dataclass

__all__ = ["FULL", "Rendition", "ladder_of"]


@dataclass(frozen=True, slots=True)
class Rendition:
    """One size of a camera's frames.

    Attributes:
        name: What viewers ask for, and what is in a frame's header.
        width: In pixels at most; None for the camera's own, whatever it is.
    """

    name: str
    width: int | None

    def scales(self, width: int) -> bool:
        """Return whether pictures of this width have to be made smaller for it."""
        return self.width is not None and self.width < width


FULL = Rendition("full", None)
"""The camera's own size."""


def ladder_of(widths: tuple[int, ...]) -> tuple[Rendition, ...]:
    """Return the renditions of these widths and the full one, the largest first."""
    smaller = (Rendition(str(width), width) for width in sorted(set(widths), reverse=True))
    return (FULL, *smaller)
