"""Puts pictures together of the packets that they arrive in. No I/O."""

import struct
from collections import deque
from typing import NamedTuple

from server.capture.rtsp.payloads import H264Payloads, H265Payloads
from server.capture.rtsp.rtp import Order, RtpPacket, Stamps
from server.capture.rtsp.splitter import Fragments

__all__ = ["AccessUnit", "Assembler"]

# How many pictures of a kind must have ended as their marker said before that is relied on.
CONFIRMED = {False: 2, True: 1}

# Of frames that continue a NAL unit, by how many bytes of the payload are not the unit's.
FORMS = {count: struct.Struct(f"!HHHHQ{count}s") for count in (2, 3)}


class AccessUnit(NamedTuple):
    """A picture.

    Attributes:
        data: Its NAL units, in Annex B format.
        stamp: When it is to be shown, by the camera's clock.
        key: Whether a decoder can start at it.
        whole: Whether nothing was lost of it, or between it and the one before.
    """

    data: bytes
    stamp: int
    key: bool
    whole: bool


class Assembler:
    """Gathers one video's packets.

    A picture ends where the time stamp changes. RTP's marker says so before the next picture comes,
    and is relied on once it has been seen to be right: some cameras set it on each unit, or never.

    Args:
        payloads: Of the video's codec.

    Attributes:
        units: The pictures that have ended; who takes them removes them.
        order: Of the packets.
    """

    def __init__(self, payloads: H264Payloads | H265Payloads) -> None:
        self.units: deque[AccessUnit] = deque()
        self.order = Order()
        self._payloads = payloads
        self._stamps = Stamps()
        self._stamp: int | None = None
        self._shown = 0
        self._marked = False  # Whether the packet before had the marker.
        self._right = {False: 0, True: 0}  # How often the marker was right, by whether it was key.
        self._wrong = False
        self._ended = False  # Whether the marker has ended a picture with this stamp.
        self._lost = False  # Whether pictures may be missing before this one.

    def add(self, packet: RtpPacket) -> None:
        """Take the next packet."""
        payloads, payload = self._payloads, packet.payload
        follows = self.order.follows(packet.number, packet.source)
        if packet.stamp != self._stamp:
            self._end_by_stamp(follows)
            self._stamp, self._shown = packet.stamp, self._stamps.extend(packet.stamp)
            self._ended = False
            if not follows:
                self._lost = True
                if not payloads.starts_picture(payload):
                    payloads.interrupt()
        elif not follows:
            payloads.interrupt()
        elif self._marked:
            self._continue(payload)
        payloads.add(payload)
        self._marked = packet.marker
        if packet.marker and not self._wrong:
            payloads.look_into()
            gathered = payloads.gathered
            if gathered.has_slice and self._right[gathered.key] >= CONFIRMED[gathered.key]:
                self._end()
                self._ended = True

    def fragments(self, last: RtpPacket) -> Fragments | None:
        """Return what frames look like that continue the NAL unit of the packet added last."""
        lead = self._payloads.continues
        if not lead or last.marker:
            return None
        times = last.stamp << 32 | last.source
        return Fragments(FORMS[len(lead)], 0x8000 | last.payload_type, self.order.next, times, lead)

    def extend(self, parts: list[bytearray]) -> None:
        """Take what such frames hold."""
        self.order.skip(len(parts))
        self._payloads.gathered.extend(parts)

    def _end_by_stamp(self, follows: bool) -> None:
        """End the picture that a new time stamp follows."""
        payloads = self._payloads
        payloads.look_into()
        gathered = payloads.gathered
        if gathered.nbytes and not follows and not self._marked:
            payloads.interrupt()
        if gathered.has_slice:
            if self._marked:
                self._right[gathered.key] += 1
            self._end()

    def _continue(self, payload: memoryview) -> None:
        """Judge a marker that is followed by a packet with the same time stamp."""
        if self._payloads.starts_picture(payload):
            # Two pictures of one time, or the fields of one; parameter sets belong to what follows.
            if self._payloads.gathered.has_slice:
                self._end()
            return
        self._wrong = True
        if self._ended:
            # The rest of a picture that is gone already.
            self._payloads.interrupt()

    def _end(self) -> None:
        gathered = self._payloads.begin()
        whole = gathered.whole and (gathered.key or not self._lost)
        self._lost = False
        self.units.append(AccessUnit(gathered.data, self._shown, gathered.key, whole))
