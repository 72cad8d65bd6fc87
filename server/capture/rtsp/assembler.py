"""Assembles pictures from RTP packets. No I/O."""

from collections import deque
from typing import NamedTuple

from server.capture.rtsp.payloads import H264Payloads, H265Payloads
from server.capture.rtsp.rtp import Order, RtpPacket, Stamps
from server.capture.rtsp.splitter import Splitter

__all__ = ["AccessUnit", "Assembler"]

# By whether they are key frames: how often the marker must be right before it is relied on.
MIN_CONFIRMED = {False: 2, True: 1}


class AccessUnit(NamedTuple):
    """A picture.

    Attributes:
        data: Its NAL units, in Annex B format.
        stamp: When to show it, by the camera's clock.
        key: Whether a decoder can start at it.
        whole: Whether it is complete and, unless it is a key frame, none was lost before it.
    """

    data: bytes
    stamp: int
    key: bool
    whole: bool


class Assembler:
    """Collects one video's packets.

    A picture ends where the timestamp changes. RTP's marker says so before the next picture
    arrives; it is relied on once it has proved right: some cameras set it on each unit, or never.

    Args:
        payloads: The collector for the video's codec.

    Attributes:
        units: The finished pictures; the caller removes those it takes.
        order: The packets' sequence numbers.
    """

    def __init__(self, payloads: H264Payloads | H265Payloads) -> None:
        self.units: deque[AccessUnit] = deque()
        self.order = Order()
        self._payloads = payloads
        self._stamps = Stamps()
        self._stamp: int | None = None
        self._shown = 0  # The timestamp, extended.
        self._marked = False  # Whether the previous packet had the marker.
        # How often the marker was right, by whether it was a key frame.
        self._confirmed = {False: 0, True: 0}
        self._marker_wrong = False
        self._ended = False  # Whether the marker has ended a picture with this timestamp.
        self._lost = False  # Whether pictures may be missing before this one.

    def add(self, packet: RtpPacket) -> None:
        """Add the next packet."""
        payloads, payload = self._payloads, packet.payload
        follows = self.order.follows(packet.number, packet.source)
        if packet.stamp != self._stamp:
            self._advance(packet.stamp, follows)
            if not follows:
                self._lost = True
                if not payloads.starts_picture(payload):
                    payloads.interrupt()
        elif not follows:
            payloads.interrupt()
        elif self._marked:
            self._check_marker(payloads.starts_picture(payload))
        payloads.add(payload)
        self._mark(packet.marker)

    def take_unit(self, splitter: Splitter, prefix: int, rtp_start: int) -> bool:
        """Take the next frames if they are a whole fragmented NAL unit; return whether they are.

        Args:
            splitter: The received bytes.
            prefix: See :meth:`Splitter.take_unit`.
            rtp_start: See :meth:`Splitter.take_unit`.
        """
        order, payloads = self.order, self._payloads
        if order.next is None:
            return False
        fragmentation = payloads.fragmentation
        unit = splitter.take_unit(fragmentation, prefix, rtp_start, order.next, order.source)
        if unit is None:
            return False
        order.skip(len(unit.parts))
        if unit.stamp != self._stamp:
            self._advance(unit.stamp, True)
        elif self._marked:
            self._check_marker(payloads.fragments_start_picture(unit.header, unit.parts))
        payloads.add_fragmented(unit.header, unit.parts)
        self._mark(unit.marker)
        return True

    def _advance(self, stamp: int, follows: bool) -> None:
        """Go on to the next timestamp."""
        if self._payloads.gathered.nbytes:
            self._end_by_stamp(follows)
        self._stamp, self._shown = stamp, self._stamps.extend(stamp)
        self._ended = False

    def _mark(self, marker: bool) -> None:
        """End the picture if the marker says so and can be relied on."""
        self._marked = marker
        if not marker or self._marker_wrong:
            return
        payloads = self._payloads
        payloads.find_slices()
        gathered = payloads.gathered
        if gathered.has_slice and self._confirmed[gathered.key] >= MIN_CONFIRMED[gathered.key]:
            self._end()
            self._ended = True

    def _end_by_stamp(self, follows: bool) -> None:
        """End the picture because the timestamp has changed."""
        payloads = self._payloads
        payloads.find_slices()
        gathered = payloads.gathered
        if not follows and not self._marked:
            payloads.interrupt()
        if gathered.has_slice:
            if self._marked:
                self._confirmed[gathered.key] += 1
            self._end()

    def _check_marker(self, starts_picture: bool) -> None:
        """Check a marker that is followed by a packet with the same timestamp."""
        if starts_picture:
            # Two pictures with one timestamp, or two fields; parameter sets belong to the next one.
            if self._payloads.gathered.has_slice:
                self._end()
            return
        self._marker_wrong = True
        if self._ended:
            # This is the rest of a picture that was passed on already.
            self._payloads.interrupt()

    def _end(self) -> None:
        gathered = self._payloads.begin()
        whole = gathered.whole and (gathered.key or not self._lost)
        self._lost = False
        self.units.append(AccessUnit(gathered.data, self._shown, gathered.key, whole))
