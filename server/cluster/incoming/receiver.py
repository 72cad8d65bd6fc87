"""What receivers of frames and of units have in common: one channel, and numbers that only grow."""

import logging
import time
from collections import Counter
from collections.abc import Callable

from server.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS, Bus, reason_of
from server.cluster.bus.frame_message import FrameMessageError
from server.cluster.bus.numbering import Numbering, largest_seq
from server.loop import hub

__all__ = ["Lateness", "Receiver"]

log = logging.getLogger(__name__)

# Redis queues frames for a slow receiver instead of skipping them. When frames arrive this much
# later than the fastest did, the connection is reopened, which discards the queue.
BEHIND_S = 1.0

# When every frame has had a number below the last one for this long, the last one was false, or
# the node has lost its numbers: numbering restarts from the lower ones.
RESTART_AFTER_S = 2.0


class Lateness:
    """How much later than the fastest message the others come.

    Compared with the smallest delay so far, because the clocks of two machines may differ.
    """

    def __init__(self) -> None:
        self._least_s = float("inf")

    def is_too_much(self, at_unix: float) -> bool:
        """Return whether so much is queued that reconnecting is better."""
        late_s = time.time() - at_unix
        self._least_s = min(self._least_s, late_s)
        return late_s - self._least_s > BEHIND_S


class Receiver:
    """Receives one channel on a connection of its own, one for any number of viewers.

    Args:
        bus: Where messages come from.
        channel: The channel of the camera and rendition.
        accepts: Returns whether a node may send frames of this camera.
        on_connected: Called after every successful subscription.
        drops: Counts the frames that were not used, by reason.
        numbering: The camera's.
    """

    def __init__(
        self,
        bus: Bus,
        channel: str,
        accepts: Callable[[str], bool],
        on_connected: Callable[[], None],
        drops: Counter[str],
        numbering: Numbering,
    ) -> None:
        self._bus = bus
        self._channel = channel
        self._accepts = accepts
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
        raise NotImplementedError

    def _check(self, node: str, seq: int) -> None:
        """Raise FrameMessageError for a message that the camera's node cannot have sent."""
        if not self._accepts(node):
            raise FrameMessageError("a frame from a node that does not have this camera")
        if seq > largest_seq():
            raise FrameMessageError(f"sequence number {seq} is far ahead of the clock")

    def _follows(self, seq: int) -> bool:
        return seq > self._last_seq and self._numbering.number(seq) <= largest_seq()

    def _is_rest_older(self) -> bool:
        """Return whether all frames have been older than the last one used for long."""
        now = time.monotonic()
        if self._older_since is None:
            self._older_since = now
        return now - self._older_since > RESTART_AFTER_S

    def _assign(self, seq: int, again: bool = False) -> int:
        """Return the number on this node of a frame that is used, for the second time if so."""
        if not again and not self._follows(seq):
            log.warning("channel=%s numbering restarts: all were lower for 2 s", self._channel)
            self._numbering.restart(seq)
        self._last_seq, self._older_since = seq, None
        return self._numbering.assign(seq)

    def _reject(self, error: FrameMessageError) -> None:
        self._drops["junk"] += 1
        log.debug("channel=%s junk: %s", self._channel, error)
