"""Single pictures from kept units, as JPEG."""

from collections.abc import Callable, Sequence

from server.capture.frames.frame import Frame, Jpeg
from server.capture.frames.jpeg import decode_jpeg
from server.capture.frames.unit import JPEG, Unit
from server.delivery.encoder import encode_jpeg
from server.errors import EncodeError, PictureError
from server.loop import hub
from server.recording.media.fragments import Kept
from server.recording.media.process import MediaError, MediaProcess

__all__ = ["PictureMaker"]

QUALITY = 80


class PictureMaker:
    """Converts kept units to JPEG. Green.

    Args:
        media: Decodes video.
    """

    def __init__(self, media: MediaProcess) -> None:
        self._media = media

    def picture_of(
        self,
        units: Sequence[Kept],
        width: int = 0,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> bytes:
        """Return the last of these units as JPEG; blocks this green thread.

        Args:
            units: A picture, preceded by the units needed to decode it; from ``Past.find``.
            width: Largest width in pixels; 0 for the picture's own.
            is_wanted: Called when its turn comes; returns whether it is still wanted.

        Raises:
            MediaError: If it cannot be converted.
        """
        last = units[-1]
        if last.codec != JPEG:
            return self._media.ask("picture", units, is_wanted, width=width)
        if not 0 < width < last.width:
            return last.data
        try:
            return hub.run_native(_scale, last, width)
        except (PictureError, EncodeError) as error:
            raise MediaError(str(error)) from error


def _scale(unit: Unit, width: int) -> bytes:
    image = decode_jpeg(Jpeg(unit.data, unit.width, unit.height, 0), width)
    encoded, _, _ = encode_jpeg(Frame(image, unit.seq, unit.at_unix), "", "", QUALITY, width)
    return encoded.jpeg
