"""One remote camera's frames on their way in, while somebody here watches."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from server.backoff import Backoff
from server.capture.frames.frame import Frame
from server.cluster.bus.bus import BUS_ERRORS, Bus, Subscription, reason_of
from server.cluster.bus.frame_message import FrameMessageError, peek, unpack_frame
from server.cluster.bus.numbering import Numbering, largest_seq
from server.loop import hub

__all__ = ["Subscriber"]

log = logging.getLogger(__name__)

# Redis does not skip for a receiver on a thin line: what it has not taken waits there. When frames
# come so much later than they once did, the connection is made anew, and what waits is forgotten.
BEHIND_S = 1.0

# When every frame of the camera's node is older than one before for so long, that one was false, or
# the node's numbers were lost: older ones count from then on.
ANEW_AFTER_S = 2.0

# So many are skipped at once, and then the hub gets a turn.
MAX_PER_MESSAGE = 32


class Subscriber:
    """Hears one camera's channel on a connection of its own; one, however many watch.

    Args:
        bus: Where frames come from.
        channel: Of the camera and rendition.
        accepts: Returns whether a node may send frames of it.
        put: Called with every frame that is newer than those before.
        on_connected: Called whenever the channel is heard from now on.
        drops: Where frames are counted that were not put.
        numbering: Of the camera.
    """

    def __init__(
        self,
        bus: Bus,
        channel: str,
        accepts: Callable[[str], bool],
        put: Callable[[Frame], None],
        on_connected: Callable[[], None],
        drops: Counter[str],
        numbering: Numbering,
    ) -> None:
        self._bus = bus
        self._channel = channel
        self._accepts = accepts
        self._put = put
        self._on_connected = on_connected
        self._drops = drops
        self._numbering = numbering
        self._last_seq = 0
        self._older_since: float | None = None  # Monotonic seconds; None while newer ones come.
        self._task: hub.Task | None = None

    @property
    def is_open(self) -> bool:
        """Whether the channel is heard."""
        return self._task is not None

    def open(self) -> None:
        """Begin to hear; does nothing if it already does."""
        if self._task is None:
            self._older_since = None
            self._task = hub.spawn(self._run)

    def close(self) -> bool:
        """Hear no more; return whether it did."""
        task, self._task = self._task, None
        if task is not None:
            # From a green thread of its own: who calls may be a callback, which must not switch.
            hub.spawn(task.kill)
        return task is not None

    def _run(self) -> None:
        backoff = Backoff()
        while True:
            try:
                self._receive(backoff)
            except BUS_ERRORS as error:
                log.debug("channel=%s lost: the bus %s", self._channel, reason_of(error))
            except Exception:
                log.exception("channel=%s failed", self._channel)
            hub.sleep(backoff.next_s())

    def _receive(self, backoff: Backoff) -> None:
        """Hear until the bus is lost, or so much waits that it is better to begin anew."""
        subscription = Subscription(self._bus, self._channel)
        try:
            self._on_connected()
            least_s = float("inf")
            for message in subscription.messages():
                backoff.reset()
                newest: bytes | None = None
                most = MAX_PER_MESSAGE
                while message is not None:
                    most -= 1
                    if self._is_news(message[1]):
                        if newest is not None:
                            self._drops["replaced"] += 1
                        newest = message[1]
                    message = subscription.more() if most else None
                if newest is None:
                    continue
                late_s = self._take(newest)
                if late_s is None:
                    continue
                # Held against the least so far, because no two clocks agree.
                least_s = min(least_s, late_s)
                if late_s - least_s > BEHIND_S:
                    self._drops["behind"] += 1
                    return
        finally:
            subscription.close()

    def _is_news(self, parcel: bytes) -> bool:
        """Return whether this is a newer frame; a bad message must not hide a good one."""
        try:
            node, seq, _ = peek(parcel)
            if not self._accepts(node):
                raise FrameMessageError("a frame of a node that does not have this camera")
            if seq > largest_seq():
                raise FrameMessageError(f"a frame's number, {seq}, is far beyond the clock")
        except FrameMessageError as error:
            self._refuse(error)
            return False
        if seq == self._last_seq:
            return False  # Repeated, for somebody else.
        if self._follows(seq):
            self._older_since = None
            return True
        now = time.monotonic()
        if self._older_since is None:
            self._older_since = now
        return now - self._older_since > ANEW_AFTER_S

    def _follows(self, seq: int) -> bool:
        return seq > self._last_seq and self._numbering.number(seq) <= largest_seq()

    def _take(self, parcel: bytes) -> float | None:
        """Put a frame if it can be shown; return how old it is by our clock, in seconds."""
        try:
            frame = unpack_frame(parcel)
        except FrameMessageError as error:
            self._refuse(error)
            return None
        if not self._follows(frame.seq):
            log.warning("channel=%s numbers begin anew: all were older for 2 s", self._channel)
            self._numbering.begin_anew(frame.seq)
        self._last_seq, self._older_since = frame.seq, None
        if self._task is not None:  # Or it was closed a moment ago, and nobody is there.
            self._put(replace(frame, seq=self._numbering.give(frame.seq)))
        return time.time() - frame.at_unix

    def _refuse(self, error: FrameMessageError) -> None:
        self._drops["junk"] += 1
        log.debug("channel=%s junk: %s", self._channel, error)
