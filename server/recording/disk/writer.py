"""Write recordings and events, on one native thread for all cameras.

The hub queues units and does not wait. If the disk is too slow for them, they are dropped and
counted, and recording resumes with the next key frame. When the disk is full, the oldest
recordings are deleted; if that does not help, recording pauses.
"""

import errno
import os
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from server.capture.frames.unit import Unit
from server.delivery.mp4.movie import TIMESCALE
from server.loop import native
from server.recording.disk.event_file import remove_empty
from server.recording.disk.event_queue import EventQueue
from server.recording.disk.index import Event, Recorded
from server.recording.disk.layout import FILM, add_folders, recording_id, recording_path
from server.recording.disk.recording_file import RecordingFile, head_of, set_locked
from server.recording.disk.retention import Policy
from server.recording.disk.segmenter import FRAGMENT_S, Begin, End, Fragment, Segmenter
from server.recording.disk.storage import Storage

__all__ = ["Writer"]

MAX_QUEUED_BYTES = 16 << 20
"""The most bytes queued for each camera; more are dropped."""
MAX_JOBS = 2000

RETRY_S = 10.0
"""Time after a failed write until the next attempt."""

SPACE_CHECK_S = 1.0
"""Interval at which free space is checked."""

TIDY_S = 60.0
"""Interval at which expired recordings are deleted and pending index changes applied."""
PAUSE_S = 0.005
"""Pause between two deletions, because all other threads wait for this one's."""

CALL_DEADLINE_S = 10.0

DISK_FULL = "the disk is full"
FULL_ERRORS = errno.ENOSPC, errno.EDQUOT

T = TypeVar("T")


@dataclass(slots=True)
class _Track:
    """The recording of one camera, or its film. Used by the writer's thread only."""

    segmenter: Segmenter
    begin: Begin | None = None  # The next file, which is created with its first fragment.
    file: RecordingFile | None = None
    known: Recorded | None = None


