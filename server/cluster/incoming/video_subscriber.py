"""Receives the units of a remote camera's video while somebody here watches it."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from server.capture.frames.unit import Unit
from server.capture.frames.video_track import MAX_BYTES, MAX_UNITS, VideoTrack
from server.cluster.bus.backoff import Backoff
from server.cluster.bus.bus import Bus, Subscription
from server.cluster.bus.frame_message import FrameMessageError, peek
from server.cluster.bus.numbering import Numbering
from server.cluster.bus.unit_message import VERSION, UnitMessage, unpack_unit
from server.cluster.incoming.receiver import Lateness, Receiver

__all__ = ["VideoSubscriber"]

CHAIN = "chain"
"""Drop reason of units whose predecessors are missing."""

# Shortest time between two requests for the current group, after units were lost.
ASK_PERIOD_S = 1.0


class VideoSubscriber(Receiver):
    """Receives units, each of which can only be decoded after the previous one.

    Args:
        bus: The Redis server.
        channel: The channel of the camera and rendition.
        accepts: Returns whether a node may send units of this camera.
        track: Holds the unbroken chain of units since a key frame.
        put: Adds a unit to the track.
        ask: Asks the camera's node for the units since the last key frame.
        drops: Counts unused units, by reason.
        numbering: The camera's numbering.
    """

    def __init__(
        self,
        bus: Bus,
        channel: str,
        accepts: Callable[[str], bool],
        track: VideoTrack,
        put: Callable[[Unit], None],
        ask: Callable[[], None],
        drops: Counter[str],
        numbering: Numbering,
    ) -> None:
        super().__init__(bus, channel, accepts, ask, drops, numbering)
        self._track = track
        self._put = put
        self._ask = ask
        self._asked_at = 0.0
        self._repeated: list[UnitMessage] = []
        self._repeated_bytes = 0

    def _receive(self, backoff: Backoff) -> None:
        subscription = Subscription(self._bus, self._channel)
        try:
            self._asked_at = time.monotonic()
            self._on_connected()
            lateness = Lateness()
            for received in subscription.messages():
                backoff.reset()
                if received is None:
                    continue
                message = self._read(received[1])
                if message is None:
                    continue
                self._take_in_order(message)
                # Repeated units are old: their age says nothing about the connection.
                if not message.repeated and lateness.is_too_much(message.unit.at_unix):
                    self._drops["behind"] += 1
                    return
        finally:
            subscription.close()
            self._repeated.clear()
            self._track.lose()

    def _read(self, data: bytes) -> UnitMessage | None:
        try:
            node, seq, _ = peek(data, VERSION)
            self._check(node, seq)
            return unpack_unit(data)
        except FrameMessageError as error:
            self._reject(error)
            return None

    def _take_in_order(self, message: UnitMessage) -> None:
        """Put a unit; put repeated ones together, so that viewers do not show each of them."""
        if not message.repeated:
            self._take_repeated()
            self._take(message)
            return
        if self._track.units and message.unit.seq <= self._last_seq:
            return  # Repeated for another node.
        again = self._repeated
        if message.unit.key or len(again) >= MAX_UNITS or self._repeated_bytes > MAX_BYTES:
            again.clear()
            self._repeated_bytes = 0
        if message.unit.key or (again and again[-1].unit.seq == message.after):
            again.append(message)
            self._repeated_bytes += len(message.unit.data)
        if message.complete:
            self._take_repeated()

    def _take_repeated(self) -> None:
        again, self._repeated = self._repeated, []
        for message in again:
            self._take(message)

    def _take(self, message: UnitMessage) -> None:
        """Put a unit if it can be decoded after those already put."""
        unit, track = message.unit, self._track
        chained = bool(track.units)
        if not self._is_usable(message, chained):
            self._drops[CHAIN] += 1
            if unit.seq > self._last_seq:
                track.lose()
            self._ask_again()
        elif self._task is not None:  # It may have been closed meanwhile.
            again = message.repeated and unit.seq <= self._last_seq
            self._put(replace(unit, seq=self._assign(unit.seq, again)))

    def _is_usable(self, message: UnitMessage, chained: bool) -> bool:
        seq = message.unit.seq
        if not message.unit.key:
            return chained and message.after == self._last_seq
        return message.repeated or self._follows(seq) or self._is_rest_older()

    def _ask_again(self) -> None:
        now = time.monotonic()
        if now - self._asked_at > ASK_PERIOD_S:
            self._asked_at = now
            self._ask()
