"""Has video made of a camera that sends JPEG or pixels alone, so that it can be recorded."""

import time
from collections.abc import Callable
from itertools import pairwise

from server.capture.frames.unit import JPEG, Unit
from server.delivery.fanout import Fanout
from server.loop import hub
from server.recording.keeper import Keeper
from server.recording.media.pace import ROUND_S, Pace, spread
from server.recording.media.process import MediaError, MediaProcess
from server.recording.rewind import Rewind

__all__ = ["JpegVideo"]

# So many are encoded at once of what was there at the beginning.
MAX_BATCH = 25

# More than can wait is dropped, besides that.
MAX_WAITING = 150

MAX_FPS = 60


class JpegVideo:
    """One such video, from when it is made until :meth:`close`. Green.

    Args:
        fanout: Of the camera.
        rewind: Its last seconds, where its JPEG arrives.
        before_unix: From when on what is there already belongs to it.
        media: Encodes it.
        on_unit: Called with each unit of H.264, and None for a loss.
        on_dropped: Called with how many pictures were dropped.
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
        self._waiting = list(rewind.between(before_unix, float("inf")))
        self._before = len(self._waiting)  # How many of them came before it began.
        # Those are in memory anyway.
        self._max_waiting = len(self._waiting) + MAX_WAITING
        self._keeper = Keeper()
        self._unlisten = rewind.listen(self._take)
        fanout.join(self._keeper, self._keeper, counts=False)
        hub.spawn(self._run)

    @property
    def behind_unix(self) -> float | None:
        """When the oldest picture was captured that is not encoded yet; None if all are."""
        left = self._encoding or self._waiting
        return left[0].at_unix if left else None

    def close(self) -> None:
        """Make no more of it; what still waits is left out."""
        self._closed = True
        self._unlisten()
        self._fanout.leave(self._keeper)
        self._arrived.set()

    def _take(self, picture: Unit | None) -> None:
        if picture is None or picture.codec != JPEG:
            return
        if len(self._waiting) >= self._max_waiting:
            self._on_dropped(1)
            return
        self._waiting.append(picture)
        self._arrived.set()

    def _run(self) -> None:
        while not self._closed:
            if not self._waiting:
                self._arrived.wait()
            began = time.monotonic()
            while self._before and not self._closed:
                self._encode_before()
            if self._waiting and not self._closed:
                self._encode_round()
            if not self._closed:
                hub.sleep(max(0.0, began + ROUND_S - time.monotonic()))
        self._media.end_video(self._name)

    def _encode_before(self) -> None:
        """Encode some of what was there: all of it is wanted, and what comes waits for it."""
        count = min(self._before, MAX_BATCH)
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._before -= count
        batch = [one for one in batch if one.codec == JPEG]
        if batch:
            self._encode(batch, _fps(batch), urgent=True)

    def _encode_round(self) -> None:
        """Encode what has come since the last round, or what there is time for."""
        waiting, self._waiting = self._waiting, []
        pictures, urgent = self._pace.plan(len(waiting))
        if left_out := len(waiting) - pictures:
            self._on_dropped(left_out)
        batch = spread(waiting, pictures)
        began = time.monotonic()
        done = self._encode(batch, _fps(waiting), urgent, ROUND_S)
        self._pace.note(done, urgent, time.monotonic() - began)
        self._waiting = batch[done:] + self._waiting

    def _encode(self, batch: list[Unit], fps: int, urgent: bool, limit_s: float = 0.0) -> int:
        """Encode the first of some pictures, as many as there is time for; return how many."""
        self._encoding = batch
        try:
            units, done = self._media.encode(self._name, batch, fps, urgent, limit_s)
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
    """Return about how many pictures a second there are."""
    steps = sorted(later.at_unix - one.at_unix for one, later in pairwise(pictures))
    usual = steps[len(steps) // 2] if steps else 0.2
    return max(1, min(MAX_FPS, round(1 / max(usual, 1 / MAX_FPS))))
