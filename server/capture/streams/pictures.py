"""Decodes pictures other than JPEG that some URLs answer with: PNG, WebP, GIF and BMP."""

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
    """Return FFmpeg's name for the format of a picture by its first bytes; empty if unknown."""
    return next((name for name, form in FORMS.items() if form.match(data)), "")


def decode_picture(data: bytes) -> Image:
    """Return a picture's pixels; for an animation those of its first picture.

    Raises:
        PictureError: If it is broken, truncated or too large.
    """
    import cv2  # Loaded only when needed, as in jpeg.py.
    import numpy as np

    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None  # It has too many pixels, for example.
    if image is None:
        raise PictureError("the picture is broken, truncated or far too large")
    try:
        check_size(image.shape[1], image.shape[0])
    except SourceError as error:
        raise PictureError(str(error)) from None
    return image  # type: ignore[return-value]
