"""One frame into all its renditions: each size is made once, and each is encoded once."""

from server.capture.frames.frame import Frame, Image, Jpeg, size_of
from server.capture.frames.rendition import FULL, Rendition
from server.capture.interface import CameraInterface
from server.delivery.encoder import EncodedFrame, encode_jpeg, pass_through
from server.loop import hub

__all__ = ["RenditionEncoder"]

# The smallest size is for thumbnails, and for links that carry nothing else: what finer JPEG would
# show of it is not seen on the one, and too much for the other.
SMALLEST_QUALITY = 0.8

# How the bytes of a JPEG grow with its width, as a power of it: measured between 1.2, where a
# picture is plain, and 2.4, where it is all noise.
GROWTH = 1.6


class RenditionEncoder:
    """Makes renditions of a camera's newest frame.

    A smaller size is made from the next larger one that there is: that takes a fraction of what the
    whole picture would, and as areas are averaged at each step it looks the same.

    Args:
        camera: Whose frames these are.
    """

    def __init__(self, camera: CameraInterface) -> None:
        self._camera = camera
        self._frame: Frame | None = None
        self._pixels: list[Image] = []  # Of this frame, the sizes made so far.
        self._encoded: dict[str, EncodedFrame] = {}  # Likewise, by name.
        self._bytes: dict[str, int] = {}

    def clear(self) -> None:
        """Forget the frame."""
        self._frame = None
        self._pixels, self._encoded = [], {}

    def encode(self, frame: Frame, rendition: Rendition) -> EncodedFrame | None:
        """Return a rendition of a frame; None of a JPEG that came without the pixels this takes.

        Where the camera's pictures are no wider than the rendition it is the full one. Called by
        the fanout's pump and nobody else, so nothing is ever made twice.

        Raises:
            EncodeError: If OpenCV refuses the pixels.
        """
        if frame is not self._frame:
            self.clear()
            self._frame = frame
        name = self._name_of(rendition, size_of(frame.picture)[0])
        encoded = self._encoded.get(name) or self._make(frame, rendition, name)
        if encoded is not None:
            self._encoded[name] = encoded
            self._bytes[name] = len(encoded.jpeg)
        return encoded

    def bytes_of(self, rendition: Rendition) -> float:
        """Return about how many bytes a frame of a rendition has; 0 while nothing is known."""
        full = self._camera.width
        widths = {one.name: one.width or full for one in self._camera.ladder}
        name = self._name_of(rendition, full)
        if name in self._bytes or not self._bytes or not full:
            return self._bytes.get(name, 0)
        known = min(self._bytes, key=lambda one: abs(widths[one] - widths[name]))
        growth: float = (widths[name] / widths[known]) ** GROWTH
        return self._bytes[known] * growth

    def _name_of(self, rendition: Rendition, width: int) -> str:
        """Return what a rendition of pictures of this width is called."""
        return rendition.name if rendition.scales(self._camera.width or width) else FULL.name

    def _make(self, frame: Frame, rendition: Rendition, name: str) -> EncodedFrame | None:
        camera = self._camera
        if isinstance(frame.picture, Jpeg) and not rendition.scales(frame.picture.width):
            camera.meter.passed += 1
            return pass_through(frame, camera.name, name)
        image = self._next_larger(frame, 0 if name == FULL.name else rendition.width or 0)
        if image is None:
            return None
        encoded, pixels, took_s = hub.run_native(
            encode_jpeg,
            Frame(image, frame.seq, frame.at_unix),
            camera.name,
            name,
            self._quality_of(name),
            rendition.width,
        )
        camera.meter.encoded += 1
        camera.meter.encode_s += took_s
        if frame is self._frame:  # Everybody may have left in the meantime.
            self._pixels.append(pixels)
        return encoded

    def _quality_of(self, name: str) -> int:
        """Return the JPEG quality of a rendition, 1 to 100."""
        quality = self._camera.encoding_quality
        smallest = name != FULL.name and name == self._camera.ladder[-1].name
        return max(1, round(SMALLEST_QUALITY * quality)) if smallest else quality

    def _next_larger(self, frame: Frame, width: int) -> Image | None:
        """Return the smallest picture that is at least so wide; for 0 the whole one."""
        whole = frame.picture.pixels if isinstance(frame.picture, Jpeg) else frame.picture
        if whole is None or not width:
            return whole
        wide = (image for image in (whole, *self._pixels) if image.shape[1] >= width)
        return min(wide, key=lambda image: image.shape[1], default=None)
