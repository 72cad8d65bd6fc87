"""Encode JPEG as H.264. Only in the media process."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import av.error
import av.video.frame

from server.capture.frames.unit import Unit
from server.capture.streams.units.maker import UnitMaker, maker_of

__all__ = ["JpegEncoder"]

# On x264's scale of 0 to 51; hardly distinguishable from the JPEG.
CRF = 23

KEY_EVERY_S = 2

# AVCOL_RANGE_MPEG and AVCOL_SPC_SMPTE170M: JPEG's colours, in the range that players expect.
LIMITED_RANGE = 1
BT601 = 6


class JpegEncoder:
    """Encodes one video in H.264 without delay: each picture yields its unit immediately.

    Args:
        fps: Approximate frame rate.
    """

    def __init__(self, fps: int) -> None:
        self._fps = fps
        self._decoder: Any = av.CodecContext.create("mjpeg", "r")
        self._decoder.thread_count = 1
        self._context: Any = None
        self._maker: UnitMaker | None = None
        self._size = (0, 0)
        self._count = 0

    def encode(self, pictures: Sequence[Unit]) -> Iterator[Unit]:
        """Yield the unit of each JPEG; broken ones are left out."""
        for picture in pictures:
            try:
                frames = self._decoder.decode(av.Packet(picture.data))
            except av.error.FFmpegError:
                continue
            for frame in frames:
                yield from self._encode(frame, picture)

    def _encode(self, frame: Any, picture: Unit) -> Iterator[Unit]:
        size = max(2, frame.width // 2 * 2), max(2, frame.height // 2 * 2)
        if size != self._size:
            self._open(size)
        assert self._maker is not None
        shown = frame.reformat(
            *size, "yuv420p", dst_colorspace=BT601, dst_color_range=LIMITED_RANGE
        )
        shown.pts, shown.time_base = self._count, Fraction(1, self._fps)
        shown.pict_type = av.video.frame.PictureType.NONE
        self._count += 1
        made = self._maker.make(b"".join(map(bytes, self._context.encode(shown))))
        if made is not None:
            yield Unit(made.data, made.key, 0, picture.at_unix, made.codec, *size)

    def _open(self, size: tuple[int, int]) -> None:
        context: Any = av.CodecContext.create("libx264", "w")
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.time_base, context.framerate = Fraction(1, self._fps), Fraction(self._fps)
        context.thread_count = 1
        context.color_range, context.colorspace = LIMITED_RANGE, BT601
        parameters = f"keyint={KEY_EVERY_S * self._fps}:repeat-headers=1:annexb=1:log-level=-1"
        context.options = {
            "preset": "superfast",
            "tune": "zerolatency",
            "crf": str(CRF),
            "forced-idr": "1",
            "x264-params": f"{parameters}:sliced-threads=0",
        }
        self._context, self._size, self._count = context, size, 0
        self._maker = maker_of("h264", b"", Fraction(1))
