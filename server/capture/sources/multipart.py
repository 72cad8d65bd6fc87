"""Finds the JPEG pictures in what a camera sends, whatever stands between them.

A camera may send parts with or without boundaries, with wrong lengths, with sound in between, or
just one picture after the other. So neither boundaries nor lengths are trusted: a picture begins
with its start marker and ends where its own segments say (ITU-T T.81 annex B). Of the lines between
pictures only those matter that begin a part or name its type. No I/O, and bounded memory.
"""

import re

__all__ = ["MAX_PICTURE_BYTES", "JpegParser"]

MAX_PICTURE_BYTES = 32 << 20
"""A longer picture is skipped. One of the largest size at full quality has about 25 MB."""

START = b"\xff\xd8\xff"

# A real picture has less than 128 segments before its data, and they take less than this. Without
# a limit, hostile data could make one look at each of its bytes over and over.
MAX_SEGMENTS = 128
MAX_HEAD_BYTES = 4 << 20

# Longer lines are no header lines.
MAX_LINE_BYTES = 1024

# A line that begins a part, or a type: what may stand between two pictures and matters.
LINE = re.compile(
    rb"(?:^|\n)(?:(content-type)[ \t]*:[ \t]*([^\s;]*)|--[^\r\n]{1,200}\r?(?=\n))", re.IGNORECASE
)

# Types whose parts hold no picture, even if some of their bytes look like the start of one.
OTHER_TYPES = re.compile(rb"text/|audio/|message/|application/(?!octet-stream)", re.IGNORECASE)
JPEG_TYPES = re.compile(rb"image/p?jpe?g", re.IGNORECASE)

# Within a picture's data these are the markers that end a scan: a data byte FF is followed by 00,
# and restart markers (D0 to D7) and fill bytes (FF) belong to the scan.
SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

# For one to four components.
SCAN_HEAD_BYTES = (8, 10, 12, 14)

FILL, SOI, EOI, SOS = 0xFF, 0xD8, 0xD9, 0xDA

NO_PICTURE = "a part arrived that holds no JPEG picture"
NOT_COMPLETE = "a JPEG picture arrived that is not complete"
BROKEN_HEAD = "a JPEG picture arrived with a broken head"
TOO_LONG = f"a JPEG picture arrived that is longer than {MAX_PICTURE_BYTES >> 20} MB"


