"""Reads the encoded pictures of a stream or file, by FFmpeg."""

import errno
import re
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from server.capture.frames.limits import MAX_PIXELS
from server.capture.streams.access_units import continues_picture
from server.capture.streams.losses import Losses
from server.capture.streams.packet import Packet
from server.capture.streams.units.maker import UnitMaker, maker_of
from server.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Generator

    import av
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

    Encoded = av.Packet[VideoStream]

__all__ = ["Demuxer", "Fetch"]

Fetch = Callable[[str], BinaryIO]
"""Returns the content of a URL; raises SourceError if it cannot be fetched."""

MAX_FPS = 240.0

# Everything that arrived while a stream was opened is read within this time.
BUFFERED_S = 0.5

# Reading a packet that has arrived already takes less.
WAIT_S = 0.002

# In FFmpeg's report, such as "Video: none (XYZ1 / 0x315A5958), 320x180".
CODEC = re.compile(r"Video: (\w+)(?: \(([^ /]+) /)?")

# Such as "Display Matrix: rotation of -90.00 degrees", in formats that phones write.
ROTATION = re.compile(r"rotation of -?(?!0\.00)")
ROTATABLE = re.compile("mov|matroska")

# FFmpeg may decode a picture to probe a stream. Up to this size let it, so that we can report that
# the picture is too large.
PROBED_PIXELS = 4 * MAX_PIXELS


class _Read(NamedTuple):
    """A packet, when it was read, and whether the reader had to wait for it."""

    encoded: "Encoded"
    arrived_at: float
    awaited: bool


