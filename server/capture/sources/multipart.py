"""Finds the JPEG pictures in what a camera sends, whatever stands between them.

A camera may send parts with or without boundaries, with wrong lengths, with sound in between, or
just one picture after the other. So neither boundaries nor lengths are trusted: a picture begins
with its start marker and ends where its own segments say (ITU-T T.81 annex B). A length only saves
the search for the end, if there is one where it says. Of the other lines between pictures only
those matter that begin a part or name its type. No I/O, and bounded memory.
"""

import re

__all__ = ["MAX_PICTURE_BYTES", "JpegParser"]

MAX_PICTURE_BYTES = 32 << 20
"""A longer picture is skipped. One of the largest size at full quality has about 25 MB."""

START = b"\xff\xd8\xff"
END = b"\xff\xd9"

# A real picture has less than 128 segments before its data, and they take less than this. Without
# a limit, hostile data could make one look at each of its bytes over and over.
MAX_SEGMENTS = 128
MAX_HEAD_BYTES = 4 << 20

# Longer lines are no header lines.
MAX_LINE_BYTES = 1024

# Most cameras send a boundary after each picture, and the rest of the head with the next one.
BETWEEN_BYTES = 40

# The lines of a part's head that matter.
LINES = re.compile(
    rb"^(?:--|content-(?:(type)|length)[ \t]*:[ \t]*([^\s;]*))", re.IGNORECASE | re.MULTILINE
)

# Types whose parts hold no picture, even if some of their bytes look like the start of one.
OTHER_TYPES = re.compile(rb"text/|audio/|message/|application/(?!octet-stream)", re.IGNORECASE)
JPEG_TYPES = re.compile(rb"image/p?jpe?g", re.IGNORECASE)

# Within a picture's data these are the markers that end a scan: a data byte FF is followed by 00,
# and restart markers (D0 to D7) and fill bytes (FF) belong to the scan.
SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

# A length that is more than so many times that of the last picture is not believed.
MAX_GROWTH = 4

# The length of a scan's header, with one to four components.
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
        self._length = 0  # As its part announces; 0 if it does not.
        self._unmarked = 0  # How far it has been searched for the mark, see below.
        # Of the last whole picture: its length if that was what its part announced, else 0. Then
        # the next one need not be searched for its end, unless there is none where it should be.
        self._exact = 0
        # The name of the last header with a type; after a line break, that of the last picture.
        # It marks the next part, and is in no picture.
        self._name = b""
        self._mark = b""

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
                self._learn(end - self._start)
                with memoryview(self._buffer) as view:
                    pictures.append(bytes(view[self._start : end]))
                self._resume(end)
                if len(self._buffer) - end < BETWEEN_BYTES and self._buffer.find(START, end) < 0:
                    break  # It is read together with what follows.
        self._forget()
        return pictures

    def end(self) -> None:
        """Note that nothing more comes; that is a fault in the middle of a picture."""
        if self._start >= 0:
            self.fault = NOT_COMPLETE

    def _learn(self, length: int) -> None:
        """Note how this camera announces a picture, now that one of this length is whole."""
        self._exact = length if length == self._length else 0
        if self._name:
            self._mark = b"\n" + self._name

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
        """Read the lines from ``_lines`` to ``end`` for parts, their types and lengths."""
        if end <= self._lines:
            return
        whole = self._buffer[self._lines : self._buffer.rfind(b"\n", self._lines, end) + 1]
        for line in LINES.finditer(whole):
            is_type, value = line.groups()
            if value is None:
                self._begin_part()
            elif is_type:
                self._begin_part()
                self._expected = bool(JPEG_TYPES.match(value))
                self._other = bool(OTHER_TYPES.match(value))
                self._name = bytes(whole[line.start() : line.end(1)])
            else:
                self._length = int(value[:9]) if value.isdigit() else 0
        self._lines = end

    def _begin_part(self) -> None:
        if self._expected:
            self.fault = NO_PICTURE
        self._part = True
        self._expected = self._other = False

    def _find_end(self) -> int:
        """Return where the current picture ends; 0 if that has not arrived; -1 if it is broken."""
        limit, next_part = len(self._buffer), -1
        if 0 < self._length <= MAX_GROWTH * self._exact:
            end = self._start + self._length
            if end > limit:
                return 0
            if self._buffer.endswith(END, self._start, end):
                return end
            self._exact = 0
        if self._mark:
            begin = max(self._start, self._unmarked - len(self._mark))
            next_part = self._buffer.find(self._mark, begin)
            self._unmarked = limit
            limit = next_part if next_part >= 0 else limit
        end = self._walk(limit)
        if end == 0 and next_part >= 0:
            self.fault, end = NOT_COMPLETE, -1
            self._resume(next_part)
        elif end == 0 and limit - self._start > MAX_PICTURE_BYTES:
            self.fault, end = TOO_LONG, -1
            self._resume(self._at)
        elif end < 0 and self._scanning:
            self._resume(self._at)
        elif end < 0:
            # Its head was none. In a part, what is in the rest of it is no picture of its own: it
            # could be a thumbnail. Otherwise the next picture may begin anywhere.
            self._resume(self._start + 2)
            self._other = self.in_parts
        return end

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
        self._length = 0
        self._expected = self._other = False

    def _forget(self) -> None:
        """Remove from the buffer what is needed no more, and move all positions."""
        if self._start >= 0:
            count = self._start
        else:
            # Unread lines are kept, and so is a start that is not whole.
            count = max(self._lines, len(self._buffer) - MAX_LINE_BYTES)
            count = min(count, self._at, len(self._buffer))
        if count > 0:
            del self._buffer[:count]
            self._at -= count
            self._lines = max(0, self._lines - count)
            self._unmarked = max(0, self._unmarked - count)
            if self._start >= 0:
                self._start = 0
