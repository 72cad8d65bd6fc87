"""The common base of sources that receive JPEG pictures."""

from server.capture.devices.controls import Uncontrolled
from server.capture.frames.arrivals import Arrivals
from server.capture.frames.frame import Picture
from server.capture.frames.info import SourceInfo
from server.capture.frames.jpeg import take_jpeg
from server.errors import PictureError

__all__ = ["JpegSource"]


class JpegSource(Uncontrolled):
    """Holds the last picture, and returns it as it arrived or decoded.

    Args:
        info: See :class:`SourceInfo`.
        first: A picture that arrived during opening.
    """

    def __init__(self, info: SourceInfo, first: bytes) -> None:
        self.info = info
        self.arrivals = Arrivals()
        self._fault = ""
        self._keep(first)

    def _keep(self, picture: bytes) -> None:
        self._picture, self._fault = picture, ""

    def retrieve(self, jpeg_up_to: int = 0, pixels_from: int = 0) -> Picture:
        """Return the last grabbed picture: as it arrived if that will do, otherwise decoded."""
        if self._fault:
            raise PictureError(self._fault)
        return take_jpeg(self._picture, jpeg_up_to, pixels_from)
