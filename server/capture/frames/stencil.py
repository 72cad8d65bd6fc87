"""A line of text that is rendered once and then laid over many pictures.

OpenCV unpacks its font for each thread that draws text, which takes 23 ms; and laying a line over a
picture takes a fifth of the time of drawing it.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from server.capture.frames.frame import Image

__all__ = ["Colour", "Stencil", "join", "letter"]

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Stencil:
    """A rendered line, as its effect on the pixels below it.

    Attributes:
        keep: How much of each pixel to keep, 0 to 255; uint8, shape (height, width, 3).
        ink: What to add to each pixel; same type and shape.
        rise: The number of rows above the baseline.
        lead: The number of columns before the start of the text.
        width: The distance from its start to the start of text that follows, in pixels.
    """

    keep: Image
    ink: Image
    rise: int
    lead: int
    width: int

    def lay(self, image: Image, left: int, baseline: int) -> None:
        """Draw the line into a picture, clipped at its edges."""
        top, left = baseline - self.rise, left - self.lead
        # 0 if it ends above or left of the picture; less would count from the other side.
        down, across = max(0, top + len(self.keep)), max(0, left + len(self.keep[0]))
        part = image[max(0, top) : down, max(0, left) : across]
        if part.size:
            height, width = part.shape[:2]
            rows, columns = slice(max(0, -top), None), slice(max(0, -left), None)
            cv2.multiply(part, self.keep[rows, columns][:height, :width], part, 1 / 255)
            cv2.add(part, self.ink[rows, columns][:height, :width], part)


@lru_cache(maxsize=512)
def letter(text: str, pixels: int, weight: int, colour: Colour) -> Stencil:
    """Render a line in OpenCV's own font, which also has Greek, Cyrillic and accents.

    Args:
        text: The line.
        pixels: The font size.
        weight: 100 to 900; 400 is regular.
        colour: Blue, green and red.
    """
    font = cv2.FontFace("sans")  # Not thread-safe, and cheap.
    # Measure ten copies, since OpenCV rounds up: a clock's digits would be too far apart.
    width = round(cv2.getTextSize((0, 0), 10 * text, (0, 0), font, pixels, weight)[2] / 10)
    rise, lead = pixels + pixels // 4, pixels // 4
    mask = np.zeros((rise + pixels // 2, width + 2 * lead), np.uint8)
    cv2.putText(mask, text, (lead, rise), (255, 255, 255), font, pixels, weight)
    keep: Image = np.repeat(255 - mask[..., None], 3, axis=2)
    ink = np.rint(mask[..., None] * (np.array(colour) / 255)).astype(np.uint8)
    return Stencil(keep, ink, rise, lead, width)


def join(stencils: list[Stencil]) -> Stencil:
    """Return several stencils of the same font size as one line."""
    keep = np.hstack([one.keep[:, one.lead : one.lead + one.width] for one in stencils])
    ink = np.hstack([one.ink[:, one.lead : one.lead + one.width] for one in stencils])
    return Stencil(keep, ink, stencils[0].rise, 0, keep.shape[1])
