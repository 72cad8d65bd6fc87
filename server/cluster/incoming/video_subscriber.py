"""Receives the units of one video of a remote camera while somebody here watches it."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from server.backoff import Backoff
from server.capture.frames.unit import Unit
from server.capture.frames.video_track import MAX_BYTES, MAX_UNITS, VideoTrack
from server.cluster.bus.bus import Bus, Subscription
from server.cluster.bus.frame_message import FrameMessageError, peek
from server.cluster.bus.numbering import Numbering
from server.cluster.bus.unit_message import VERSION, UnitMessage, unpack_unit
from server.cluster.incoming.receiver import Lateness, Receiver

__all__ = ["VideoSubscriber"]

CHAIN = "chain"
"""The drop reason for units that came without the ones before them."""

# How often a node is asked for its group so far, after units were lost on the way.
ASK_PERIOD_S = 1.0


class VideoSubscriber(Receiver):
    """Receives units, each of which is worth something only after the one before it.

    Args:
        bus: Where units come from.
        channel: The channel of the camera and rendition.
        accepts: Returns whether a node may send units of this camera.
        track: Where those that follow each other are, from a key picture on.
        put: Puts one there.
        ask: Asks the camera's node for the units since the last key picture.
        drops: Counts the units that were not put, by reason.
        numbering: The camera's.
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
            for message in subscription.messages():
                backoff.reset()
                if message is None:
                    continue
                said = self._read(message[1])
                if said is None:
                    continue
                self._take_in_order(said)
                # What is repeated is old, and says nothing of the way here.
                if not said.repeated and lateness.is_too_much(said.unit.at_unix):
                    self._drops["behind"] += 1
                    return
        finally:
            subscription.close()
            self._repeated.clear()
            self._track.lose()

    def _read(self, message: bytes) -> UnitMessage | None:
        try:
            node, seq, _ = peek(message, VERSION)
            self._check(node, seq)
            return unpack_unit(message)
        except FrameMessageError as error:
            self._reject(error)
            return None

    def _take_in_order(self, said: UnitMessage) -> None:
        """Put a unit; those that are repeated all at once, so that nobody shows each of them."""
        if not said.repeated:
            self._take_repeated()
            self._take(said)
            return
        if self._track.units and said.unit.seq <= self._last_seq:
            return  # For another node that has just subscribed.
        again = self._repeated
        if said.unit.key or len(again) >= MAX_UNITS or self._repeated_bytes > MAX_BYTES:
            again.clear()
            self._repeated_bytes = 0
        if said.unit.key or (again and again[-1].unit.seq == said.after):
            again.append(said)
            self._repeated_bytes += len(said.unit.data)
        if said.complete:
            self._take_repeated()

    def _take_repeated(self) -> None:
        again, self._repeated = self._repeated, []
        for said in again:
            self._take(said)

    def _take(self, said: UnitMessage) -> None:
        """Put a unit if it can be decoded after those that were put."""
        unit, track = said.unit, self._track
        chained = bool(track.units)
        if not self._is_usable(said, chained):
            self._drops[CHAIN] += 1
            if unit.seq > self._last_seq:
                track.lose()
            self._ask_again()
        elif self._task is not None:  # It may have been closed a moment ago.
            again = said.repeated and unit.seq <= self._last_seq
            self._put(replace(unit, seq=self._assign(unit.seq, again)))

    def _is_usable(self, said: UnitMessage, chained: bool) -> bool:
        seq = said.unit.seq
        if not said.unit.key:
            return chained and said.after == self._last_seq
        return said.repeated or self._follows(seq) or self._is_rest_older()

    def _ask_again(self) -> None:
        now = time.monotonic()
        if now - self._asked_at > ASK_PERIOD_S:
            self._asked_at = now
            self._ask()
