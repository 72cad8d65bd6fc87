"""Splits received bytes into RTSP messages and interleaved frames. No I/O."""

import struct
from dataclasses import replace
from typing import NamedTuple

from server.capture.rtsp.message import Request, Response, RtspError, is_first_line, read_head

__all__ = ["DOLLAR", "Fragmentation", "Fragmented", "Frame", "Splitter"]

# Large enough for one read of all that gathers while nobody watches. A frame takes up to 64 KiB.
BUFFER_BYTES = 256 << 10
MIN_ROOM_BYTES = 64 << 10

MAX_HEAD_BYTES = 16 << 10
MAX_BODY_BYTES = 64 << 10
MAX_LINE_BYTES = 2 << 10

# Some cameras send a few stray bytes between frames.
MAX_STRAY_BYTES = 64 << 10

DOLLAR = 0x24
RESPONSE = b"RTSP/"


class Frame(NamedTuple):
    """An RTP or RTCP packet; its bytes are valid until the next read."""

    channel: int
    data: memoryview


class Fragmentation(NamedTuple):
    """The start of a frame that holds a fragment of a NAL unit.

    Attributes:
        layout: Dollar sign and channel; length; the first two bytes of RTP; sequence number;
            timestamp and SSRC; fragment header.
        mask: The NAL unit type's bits in the first byte of the fragment header.
        kind: These bits in a fragment.
    """

    layout: struct.Struct
    mask: int
    kind: int


class Fragmented(NamedTuple):
    """A NAL unit that came in fragments.

    Attributes:
        header: The header of the last fragment.
        parts: The unit's contents, without its own header.
        stamp: The RTP timestamp.
        marker: Whether the last packet had the marker.
    """

    header: bytes
    parts: list[bytearray]
    stamp: int
    marker: bool


class Splitter:
    """A buffer of received bytes.

    Read into :meth:`room`, pass the count to :meth:`add`, then :meth:`take` until it returns None.

    Attributes:
        lenient: Whether to skip stray bytes up to the next frame or response; some cameras send
            wrong lengths.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._begin = self._end = 0
        self._stray = 0
        self.lenient = False

    def room(self) -> memoryview:
        """Return the free part of the buffer, to read into."""
        if self._begin == self._end:
            self._begin = self._end = 0
        elif BUFFER_BYTES - self._end < MIN_ROOM_BYTES:
            rest = self._end - self._begin
            self._buffer[:rest] = self._buffer[self._begin : self._end]
            self._begin, self._end = 0, rest
        return self._view[self._end :]

    def add(self, count: int) -> None:
        """Note that ``count`` bytes were read into :meth:`room`."""
        self._end += count

    def take(self) -> Frame | Request | Response | None:
        """Return the next frame or message; None if it is not complete yet.

        Raises:
            RtspError: If the bytes are not RTSP, or a message is too long.
        """
        buffer = self._buffer
        while (begin := self._begin) < self._end:
            first = buffer[begin]
            if first == DOLLAR:
                payload = begin + 4
                if payload > self._end:
                    return None
                stop = payload + (buffer[begin + 2] << 8 | buffer[begin + 3])
                if stop > self._end:
                    return None
                self._begin, self._stray = stop, 0
                return Frame(buffer[begin + 1], self._view[payload:stop])
            if 0x41 <= first <= 0x5A and self._begins_message():  # A capital letter.
                return self._take_message()
            if not self._skip_stray():
                break
        return None

    def take_unit(
        self, fragmentation: Fragmentation, prefix: int, rtp_start: int, number: int, source: int
    ) -> Fragmented | None:
        """Return a fragmented NAL unit; None if the next frames are not a complete one.

        Nearly everything a camera sends can be read like this, at a fifth of the cost of
        :meth:`take`.

        Args:
            fragmentation: The codec's fragments.
            prefix: The dollar sign and the channel.
            rtp_start: The first two bytes of RTP, without the marker.
            number: The sequence number expected in the first packet.
            source: The SSRC of all packets.
        """
        buffer, end, begin = self._buffer, self._end, self._begin
        unpack, size = fragmentation.layout.unpack_from, fragmentation.layout.size
        mask, kind = fragmentation.mask, fragmentation.kind
        parts: list[bytearray] = []
        times, inner, last = -1, b"", b""
        while begin + size < end:
            start, length, rtp, sequence, when, header = unpack(buffer, begin)
            stop = begin + 4 + length
            if sequence != number or start != prefix or not begin + size < stop <= end:
                return None
            if not parts:
                flags = header[-1]
                if flags & 0xC0 != 0x80 or header[0] & mask != kind or rtp != rtp_start:
                    return None
                if when & 0xFFFFFFFF != source:
                    return None
                times = when
                inner = header[:-1] + bytes((flags & 0x3F,))
                last = header[:-1] + bytes((flags & 0x3F | 0x40,))
            elif when != times:
                return None
            elif header == last and rtp in (rtp_start, rtp_start | 0x80):
                parts.append(buffer[begin + size : stop])
                self._begin, self._stray = stop, 0
                return Fragmented(header, parts, when >> 32, rtp != rtp_start)
            elif header != inner or rtp != rtp_start:
                return None
            parts.append(buffer[begin + size : stop])
            number = (number + 1) & 0xFFFF
            begin = stop
        return None

    def _take_message(self) -> Request | Response | None:
        begin, limit = self._begin, min(self._end, self._begin + MAX_HEAD_BYTES)
        crlf = self._buffer.find(b"\r\n\r\n", begin, limit)
        bare = self._buffer.find(b"\n\n", begin, limit if crlf < 0 else crlf)
        if crlf < 0 and bare < 0:
            if self._end - begin >= MAX_HEAD_BYTES:
                raise RtspError("a message is too long")
            return None
        stop, body = (bare, bare + 2) if bare >= 0 else (crlf, crlf + 4)
        message = read_head(self._view[begin:stop].tobytes())
        if message.length > MAX_BODY_BYTES:
            raise RtspError("a message is too long")
        if body + message.length > self._end:
            return None
        self._begin = body + message.length
        return replace(message, body=self._view[body : self._begin].tobytes())

    def _begins_message(self) -> bool:
        """Return whether the first line, as far as it has arrived, may begin an RTSP message.

        Raises:
            RtspError: If it may not, and stray bytes are not to be skipped.
        """
        stop = min(self._end, self._begin + MAX_LINE_BYTES)
        line, newline, _ = bytes(self._buffer[self._begin : stop]).partition(b"\n")
        if is_first_line(line) or not (newline or len(line) == MAX_LINE_BYTES):
            return True
        if not self.lenient:
            raise RtspError("its answer is not RTSP")
        return False

    def _skip_stray(self) -> bool:
        """Skip an empty line, or stray bytes up to a frame or response; return whether any were."""
        begin = self._begin
        if self._buffer[begin] in b"\r\n":
            self._begin += 1
            return True
        found = (self._buffer.find(one, begin + 1, self._end) for one in (b"$", RESPONSE))
        # Keep the last bytes: they may begin a response.
        rest = max(begin, self._end - len(RESPONSE) + 1)
        self._begin = min((stop for stop in found if stop >= 0), default=rest)
        self._stray += self._begin - begin
        if self._stray > MAX_STRAY_BYTES:
            raise RtspError("what it sends is not RTSP")
        return self._begin > begin
