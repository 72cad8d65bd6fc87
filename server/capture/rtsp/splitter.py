"""Splits what arrives on a connection into messages and interleaved frames. No I/O."""

import struct
from dataclasses import replace
from typing import NamedTuple

from server.capture.rtsp.message import Request, Response, RtspError, read_head

__all__ = ["Fragments", "Frame", "Splitter"]

# A frame takes up to 64 KiB. One read takes what gathers while nobody watches.
BUFFER_BYTES = 256 << 10
LEAST_ROOM = 64 << 10

MAX_HEAD_BYTES = 16 << 10
MAX_BODY_BYTES = 64 << 10

# Some cameras send a few bytes between frames that belong to none.
MAX_STRAY_BYTES = 64 << 10

DOLLAR = 0x24
RESPONSE = b"RTSP/"


class Frame(NamedTuple):
    """A packet of RTP or RTCP; its bytes are valid until the next read."""

    channel: int
    data: memoryview


class Fragments(NamedTuple):
    """What frames look like that continue a NAL unit: they differ in their number only.

    Attributes:
        form: Of a frame's beginning: a dollar sign and the channel, the length, and of RTP the
            first two bytes, the number, and then the time stamp with the source; last, what tells
            of the payload that it continues the unit.
        first: What begins RTP.
        number: Of the next one.
        times: Its time stamp and source.
        payload: What its payload begins with.
    """

    form: struct.Struct
    first: int
    number: int
    times: int
    payload: bytes


class Splitter:
    """The bytes that have arrived and are not taken yet.

    Read into :meth:`room`, say how much by :meth:`add`, then :meth:`take` until it returns None.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._begin = self._end = 0
        self._stray = 0

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
            if 0x41 <= first <= 0x5A:  # A capital letter.
                return self._take_message()
            if not self._skip_stray():
                break
        return None

    def take_fragments(self, like: Fragments, channel: int) -> list[bytearray]:
        """Return what the frames that come next add to a NAL unit; empty if they are others.

        Nearly all frames of a camera can be taken like this, and with much less work.
        """
        buffer, end, begin = self._buffer, self._end, self._begin
        form, first, number, times, payload = like
        unpack, size = form.unpack_from, form.size
        mark = DOLLAR << 8 | channel
        parts = []
        while begin + size < end:
            starts, length, second, one, when, leads = unpack(buffer, begin)
            stop = begin + 4 + length
            if one != number or leads != payload or when != times or second != first:
                break
            if starts != mark or stop > end:
                break
            parts.append(buffer[begin + size : stop])
            number = (number + 1) & 0xFFFF
            begin = stop
        self._begin = begin
        return parts

    def _take_message(self) -> Request | Response | None:
        begin, limit = self._begin, min(self._end, self._begin + MAX_HEAD_BYTES)
        crlf = self._buffer.find(b"\r\n\r\n", begin, limit)
        bare = self._buffer.find(b"\n\n", begin, limit if crlf < 0 else crlf)
        if crlf < 0 and bare < 0:
            if self._end - begin >= MAX_HEAD_BYTES or not self._begins_message(begin):
                raise RtspError("it does not answer in RTSP")
            return None
        stop, body = (bare, bare + 2) if bare >= 0 else (crlf, crlf + 4)
        message = read_head(self._view[begin:stop].tobytes())
        if message.length > MAX_BODY_BYTES:
            raise RtspError("a message is too long")
        if body + message.length > self._end:
            return None
        self._begin = body + message.length
        return replace(message, body=self._view[body : self._begin].tobytes())

    def _begins_message(self, begin: int) -> bool:
        """Return whether the first line, as far as it is there, may be one of RTSP."""
        line, newline, _ = self._view[begin : self._end].tobytes().partition(b"\n")
        return not newline or b"RTSP/" in line

    def _skip_stray(self) -> bool:
        """Skip empty lines, or other bytes up to a frame or a response; return if any were."""
        begin = self._begin
        if self._buffer[begin] in b"\r\n":
            self._begin += 1
            return True
        found = (self._buffer.find(one, begin, self._end) for one in (b"$", RESPONSE))
        # The beginning of a response may be cut off.
        rest = max(begin, self._end - len(RESPONSE) + 1)
        self._begin = min((stop for stop in found if stop >= 0), default=rest)
        self._stray += self._begin - begin
        if self._stray > MAX_STRAY_BYTES:
            raise RtspError("what it sends is no RTSP")
        return self._begin > begin
