"""RTP and RTCP packets (RFC 3550). No I/O."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Order", "RtpPacket", "Stamps", "is_rtcp", "read_packet", "read_reports", "write_report"]

HEADER = struct.Struct("!BBHII")
REPORT = struct.Struct("!BBHIIIIIII")

SENDER_REPORT, RECEIVER_REPORT, GOODBYE = 200, 201, 203

# After this many consecutive gaps, the camera does not number its packets.
MAX_GAPS = 16


class RtpPacket(NamedTuple):
    """A packet; its payload is a view of the data it was read from."""

    marker: bool
    payload_type: int
    number: int
    stamp: int
    source: int
    payload: memoryview


def read_packet(data: memoryview) -> RtpPacket | None:
    """Parse an RTP packet; return None if it is broken or empty."""
    if len(data) <= HEADER.size:
        return None
    first, second, number, stamp, source = HEADER.unpack_from(data)
    begin, end = HEADER.size, len(data)
    if first != 0x80:
        if first >> 6 != 2:
            return None
        begin += 4 * (first & 15)
        if first & 0x10:  # An extension; its length is in 32-bit words.
            begin += 4
            if begin > end:
                return None
            begin += 4 * (data[begin - 2] << 8 | data[begin - 1])
        if first & 0x20:
            end -= data[-1]
        if begin >= end:
            return None
    return RtpPacket(second > 127, second & 127, number, stamp, source, data[begin:end])


def is_rtcp(data: memoryview) -> bool:
    """Return whether a packet is RTCP, whatever channel it came on."""
    return len(data) >= 8 and 192 <= data[1] <= 223


class Order:
    """Detects lost packets by their sequence numbers. Not all cameras number their packets.

    Attributes:
        next: The expected sequence number; None before the first packet.
        source: The camera's SSRC.
    """

    def __init__(self) -> None:
        self.next: int | None = None
        self.source = 0
        self._gaps = 0  # Consecutive ones.
        self._cycles = 0

    @property
    def newest(self) -> int:
        """The extended highest sequence number, as in RTCP: wrap-arounds in the upper 16 bits."""
        return (self._cycles << 16 | ((self.next or 0) - 1) & 0xFFFF) & 0xFFFFFFFF

    def follows(self, number: int, source: int) -> bool:
        """Return whether no packet is missing before this one."""
        expected, self.next = self.next, (number + 1) & 0xFFFF
        if number == expected:
            self._gaps = 0
            if not number:
                self._cycles += 1
            return True
        if expected is None:
            self.source = source
            return True
        if source != self.source:  # The camera has restarted.
            self.source = source
            return False
        self._gaps += 1
        return self._gaps > MAX_GAPS

    def skip(self, count: int) -> None:
        """Note that ``count`` packets have arrived in order."""
        number = (self.next or 0) + count
        self.next = number & 0xFFFF
        self._cycles += number >> 16


class Stamps:
    """Extends timestamps of 32 bits across wrap-arounds, starting at 0."""

    def __init__(self) -> None:
        self._stamp: int | None = None
        self._total = 0

    def extend(self, stamp: int) -> int:
        """Return the extended timestamp; with B-frames it may be less than the previous one."""
        step = 0 if self._stamp is None else (stamp - self._stamp) & 0xFFFFFFFF
        self._stamp = stamp
        self._total += step - (1 << 32) if step >> 31 else step
        return self._total


def read_reports(data: memoryview) -> Iterator[int]:
    """Yield the types of the packets in a compound RTCP packet, up to a broken one."""
    at = 0
    while at + 4 <= len(data) and data[at] >> 6 == 2:
        yield data[at + 1]
        at += 4 + 4 * (data[at + 2] << 8 | data[at + 3])


def write_report(own: int, source: int, newest: int) -> bytes:
    """Return a receiver report without losses, sent as a keep-alive.

    Args:
        own: Our SSRC.
        source: The camera's SSRC.
        newest: See :attr:`Order.newest`.
    """
    return REPORT.pack(0x81, RECEIVER_REPORT, 7, own, source, 0, newest, 0, 0, 0)
