"""Pictures that are no JPEG: PNG, WebP, GIF and BMP, which some URLs answer with."""

import re

from server.capture.frames.frame import Image
from server.capture.frames.limits import check_size
from server.errors import PictureError, SourceError

__all__ = ["decode_picture", "form_of"]

FORMS = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "gif": re.compile(rb"GIF8[79]a"),
    "bmp": re.compile(rb"BM....\0\0\0\0", re.DOTALL),
}


def form_of(data: bytes) -> str:
    """Return what such a picture is that begins like this, as FFmpeg calls it; empty for others."""
    return next((name for name, form in FORMS.items() if form.match(data)), "")


def decode_picture(data: bytes) -> Image:
    """Return its pixels, of an animation those of the first picture.

    Raises:
        PictureError: If it is broken, truncated or too large.
    """
    import cv2  # Loaded only when needed, as in jpeg.py.
    import numpy as np

    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None  # For one, it has too many pixels.
    if image is None:
        raise PictureError("the picture is broken, truncated or far too large")
    try:
        check_size(image.shape[1], image.shape[0])
    except SourceError as error:
        raise PictureError(str(error)) from None
    return image  # type: ignore[return-value]
