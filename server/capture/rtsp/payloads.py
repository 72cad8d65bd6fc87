"""NAL units in RTP payloads: H.264 (RFC 6184) and H.265 (RFC 7798). No I/O.

A payload holds one unit, several, or a fragment of one.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress

from server.capture.rtsp.splitter import Fragmentation
from server.capture.streams.units import annex_b
from server.capture.streams.units.h264 import H264
from server.capture.streams.units.h265 import H265

__all__ = ["Gathered", "H264Payloads", "H265Payloads", "make_payloads"]

MAX_BYTES = 16 << 20
"""The largest picture; a larger one is damaged."""

MAX_PARTS = 1 << 16

# Longer parameter sets may hide a slice: some cameras send a whole picture as one unit.
MAX_SETS_BYTES = 400

RECOVERY_POINT = 6


class Gathered:
    """The data of a picture that has arrived so far.

    Attributes:
        has_slice: Whether there is a slice of the picture itself.
        key: Whether a decoder can start at it.
        whole: Whether nothing is known to be missing.
        nbytes: The number of bytes.
    """

    def __init__(self) -> None:
        self._parts: list[bytes | bytearray] = []
        self.has_slice = self.key = False
        self.whole = True
        self.nbytes = 0

    def begin(self, *parts: bytes | bytearray) -> None:
        """Begin a unit with its first parts."""
        self.extend(annex_b.START, *parts)

    def extend(self, *parts: bytes | bytearray) -> None:
        """Add parts to the current unit."""
        self.nbytes += sum(map(len, parts))
        self._parts += parts
        if self.nbytes > MAX_BYTES or len(self._parts) > MAX_PARTS:
            self._parts.clear()
            self.whole = False

    @property
    def data(self) -> bytes:
        """The picture in Annex B format."""
        return b"".join(self._parts)


class _Payloads:
    """The common base of both codecs.

    Attributes:
        fragmentation: The layout of fragments.
        gathered: The current picture.
    """

    fragmentation: Fragmentation

    def __init__(self) -> None:
        self.gathered = Gathered()
        self._fragment = False  # Whether another fragment of the unit may follow.

    def begin(self) -> Gathered:
        """Begin the next picture, and return the previous one."""
        gathered, self.gathered = self.gathered, Gathered()
        self._fragment = False
        return gathered

    def interrupt(self) -> None:
        """Note that packets are missing here."""
        self._fragment = False
        self.gathered.whole = False

    def find_slices(self) -> None:
        """Find slices that were sent in one unit with parameter sets."""
        gathered = self.gathered
        if gathered.has_slice or gathered.nbytes < MAX_SETS_BYTES:
            return
        data = gathered.data
        for begin, end in annex_b.split(data):
            self._note(data[begin : min(end, begin + 64)])

    def starts_picture(self, payload: memoryview) -> bool:
        """Return whether a payload can only be the first of a picture."""
        head = self._head(payload)
        return head is not None and self._starts(head)

    def fragments_start_picture(self, header: bytes, parts: list[bytearray]) -> bool:
        """Return whether a fragmented unit can only be the first of a picture."""
        return self._starts(self._unit_header(header) + parts[0][:2])

    def _unit(self, unit: bytes) -> None:
        """Add a whole unit, or its first part."""
        self._note(unit)
        self.gathered.begin(unit)

    def _units(self, payload: memoryview, at: int) -> None:
        """Add the units of an aggregation packet, each of which follows its length."""
        while at + 2 < len(payload):
            begin = at + 2
            at = begin + (payload[at] << 8 | payload[at + 1])
            if at > len(payload):
                self.gathered.whole = False
                return
            if at > begin:
                self._unit(payload[begin:at].tobytes())

    def _add_fragment(self, flags: int, unit_header: bytes, rest: memoryview) -> None:
        """Add a fragment of a unit.

        Args:
            flags: The bits that mark the first and the last fragment.
            unit_header: The unit's own header.
            rest: The fragment's contents.
        """
        if flags & 0x80:
            self._unit(unit_header + rest.tobytes())
            self._fragment = True
        elif self._fragment:
            self.gathered.extend(rest.tobytes())
        else:
            self.gathered.whole = False
        if flags & 0x40:
            self._fragment = False

    def add_fragmented(self, header: bytes, parts: list[bytearray]) -> None:
        """Add a whole unit that came in fragments.

        Args:
            header: The header of one of the fragments.
            parts: The unit's contents, without its own header.
        """
        unit_header = self._unit_header(header)
        self._fragment = False
        self._note(unit_header + parts[0][:64])
        self.gathered.begin(unit_header, *parts)

    def _unit_header(self, header: bytes) -> bytes:
        """Return a unit's own header, by the header of one of its fragments."""
        raise NotImplementedError

    def _head(self, payload: memoryview) -> bytes | None:
        raise NotImplementedError

    def _starts(self, head: bytes) -> bool:
        raise NotImplementedError

    def _note(self, unit: bytes) -> None:
        raise NotImplementedError


