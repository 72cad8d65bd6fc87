"""Base of the receivers of frames and units: one channel, with growing numbers."""

import logging
import time
from collections import Counter
from collections.abc import Callable

from server.cluster.bus.backoff import Backoff
from server.cluster.bus.bus import BUS_ERRORS, Bus, reason_of
from server.cluster.bus.frame_message import FrameMessageError
from server.cluster.bus.numbering import Numbering, largest_seq
from server.loop import hub

__all__ = ["Lateness", "Receiver"]

log = logging.getLogger(__name__)

# Redis queues frames for a slow receiver instead of skipping them. When frames arrive this much
# later than the fastest, the connection is reopened, which discards the queue.
BEHIND_S = 1.0

# When all frames have had lower numbers than the last one for this long, that one was wrong or the
# node has lost its numbers: numbering restarts from the lower ones.
RESTART_AFTER_S = 2.0


class Lateness:
    """Measures how much later than the fastest message the others arrive.

    Compares with the smallest delay so far, because two machines' clocks may differ.
    """

    def __init__(self) -> None:
        self._least_s = float("inf")

    def is_too_much(self, at_unix: float) -> bool:
        """Return whether a message is so late that reconnecting is better."""
        late_s = time.time() - at_unix
        self._least_s = min(self._least_s, late_s)
        return late_s - self._least_s > BEHIND_S


class Receiver:
    """Receives one channel over a separate connection, shared by all viewers on this node.

    Args:
        bus: The Redis server.
        channel: The channel of the camera and rendition.
        accepts: Returns whether a node may send frames of this camera.
        on_connected: Called after every successful subscription.
        drops: Counts unused frames, by reason.
        numbering: The camera's numbering.
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
        """Whether it is receiving."""
        return self._task is not None

    def open(self) -> None:
        """Start receiving, if not already."""
        if self._task is None:
            self._older_since = None
            self._task = hub.spawn(self._run)

    def close(self) -> bool:
        """Stop receiving; return whether it was receiving."""
        task, self._task = self._task, None
        if task is not None:
            # Kill it in another green thread: a hub callback may call this and must not switch.
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
        """Receive until the bus is lost, or until reconnecting is better."""
        raise NotImplementedError

    def _check(self, node: str, seq: int) -> None:
        """Raise FrameMessageError if the camera's node cannot have sent this message."""
        if not self._accepts(node):
            raise FrameMessageError("a frame from a node that does not have this camera")
        if seq > largest_seq():
            raise FrameMessageError(f"sequence number {seq} is far ahead of the clock")

    def _follows(self, seq: int) -> bool:
        return seq > self._last_seq and self._numbering.number(seq) <= largest_seq()

    def _is_rest_older(self) -> bool:
        """Return whether all frames have long had lower numbers than the last one used."""
        now = time.monotonic()
        if self._older_since is None:
            self._older_since = now
        return now - self._older_since > RESTART_AFTER_S

    def _assign(self, seq: int, again: bool = False) -> int:
        """Assign a used frame its number on this node; ``again`` if it was used before."""
        if not again and not self._follows(seq):
            log.warning("channel=%s numbering restarts: only lower numbers for 2 s", self._channel)
            self._numbering.restart(seq)
        self._last_seq, self._older_since = seq, None
        return self._numbering.assign(seq)

    def _reject(self, error: FrameMessageError) -> None:
        self._drops["junk"] += 1
        log.debug("channel=%s junk: %s", self._channel, error)
