"""The process that decodes and encodes kept units, controlled through its standard input.

``process.py`` starts it as ``python -m server.recording.media.child``.
"""

import heapq
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import av
import av.container
import av.error
import av.video.frame

from server.capture.frames.unit import JPEG, Unit
from server.capture.isolation.channel import Kind, Link
from server.capture.isolation.process import die_with_parent
from server.recording.media.encoder import BT601, CRF, KEY_EVERY_S, LIMITED_RANGE, JpegEncoder
from server.recording.media.messages import (
    in_memory,
    pack_units,
    read_json,
    read_memory,
    unpack_units,
)

__all__ = ["main"]

# Live pictures have priority.
NICENESS = 10

TICKS_A_SECOND = 90_000

# FFmpeg's decoders, by the first part of the codec string.
DECODERS = {JPEG: "mjpeg", "avc1": "h264", "avc3": "h264", "hvc1": "hevc", "hev1": "hevc"}

# FFmpeg's scale, 2 to 31.
JPEG_QUALITY = 4


def main() -> None:
    """Answer requests, one at a time, until the server closes the connection."""
    die_with_parent(1)
    os.umask(0o077)  # Only the server's account may read films.
    link = Link(socket.socket(fileno=0))
    worker = _Worker()
    # On Linux each thread has its own priority, and cannot raise it again.
    low_priority = ThreadPoolExecutor(1, initializer=_lower_priority)
    try:
        while True:
            message = link.receive(None)
            assert message is not None
            request = read_json(message.payload)
            data = read_memory(message.fd) if message.fd >= 0 else b""
            units = unpack_units(data, request["listed"]) if data else []
            if request.get("urgent"):
                answer, picture = worker.answer(request, units)
            else:
                answer, picture = low_priority.submit(worker.answer, request, units).result()
            fd = in_memory([picture]) if picture else -1
            link.send(Kind.PROCESSED, json.dumps(answer).encode(), fd)
            if fd >= 0:
                os.close(fd)
    except (EOFError, OSError):
        pass  # The server closed the connection, or is gone.
    os._exit(0)


def _lower_priority() -> None:
    try:
        os.nice(NICENESS)
    except OSError:
        pass  # A service manager may forbid it.


class _Worker:
    def __init__(self) -> None:
        self._film: _Film | None = None
        self._encoders: dict[str, JpegEncoder] = {}

    def answer(
        self, request: dict[str, Any], units: Sequence[Unit]
    ) -> tuple[dict[str, Any], bytes]:
        """Carry out a request; return the answer, and a picture or nothing."""
        try:
            if request["do"] == "picture":
                return {}, _picture(units, request["width"])
            if request["do"] == "encode":
                return self._encode(request, units)
            if request["do"] == "begin":
                self._film = _Film(request)
            elif self._film is not None:
                self._film.add(units)
                if request["do"] == "end":
                    self._film.close()
                    self._film = None
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._film = None
            self._encoders.pop(request.get("video", ""), None)
            return {"error": getattr(error, "strerror", None) or str(error)}, b""
        return {}, b""

    def _encode(
        self, request: dict[str, Any], pictures: Sequence[Unit]
    ) -> tuple[dict[str, Any], bytes]:
        """Encode the next pictures of a video; none end it."""
        name = request["video"]
        if not pictures:
            self._encoders.pop(name, None)
            return {}, b""
        if name not in self._encoders:
            self._encoders[name] = JpegEncoder(request["fps"])
        encoder, limit_s = self._encoders[name], request["limit_s"]
        units: list[Unit] = []
        began = time.monotonic()
        for done, picture in enumerate(pictures, 1):  # noqa: B007  it is used below
            units += encoder.encode([picture])
            if limit_s and time.monotonic() - began > limit_s:
                break
        parts = pack_units(units)
        return {"listed": len(parts[0]), "done": done}, b"".join(parts)