class Demuxer:
    """Reads the packets of the first video in a stream or file, by FFmpeg. For one thread.

    Args:
        source: A URL or path, or an object to read bytes from, which is closed at the end.
        where: The host or file, for error messages.
        explain: Returns the error to raise for one of PyAV's.
        options: FFmpeg's options for the protocol and the format.
        timeout_s: How long opening, and then each read, may take; None for no limit.
        lossy: Whether packets may be lost on the way, as over UDP.
        fetch: Fetches a URL that the source refers to; None to leave that to FFmpeg.

    Raises:
        SourceError: If it cannot be opened, or holds no video that can be decoded.
    """

    def __init__(
        self,
        source: "str | BinaryIO",
        where: str,
        explain: Callable[[Exception], SourceError],
        options: dict[str, str],
        timeout_s: float | None = None,
        lossy: bool = False,
        fetch: Fetch | None = None,
    ) -> None:
        self._fetch = fetch
        self._where = where
        self._explain = explain
        self._timeout_s = timeout_s
        with ExitStack() as opened:
            if not isinstance(source, str):
                opened.callback(source.close)
            self._losses = opened.enter_context(closing(Losses())) if lossy else None
            self.container = opened.enter_context(self._open(source, options))
            self.stream = self._choose()
            self._opened = opened.pop_all()
        # Packets lost while opening are missing somewhere in the first pictures.
        lost = self._losses is not None and self._losses.seen()
        self._damaged_until = time.monotonic() + (BUFFERED_S if lost else 0.0)
        self._time_base = (self.stream.time_base or Fraction(0)).as_integer_ratio()
        self._encoded: Generator[Encoded] = self.container.demux(self.stream)  # type: ignore[assignment]
        # A packet that was read to see whether it continues the one before.
        self._held: _Read | None = None
        # Whether key frames come in several packets; None until the first one.
        self._splits: bool | None = None if self.codec in ("h264", "hevc") else False

    @property
    def context(self) -> "VideoCodecContext":
        """The decoder's context, which knows the size of the pictures."""
        return self.stream.codec_context

    @property
    def codec(self) -> str:
        """FFmpeg's name of the encoding."""
        return str(self.context.codec.canonical_name)

    @property
    def format(self) -> str:
        """FFmpeg's name, or names, of the container format."""
        return self.container.format.name

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture file, of any kind."""
        return self.format.endswith("_pipe") or self.format == "image2"

    @property
    def fps(self) -> float:
        """The frame rate that it announces; 0 if it announces none, like a picture file."""
        if self.is_picture:
            return 0.0
        stream, rate = self.stream, self.context.framerate
        if self.has_time_stamps:  # Without timestamps, FFmpeg invents a rate.
            rate = stream.average_rate or rate or stream.base_rate or rate
        # Where FFmpeg does not know the rate, it reports the time base: 90000 or 1000.
        return float(rate) if rate and 0 < rate <= MAX_FPS else 0.0

    @property
    def aspect(self) -> Fraction:
        """The width of a pixel divided by its height."""
        return self.stream.sample_aspect_ratio or self.context.sample_aspect_ratio or Fraction(1)

    @property
    def finite(self) -> bool:
        """Whether it has an end, like a video file: its length or size is known."""
        # The size of a playlist says nothing about the stream.
        return (self.container.duration or 0) > 0 or (self.container.size > 0 and not self.is_hls)

    @property
    def is_hls(self) -> bool:
        """Whether it is a playlist of segments."""
        return "hls" in self.format

    @property
    def has_time_stamps(self) -> bool:
        """Whether the format has timestamps; a bare stream of pictures has none."""
        import av.format

        flags = av.format.Flags(self.container.format.flags)
        return av.format.Flags.no_timestamps not in flags

    def unit_maker(self) -> UnitMaker | None:
        """Return a maker of units from its packets; None if browsers could not show them."""
        if self.is_picture or self._is_rotated():
            return None
        return maker_of(self.codec, self.context.extradata or b"", self.aspect)

    def read(self) -> Packet | None:
        """Wait for the next picture; return None at the end.

        Raises:
            SourceError: If the stream is lost.
        """
        encoded, arrived_at, awaited = self._held or self._next()
        self._held = None
        if not encoded.size:
            return None
        if encoded.is_keyframe and self._splits is not False:
            encoded = self._complete(encoded)
        pts, stamp = encoded.pts, encoded.dts
        if stamp is None and not self.context.has_b_frames:
            stamp = pts  # Pictures come in display order.
        # Integers, as PyAV's fractions would take longer than everything else here.
        base, base_parts = self._time_base
        return Packet(
            encoded,
            encoded.is_keyframe,
            encoded.size,
            None if stamp is None else stamp * base / base_parts,
            None if pts is None else pts * base / base_parts,
            arrived_at,
            awaited,
            self._losses is not None and self._lost_something(self._losses, arrived_at),
        )

    def close(self) -> None:
        """Close the connection or file; not while it is being read."""
        self._encoded.close()
        self._opened.close()

    def _open(self, source: "str | BinaryIO", options: dict[str, str]) -> "InputContainer":
        import av

        options = {"max_pixels": str(PROBED_PIXELS)} | options
        started = time.monotonic()
        try:
            return av.open(
                source,
                mode="r",
                options=options,
                timeout=self._timeout_s,
                io_open=self._fetch and self._open_other,
            )
        except (av.FFmpegError, OSError, EOFError) as error:
            # FFmpeg's RTSP reports a timeout as an invalid answer.
            late = self._timeout_s is not None and time.monotonic() - started >= self._timeout_s
            # Its text holds the URL, so it is not shown as the cause.
            raise self._explain(TimeoutError() if late else error) from None

    def _open_other(self, url: str, flags: int, options: dict[str, str]) -> "BinaryIO":
        assert self._fetch is not None
        return self._fetch(url)

    def _choose(self) -> "VideoStream":
        """Return the video to read, and have FFmpeg skip everything else."""
        from av.stream import Discard, Disposition

        container = self.container
        # A song's cover does not count as video.
        videos = [
            one for one in container.streams.video if not one.disposition & Disposition.attached_pic
        ]
        if not videos:
            sound = " (sound only)" if container.streams.audio else ""
            raise SourceError(f"{self._where} sends no video{sound}")
        # If there are several qualities, choose the largest.
        decodable = [one for one in videos if one.codec_context is not None]
        if not decodable:
            raise SourceError(
                f"{self._where} sends video as {self._name_codec(videos[0])}, "
                "which cannot be decoded here"
            )
        chosen = max(decodable, key=lambda one: one.codec_context.width)
        if self.is_picture and not chosen.codec_context.height:
            raise SourceError(
                f"{self._where} holds a picture as {chosen.codec_context.codec.canonical_name} "
                "that cannot be decoded here; perhaps it is animated, or far too large"
            )
        for one in container.streams:
            if one is not chosen:
                one.discard = Discard.all
        return chosen

    def _name_codec(self, video: "VideoStream") -> str:
        """Return the name of a codec that FFmpeg cannot decode, or else its FourCC.

        PyAV gives such a stream no context, and so no name.
        """
        found = CODEC.search(self._report(video))
        if found is None:
            return "an unknown codec"
        return found[2] or found[1] if found[1] == "none" else found[1]

    def _is_rotated(self) -> bool:
        """Return whether to rotate it for display; PyAV only knows that of decoded pictures."""
        if not ROTATABLE.search(self.format):
            return False
        return ROTATION.search(self._report(self.stream)) is not None

    def _report(self, video: "VideoStream") -> str:
        """Return FFmpeg's log text about a stream."""
        import av.logging

        container: Any = self.container  # PyAV's types lack this method.
        av.logging.set_level(av.logging.INFO)
        try:
            report: str = container.dumps_format()
        finally:
            av.logging.set_level(None)
        begin = max(0, report.find(f"#0:{video.index}"))
        end = report.find("  Stream #0:", begin)
        return report[begin : end if end > 0 else None]

    def _next(self) -> "_Read":
        import av

        began = time.monotonic()
        try:
            encoded = next(self._encoded)
        except StopIteration:
            encoded = cast("Encoded", av.Packet())
        except (av.error.ExitError, TimeoutError):
            raise SourceError(
                f"{self._where} has sent nothing for {self._timeout_s or 0:g} s"
            ) from None
        except (av.FFmpegError, OSError, EOFError) as error:
            if getattr(error, "errno", None) == errno.EIO:
                raise SourceError("the stream ended: the connection was lost") from None
            raise self._explain(error) from None
        now = time.monotonic()
        return _Read(encoded, now, now - began > WAIT_S)

    def _lost_something(self, losses: Losses, arrived_at: float) -> bool:
        """Return whether data was lost in the packet just read, or right after it."""
        return losses.seen() or arrived_at < self._damaged_until

    def _complete(self, encoded: "Encoded") -> "Encoded":
        """Return a key frame joined with the packets that continue it."""
        import av

        parts = [encoded]
        while True:
            following = self._next()
            if not continues_picture(self.codec, memoryview(following.encoded)):
                break
            parts.append(following.encoded)
        self._held = following
        self._splits = bool(self._splits) or len(parts) > 1
        if len(parts) == 1:
            return encoded
        whole = cast("Encoded", av.Packet(b"".join(map(bytes, parts))))
        stamped = next((one for one in parts if one.pts is not None), encoded)
        whole.pts, whole.dts, whole.time_base = stamped.pts, stamped.dts, stamped.time_base
        whole.is_keyframe = True
        return whole
