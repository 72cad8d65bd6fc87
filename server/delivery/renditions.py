"""Makes the renditions of a frame; each size is scaled once and encoded once."""

from server.capture.frames.frame import Frame, Image, Jpeg, size_of
from server.capture.frames.rendition import FULL, Rendition
from server.capture.interface import CameraInterface
from server.delivery.encoder import EncodedFrame, encode_jpeg, pass_through
from server.loop import hub

__all__ = ["RenditionEncoder"]

# The smallest size is for thumbnails, where better quality would not show, and for links that carry
# nothing larger. Its quality is the camera's times this.
THUMBNAIL_QUALITY = 0.8

# A JPEG's size grows with this power of its width: measured from 1.2 for plain pictures to 2.4 for
# pure noise.
GROWTH = 1.6


class RenditionEncoder:
    """Makes renditions of a camera's newest frame.

    Each size is scaled from the next larger one available. That takes a fraction of the time and
    looks the same, because each step averages areas.

    Args:
        camera: The camera.
    """

    def __init__(self, camera: CameraInterface) -> None:
        self._camera = camera
        self._frame: Frame | None = None
        self._pixels: list[Image] = []  # The sizes of this frame made so far.
        self._encoded: dict[str, EncodedFrame] = {}  # Of this frame, by rendition.
        self._bytes: dict[str, int] = {}

    def clear(self) -> None:
        """Forget the frame."""
        self._frame = None
        self._pixels, self._encoded = [], {}

    def encode(self, frame: Frame, rendition: Rendition) -> EncodedFrame | None:
        """Return a rendition of a frame; None if it needs pixels and the JPEG came without any.

        If the camera's pictures are no wider than the rendition, returns the full one. Only the
        fanout's pump calls this, so nothing is made twice.

        Raises:
            EncodeError: If OpenCV refuses the pixels.
        """
        if frame is not self._frame:
            self._frame, self._pixels, self._encoded = frame, [], {}
        name = FULL.name
        if rendition is not FULL:
            name = self._name_of(rendition, size_of(frame.picture)[0])
        encoded = self._encoded.get(name) or self._make(frame, rendition, name)
        if encoded is not None:
            self._encoded[name] = encoded
            self._bytes[name] = len(encoded.jpeg)
        return encoded

    def bytes_of(self, rendition: Rendition) -> float:
        """Return the approximate size of a rendition's frame in bytes; 0 if unknown."""
        full = self._camera.width
        widths = {one.name: one.width or full for one in self._camera.ladder}
        name = self._name_of(rendition, full)
        if name in self._bytes or not self._bytes or not full:
            return self._bytes.get(name, 0)
        known = min(self._bytes, key=lambda one: abs(widths[one] - widths[name]))
        growth: float = (widths[name] / widths[known]) ** GROWTH
        return self._bytes[known] * growth

    def _name_of(self, rendition: Rendition, width: int) -> str:
        """Return the name of the rendition for pictures of this width."""
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
        if frame is self._frame:  # All viewers may have left meanwhile.
            self._pixels.append(pixels)
        return encoded

    def _quality_of(self, name: str) -> int:
        """Return the JPEG quality of a rendition, 1 to 100."""
        quality = self._camera.encoding_quality
        smallest = name != FULL.name and name == self._camera.ladder[-1].name
        return max(1, round(THUMBNAIL_QUALITY * quality)) if smallest else quality

    def _next_larger(self, frame: Frame, width: int) -> Image | None:
        """Return the smallest picture at least this wide; for 0 the full one."""
        full_size = frame.picture.pixels if isinstance(frame.picture, Jpeg) else frame.picture
        if full_size is None or not width:
            return full_size
        wide = (image for image in (full_size, *self._pixels) if image.shape[1] >= width)
        return min(wide, key=lambda image: image.shape[1], default=None)
