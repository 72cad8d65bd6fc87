"""The common base of streams and files as sources: decodes their pictures on demand."""

import time
from collections.abc import Callable
from dataclasses import replace

from server.capture.devices.controls import Uncontrolled
from server.capture.frames.arrivals import Arrivals
from server.capture.frames.frame import Picture, size_of
from server.capture.frames.info import SourceInfo
from server.capture.frames.jpeg import take_jpeg
from server.capture.frames.limits import check_size
from server.capture.motion.motion_picture import MotionPicture, motion_picture
from server.capture.motion.settings import WIDTH
from server.capture.streams.decoder import Decoder, RoughDecoder
from server.capture.streams.packet import Packet, PacketReader
from server.capture.streams.pixels import PixelMaker, luma_of, square
from server.capture.streams.units.display import DisplayClock
from server.capture.streams.units.maker import Encoded

__all__ = ["REST_S", "Video"]

REST_S = 0.5
"""The longest pause in reading while nobody waits for pictures."""

KEY_FRAME = "a key frame"

BEST_QUALITY = 100


class Video(Uncontrolled):
    """An open stream or file. Subclasses read packets and give them to :meth:`_take`.

    Args:
        demuxer: The packets to read.
        live: See :class:`SourceInfo`.

    Attributes:
        lazy: Whether nobody waits for pictures; see :class:`VideoSource`.
        came_at: When the newest picture arrived, in monotonic seconds.
        paced: Whether pictures are taken when they are due for decoding.

    Raises:
        SourceError: If its pictures are too large.
    """

    lazy = False
    paced = True

    def __init__(self, demuxer: PacketReader, live: bool) -> None:
        self.arrivals = Arrivals()
        self.came_at = 0.0
        self._on_picture: Callable[[Encoded | None], None] | None = None
        self._pixels = PixelMaker()
        self._use(demuxer, live)

    def _use(self, demuxer: PacketReader, live: bool) -> None:
        """Read from this demuxer from now on."""
        context = demuxer.context
        check_size(context.width, context.height)
        width, height = square(context.width, context.height, demuxer.aspect)
        check_size(width, height)
        self._maker = demuxer.unit_maker()
        video = "" if self._maker is None else self._maker.codec
        self.info = SourceInfo(width, height, demuxer.fps, demuxer.codec, live, video=video)
        self._demuxer = demuxer
        self._decoder = Decoder(context)
        # Not for files: their rotation is stored beside the pictures, which a second decoder lacks.
        self._rough = RoughDecoder(self._decoder, context) if live else None
        self._display, self._early_s = DisplayClock(self.paced), 0.0
        self._newest: Packet | None = None
        # A camera's own JPEG may be passed through.
        self._jpeg = demuxer.codec == "mjpeg" and demuxer.aspect == 1 and not demuxer.is_picture

    def grab(self) -> bool:
        """Wait for the next picture; see :class:`Source`."""
        raise NotImplementedError

    @property
    def at_key(self) -> bool:
        """Whether the picture grabbed last can be decoded by itself."""
        return self._newest is not None and self._newest.key

    def set_on_unit(self, on_picture: "Callable[[Encoded | None], None] | None") -> None:
        """Set the callback for each encoded picture; see :class:`VideoSource`."""
        self._on_picture = on_picture

    @property
    def behind(self) -> bool:
        """Whether more pictures have arrived already; see :class:`VideoSource`."""
        return False

    def rest(self) -> float:
        """Return how long reading may pause now; see :class:`VideoSource`."""
        return 0.0

    def _take(self, packet: Packet, came_at: float | None = None) -> None:
        """Take the next packet, and the time of its arrival if that is not now."""
        self.came_at = time.monotonic() if came_at is None else came_at
        shown_s = packet.shown_s
        if shown_s is not None:
            self.came_at, self._early_s = self._display.see(
                self.came_at, shown_s, packet.timestamp_s, packet.key
            )
        self.arrivals.add(packet.nbytes, packet.key, self.came_at)
        self._newest = packet
        if self._on_picture is not None or packet.key:
            self._emit_unit(packet)
        if not self._jpeg:
            self._decoder.add(packet)
            if self._rough is not None:
                self._rough.add(packet)
            self._update_waiting_for()

    def _emit_unit(self, packet: Packet) -> None:
        encoded = None
        if self._maker is not None and not packet.incomplete:
            encoded = self._maker.make(packet.data)
            if packet.key and self._maker.codec != self.info.video:
                self.info = replace(self.info, video=self._maker.codec)
            if encoded is not None and encoded.key:
                self._note_size(encoded.width, encoded.height)
        if encoded is not None and self._early_s:
            encoded = encoded._replace(early_s=self._early_s)
        if self._on_picture is not None:
            self._on_picture(encoded)

    def retrieve(self, jpeg_up_to: int = 0, pixels_from: int = 0) -> Picture | None:
        """Return the newest picture; None if there is none yet."""
        if self._jpeg:
            return self._retrieve_jpeg(jpeg_up_to, pixels_from)
        try:
            frame = self._decoder.newest()
        finally:
            self._update_waiting_for()
        if frame is None:
            return None
        if frame.rotation:
            # No viewer would rotate it, and only decoded pictures say so.
            self._maker = None
            self.info = replace(self.info, video="")
        image = self._pixels.make(frame, self._demuxer.aspect)
        self._note_size(*size_of(image))
        return image

    @property
    def undecoded(self) -> int:
        """The number of pictures to decode before :meth:`motion_picture` has the newest one."""
        return (self._rough or self._decoder).pending

    def motion_picture(self) -> MotionPicture | None:
        """Return the newest picture for motion detection; None if there is none yet.

        Raises:
            PictureError: If it cannot be decoded.
        """
        if self._jpeg:
            picture = self._retrieve_jpeg(BEST_QUALITY, WIDTH)
            return None if picture is None else motion_picture(picture)
        try:
            frame = (self._rough or self._decoder).newest()
        finally:
            self._update_waiting_for()
        if frame is None:
            return None
        aspect = self._demuxer.aspect
        grey = luma_of(frame, aspect, WIDTH)
        if grey is None:
            return motion_picture(self._pixels.make(frame, aspect))
        return MotionPicture(grey, lambda: self._pixels.make(frame, aspect))

    def _retrieve_jpeg(self, jpeg_up_to: int, pixels_from: int) -> Picture | None:
        packet, self._newest = self._newest, None
        if packet is None:
            return None
        picture = take_jpeg(packet.data, jpeg_up_to, pixels_from)
        self._note_size(*size_of(picture))
        return picture

    def _note_size(self, width: int, height: int) -> None:
        """Correct the announced size, which may have been unknown or may change."""
        if (width, height) != (self.info.width, self.info.height):
            self.info = replace(self.info, width=width, height=height)

    def _update_waiting_for(self) -> None:
        self.arrivals.wait_for(KEY_FRAME if self._decoder.waiting else "")

    def close(self) -> None:
        """Close the connection or file."""
        self._demuxer.close()
