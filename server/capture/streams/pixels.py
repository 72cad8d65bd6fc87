"""Converts FFmpeg's pictures to pixels as they are meant to be seen.

Deinterlaces, scales to square pixels, rotates as the stream says, and converts colours by the
stream's standard.
"""

from fractions import Fraction
from typing import TYPE_CHECKING

from server.capture.frames.frame import Image
from server.capture.frames.limits import is_too_large, too_large
from server.errors import PictureError

if TYPE_CHECKING:
    import numpy as np
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

__all__ = ["PixelMaker", "luma_of", "square"]

# The largest plausible pixel aspect ratio; others are errors in the stream.
MAX_ASPECT = 8

# FFmpeg's AVCOL_SPC_UNSPECIFIED and AVCOL_RANGE_JPEG.
UNSPECIFIED = 2
FULL_RANGE = 2

# By convention of players, HD that names no standard uses ITU-R BT.709, everything else BT.601.
HD_HEIGHT = 720


class PixelMaker:
    """Converts pictures, one after the other. Used by one thread."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()
        self._deinterlacer: _Deinterlacer | None = None

    def make(self, frame: "VideoFrame", aspect: Fraction) -> Image:
        """Return a picture's pixels: uint8, shape (height, width, 3), BGR order.

        Args:
            frame: The picture.
            aspect: The width of a pixel divided by its height.

        Raises:
            PictureError: If it is too large.
        """
        from av.video.reformatter import ColorRange

        width, height = square(frame.width, frame.height, aspect)
        if is_too_large(width, height) or is_too_large(frame.width, frame.height):
            raise PictureError(too_large(width, height))
        # Not from the side data: PyAV fails if it contains an unknown kind.
        degrees = frame.rotation
        full_range = frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj")
        colorspace = _colorspace(frame)
        if frame.interlaced_frame:
            frame = self._deinterlace(frame)
        converted = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="bgr24",
            src_colorspace=colorspace,
            src_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        return _turn(_pixels_of(converted), degrees)

    def _deinterlace(self, frame: "VideoFrame") -> "VideoFrame":
        if self._deinterlacer is None or not self._deinterlacer.fits(frame):
            self._deinterlacer = _Deinterlacer(frame)
        return self._deinterlacer.process(frame)


class _Deinterlacer:
    """Makes progressive pictures of two fields, by FFmpeg's ``bwdif``.

    Args:
        frame: A picture of the size and format to deinterlace.
    """

    def __init__(self, frame: "VideoFrame") -> None:
        from av.filter import Graph

        self._kind = (frame.width, frame.height, frame.format.name)
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=Fraction(1, 1000),
        )
        bwdif = self._graph.add("bwdif", "mode=send_frame:deint=all")
        sink = self._graph.add("buffersink")
        self._graph.link_nodes(source, bwdif, sink).configure()
        self._pushed = 0

    def fits(self, frame: "VideoFrame") -> bool:
        """Return whether a picture has the size and format of this deinterlacer."""
        return self._kind == (frame.width, frame.height, frame.format.name)

    def process(self, frame: "VideoFrame") -> "VideoFrame":
        """Return the progressive picture. The filter looks one ahead, so each goes in twice."""
        whole = frame
        for _ in range(2):
            frame.pts, frame.time_base = self._pushed, Fraction(1, 1000)
            self._graph.vpush(frame)
            self._pushed += 1
            # The first picture ever comes out with the second.
            if self._pushed > 1:
                whole = self._graph.vpull()
        return whole


def square(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Return the size of a picture when scaled to square pixels.

    Args:
        width: In pixels.
        height: In pixels.
        aspect: The width of a pixel divided by its height.
    """
    if not Fraction(1, MAX_ASPECT) <= aspect <= MAX_ASPECT:
        return width, height
    return round(width * aspect), height


def luma_of(frame: "VideoFrame", aspect: Fraction, width: int) -> "NDArray[np.uint8] | None":
    """Return the brightness of a picture, uint8, shape (height, width), at most ``width`` wide.

    This costs a fraction of converting the colours in full size. None if the format has no 8-bit
    luma plane, or the picture must be rotated.
    """
    import numpy as np  # Only for pixels: see frame.py.

    from server.capture.motion.pictures import scale_down

    luma = frame.format.components[0]
    if frame.format.is_rgb or luma.bits != 8 or luma.plane != 0 or frame.rotation:
        return None
    if not frame.format.is_planar and len(frame.format.components) > 1:
        return None
    plane = frame.planes[0]
    wide, high = square(frame.width, frame.height, aspect)
    width = min(width, wide)
    flat: Image = np.frombuffer(plane, np.uint8, frame.height * plane.line_size)  # type: ignore[call-overload]
    rows = flat.reshape(frame.height, plane.line_size)[:, : frame.width]
    return scale_down(rows, width, max(1, round(high * width / wide)))


def _colorspace(frame: "VideoFrame") -> int:
    from av.video.reformatter import Colorspace

    known = {one.value for one in Colorspace}
    if frame.colorspace in known:
        return frame.colorspace
    if frame.colorspace == UNSPECIFIED and frame.height >= HD_HEIGHT:
        return int(Colorspace.ITU709)
    return int(Colorspace.ITU601)


def _turn(image: Image, degrees: int) -> Image:
    """Rotate pixels anticlockwise, by the nearest multiple of 90 degrees."""
    import numpy as np  # Only for pixels: see frame.py.

    quarters = round(degrees / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def _pixels_of(frame: "VideoFrame") -> Image:
    """Return the pixels of a picture in BGR, without copying them where rows have no padding."""
    import numpy as np  # Only for pixels: see frame.py.

    plane = frame.planes[0]
    if plane.line_size != frame.width * 3:
        return frame.to_ndarray()  # type: ignore[return-value]
    flat: Image = np.frombuffer(plane, np.uint8, frame.height * plane.line_size)  # type: ignore[call-overload]
    return flat.reshape(frame.height, frame.width, 3)
