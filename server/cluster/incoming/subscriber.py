"""Receives the frames of one rendition of a remote camera while somebody here watches."""

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

# Redis queues frames for a slow receiver instead of skipping them. When frames arrive this much
# later than the fastest did, the connection is reopened, which discards the queue.
BEHIND_S = 1.0

# When every frame has had a number below the last one for this long, the last one was false, or
# the node has lost its numbers: numbering restarts from the lower ones.
RESTART_AFTER_S = 2.0

# Skip at most this many frames at once, then yield to the hub.
MAX_BATCH = 32


class Subscriber:
    """Receives one channel on a connection of its own, one for any number of viewers.

    Args:
        bus: Where frames come from.
        channel: The channel of the camera and rendition.
        accepts: Returns whether a node may send frames of this camera.
        put: Called with every frame that is newer than those before.
        on_connected: Called after every successful subscription.
        drops: Counts the frames that were not put, by reason.
        numbering: The camera's.
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
        self._older_since: float | None = None  # Monotonic seconds; None while numbers grow.
        self._task: hub.Task | None = None

    @property
    def is_open(self) -> bool:
        """Whether it receives."""
        return self._task is not None

    def open(self) -> None:
        """Start receiving, if it does not already."""
        if self._task is None:
            self._older_since = None
            self._task = hub.spawn(self._run)

    def close(self) -> bool:
        """Stop receiving; return whether it was."""
        task, self._task = self._task, None
        if task is not None:
            # In another green thread: the caller may be a hub callback, which must not switch.
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
        """Receive until the bus is lost, or so much is queued that reconnecting is better."""
        subscription = Subscription(self._bus, self._channel)
        try:
            self._on_connected()
            least_s = float("inf")
            for message in subscription.messages():
                backoff.reset()
                newest: bytes | None = None
                remaining = MAX_BATCH
                while message is not None:
                    remaining -= 1
                    if self._is_newer(message[1]):
                        if newest is not None:
                            self._drops["replaced"] += 1
                        newest = message[1]
                    message = subscription.more() if remaining else None
                if newest is None:
                    continue
                late_s = self._put_frame(newest)
                if late_s is None:
                    continue
                # Compared with the smallest delay so far, because the two clocks may differ.
                least_s = min(least_s, late_s)
                if late_s - least_s > BEHIND_S:
                    self._drops["behind"] += 1
                    return
        finally:
            subscription.close()

    def _is_newer(self, message: bytes) -> bool:
        """Return whether this is a newer frame; invalid messages must not displace valid ones."""
        try:
            node, seq, _ = peek(message)
            if not self._accepts(node):
                raise FrameMessageError("a frame from a node that does not have this camera")
            if seq > largest_seq():
                raise FrameMessageError(f"sequence number {seq} is far ahead of the clock")
        except FrameMessageError as error:
            self._reject(error)
            return False
        if seq == self._last_seq:
            return False  # Repeated for another subscriber.
        if self._follows(seq):
            self._older_since = None
            return True
        now = time.monotonic()
        if self._older_since is None:
            self._older_since = now
        return now - self._older_since > RESTART_AFTER_S

    def _follows(self, seq: int) -> bool:
        return seq > self._last_seq and self._numbering.number(seq) <= largest_seq()

    def _put_frame(self, message: bytes) -> float | None:
        """Put a frame if it can be shown; return its age by our clock, in seconds."""
        try:
            frame = unpack_frame(message)
        except FrameMessageError as error:
            self._reject(error)
            return None
        if not self._follows(frame.seq):
            log.warning("channel=%s numbering restarts: all were lower for 2 s", self._channel)
            self._numbering.restart(frame.seq)
        self._last_seq, self._older_since = frame.seq, None
        if self._task is not None:  # It may have been closed a moment ago.
            self._put(replace(frame, seq=self._numbering.assign(frame.seq)))
        return time.time() - frame.at_unix

    def _reject(self, error: FrameMessageError) -> None:
        self._drops["junk"] += 1
        log.debug("channel=%s junk: %s", self._channel, error)
