"""Time-lapse films of a day, or of a job such as a 3D print."""

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

DEFAULT_INTERVAL_S = 10.0
"""Time between two pictures of a job if the camera has no ``timelapse`` setting."""

# Longest time for a camera that nobody watches to open and deliver a picture.
CAPTURE_TIMEOUT_S = 20.0

LABEL = "timelapse"


class Timelapse:
    """The film of one camera: of the current job, or otherwise of the day. Green.

    When a picture is due, it is requested as a viewer would, so a camera can close between pictures
    that are far apart. Each is encoded and written immediately, to survive a crash. After a restart
    the film continues in a new file.

    Args:
        camera: The camera.
        fanout: The camera's.
        writer: Writes the film.
        media: Encodes it.
        events: Logs a film as an event, from its first picture to its end.
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
        self._title: str | None = None  # Of the current film.
        self._event = ""  # Its id.
        self._pictures = 0
        self._at_unix = 0.0  # The time of the next picture within the film.
        self._task: hub.Task | None = None

    def refresh(self) -> None:
        """Adapt to changed settings."""
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
        """The title of the film of the next picture: a job, or a date; None for no film."""
        settings = self.camera.recording_settings
        if settings.job is not None:
            return settings.job
        return date.today().isoformat() if settings.timelapse_s else None

    @property
    def _interval_s(self) -> float:
        return self.camera.recording_settings.timelapse_s or DEFAULT_INTERVAL_S

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
            due = max(due + self._interval_s, time.monotonic())
            self._capture()

    @property
    def _since_unix(self) -> float:
        """The earliest time at which the film can have begun: that of its job, or midnight."""
        if self.camera.recording_settings.job is not None:
            return self.camera.recording_settings.job_since_unix
        return datetime.combine(date.today(), datetime.min.time()).timestamp()

    def _begin(self, title: str | None) -> None:
        self._title, self._event, self._pictures, self._at_unix = title, "", 0, time.time()
        if title is not None:
            resumed = self._events.resume(self.camera.name, LABEL, title, self._since_unix)
            self._event = resumed.id if resumed is not None else ""
        self._announce()

    def _end(self) -> None:
        if self._title is None:
            return
        self._title = None
        self._media.end_video(self._track)
        self._writer.end(self._track)
        self._events.end(self._event, time.time())
        self._announce()

    def _capture(self) -> None:
        """Add a picture, if the camera delivers one."""
        waiter = FrameWaiter(self._fanout)
        try:
            frame = waiter.next(min(CAPTURE_TIMEOUT_S, max(1.0, self._interval_s)))
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
            self._announce()

    def _announce(self) -> None:
        description = None
        if self._title is not None:
            description = {
                "film": self._title,
                "job": self.camera.recording_settings.job,
                "every": self._interval_s,
                "pictures": self._pictures,
            }
        self.camera.announce(timelapse=description)
