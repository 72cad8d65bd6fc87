"""Finds the JPEG pictures in a camera's stream, whatever is between them.

A camera may send parts with or without boundaries, with wrong lengths, with sound in between, or
plain pictures one after the other. So neither boundaries nor lengths are trusted: a picture begins
with its start marker and ends where its own segments say (ITU-T T.81 annex B). A part's length
only saves the search for the end marker, if that is found there. Other lines between
pictures are ignored unless they begin a part or name its type. No I/O; bounded memory.
"""

import re

__all__ = ["MAX_PICTURE_BYTES", "JpegParser"]

MAX_PICTURE_BYTES = 32 << 20
"""A longer picture is skipped. The largest size at full quality takes about 25 MB."""

START = b"\xff\xd8\xff"
END = b"\xff\xd9"

# A real picture has fewer segments before its data, and they are smaller. Without limits, hostile
# data could make the parser read the same bytes again and again.
MAX_SEGMENTS = 128
MAX_HEAD_BYTES = 4 << 20

# Longer lines are not header lines.
MAX_LINE_BYTES = 1024

# Most cameras send a boundary after each picture, and the rest of its head with the next one.
BETWEEN_BYTES = 40

# The lines of a part's head that matter.
LINES = re.compile(
    rb"^(?:--|content-(?:(type)|length)[ \t]*:[ \t]*([^\s;]*))", re.IGNORECASE | re.MULTILINE
)

# Types of parts without a picture, even if some of their bytes look like the start of one.
OTHER_TYPES = re.compile(rb"text/|audio/|message/|application/(?!octet-stream)", re.IGNORECASE)
JPEG_TYPES = re.compile(rb"image/p?jpe?g", re.IGNORECASE)

# A marker that ends a scan: in a picture's data, FF is followed by 00, and restart markers (D0 to
# D7) and fill bytes (FF) belong to the scan.
SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")

# A length that exceeds the last picture's by more than this factor is not trusted.
MAX_GROWTH = 4

# The possible lengths of a scan's header, with one to four components.
SCAN_HEAD_BYTES = (8, 10, 12, 14)

FILL, SOI, EOI, SOS = 0xFF, 0xD8, 0xD9, 0xDA

NO_PICTURE = "received a part that is not a JPEG picture"
INCOMPLETE = "received an incomplete JPEG picture"
BROKEN_HEAD = "received a JPEG picture with a broken header"
TOO_LONG = f"received a JPEG picture of more than {MAX_PICTURE_BYTES >> 20} MB"


class JpegParser:
    """Reads a stream in chunks of any length, and returns its complete pictures.

    Each byte is read a bounded number of times, however small the chunks are.
    """

    def __init__(self) -> None:
        self.fault = ""
        """What was wrong with the last chunk, for people; empty if nothing was."""
        self.in_parts = False
        """Whether the last picture followed a line that began a part or named its type."""
        # All positions are offsets in the buffer. Outside a picture, lines have been read up to
        # _lines, and no picture begins before _at. Inside, it has been read up to _at.
        self._buffer = bytearray()
        self._lines = 0
        self._at = 0
        self._expected = False  # The current part should hold a picture, but none has begun yet.
        self._other = False  # The current part holds no picture.
        self._part = False  # A part has begun since the last picture.
        # For the current picture:
        self._start = -1  # -1 outside a picture
        self._segments = 0
        self._scanning = False
        self._length = 0  # As announced by its part; 0 if unknown.
        self._unmarked = 0  # How far it has been searched for _mark, see below.
        # The last picture's length if its part announced it correctly, else 0. While it is set, the
        # next picture's announced end is checked first.
        self._exact = 0
        # The last Content-Type header's name as the camera spells it, and the same after a line
        # break once a picture followed: _mark begins the next part, and occurs in no picture.
        self._name = b""
        self._mark = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pictures that ``data`` completes, without padding that cameras append."""
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
                    break  # Read the boundary together with the rest of the head.
        self._trim()
        return pictures

    def end(self) -> None:
        """Note the end of the stream, which is a fault in the middle of a picture."""
        if self._start >= 0:
            self.fault = INCOMPLETE

    def _learn(self, length: int) -> None:
        """Note how this camera announces pictures, after a complete one of this length."""
        self._exact = length if length == self._length else 0
        if self._name:
            self._mark = b"\n" + self._name

    def _find_start(self) -> bool:
        """Move to the next picture's start; return False if it has not arrived."""
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
                if self._expected or self._other:
                    self._length = 0  # This part has a type already: it is another one's head.
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
            self.fault, end = INCOMPLETE, -1
            self._resume(next_part)
        elif end == 0 and limit - self._start > MAX_PICTURE_BYTES:
            self.fault, end = TOO_LONG, -1
            self._resume(self._at)
        elif end < 0 and self._scanning:
            self._resume(self._at)
        elif end < 0:
            # Its head is invalid. A picture in the rest of the same part could be a thumbnail, so
            # skip the part. Without parts, the next picture may begin anywhere.
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
        """Do the same as :meth:`_walk` within the picture's data."""
        buffer = self._buffer
        while found := SCAN_END.search(buffer, self._at, limit):
            self._at = at = found.start()
            marker = buffer[at + 1]
            if marker == EOI:
                return at + 2
            if marker == SOI:
                return self._break(INCOMPLETE)
            # A progressive picture has tables and more scans here, which cannot contain an end
            # marker. Anything else is damage, which decoders skip.
            self._at = at + 2
        self._at = max(self._at, limit - 1)  # The last byte may be half a marker.
        return 0

    def _break(self, fault: str) -> int:
        self.fault = fault
        return -1

    def _resume(self, at: int) -> None:
        """Search for the next picture from ``at`` on."""
        self._start = -1
        self._at = self._lines = at
        self._length = 0
        self._expected = self._other = False

    def _trim(self) -> None:
        """Remove bytes that are no longer needed from the buffer, and shift all positions."""
        if self._start >= 0:
            count = self._start
        else:
            # Keep unread lines, and the first bytes of a start marker.
            count = max(self._lines, len(self._buffer) - MAX_LINE_BYTES)
            count = min(count, self._at, len(self._buffer))
        if count > 0:
            del self._buffer[:count]
            self._at -= count
            self._lines = max(0, self._lines - count)
            self._unmarked = max(0, self._unmarked - count)
            if self._start >= 0:
                self._start = 0
