"""Receives the frames of one rendition of a remote camera while somebody here watches."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from server.capture.frames.frame import Frame
from server.cluster.bus.backoff import Backoff
from server.cluster.bus.bus import Bus, Subscription
from server.cluster.bus.frame_message import FrameMessageError, peek, unpack_frame
from server.cluster.bus.numbering import Numbering
from server.cluster.incoming.receiver import Lateness, Receiver

__all__ = ["Subscriber"]

# Skip at most this many frames, then yield to the hub.
MAX_BATCH = 32


class Subscriber(Receiver):
    """Receives JPEG frames, and keeps only the newest.

    Args:
        bus: The Redis server.
        channel: The channel of the camera and rendition.
        accepts: Returns whether a node may send frames of this camera.
        put: Called with each newer frame.
        on_connected: Called after every successful subscription.
        drops: Counts unused frames, by reason.
        numbering: The camera's numbering.
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
        super().__init__(bus, channel, accepts, on_connected, drops, numbering)
        self._put = put

    def _receive(self, backoff: Backoff) -> None:
        subscription = Subscription(self._bus, self._channel)
        try:
            self._on_connected()
            lateness = Lateness()
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
                at_unix = self._put_frame(newest)
                if at_unix is not None and lateness.is_too_much(at_unix):
                    self._drops["behind"] += 1
                    return
        finally:
            subscription.close()

    def _is_newer(self, message: bytes) -> bool:
        """Return whether this is a valid newer frame: invalid ones must not replace valid ones."""
        try:
            node, seq, _ = peek(message)
            self._check(node, seq)
        except FrameMessageError as error:
            self._reject(error)
            return False
        if seq == self._last_seq:
            return False  # Repeated for a new subscriber.
        if self._follows(seq):
            self._older_since = None
            return True
        return self._is_rest_older()

    def _put_frame(self, message: bytes) -> float | None:
        """Put a frame if it is valid; return its capture time in Unix seconds, or None."""
        try:
            frame = unpack_frame(message)
        except FrameMessageError as error:
            self._reject(error)
            return None
        seq = self._assign(frame.seq)
        if self._task is not None:  # It may have been closed meanwhile.
            self._put(replace(frame, seq=seq))
        return frame.at_unix