class JpegParser:
    """Takes a stream's bytes in pieces of any length, and returns its whole pictures.

    Each byte is looked at a bounded number of times, however small the pieces are.
    """

    def __init__(self) -> None:
        self.fault = ""
        """Why something in the last piece was no picture, for people; empty if all was well."""
        self.in_parts = False
        """Whether the last picture was in a part, after a line that began it or named its type."""
        # All positions are in the buffer. Outside a picture, lines are read up to _lines, and no
        # picture begins before _at. Inside, its segments or data are read up to _at.
        self._buffer = bytearray()
        self._lines = 0
        self._at = 0
        self._expected = False  # A part has begun that should hold a picture, and has none yet.
        self._other = False  # A part has begun whose bytes are no picture.
        self._part = False  # A line of a part has come since the last picture.
        # Of the current picture:
        self._start = -1  # -1 outside a picture
        self._segments = 0
        self._scanning = False
        # A text that begins each part and is in no picture, as far as known, and how far the
        # current picture has been searched for it.
        self._mark = b""
        self._unmarked = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pictures that ``data`` completes, without what cameras append to them."""
        self.fault = ""
        self._buffer += data
        pictures = []
        while self._start >= 0 or self._find_start():
            end = self._find_end()
            if end == 0:
                break
            if end > 0:
                with memoryview(self._buffer) as view:
                    pictures.append(bytes(view[self._start : end]))
                self._resume(end)
        self._forget()
        return pictures

    def end(self) -> None:
        """Note that nothing more comes; that is a fault in the middle of a picture."""
        if self._start >= 0:
            self.fault = NOT_COMPLETE

    def _find_start(self) -> bool:
        """Go to the next start of a picture; return False if it has not arrived."""
        buffer = self._buffer
        while True:
            start = buffer.find(START, self._at)
            self._read_lines(start if start >= 0 else buffer.rfind(b"\n", self._lines) + 1)
            if start < 0:
                self._at = max(self._at, len(buffer) - len(START) + 1)
                return False
            self._at = start + 2
            if not self._other:
                break
        self._start, self._segments, self._scanning = start, 0, False
        self._unmarked = start
        self._expected = False
        self.in_parts, self._part = self._part, False
        return True

    def _read_lines(self, end: int) -> None:
        """Read the lines from ``_lines`` to ``end`` for parts and their types."""
        if end <= self._lines:
            return
        # The line break before the first of them belongs to it.
        for line in LINE.finditer(self._buffer, max(0, self._lines - 1), end):
            if self._expected:
                self.fault = NO_PICTURE
            name, kind = line.groups()
            self._part = True
            self._other = bool(name and OTHER_TYPES.match(kind))
            self._expected = bool(name and JPEG_TYPES.match(kind))
            if name:
                self._mark = b"\n" + name  # As this camera writes it.
        self._lines = end

    def _find_end(self) -> int:
        """Return where the current picture ends; 0 if that has not arrived; -1 if it is broken."""
        limit, next_part = len(self._buffer), -1
        if self._mark:
            begin = max(self._start, self._unmarked - len(self._mark))
            next_part = self._buffer.find(self._mark, begin)
            self._unmarked = limit
            limit = next_part if next_part >= 0 else limit
        end = self._walk(limit)
        if end > 0 or (end == 0 and next_part < 0 and limit - self._start <= MAX_PICTURE_BYTES):
            return end
        if end == 0:
            self.fault = NOT_COMPLETE if next_part >= 0 else TOO_LONG
        if next_part >= 0:
            self._resume(next_part)
        elif end == 0 or self._scanning:
            self._resume(self._at)
        else:
            # Its head was none. In a part, what is in the rest of it is no picture of its own: it
            # could be a thumbnail. Otherwise the next picture may begin anywhere.
            self._resume(self._start + 2)
            self._other = self.in_parts
        return -1

    def _walk(self, limit: int) -> int:
        """Return where the picture ends; 0 if that is not before ``limit``; -1 if it is broken."""
        buffer = self._buffer
        while not self._scanning:
            if self._at + 4 > limit:
                return 0
            marker = buffer[self._at + 1]
            if buffer[self._at] != FILL or self._segments > MAX_SEGMENTS:
                return self._break(BROKEN_HEAD)
            if marker == FILL:
                self._at += 1
            elif marker == SOI:  # Some cameras send it twice.
                self._start = self._at
                self._at += 2
            else:
                length = int.from_bytes(buffer[self._at + 2 : self._at + 4], "big")
                is_scan = marker == SOS
                if (marker < 0xC0 or 0xD0 <= marker <= EOI or length < 2) or (
                    is_scan and length not in SCAN_HEAD_BYTES
                ):
                    return self._break(BROKEN_HEAD)
                self._at += 2 + length
                self._segments += 1
                self._scanning = is_scan
                if self._at - self._start > MAX_HEAD_BYTES:
                    return self._break(BROKEN_HEAD)
        return self._scan(limit)

    def _scan(self, limit: int) -> int:
        """Do as :meth:`_walk`, within the picture's data."""
        buffer = self._buffer
        while found := SCAN_END.search(buffer, self._at, limit):
            self._at = at = found.start()
            marker = buffer[at + 1]
            if marker == EOI:
                return at + 2
            if marker == SOI:
                return self._break(NOT_COMPLETE)
            # Progressive pictures have tables and more scans here, which cannot contain an end.
            # Anything else is damage, which decoders skip.
            self._at = at + 2
        self._at = max(self._at, limit - 1)  # The last byte may be half a marker.
        return 0

    def _break(self, fault: str) -> int:
        self.fault = fault
        return -1

    def _resume(self, at: int) -> None:
        """Look for the next picture from ``at`` on."""
        self._start = -1
        self._at = self._lines = at
        self._expected = self._other = False

    def _forget(self) -> None:
        """Remove from the buffer what is needed no more, and move all positions."""
        if self._start >= 0:
            count = self._start
        else:
            # The line break before an unread line is kept, and so is a start that is not whole.
            count = max(self._lines - 1, len(self._buffer) - MAX_LINE_BYTES)
            count = min(count, self._at, len(self._buffer))
        if count > 0:
            del self._buffer[:count]
            self._at -= count
            self._lines = max(0, self._lines - count)
            self._unmarked = max(0, self._unmarked - count)
            if self._start >= 0:
                self._start = 0
