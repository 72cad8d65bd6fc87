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
        there = rewind.between(before_unix, float("inf"))
        self._waiting = [one for one in there if one.codec == JPEG]
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
        if not self._waiting:
            self._arrived.wait()
        hub.sleep(ROUND_S)  # Until it can be told how many come in a second.
        while not self._closed:
            if not self._waiting:
                self._arrived.wait()
            began = time.monotonic()
            if self._waiting and not self._closed:
                self._encode_round()
            if not self._before and not self._closed:
                hub.sleep(max(0.0, began + ROUND_S - time.monotonic()))
        self._media.end_video(self._name)

    def _encode_round(self) -> None:
        """Encode what has come since the last round, or what there is time for.

        Of what was there at the beginning, all is wanted, and what comes meanwhile waits for it.
        """
        waiting, self._waiting = self._waiting, []
        batch, later = waiting, list[Unit]()
        if self._before:
            count = min(self._before, MAX_BATCH)
            batch, later = waiting[:count], waiting[count:]
        pictures, urgent = self._pace.plan(len(batch))
        if not self._before and pictures < len(batch):
            self._on_dropped(len(batch) - pictures)
            batch = spread(batch, pictures)
        starts = self._media.pid is None  # That takes time, too.
        began = time.monotonic()
        done = self._encode(batch, _fps(waiting), urgent)
        if not starts:
            self._pace.note(done, urgent, time.monotonic() - began)
        self._before = max(0, self._before - done)
        self._waiting = batch[done:] + later + self._waiting

    def _encode(self, batch: list[Unit], fps: int, urgent: bool) -> int:
        """Encode the first of some pictures, as many as there is time for; return how many."""
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
    """Return about how many pictures a second there are."""
    steps = sorted(later.at_unix - one.at_unix for one, later in pairwise(pictures))
    usual = steps[len(steps) // 2] if steps else 0.2
    return max(1, min(MAX_FPS, round(1 / max(usual, 1 / MAX_FPS))))
