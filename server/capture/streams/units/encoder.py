"""Encodes a video where a source has none to pass through. Only in child processes."""

import time
from collections.abc import Callable
from fractions import Fraction

import cv2

from server.capture.frames.encoding import Encoding
from server.capture.frames.frame import Image
from server.capture.streams.units.maker import Encoded, maker_of
from server.errors import PictureError

__all__ = ["VideoEncoder"]

# Seconds between key frames if none is requested: without any, damage would stay.
LONGEST_GROUP_S = 10

# At most one key frame a second, however many are requested: each is as large as ten others.
KEY_EVERY_S = 1.0

# The largest picture, in seconds of the bit rate: how long a key frame occupies a link that is
# only just fast enough.
LARGEST_S = 0.3

# FFmpeg's AVCOL_SPC_SMPTE170M, AVCOL_PRI_SMPTE170M and AVCOL_TRC_SMPTE170M, as OpenCV converts.
BT601 = 6
LIMITED_RANGE = 1


class VideoEncoder:
    """One video in H.264, by x264. For one thread.

    Args:
        encoding: The parameters.
        fps: The approximate frame rate.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self, encoding: Encoding, fps: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.encoding = encoding
        self._fps = max(1, round(fps))
        self._clock = clock
        self._size = (0, 0)
        self._key_wanted = True
        self._key_at = float("-inf")
        self._count = 0

    def request_key(self) -> None:
        """Make the next picture a key frame, or the first one allowed by KEY_EVERY_S."""
        self._key_wanted = True

    def scale(self, image: Image) -> Image:
        """Return a picture scaled to the video's width, with even sides."""
        height, width = image.shape[:2]
        wide = min(self.encoding.width, width - width % 2)
        high = max(2, round(height * wide / width / 2) * 2)
        if (wide, high) == (width, height):
            return image
        if wide == width - width % 2 and height - high in (0, 1):
            return image[:high, :wide]  # At most one row and one column too many.
        return cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]

    def encode(self, image: Image) -> Encoded:
        """Return the unit of a picture that :meth:`scale` returned.

        Raises:
            PictureError: If it cannot be encoded.
        """
        import av

        size = image.shape[1], image.shape[0]
        if size != self._size:
            self._open(size)
        now = self._clock()
        key = self._key_wanted and now - self._key_at >= KEY_EVERY_S
        planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")  # type: ignore[arg-type]
        frame.pts = self._count
        self._count += 1
        if key or self._count == 1:
            frame.pict_type = av.video.frame.PictureType.I
        try:
            data = b"".join(map(bytes, self._context.encode(frame)))
        except av.FFmpegError as error:
            raise PictureError("a picture cannot be encoded as video") from error
        encoded = self._maker.make(data)
        if encoded is None:
            raise PictureError("a picture cannot be encoded as video")
        if encoded.key:
            self._key_at, self._key_wanted = now, False
        return encoded

    def _open(self, size: tuple[int, int]) -> None:
        import av

        encoding = self.encoding
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height = size
        context.pix_fmt = "yuv420p"
        context.time_base, context.framerate = Fraction(1, self._fps), Fraction(self._fps)
        context.bit_rate = encoding.kbps * 1000
        context.thread_count = 1
        context.colorspace = context.color_primaries = context.color_trc = BT601
        context.color_range = LIMITED_RANGE
        parameters = {
            "keyint": LONGEST_GROUP_S * self._fps,
            "scenecut": 0,
            "vbv-maxrate": encoding.kbps,
            "vbv-bufsize": round(LARGEST_S * encoding.kbps),
            "repeat-headers": 1,
            "annexb": 1,
            "sliced-threads": 0,
            "level-idc": encoding.level,
            "8x8dct": 0,
            "log-level": -1,
        }
        context.options = {
            "preset": "superfast" if encoding.better else "ultrafast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "x264-params": ":".join(f"{name}={value}" for name, value in parameters.items()),
        }
        maker = maker_of("h264", b"", Fraction(1))
        assert maker is not None
        self._context, self._maker = context, maker
        self._size, self._count = size, 0
        self._key_wanted, self._key_at = True, float("-inf")