class _Decoder:
    """Decodes a sequence of units of any codecs."""

    def __init__(self) -> None:
        self._kind: tuple[str, int, int] | None = None
        self._context: Any = None
        # Capture times of units in the decoder. Units go in in decoding order, pictures come out
        # in display order, so the next picture has the smallest.
        self._times: list[int] = []

    def decode(self, unit: Unit, ticks: int) -> Iterator[Any]:
        """Yield the pictures that are ready."""
        name = unit.codec.partition(".")[0]
        kind = (DECODERS[name], unit.width, unit.height)
        if kind != self._kind:
            yield from self.flush()
            self._kind = kind
            self._context = av.CodecContext.create(kind[0], "r")
            self._context.thread_count = 1
        packet = av.Packet(unit.data)
        heapq.heappush(self._times, ticks)
        yield from self._timed(packet)
        if name == JPEG:
            self._times.clear()  # A broken picture leaves its time.

    def flush(self) -> Iterator[Any]:
        """Yield the remaining pictures."""
        if self._context is not None:
            yield from self._timed(None)
        self._context = self._kind = None
        self._times.clear()

    def _timed(self, packet: Any) -> Iterator[Any]:
        try:
            frames = self._context.decode(packet)
        except av.error.FFmpegError:
            return  # Skip a broken picture.
        for frame in frames:
            frame.pts = heapq.heappop(self._times) if self._times else None
            yield frame


class _Film:
    """Encodes units as an MP4 file."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._from_unix: float = request["from"]
        self._decoder = _Decoder()
        self._last = -1
        self._container = av.open(
            request["path"], "w", format="mp4", options={"movflags": "faststart"}
        )
        stream: Any = self._container.add_stream("libx264", rate=request["fps"])
        stream.width, stream.height = request["width"], request["height"]
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_A_SECOND)
        stream.codec_context.thread_count = 1
        stream.codec_context.color_range = LIMITED_RANGE
        stream.codec_context.colorspace = BT601
        stream.codec_context.options = {
            "preset": "superfast",
            "crf": str(CRF),
            "bf": "0",
            "g": str(KEY_EVERY_S * request["fps"]),
        }
        self._stream = stream

    def add(self, units: Sequence[Unit]) -> None:
        for unit in units:
            ticks = round((unit.at_unix - self._from_unix) * TICKS_A_SECOND)
            for frame in self._decoder.decode(unit, ticks):
                self._encode(frame)

    def close(self) -> None:
        for frame in self._decoder.flush():
            self._encode(frame)
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def _encode(self, frame: Any) -> None:
        ticks = frame.pts
        if ticks is None or ticks < 0:
            return  # Only needed to decode the first.
        shown = frame.reformat(
            self._stream.width,
            self._stream.height,
            "yuv420p",
            dst_colorspace=BT601,
            dst_color_range=LIMITED_RANGE,
            interpolation="AREA",
        )
        shown.pts = self._last = max(ticks, self._last + 1)
        shown.time_base = Fraction(1, TICKS_A_SECOND)
        shown.pict_type = av.video.frame.PictureType.NONE
        self._container.mux(self._stream.encode(shown))


def _newest_up_to(best: Any, frame: Any, asked: int) -> Any:
    """Return the newer of two pictures that is not newer than what was asked for."""
    return frame if best is None or frame.pts is None or frame.pts <= asked else best


def _picture(units: Sequence[Unit], width: int) -> bytes:
    """Return the picture of the last unit as JPEG, at most ``width`` pixels wide (0: any).

    With B-frames, the decoder may also output pictures that are shown after it.
    """
    decoder, last = _Decoder(), None
    asked = round(units[-1].at_unix * TICKS_A_SECOND)
    for unit in units:
        for frame in decoder.decode(unit, round(unit.at_unix * TICKS_A_SECOND)):
            last = _newest_up_to(last, frame, asked)
    for frame in decoder.flush():
        last = _newest_up_to(last, frame, asked)
    if last is None:
        raise ValueError("there is no picture")
    wide = min(width or last.width, last.width)
    high = max(1, round(last.height * wide / last.width))
    shown = last.reformat(wide, high, "yuvj420p", interpolation="AREA")
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = wide, high, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": str(JPEG_QUALITY), "qmax": str(JPEG_QUALITY)}
    shown.pts = 0
    return b"".join(map(bytes, [*encoder.encode(shown), *encoder.encode(None)]))


if __name__ == "__main__":
    main()