class H264Payloads(_Payloads):
    """Collects the NAL units of H.264."""

    fragmentation = Fragmentation(struct.Struct("!HHHHQ2s"), 31, 28)

    def add(self, payload: memoryview) -> None:
        """Add a packet's payload."""
        kind = payload[0] & 31
        if kind == 28:
            if len(payload) > 2:
                unit_header = self._unit_header(payload[:2].tobytes())
                self._add_fragment(payload[1], unit_header, payload[2:])
            return
        self._fragment = False
        if kind < 24:
            self._unit(payload.tobytes())
        elif kind == 24:
            self._units(payload, 1)
        else:
            self.gathered.whole = False  # Interleaved (not in decoding order), or unknown.

    def _unit_header(self, header: bytes) -> bytes:
        return bytes((header[0] & 0xE0 | header[1] & 31,))

    def _head(self, payload: memoryview) -> bytes | None:
        kind = payload[0] & 31
        if kind == 28:
            if len(payload) < 3 or not payload[1] & 0x80:
                return None
            return bytes((payload[1] & 31, payload[2]))
        return payload[3:5].tobytes() if kind == 24 else payload[:2].tobytes()

    def _starts(self, head: bytes) -> bool:
        if len(head) < 2:
            return False
        kind = H264.kind(head)
        # first_mb_in_slice is an Exp-Golomb code: a leading 1 bit means 0.
        return kind in (*H264.sets, H264.delimiter) or (kind in (1, 2, 5) and head[1] > 127)

    def _note(self, unit: bytes) -> None:
        kind = H264.kind(unit)
        gathered = self.gathered
        if H264.is_slice(kind):
            gathered.has_slice = True
            gathered.key = gathered.key or H264.is_key(kind)
        elif kind == RECOVERY_POINT and any(_recovery_points(unit)):
            gathered.key = True


class H265Payloads(_Payloads):
    """Collects the NAL units of H.265."""

    fragmentation = Fragmentation(struct.Struct("!HHHHQ3s"), 63 << 1, 49 << 1)

    def add(self, payload: memoryview) -> None:
        """Add a packet's payload."""
        if len(payload) < 3:
            return
        kind = payload[0] >> 1 & 63
        if kind == 49:
            self._add_fragment(payload[2], self._unit_header(payload[:3].tobytes()), payload[3:])
            return
        self._fragment = False
        if kind == 48:
            self._units(payload, 2)
        elif kind == 50:
            self.gathered.whole = False
        else:
            self._unit(payload.tobytes())

    def _unit_header(self, header: bytes) -> bytes:
        return bytes((header[0] & 0x81 | (header[2] & 63) << 1, header[1]))

    def _head(self, payload: memoryview) -> bytes | None:
        if len(payload) < 4:
            return None
        kind = payload[0] >> 1 & 63
        if kind == 49:
            if not payload[2] & 0x80:
                return None
            return bytes(((payload[2] & 63) << 1, payload[1], payload[3]))
        return payload[4:7].tobytes() if kind == 48 else payload[:3].tobytes()

    def _starts(self, head: bytes) -> bool:
        if len(head) < 3:
            return False
        kind = H265.kind(head)
        # first_slice_segment_in_pic_flag
        return kind in (*H265.sets, H265.delimiter) or (H265.is_slice(kind) and head[2] > 127)

    def _note(self, unit: bytes) -> None:
        kind = H265.kind(unit)
        if H265.is_slice(kind):
            self.gathered.has_slice = True
            self.gathered.key = self.gathered.key or H265.is_key(kind)


def make_payloads(codec: str) -> H264Payloads | H265Payloads:
    """Return the collector of NAL units for ``h264`` or ``hevc``."""
    return H264Payloads() if codec == "h264" else H265Payloads()


def _recovery_points(unit: bytes) -> Iterator[bool]:
    """Yield for each message of an H.264 SEI unit whether it is a recovery point."""
    data = annex_b.unescape(unit[:1024])
    at = 1
    with suppress(IndexError):
        while at + 2 < len(data):
            kind = size = 0
            while data[at] == 255:
                kind, at = kind + 255, at + 1
            kind, at = kind + data[at], at + 1
            while data[at] == 255:
                size, at = size + 255, at + 1
            size, at = size + data[at], at + 1
            yield kind == RECOVERY_POINT
            at += size
