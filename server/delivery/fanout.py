"""One pump per camera: wait, encode once, send to whoever has credit."""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from server import hub
from server.capture.frame import Frame, Jpeg
from server.capture.watchable import Watchable
from server.delivery.encoder import EncodedFrame, encode_jpeg, pass_through
from server.errors import EncodeError

__all__ = ["FULL", "Fanout", "Viewer"]

log = logging.getLogger(__name__)

FULL = "full"
"""The rendition in the camera's own size."""

# After so many viewers the hub gets a turn, so that a large room delays nobody's control events.
VIEWERS_PER_TURN = 32


class Viewer(Protocol):
    """One connected consumer of one camera.

    Attributes:
        last_seq: The newest frame it was sent; written by the fanout only.
        obstacle: Why it cannot take a frame now (``credit``: it owes acknowledgements; ``unsent``:
            its previous bytes are not out yet; ``gone``: its connection has ended), or None when
            it can.
    """

    last_seq: int

    @property
    def obstacle(self) -> str | None: ...

    def send(self, frame: EncodedFrame, now: float) -> str | None:
        """Take the frame without blocking; return the obstacle if there is one.

        Args:
            frame: One it has not had.
            now: Monotonic seconds.
        """

    def miss(self, obstacle: str) -> None:
        """Note that a frame went by because of ``obstacle``."""


class Fanout:
    """The room of one camera: its viewers, and the pump that serves them.

    Args:
        camera: Where frames come from; it is told how many viewers there are.
        clock: Monotonic seconds.
    """

    def __init__(self, camera: Watchable, clock: Callable[[], float] = time.monotonic) -> None:
        self.camera = camera
        self._clock = clock
        self._viewers: dict[object, Viewer] = {}
        self._newest: EncodedFrame | None = None
        self._wake = hub.Signal()
        self._task: hub.Task | None = None
        camera.slot.listen(self._wake.set)

    def __len__(self) -> int:
        return len(self._viewers)

    def open(self) -> None:
        """Begin to pump."""
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """Let all viewers go and end."""
        for key in list(self._viewers):
            self.leave(key)
        if self._task:
            self._task.kill()

    def join(self, key: object, viewer: Viewer) -> None:
        """Add a viewer, in place of one with the same key, and send it what there is."""
        self._viewers[key] = viewer
        if len(self._viewers) == 1:
            # What was encoded for viewers long gone must not greet this one.
            self._newest = None
        self.camera.set_viewers(len(self._viewers))
        self.serve(viewer)

    def leave(self, key: object) -> None:
        """Remove a viewer; does nothing if there is none by that key."""
        if self._viewers.pop(key, None) is not None:
            if not self._viewers:
                self._newest = None  # Nobody is going to be sent it, and it may hold a descriptor.
            self.camera.set_viewers(len(self._viewers))

    def get(self, key: object) -> Viewer | None:
        """Return the viewer with this key, if it is here."""
        return self._viewers.get(key)

    def serve(self, viewer: Viewer) -> None:
        """Serve a viewer that has become ready between two frames.

        It is sent the newest encoded frame at once if it has not had it. If capture is already
        further, the pump is woken to encode that one instead.
        """
        frame = self.camera.slot.frame
        if frame is None:
            return  # The source is gone, and what was encoded of it only grows old.
        if self._newest is None or frame.seq > self._newest.seq:
            self._wake.set()
        elif self._newest.seq > viewer.last_seq:
            self._send(self._newest, viewer, self._clock())

    def _run(self) -> None:
        while True:
            self._wake.wait()
            try:
                self._pump()
            except EncodeError as error:
                self.camera.meter.drops["encode"] += 1
                log.debug("%s", error)
            except Exception:
                # Nothing may end the pump: it serves everybody.
                self.camera.meter.drops["error"] += 1
                log.exception("camera=%s pump", self.camera.name)

    def _pump(self) -> None:
        """Encode the newest frame if it is new and somebody can take it, and send it."""
        frame = self.camera.slot.frame
        previous = self._newest
        if frame is None or (previous is not None and frame.seq <= previous.seq):
            return
        if all(viewer.obstacle for viewer in self._viewers.values()):
            for viewer in self._viewers.values():
                viewer.miss(viewer.obstacle or "")
            return
        self.camera.slot.take()
        encoded = self._newest = self._encode(frame)
        viewers = list(self._viewers.items())
        for begin in range(0, len(viewers), VIEWERS_PER_TURN):
            if begin:
                hub.sleep(0)
            now = self._clock()
            for key, viewer in viewers[begin : begin + VIEWERS_PER_TURN]:
                if self._viewers.get(key) is viewer:
                    self._send(encoded, viewer, now)

    def _encode(self, frame: Frame) -> EncodedFrame:
        meter, name = self.camera.meter, self.camera.name
        if isinstance(frame.picture, Jpeg):
            meter.passed += 1
            return pass_through(frame, name, FULL)
        encoded, took_s = hub.run_native(
            encode_jpeg, frame, name, FULL, self.camera.encoding_quality
        )
        meter.encoded += 1
        meter.encode_s += took_s
        return encoded

    def _send(self, encoded: EncodedFrame, viewer: Viewer, now: float) -> None:
        """Send a frame unless the viewer has had it, or cannot take it now."""
        if encoded.seq <= viewer.last_seq:
            return
        meter = self.camera.meter
        obstacle = viewer.send(encoded, now)
        if obstacle is None:
            viewer.last_seq = encoded.seq
            meter.sent += 1
            meter.sent_bytes += len(encoded.jpeg)
        else:
            viewer.miss(obstacle)
            meter.drops[obstacle] += 1
