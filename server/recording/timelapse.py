"""Makes films in which a day, or a job of a printer, passes in seconds."""

import time
from datetime import date, datetime

from server.capture.camera import Camera
from server.capture.frames.unit import JPEG, Unit
from server.delivery.fanout import Fanout
from server.delivery.mjpeg import FrameWaiter
from server.loop import hub
from server.recording.disk.layout import FILM
from server.recording.disk.writer import Writer
from server.recording.events import EventLog
from server.recording.media.process import MediaError, MediaProcess

__all__ = ["Timelapse"]

FILM_FPS = 25

USUAL_S = 10.0
"""From one picture of a job to the next, if nothing is set."""

# How long a camera that nobody watches may take to open and bring a picture.
PICTURE_S = 20.0

LABEL = "timelapse"


class Timelapse:
    """The film of one camera: of the job that is on, or else of the day. Green.

    A picture is asked for when it is due, as a viewer would, so between two pictures that are far
    apart the camera rests. Each is encoded at once: what was shot survives whatever follows. After
    a restart the film goes on, in a new file.

    Args:
        camera: The camera.
        fanout: Of it.
        writer: Writes the film.
        media: Encodes it.
        events: Where a film is noted from its first picture to its end.
    """

    def __init__(
        self, camera: Camera, fanout: Fanout, writer: Writer, media: MediaProcess, events: EventLog
    ) -> None:
        self.camera = camera
        self._fanout = fanout
        self._writer = writer
        self._media = media
        self._events = events
        self._track = camera.name + FILM
        self._changed = hub.Signal()
        self._title: str | None = None  # Of the film that is being made.
        self._event = ""  # Its id.
        self._pictures = 0
        self._at_unix = 0.0  # The time of the next picture within the film.
        self._task: hub.Task | None = None

    def refresh(self) -> None:
        """Follow what is set."""
        if self._task is None and self._next_title is not None:
            self._task = hub.spawn(self._run)
        self._changed.set()

    def close(self) -> None:
        """End the film."""
        if self._task is not None:
            self._task.kill()
            self._task = None
        self._end()

    @property
    def _next_title(self) -> str | None:
        """What the next picture belongs to: a job, or a day; None for nothing."""
        keeping = self.camera.keeping
        if keeping.job is not None:
            return keeping.job
        return date.today().isoformat() if keeping.timelapse_s else None

    @property
    def _every_s(self) -> float:
        return self.camera.keeping.timelapse_s or USUAL_S

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            title = self._next_title
            if title != self._title:
                self._end()
                self._begin(title)
                due = time.monotonic()
            if title is None:
                self._changed.wait()
                continue
            wait_s = due - time.monotonic()
            if wait_s > 0:
                self._changed.wait(wait_s)
                continue
            due = max(due + self._every_s, time.monotonic())
            self._shoot()

    @property
    def _since_unix(self) -> float:
        """When the film began at the earliest: with its job, or with the day."""
        if self.camera.keeping.job is not None:
            return self.camera.keeping.job_since_unix
        return datetime.combine(date.today(), datetime.min.time()).timestamp()

    def _begin(self, title: str | None) -> None:
        self._title, self._event, self._pictures, self._at_unix = title, "", 0, time.time()
        if title is not None:
            going = self._events.resume(self.camera.name, LABEL, title, self._since_unix)
            self._event = going.id if going is not None else ""
        self._tell()

    def _end(self) -> None:
        if self._title is None:
            return
        self._title = None
        self._media.end_video(self._track)
        self._writer.end(self._track)
        self._events.end(self._event, time.time())
        self._tell()

    def _shoot(self) -> None:
        """Add a picture, if the camera brings one."""
        waiter = FrameWaiter(self._fanout)
        try:
            frame = waiter.next(min(PICTURE_S, max(1.0, self._every_s)))
        finally:
            waiter.leave()
        title = self._title
        if frame is None or title is None or title != self._next_title:
            return
        picture = Unit(frame.jpeg, True, frame.seq, self._at_unix, JPEG, frame.width, frame.height)
        try:
            units, _ = self._media.encode(self._track, [picture], FILM_FPS)
        except MediaError:
            return
        if units and self._writer.put(self._track, units, LABEL, title):
            self._at_unix += 1 / FILM_FPS
            self._pictures += 1
            if not self._event:
                name, now = self.camera.name, time.time()
                self._event = self._events.begin(name, LABEL, now, picture=frame.jpeg, film=title)
            self._tell()

    def _tell(self) -> None:
        told = None
        if self._title is not None:
            told = {
                "film": self._title,
                "job": self.camera.keeping.job,
                "every": self._every_s,
                "pictures": self._pictures,
            }
        self.camera.tell(timelapse=told)
