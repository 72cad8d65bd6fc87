"""Clips that are created in the background and kept for a while."""

import os
import secrets
import shutil
import time
from collections import deque
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import BinaryIO

from server.errors import PictureError, RequestError
from server.loop import hub
from server.recording.media.clip import can_be_copied, lay_out_clip, read_clip, shown_from
from server.recording.media.film import encode_film
from server.recording.media.fragments import Kept
from server.recording.media.process import MediaError, MediaProcess
from server.users.private import add_folder, open_private

__all__ = ["ClipJob", "ClipJobs"]

MAX_WAITING = 4
"""The most clips that wait or are being created."""

MAX_KEPT = 16

KEPT_S = 3600.0
"""How long a finished clip is kept."""

TOO_MANY = f"{MAX_WAITING} clips are already being created; wait for one, or cancel it"


class ClipJob:
    """One clip.

    Attributes:
        id: Its name; has an underscore, so it is not a camera's name.
        maker: Who requested it, and may have it.
        camera: The camera's name.
        asked: The requested begin and end, in Unix seconds.
        from_unix: When its first picture was captured.
        share: The share done, 0 to 1.
        done: Whether the file is complete.
        error: Why it failed; None if it has not.
        path: The file.
        units: The units it consists of; empty once it has ended.
        is_posted: Whether its maker will fetch it later instead of waiting for it.
    """

    def __init__(
        self,
        maker: Hashable,
        camera: str,
        asked: tuple[float, float],
        units: Sequence[Kept],
        folder: Path,
    ) -> None:
        self.id = "clip_" + secrets.token_hex(8)
        self.maker = maker
        self.camera = camera
        self.asked = asked
        self.units = units
        self.from_unix = shown_from(units, asked[0])
        self.share = 0.0
        self.done = False
        self.error: str | None = None
        self.path = folder / f"{self.id}.mp4"
        self.ended_at: float | None = None
        self.is_posted = False
        self._waiters: list[hub.Signal] = []

    @property
    def is_awaited(self) -> bool:
        """Whether its maker waits for it or will fetch it."""
        return self.is_posted or bool(self._waiters)

    def describe(self) -> dict[str, object]:
        """Return the job as in the HTTP API."""
        share = round(self.share, 3)
        return {"id": self.id, "done": self.done, "share": share, "error": self.error}

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is done or has failed; return False if that takes longer."""
        if self.ended_at is not None:
            return True
        waiter = hub.Signal()
        self._waiters.append(waiter)
        try:
            return waiter.wait(timeout_s)
        finally:
            self._waiters.remove(waiter)

    def end(self, error: str | None = None) -> None:
        """Mark it as done, or as failed with a reason."""
        self.ended_at = time.monotonic()
        self.done, self.error, self.units = error is None, error, ()
        self.share = 1.0 if self.done else self.share
        for waiter in self._waiters:
            waiter.set()


class ClipJobs:
    """Creates clips, one after the other. Green.

    Args:
        folder: The folder for their files.
        media: Encodes them.
    """

    def __init__(self, folder: Path, media: MediaProcess) -> None:
        self._folder = folder
        self._media = media
        self._jobs: dict[str, ClipJob] = {}
        self._waiting: deque[ClipJob] = deque()
        self._worker: hub.Task | None = None

    def open(self) -> None:
        """Delete the clips of an earlier run."""
        hub.run_native(shutil.rmtree, self._folder, True)

    def close(self) -> None:
        """Cancel and delete all clips."""
        for job in list(self._jobs.values()):
            self.remove(job)
        if self._worker is not None:
            self._worker.kill()
        self._media.close()
        hub.run_native(shutil.rmtree, self._folder, True)

    def begin(
        self, maker: Hashable, camera: str, asked: tuple[float, float], units: Sequence[Kept]
    ) -> ClipJob:
        """Queue a clip; return the existing one if its maker has requested the same before.

        Args:
            maker: Who requests it.
            camera: The camera's name.
            asked: The requested begin and end, in Unix seconds.
            units: The units of that time, preceded by those needed to decode them.

        Raises:
            RequestError: If too many are waiting.
        """
        self._sweep()
        for job in self._jobs.values():
            same = (job.maker, job.camera, job.asked) == (maker, camera, asked)
            if same and job.error is None:
                return job
        if sum(job.ended_at is None for job in self._jobs.values()) >= MAX_WAITING:
            raise RequestError("rate_limited", TOO_MANY)
        job = ClipJob(maker, camera, asked, units, self._folder)
        self._jobs[job.id] = job
        self._waiting.append(job)
        if self._worker is None or self._worker.done:
            self._worker = hub.spawn(self._work)
        return job

    def find(self, key: str, maker: Hashable) -> ClipJob | None:
        """Return a maker's clip; None if there is none."""
        job = self._jobs.get(key)
        return job if job is not None and job.maker == maker else None

    def remove(self, job: ClipJob) -> None:
        """Delete a clip; cancel it if it has not ended."""
        self._jobs.pop(job.id, None)
        if job in self._waiting:
            self._waiting.remove(job)
        if job.ended_at is None:
            job.end("it was cancelled")
        hub.run_native(job.path.unlink, True)

    def _work(self) -> None:
        while self._waiting:
            job = self._waiting.popleft()
            error = None
            try:
                hub.run_native(add_folder, self._folder)
                self._make(job)
            except MediaError as failure:
                error = str(failure)
            except PictureError as failure:
                error = str(failure)
            except OSError as failure:
                error = failure.strerror or "the file cannot be written"
            if error is not None or job.ended_at is not None:
                hub.run_native(job.path.unlink, True)
            if job.ended_at is None:
                job.end(error)
            hub.call_later(KEPT_S, self._sweep)

    def _make(self, job: ClipJob) -> None:
        units = job.units
        if not units:
            return  # It was cancelled.

        def on_share(share: float) -> bool:
            job.share = share
            return job.ended_at is None

        if not can_be_copied(units):
            encode_film(self._media, units, job.from_unix, job.path, on_share)
            return
        clip = lay_out_clip(units, job.asked[0])
        done = 0
        with hub.run_native(_create, job.path) as file:
            for piece in read_clip(clip, 0, clip.nbytes):
                hub.run_native(file.write, piece)
                done += len(piece)
                if not on_share(done / clip.nbytes):
                    return

    def _sweep(self) -> None:
        """Delete clips that are older than KEPT_S, and the oldest beyond MAX_KEPT."""
        ended = [job for job in self._jobs.values() if job.ended_at is not None]
        for number, job in enumerate(reversed(ended), 1):
            if number > MAX_KEPT or time.monotonic() - (job.ended_at or 0.0) >= KEPT_S:
                self.remove(job)


def _create(path: Path) -> BinaryIO:
    return open(open_private(path, os.O_WRONLY), "wb")