class Writer:
    """The thread that writes, and its queue.

    Args:
        storage: The destination.

    Attributes:
        policy: How much is kept; may be replaced at any time.
        open: Recordings being written, by track; updated with each fragment.
        dropped: Number of pictures not recorded, by track; only grows.
        events: Events still to be written.
        problem: Why recording is paused; empty if it is not.
    """

    def __init__(self, storage: Storage) -> None:
        self.policy = Policy()
        self.open: dict[str, Recorded] = {}
        self.dropped: Counter[str] = Counter()
        self.problem = ""
        self._storage = storage
        self._tracks: dict[str, _Track] = {}
        self._paused_until = 0.0
        self._checked_space_at = self._tidied_at = 0.0
        self._overdue: deque[str] = deque()  # Recordings to be deleted.
        # Shared with the hub, which holds the lock only to append.
        self._wakeup: Any = native.threading.Condition()
        self._jobs: deque[tuple[str, int, Callable[[], None]]] = deque()
        self._queued_bytes: Counter[str] = Counter()
        self.events = EventQueue()
        self._closing = False
        self._thread: Any = None

    # Called by the hub.

    def start(self) -> None:
        """Start the thread; another one checks the index against the files."""
        self._thread = native.threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()
        self._storage.check_soon()

    def stop(self, timeout_s: float) -> bool:
        """Write the queue, close all files and end; return False if that takes longer."""
        with self._wakeup:
            self._closing = True
            self._wakeup.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def put(self, camera: str, units: Sequence[Unit], reason: str, film: str = "") -> bool:
        """Queue units for recording; return False if the camera's queue is full.

        Args:
            camera: The name of the camera or of its film's track.
            units: In order, without a gap after the previous ones.
            reason: Why they are recorded.
            film: The time-lapse film they belong to; empty for none.
        """
        size = sum(len(unit.data) for unit in units)
        if self._queued_bytes[camera] + size > MAX_QUEUED_BYTES:
            self._drop(camera, len(units))
            return False
        self._add(camera, size, partial(self._record, camera, units, reason, film))
        return True

    def end(self, camera: str) -> None:
        """End a camera's file, because a gap follows or recording stops."""
        self._add(camera, 0, partial(self._end, camera))

    def do(self, job: Callable[[], None]) -> bool:
        """Queue another job; return False if the queue is full."""
        if len(self._jobs) >= MAX_JOBS:
            return False
        self._add("", 0, job)
        return True

    def keep_event(self, event: Event, jpeg: bytes | None = None) -> None:
        """Queue an event's current values; they are written as soon as possible.

        Args:
            event: The event.
            jpeg: Its best picture, if there is a new one.
        """
        self.events.put(event, jpeg)
        self.do(self._write_events)

    def call(self, job: Callable[[], T], timeout_s: float = CALL_DEADLINE_S) -> T:
        """Queue a job and return its result. Blocks: call it on a native thread.

        Raises:
            TimeoutError: If the disk is not responding.
            Exception: Whatever the job raises.
        """
        done: Any = native.threading.Event()
        outcome: list[T] = []
        failure: list[Exception] = []

        def work() -> None:
            try:
                outcome.append(job())
            except Exception as error:  # noqa: BLE001  raised again in the caller
                failure.append(error)
            done.set()

        self._add("", 0, work)
        if not done.wait(timeout_s):
            raise TimeoutError("the disk is not responding")
        if failure:
            raise failure[0]
        return outcome[0]

    def _drop(self, camera: str, pictures: int) -> None:
        with self._wakeup:
            self.dropped[camera] += pictures

    def _add(self, camera: str, size: int, job: Callable[[], None]) -> None:
        with self._wakeup:
            self._queued_bytes[camera] += size
            self._jobs.append((camera, size, job))
            self._wakeup.notify()

    # The thread.

    def _run(self) -> None:
        while True:
            with self._wakeup:
                if not self._jobs and not self._closing:
                    self._wakeup.wait(PAUSE_S if self._overdue else SPACE_CHECK_S)
                job = self._jobs.popleft() if self._jobs else None
                closing = self._closing and job is None
            if job is not None:
                camera, size, work = job
                self._attempt(camera, work)
                with self._wakeup:
                    self._queued_bytes[camera] -= size
            if closing:
                for camera in list(self._tracks):
                    self._attempt(camera, partial(self._end, camera))
                self._attempt("", self._write_events)
                self._storage.settle()
                self._storage.index.close()
                return
            self._maintain()

    def _attempt(self, camera: str, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            self._pause(error)
        except sqlite3.Error:
            self._storage.rebuild_if_damaged()
        except Exception as error:  # noqa: BLE001  the thread serves all cameras
            self._pause(error)

    def _record(self, camera: str, units: Sequence[Unit], reason: str, film: str) -> None:
        track = self._tracks.get(camera)
        if track is None:
            # A film may get one picture a minute, so write each without waiting for others.
            fragment_s = 0.0 if camera.endswith(FILM) else FRAGMENT_S
            track = self._tracks[camera] = _Track(Segmenter(fragment_s))
        if self._paused_until:
            self._drop(camera, len(units))
            return
        segmenter = track.segmenter
        if segmenter.is_open and (segmenter.reason, segmenter.film) != (reason, film):
            self._end(camera)
        segmenter.reason, segmenter.film = reason, film
        for at, unit in enumerate(units):
            for step in segmenter.put(unit):
                if not self._carry_out(camera, track, step):
                    self._count(camera, track, len(units) - at)
                    return
        self._count(camera, track)

    def _count(self, camera: str, track: _Track, more: int = 0) -> None:
        """Count pictures that were not recorded: those the segmenter skipped, and ``more``."""
        segmenter = track.segmenter
        if skipped := segmenter.skipped + more:
            self._drop(camera, skipped)
            segmenter.skipped = 0

    def _end(self, camera: str) -> None:
        track = self._tracks.get(camera)
        for step in track.segmenter.end() if track else ():
            assert track is not None
            self._carry_out(camera, track, step)

    def _carry_out(self, camera: str, track: _Track, step: Begin | Fragment | End) -> bool:
        """Carry out a segmenter's step; return False if writing failed."""
        try:
            if isinstance(step, Begin):
                track.begin = step  # Created with its first fragment, so that it is playable.
            elif isinstance(step, Fragment):
                if (begin := track.begin) is not None:
                    self._with_room(lambda: self._begin(camera, track, begin))
                    track.begin = None
                file, known = track.file, track.known
                assert file is not None
                assert known is not None
                self._with_room(lambda: file.append(step.parts, step.ticks, step.key))
                end = known.begin + file.ticks / TIMESCALE
                track.known = replace(known, end=end, bytes=file.nbytes)
                self.open[camera] = track.known
            else:
                self._close(camera, track)
        except OSError as error:
            track.segmenter.abandon(step.pictures if isinstance(step, Fragment) else 0)
            self._close(camera, track)
            self._pause(error)
            return False
        return True

    def _begin(self, track_name: str, track: _Track, step: Begin) -> None:
        camera, _, _ = track_name.partition(FILM)
        head, begin_unix = head_of(step, camera), step.first.shown_unix
        number = 0
        while True:
            key = recording_id(camera, begin_unix, number)
            path = recording_path(self._storage.media, key)
            assert path is not None
            add_folders(self._storage.media, path.parent)
            try:
                track.file = RecordingFile(path, head)
                break
            except FileExistsError:
                number += 1
                if number > 999:
                    raise
        track.known = Recorded(
            *(key, camera, begin_unix, begin_unix, len(head), False, step.reason, True, step.film)
        )
        self.open[track_name] = track.known
        self._storage.index_recording(track.known)

    def _close(self, camera: str, track: _Track) -> None:
        file, known = track.file, track.known
        track.begin = track.file = track.known = None
        try:
            if file is not None and known is not None:
                self._finish(file, known)
        finally:
            # Only now: readers without an open recording take its end from the index.
            self.open.pop(camera, None)

    def _finish(self, file: RecordingFile, known: Recorded) -> None:
        try:
            file.close()
        finally:
            if file.ticks:
                self._storage.index_recording(replace(known, open=False))
            else:
                self._storage.unindex_recording(known.id)
                remove_empty(file.path.parent)

    def _with_room(self, write: Callable[[], None]) -> None:
        """Write, after deleting the oldest recordings if space is short.

        Raises:
            OSError: If it cannot be written nevertheless.
        """
        now = time.monotonic()
        if now - self._checked_space_at > SPACE_CHECK_S:
            self._checked_space_at = now
            if not self._storage.make_room():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._write(write)

    def _write(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if error.errno not in FULL_ERRORS or not self._storage.remove_oldest():
                raise
            self._storage.make_room()
            write()

    def _write_events(self) -> None:
        def write(event: Event, jpeg: bytes | None) -> None:
            self._write(partial(self._storage.write_event, event, jpeg))

        try:
            self.events.drain(write)
        except OSError:
            if not self._paused_until:  # Otherwise they are written after the pause.
                raise

    def write_event(self, event: Event) -> None:
        """Write a changed event immediately. On the writer's thread.

        Raises:
            OSError: If it cannot be written.
        """
        self._write(partial(self._storage.write_event, event))
        self.events.update(event)

    def remove_event(self, key: str) -> None:
        """Delete an event. On the writer's thread.

        Raises:
            OSError: If it cannot be deleted.
        """
        self._storage.remove_events([key])
        self.events.remove(key)

    def set_locked(self, key: str, locked: bool) -> Recorded | None:
        """Lock or unlock a recording; return it. On the writer's thread.

        Raises:
            PictureError: If the file is not a recording of ours.
            OSError: If it cannot be written.
        """
        recording = self._storage.index.recording(key)
        path = recording_path(self._storage.media, key)
        if recording is None or path is None:
            return None
        set_locked(path, locked)
        recording = replace(self._current(recording), locked=locked)
        if (name := self._track_of(key)) is not None:
            self._tracks[name].known = self.open[name] = recording
        self._storage.index_recording(recording)
        return recording

    def remove(self, key: str) -> Recorded | None:
        """Delete a recording; return its entry, None if there was none. On the writer's thread.

        Raises:
            OSError: If it cannot be deleted.
        """
        recording = self._storage.index.recording(key)
        if recording is not None:
            if (name := self._track_of(key)) is not None:
                self._end(name)
            self._storage.delete(key)
        return recording

    def _current(self, recording: Recorded) -> Recorded:
        """Return a recording's current state if it is being written, else the same."""
        name = self._track_of(recording.id)
        return recording if name is None else self.open[name]

    def _track_of(self, key: str) -> str | None:
        """Return the track that is writing a recording; None if none is."""
        return next((name for name, one in self.open.items() if one.id == key), None)

    def _pause(self, error: Exception) -> None:
        """Stop recording for a while after a failed write."""
        number = getattr(error, "errno", None)
        why = DISK_FULL if number in FULL_ERRORS else ""
        self.problem = why or getattr(error, "strerror", None) or f"{error!r}"
        self._paused_until = time.monotonic() + RETRY_S
        self._overdue.clear()
        for camera, track in self._tracks.items():
            if track.segmenter.is_open:
                track.segmenter.abandon()
                self._count(camera, track)
                try:
                    self._close(camera, track)
                except OSError:
                    continue  # The file is closed nevertheless.

    def _maintain(self) -> None:
        """Resume after a pause, delete expired recordings, and apply pending index changes."""
        now = time.monotonic()
        if self._paused_until and now > self._paused_until:
            self._paused_until = now + RETRY_S
            self._attempt("", self._try_again)
        if now - self._tidied_at > TIDY_S:
            self._tidied_at = now
            self._attempt("", self._tidy)
            self._storage.settle()
        elif self._overdue:
            # One at a time, so that units to record do not wait for thousands of deletions.
            self._attempt("", partial(self._storage.delete_overdue, self._overdue.popleft()))

    def _tidy(self) -> None:
        self._overdue.clear()
        self._overdue.extend(self._storage.tidy(self.policy, self._current))

    def _try_again(self) -> None:
        if not self._storage.make_room():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._storage.try_to_write()
        self._paused_until, self.problem = 0.0, ""
        self._storage.settle()
        self._write_events()
