"""Splits what arrives on a connection into messages and interleaved frames. No I/O."""

import struct
from dataclasses import replace
from typing import NamedTuple

from server.capture.rtsp.message import Request, Response, RtspError, is_first_line, read_head

__all__ = ["DOLLAR", "Fragmentation", "Fragmented", "Frame", "Splitter"]

# A frame takes up to 64 KiB. One read takes what gathers while nobody watches.
BUFFER_BYTES = 256 << 10
LEAST_ROOM = 64 << 10

MAX_HEAD_BYTES = 16 << 10
MAX_BODY_BYTES = 64 << 10
MAX_LINE_BYTES = 2 << 10

# Some cameras send a few bytes between frames that belong to none.
MAX_STRAY_BYTES = 64 << 10

DOLLAR = 0x24
RESPONSE = b"RTSP/"


class Frame(NamedTuple):
    """A packet of RTP or RTCP; its bytes are valid until the next read."""

    channel: int
    data: memoryview


class Fragmentation(NamedTuple):
    """How frames begin that hold a part of a NAL unit.

    Attributes:
        form: A dollar sign and the channel, the length; of RTP the first two bytes, the number, the
            time stamp with the source; and what leads a part.
        mask: Of what leads a part, the bits of its first byte that tell what it is.
        kind: What these bits are.
    """

    form: struct.Struct
    mask: int
    kind: int


class Fragmented(NamedTuple):
    """A NAL unit that came in parts.

    Attributes:
        lead: What led the last part.
        parts: The unit, without its header.
        stamp: The time stamp.
        marker: Whether the last packet had the marker.
    """

    lead: bytes
    parts: list[bytearray]
    stamp: int
    marker: bool


class Splitter:
    """The bytes that have arrived and are not taken yet.

    Read into :meth:`room`, say how much by :meth:`add`, then :meth:`take` until it returns None.

    Attributes:
        lenient: Whether to skip what is neither, as cameras send it that count wrongly, up to
            what may be a frame.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._begin = self._end = 0
        self._stray = 0
        self.lenient = False

    def room(self) -> memoryview:
        """Return where to put what arrives next."""
        if self._begin == self._end:
            self._begin = self._end = 0
        elif BUFFER_BYTES - self._end < LEAST_ROOM:
            rest = self._end - self._begin
            self._buffer[:rest] = self._buffer[self._begin : self._end]
            self._begin, self._end = 0, rest
        return self._view[self._end :]

    def add(self, count: int) -> None:
        """Note that so many bytes were put into :meth:`room`."""
        self._end += count

    def take(self) -> Frame | Request | Response | None:
        """Return what comes next; None if it has not arrived whole.

        Raises:
            RtspError: If it is neither, or too long.
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
        self, how: Fragmentation, mark: int, first: int, number: int, source: int
    ) -> Fragmented | None:
        """Return a NAL unit in parts; None if what comes next is none, or not there as a whole.

        Nearly all that a camera sends can be taken like this, with a fifth of the work.

        Args:
            how: How its frames begin.
            mark: The dollar sign and the channel.
            first: The first two bytes of RTP, without a marker.
            number: Of the first packet.
            source: Of all.
        """
        buffer, end, begin = self._buffer, self._end, self._begin
        unpack, size = how.form.unpack_from, how.form.size
        parts: list[bytearray] = []
        times, inner, last = -1, b"", b""
        while begin + size < end:
            starts, length, second, one, when, lead = unpack(buffer, begin)
            stop = begin + 4 + length
            if one != number or starts != mark or not begin + size < stop <= end:
                return None
            if not parts:
                flags = lead[-1]
                if flags & 0xC0 != 0x80 or lead[0] & how.mask != how.kind or second != first:
                    return None
                if when & 0xFFFFFFFF != source:
                    return None
                times = when
                inner = lead[:-1] + bytes((flags & 0x3F,))
                last = lead[:-1] + bytes((flags & 0x3F | 0x40,))
            elif when != times:
                return None
            elif lead == last and second in (first, first | 0x80):
                parts.append(buffer[begin + size : stop])
                self._begin, self._stray = stop, 0
                return Fragmented(lead, parts, when >> 32, second != first)
            elif lead != inner or second != first:
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
        """Return whether the first line, as far as it is there, may be one of RTSP.

        Raises:
            RtspError: If it is none, and that is not to be expected.
        """
        stop = min(self._end, self._begin + MAX_LINE_BYTES)
        line, newline, _ = bytes(self._buffer[self._begin : stop]).partition(b"\n")
        if is_first_line(line) or not (newline or len(line) == MAX_LINE_BYTES):
            return True
        if not self.lenient:
            raise RtspError("it does not answer in RTSP")
        return False

    def _skip_stray(self) -> bool:
        """Skip empty lines, or other bytes up to a frame or a response; return if any were."""
        begin = self._begin
        if self._buffer[begin] in b"\r\n":
            self._begin += 1
            return True
        found = (self._buffer.find(one, begin + 1, self._end) for one in (b"$", RESPONSE))
        # The beginning of a response may be cut off.
        rest = max(begin, self._end - len(RESPONSE) + 1)
        self._begin = min((stop for stop in found if stop >= 0), default=rest)
        self._stray += self._begin - begin
        if self._stray > MAX_STRAY_BYTES:
            raise RtspError("what it sends is no RTSP")
        return self._begin > begin
