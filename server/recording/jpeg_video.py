"""Encode video for recording from a camera that sends only JPEG or pixels."""

import time
from collections.abc import Callable
from itertools import pairwise

from server.capture.frames.unit import JPEG, Unit
from server.delivery.fanout import Fanout
from server.loop import hub
from server.recording.jpeg_demand import JpegDemand
from server.recording.media.pace import ROUND_S, Pace, spread
from server.recording.media.process import MediaError, MediaProcess
from server.recording.rewind import Rewind

__all__ = ["JpegVideo"]

# The most pictures of the initial backlog to encode in one round.
MAX_BATCH = 25

# The most pictures that may wait, besides the backlog; more are dropped.
MAX_QUEUED = 150

MAX_FPS = 60


class JpegVideo:
    """Encodes one camera's JPEG from its creation until :meth:`close`. Green.

    Args:
        fanout: The camera's.
        rewind: The camera's rewind buffer, which receives its JPEG.
        before_unix: Begin with pictures in the buffer that were captured from this time on.
        media: Encodes the video.
        on_unit: Called with each unit of H.264, and with None for a loss.
        on_dropped: Called with the number of pictures dropped.
    """

    def __init__(
        self,
        fanout: Fanout,
        rewind: Rewind,
        before_unix: float,
        media: MediaProcess,
        on_unit: Callable[[Unit | None], None],
        on_dropped: Callable[[int], None],
    ) -> None:
        self._fanout = fanout
        self._media = media
        self._on_unit = on_unit
        self._on_dropped = on_dropped
        self._name = fanout.camera.name
        self._arrived = hub.Signal()
        self._closed = False
        self._pace = Pace()
        self._encoding: list[Unit] = []
        kept = rewind.between(before_unix, float("inf"))
        self._queue = [one for one in kept if one.codec == JPEG]
        self._backlog = len(self._queue)  # How many of the queue were in the buffer.
        # The rewind buffer has those in memory anyway.
        self._max_queued = len(self._queue) + MAX_QUEUED
        self._jpeg_demand = JpegDemand()
        self._unlisten = rewind.listen(self._take)
        fanout.join(self._jpeg_demand, self._jpeg_demand, counts=False)
        hub.spawn(self._run)

    @property
    def behind_unix(self) -> float | None:
        """The capture time of the oldest picture not encoded yet; None if all are."""
        left = self._encoding or self._queue
        return left[0].at_unix if left else None

    def close(self) -> None:
        """Stop encoding; pictures that still wait are left out."""
        self._closed = True
        self._unlisten()
        self._fanout.leave(self._jpeg_demand)
        self._arrived.set()

    def _take(self, picture: Unit | None) -> None:
        if picture is None or picture.codec != JPEG:
            return
        if len(self._queue) >= self._max_queued:
            self._on_dropped(1)
            return
        self._queue.append(picture)
        self._arrived.set()

    def _run(self) -> None:
        if not self._queue:
            self._arrived.wait()
        hub.sleep(ROUND_S)  # Enough pictures to measure the frame rate.
        while not self._closed:
            if not self._queue:
                self._arrived.wait()
            began = time.monotonic()
            if self._queue and not self._closed:
                self._encode_round()
            if not self._backlog and not self._closed:
                hub.sleep(max(0.0, began + ROUND_S - time.monotonic()))
        self._media.end_video(self._name)

    def _encode_round(self) -> None:
        """Encode the pictures since the last round, or as many as there is time for.

        The initial backlog is encoded completely, and newer pictures wait for that.
        """
        waiting, self._queue = self._queue, []
        batch, later = waiting, list[Unit]()
        if self._backlog:
            count = min(self._backlog, MAX_BATCH)
            batch, later = waiting[:count], waiting[count:]
        pictures, urgent = self._pace.plan(len(batch))
        if not self._backlog and pictures < len(batch):
            self._on_dropped(len(batch) - pictures)
            batch = spread(batch, pictures)
        starts = self._media.pid is None  # Starting the process would distort the measurement.
        began = time.monotonic()
        done = self._encode(batch, _fps(waiting), urgent)
        if not starts:
            self._pace.note(done, urgent, time.monotonic() - began)
        self._backlog = max(0, self._backlog - done)
        self._queue = batch[done:] + later + self._queue

    def _encode(self, batch: list[Unit], fps: int, urgent: bool) -> int:
        """Encode as many of the pictures, in order, as there is time for; return how many."""
        self._encoding = batch
        try:
            units, done = self._media.encode(self._name, batch, fps, urgent, ROUND_S)
        except MediaError:
            self._on_dropped(len(batch))
            self._on_unit(None)
            return len(batch)
        finally:
            self._encoding = []
        for unit in units if not self._closed else ():
            self._on_unit(unit)
        return done


def _fps(pictures: list[Unit]) -> int:
    """Return the approximate frame rate of some pictures."""
    steps = sorted(later.at_unix - one.at_unix for one, later in pairwise(pictures))
    usual = steps[len(steps) // 2] if steps else 0.2
    return max(1, min(MAX_FPS, round(1 / max(usual, 1 / MAX_FPS))))
