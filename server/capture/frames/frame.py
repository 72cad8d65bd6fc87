"""One picture with its number and time."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

__all__ = ["Frame", "Image", "Jpeg", "Picture", "is_same", "size_of"]

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image: TypeAlias = NDArray[np.uint8]
    """Pixels: uint8, shape (height, width, 3), BGR order."""
else:
    # A process that only passes JPEG through does without numpy, which takes 0.1 s and 20 MB.
    Image = Any


# Immutable by convention: frozen dataclasses take five times as long to create.
@dataclass(slots=True)
class Jpeg:
    """A JPEG as its camera encoded it: validated, and ready to be passed through.

    Attributes:
        data: The JPEG file's bytes.
        width: In pixels.
        height: In pixels.
        quality: The equivalent of its quantisation tables on libjpeg's scale from 1 to 100; 0 if
            it has none.
        pixels: The same picture decoded, perhaps smaller, if requested; else None.
    """

    data: bytes
    width: int
    height: int
    quality: int
    pixels: Image | None = field(default=None, compare=False, repr=False)


Picture: TypeAlias = Image | Jpeg


def size_of(picture: Picture) -> tuple[int, int]:
    """Return width and height, in pixels."""
    if isinstance(picture, Jpeg):
        return picture.width, picture.height
    height, width = picture.shape[:2]
    return width, height


def is_same(one: Picture, other: Picture) -> bool:
    """Return whether two pictures are bit-identical; slow if they are large."""
    if isinstance(one, Jpeg) or isinstance(other, Jpeg):
        return isinstance(one, Jpeg) and one == other
    return one.shape == other.shape and bool((one == other).all())


@dataclass(slots=True)
class Frame:
    """One captured picture; shared by reference, so its pixels must not be written to.

    Attributes:
        picture: The pixels, or the camera's own JPEG.
        seq: Its sequence number, counted per camera; never decreases.
        at_unix: When it was captured, in Unix seconds.
    """

    picture: Picture
    seq: int
    at_unix: float
