"""Decodes a stream on demand: packets are kept, and decoded only up to a requested picture."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from server.capture.frames.limits import MAX_PIXELS
from server.capture.streams.packet import Packet
from server.errors import PictureError

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

__all__ = ["Decoder", "RoughDecoder", "context_of"]

# The beginning of a longer group of pictures is decoded before it is wanted, so that memory has a
# bound: 40 s at 25 fps, which few cameras reach.
MAX_PENDING = 1000
MAX_PENDING_BYTES = 32 << 20

# Codecs whose FFmpeg decoders can skip the loop filter.
FILTERED = frozenset(("h264", "hevc"))
ROUGH = {"skip_loop_filter": "all"}


def context_of(codec: str, extradata: bytes) -> "VideoCodecContext":
    """Return the context of a decoder that is not open yet.

    Args:
        codec: FFmpeg's name of the encoding.
        extradata: Parameter sets from outside the stream, in Annex B format; may be empty.
    """
    import av

    context = cast("VideoCodecContext", av.CodecContext.create(codec, "r"))
    if extradata:
        context.extradata = extradata
    return context


class Decoder:
    """Keeps the packets of the current group of pictures, and decodes them on request.

    While nobody wants a picture nothing is decoded, and when few are wanted whole groups are
    skipped. Used by one thread.

    Args:
        context: The stream's; not open yet.
        options: Additional options for FFmpeg's decoder.
    """

    def __init__(
        self,
        context: "VideoCodecContext",
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        from av.codec.context import Flags

        # Each further thread would delay pictures by one frame.
        context.thread_count = 1
        context.flags |= Flags.low_delay
        # The size may change in the middle of a stream.
        context.options = {"max_pixels": str(MAX_PIXELS), **options}
        self._context = context
        self._pending: list[Packet] = []
        self._pending_bytes = 0
        self._newest: VideoFrame | None = None
        self._key_shown_s: float | None = None
        # Whether packets were skipped since the last decoded one.
        self._skipped = False
        self.waiting = True
        """Whether nothing can be decoded before the next key frame."""

    @property
    def pending(self) -> int:
        """The number of kept packets that are not decoded yet."""
        return len(self._pending)

    def add(self, packet: Packet) -> None:
        """Keep the next packet."""
        if packet.incomplete:
            self.lose()
        elif packet.key:
            self._skipped = self._skipped or bool(self._pending)
            self._clear()
            self._key_shown_s = packet.shown_s
            self.waiting = False
        if self.waiting:
            self._skipped = True
            return
        self._pending.append(packet)
        self._pending_bytes += packet.nbytes
        if len(self._pending) > MAX_PENDING or self._pending_bytes > MAX_PENDING_BYTES:
            self._try(self._decode_pending)

    def copy_pending_to(self, other: "Decoder") -> None:
        """Give another decoder the packets that this one keeps."""
        for packet in self._pending:
            other.add(packet)

    def lose(self) -> None:
        """Decode nothing before the next key frame, because a picture it would need is missing."""
        self._clear()
        self._newest = None
        self.waiting = self._skipped = True

    def end(self) -> "list[VideoFrame]":
        """Return the last pictures, in order, which the decoder held back to reorder them."""
        self._try(self._decode_pending)
        self._skipped = True  # FFmpeg takes more packets only after a flush.
        rest: list[VideoFrame] = []
        self._try(lambda: rest.extend(self._decode(None)))
        return rest

    def show(self, frame: "VideoFrame") -> None:
        """Make ``frame``, which :meth:`end` has returned, the newest picture."""
        self._newest = frame

    def newest(self) -> "VideoFrame | None":
        """Return the newest picture, or None if none was completed since the last call.

        Raises:
            PictureError: If it cannot be decoded; the next key frame may work.
        """
        self._decode_pending()
        newest, self._newest = self._newest, None
        return newest

    def _try(self, decode: Callable[[], None]) -> None:
        with suppress(PictureError):  # A later request shows that a key frame is awaited.
            decode()

    def _clear(self) -> None:
        self._pending.clear()
        self._pending_bytes = 0

    def _decode_pending(self) -> None:
        if self._skipped and self._pending:
            self._context.flush_buffers()
            self._skipped = False
        pending = self._pending[:]
        self._clear()
        for packet in pending:
            for frame in self._decode(packet):
                self._newest = frame

    def _decode(self, packet: Packet | None) -> "Iterator[VideoFrame]":
        import av

        try:
            frames = self._context.decode(None if packet is None else packet.encoded)
        except (av.FFmpegError, EOFError) as error:
            raise self._broken() from error
        for frame in frames:
            if not frame.is_corrupt:
                yield frame
            elif not self._precedes_key(frame):
                # Parts are missing, also in all pictures that follow.
                raise self._broken()

    def _precedes_key(self, frame: "VideoFrame") -> bool:
        """Return whether a picture may refer to the group before, which was perhaps skipped."""
        key_s = self._key_shown_s
        return key_s is not None and frame.time is not None and frame.time < key_s

    def _broken(self) -> PictureError:
        self.lose()
        return PictureError("received a damaged picture; waiting for the next key frame")


class RoughDecoder:
    """Decodes pictures for motion detection, separately from those that people see.

    Without the loop filter this takes a fifth to a third less time. Up to the next key frame the
    result then drifts from the correct one, by a few of 255 levels once it is scaled down. People
    must not see that, so it needs a decoder of its own. Where the other decoder is further ahead,
    because somebody watches, its pictures are used.

    Args:
        full: Decodes the pictures that people see; its context is open or will be.
        context: The context of ``full``.
    """

    def __init__(self, full: Decoder, context: "VideoCodecContext") -> None:
        self._full = full
        self._context = context
        self._rough: Decoder | None = None
        self._wanted = False  # Since the last key frame.

    @property
    def pending(self) -> int:
        """The number of packets to decode for the newest picture."""
        return self._choose().pending

    def add(self, packet: Packet) -> None:
        """Keep the next packet; the other decoder must have had it before."""
        if packet.key:
            if not self._wanted:
                self._rough = None  # It is not used any more.
            self._wanted = False
        if self._rough is not None:
            self._rough.add(packet)

    def newest(self) -> "VideoFrame | None":
        """Return the newest picture; see :meth:`Decoder.newest`."""
        self._wanted = True
        if self._rough is None and self._context.name in FILTERED:
            copy = context_of(self._context.name, self._context.extradata or b"")
            self._rough = Decoder(copy, ROUGH)
            self._full.copy_pending_to(self._rough)
        return self._choose().newest()

    def _choose(self) -> Decoder:
        rough, full = self._rough, self._full
        return full if rough is None or rough.waiting or rough.pending > full.pending else rough
