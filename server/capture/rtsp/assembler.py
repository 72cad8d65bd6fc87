"""Puts pictures together of the packets that they arrive in. No I/O."""

from collections import deque
from typing import NamedTuple

from server.capture.rtsp.payloads import H264Payloads, H265Payloads
from server.capture.rtsp.rtp import Order, RtpPacket, Stamps
from server.capture.rtsp.splitter import Splitter

__all__ = ["AccessUnit", "Assembler"]

# How many pictures of a kind must have ended as their marker said before that is relied on.
CONFIRMED = {False: 2, True: 1}


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
            self._turn(packet.stamp, follows)
            if not follows:
                self._lost = True
                if not payloads.starts_picture(payload):
                    payloads.interrupt()
        elif not follows:
            payloads.interrupt()
        elif self._marked:
            self._continue(payloads.starts_picture(payload))
        payloads.add(payload)
        self._mark(packet.marker)

    def take_unit(self, splitter: Splitter, mark: int, first: int) -> bool:
        """Take a NAL unit that came in parts, if one is next and whole; return whether it is.

        Args:
            splitter: Where it is.
            mark: See :meth:`Splitter.take_unit`.
            first: See there.
        """
        order, payloads = self.order, self._payloads
        if order.next is None:
            return False
        how = payloads.fragmentation
        unit = splitter.take_unit(how, mark, first, order.next, order.source)
        if unit is None:
            return False
        order.skip(len(unit.parts))
        if unit.stamp != self._stamp:
            self._turn(unit.stamp, True)
        elif self._marked:
            self._continue(payloads.starts_with(unit.lead, unit.parts))
        payloads.add_parts(unit.lead, unit.parts)
        self._mark(unit.marker)
        return True

    def _turn(self, stamp: int, follows: bool) -> None:
        """Go on to another time stamp."""
        if self._payloads.gathered.nbytes:
            self._end_by_stamp(follows)
        self._stamp, self._shown = stamp, self._stamps.extend(stamp)
        self._ended = False

    def _mark(self, marker: bool) -> None:
        """End the picture if a marker says so that can be relied on."""
        self._marked = marker
        if not marker or self._wrong:
            return
        payloads = self._payloads
        payloads.look_into()
        gathered = payloads.gathered
        if gathered.has_slice and self._right[gathered.key] >= CONFIRMED[gathered.key]:
            self._end()
            self._ended = True

    def _end_by_stamp(self, follows: bool) -> None:
        """End the picture that a new time stamp follows."""
        payloads = self._payloads
        payloads.look_into()
        gathered = payloads.gathered
        if not follows and not self._marked:
            payloads.interrupt()
        if gathered.has_slice:
            if self._marked:
                self._right[gathered.key] += 1
            self._end()

    def _continue(self, starts_picture: bool) -> None:
        """Judge a marker that is followed by a packet with the same time stamp."""
        if starts_picture:
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
