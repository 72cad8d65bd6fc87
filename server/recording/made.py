"""Video that is made of a camera's JPEGs, for cameras that have none. On the hub."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from server.capture.frames.rendition import FULL
from server.capture.frames.unit import JPEG, Unit
from server.delivery.encoder import EncodedFrame
from server.delivery.fanout import Fanout, Room
from server.loop import hub
from server.recording.media.messages import unpack
from server.recording.media.process import MediaError, MediaProcess
from server.recording.rewind import Rewind

__all__ = ["MadeVideo"]

log = logging.getLogger(__name__)

GATHER_S = 0.4
"""JPEGs wait for so long, to be encoded together."""

MAX_WAITING_BYTES = 16 << 20
"""More is dropped: the process is too slow."""

KEY_EVERY_S = 2.0

RETRY_S = 2.0


class MadeVideo:
    """Has a camera's JPEGs made, and H.264 of them, by a process of low priority.

    Args:
        fanout: Of the camera.
        rewind: Where its JPEGs come by.
        media: Encodes them.
        before: Those that come first.
        on_unit: Called with each unit, and with None when some are missing.
    """

    last_seq = 0
    room: Room

    def __init__(
        self,
        fanout: Fanout,
        rewind: Rewind,
        media: MediaProcess,
        before: Iterable[Unit],
        on_unit: Callable[[Unit | None], None],
    ) -> None:
        self._fanout = fanout
        self._media = media
        self._on_unit = on_unit
        self._waiting: list[Unit] = []
        self._nbytes = 0
        self._key_at = float("-inf")
        for unit in before:
            self._take(unit)
        self._stop_listening = rewind.listen(self._take)
        # As somebody who looks, because JPEG is made for those only.
        fanout.join(self, self, FULL.name, counts=False)
        self._task = hub.spawn(self._run)

    def close(self) -> None:
        """End it."""
        self._task.kill()
        self._stop_listening()
        self._fanout.leave(self)

    # What a viewer has. The JPEGs themselves come by way of the rewind buffer.

    obstacle: str | None = None

    def send(self, frame: EncodedFrame, now: float) -> str | None:
        """Take a frame."""
        return None

    def miss(self, obstacle: str) -> None:
        """Do without a frame."""

    def _take(self, unit: Unit | None) -> None:
        if unit is None or unit.codec != JPEG:
            return
        if self._nbytes + len(unit.data) > MAX_WAITING_BYTES:
            self._fanout.camera.meter.drops["unrecorded"] += 1
            return
        self._waiting.append(unit)
        self._nbytes += len(unit.data)

    def _run(self) -> None:
        while True:
            hub.sleep(GATHER_S)
            some, self._waiting, self._nbytes = self._waiting, [], 0
            if not some:
                continue
            now = time.monotonic()
            wants_key = now - self._key_at >= KEY_EVERY_S
            camera = self._fanout.camera
            try:
                fps, key = max(1.0, camera.rate), wants_key
                data = self._media.ask("video", some, name=camera.name, fps=fps, key=key)
            except MediaError as error:
                log.warning("camera=%s cannot be encoded to be recorded: %s", camera.name, error)
                camera.meter.drops["unrecorded"] += len(some)
                self._on_unit(None)
                hub.sleep(RETRY_S)
                continue
            numbers = {unit.at_unix: unit.seq for unit in some}
            for unit in unpack(data):
                if unit.key:
                    self._key_at = now
                self._on_unit(replace(unit, seq=numbers[unit.at_unix]))
