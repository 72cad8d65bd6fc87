"""Encodes frames as JPEG, and builds the bytes that are sent to viewers."""

import time
from dataclasses import dataclass, field
from typing import cast

from server.capture.frames.frame import Frame, Image, Jpeg
from server.delivery.packet import Packet
from server.errors import EncodeError
from server.protocol import mjpeg_part, picture_head

__all__ = ["EncodedFrame", "encode_jpeg", "pass_through"]

# The longest side that JPEG's 16-bit fields can hold.
MAX_SIDE = 65535


@dataclass(slots=True, eq=False)
class EncodedFrame:
    """One frame as JPEG, shared by all its viewers.

    The bytes for each kind of viewer are built once, when the first viewer of that kind needs them.

    Attributes:
        camera: The camera's name.
        rendition: Which size and quality of the frame this is.
        seq: The frame's number.
        at_unix: When it was captured, in Unix seconds.
        width: In pixels.
        height: In pixels.
        jpeg: The picture.
    """

    camera: str
    rendition: str
    seq: int
    at_unix: float
    width: int
    height: int
    jpeg: bytes
    # Not functools.cached_property, which takes a lock.
    _packet: Packet | None = field(default=None, init=False, repr=False)
    _part: Packet | None = field(default=None, init=False, repr=False)
    _chunk: Packet | None = field(default=None, init=False, repr=False)

    @property
    def packet(self) -> Packet:
        """The ``frame`` event as WebSocket bytes, ready to send."""
        if self._packet is None:
            size = self.width, self.height
            head = picture_head(
                self.camera, self.seq, self.at_unix, *size, self.rendition, len(self.jpeg)
            )
            self._packet = Packet(head, self.jpeg)
        return self._packet

    @property
    def part(self) -> Packet:
        """The picture as one part of a multipart stream."""
        if self._part is None:
            self._part = Packet(mjpeg_part(self.jpeg, self.at_unix))
        return self._part

    @property
    def chunk(self) -> Packet:
        """The part as one chunk of a chunked response, RFC 9112 section 7.1."""
        if self._chunk is None:
            part = self.part.data
            self._chunk = Packet(b"%x\r\n%b\r\n" % (len(part), part))
        return self._chunk


def pass_through(frame: Frame, camera: str, rendition: str) -> EncodedFrame:
    """Return the frame as its camera encoded it.

    Args:
        frame: A frame with its camera's own JPEG.
        camera: The camera's name.
        rendition: The rendition's name.
    """
    jpeg = frame.picture
    assert isinstance(jpeg, Jpeg), "pixels must be encoded"
    return EncodedFrame(
        camera, rendition, frame.seq, frame.at_unix, jpeg.width, jpeg.height, jpeg.data
    )


def encode_jpeg(
    frame: Frame, camera: str, rendition: str, quality: int, width: int | None = None
) -> tuple[EncodedFrame, Image, float]:
    """Return the frame as JPEG, its scaled pixels, and the seconds taken.

    Blocks for a few milliseconds: call it through ``hub.run_native``. Scales down by averaging
    areas (``INTER_AREA``), which neither blurs nor leaves moiré.

    Args:
        frame: Pixels as uint8, shape (height, width, 3), BGR order.
        camera: The camera's name.
        rendition: The rendition's name.
        quality: JPEG quality, 1 to 100.
        width: In pixels; None, or more than the picture's, keeps the picture's.

    Raises:
        EncodeError: If OpenCV refuses the pixels; names the camera and shape.
    """
    import cv2  # Loaded only when needed: it takes 26 MB, and JPEG passes through without it.

    started = time.perf_counter()
    image = frame.picture
    assert not isinstance(image, Jpeg), "nothing is left to encode"
    if width is not None and width < image.shape[1]:
        size = width, max(1, round(image.shape[0] * width / image.shape[1]))
        image = cast(Image, cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    height, width = image.shape[:2]
    if max(height, width) > MAX_SIDE:
        raise EncodeError(f"camera {camera!r}: {width} x {height} is too large for JPEG")
    try:
        done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise EncodeError(f"camera {camera!r}: {image.shape} cannot be encoded") from error
    if not done:
        raise EncodeError(f"camera {camera!r}: {image.shape} cannot be encoded")
    encoded = EncodedFrame(
        camera, rendition, frame.seq, frame.at_unix, width, height, jpeg.tobytes()
    )
    return encoded, image, time.perf_counter() - started
