"""Recording for all cameras of this process: rewind buffers, recordings, events and films."""

from collections.abc import Callable, Mapping, Sequence

from server.capture.camera import Camera
from server.capture.frames.unit import Unit
from server.config.models import Settings
from server.delivery.fanout import Fanout
from server.errors import RequestError
from server.recording.budget import Budget
from server.recording.disk.storage import Storage
from server.recording.disk.writer import Writer
from server.recording.events import EventLog
from server.recording.library import Library
from server.recording.media.pictures import PictureMaker
from server.recording.media.process import MediaError, MediaProcess
from server.recording.memory import Memory
from server.recording.past import Past
from server.recording.recorder import Recorder
from server.recording.rewind import Rewind
from server.recording.tap import Tap
from server.recording.timelapse import Timelapse

__all__ = ["Recording"]


class Recording:
    """Wires the parts of the room, and keeps them in step with the cameras.

    Args:
        settings: The server's settings.
        cameras: This process's cameras, by name; they come and go.
        fanouts: By camera name; they come and go.
        notify: Shows a notice: level, message, the camera's name, and optionally who did it.

    Attributes:
        rewinds: The rewind buffer of each camera, by name.
        past: Finds kept units, in memory and on the disk.
        pictures: Converts kept units to single pictures.
        events: The event log.
        recorder: Records the cameras.
        library: The recordings and events on the disk.
    """

    def __init__(
        self,
        settings: Settings,
        cameras: Mapping[str, Camera],
        fanouts: Mapping[str, Fanout],
        notify: Callable[..., None] = lambda *notice: None,
    ) -> None:
        self._settings = settings
        self._cameras = cameras
        self._fanouts = fanouts
        self._taps: dict[str, Tap] = {}
        self.rewinds: dict[str, Rewind] = {}
        self._budget = Budget(settings.server.rewind_mb << 20, self.rewinds.values)
        self.past = Past(self.rewinds)
        self._decoder = MediaProcess()
        self.pictures = PictureMaker(self._decoder)
        storage = Storage(settings.state_dir / "media")
        writer = Writer(storage)
        self.events = EventLog(storage, writer)
        self._writer = writer
        self._encoder = MediaProcess()
        self.recorder = Recorder(
            *(settings, cameras, fanouts, self.rewinds, storage, writer, self.events),
            *(self._encoder, notify),
        )
        self._films: dict[str, Timelapse] = {}
        self.library = Library(storage, writer, self.events, notify)
        self.past.stored, self.past.stored_at = self.library.units, self.library.find
        self.past.stored_span = self.library.span

    def open(self) -> None:
        """Start keeping and recording."""
        for camera in list(self._cameras.values()):
            self.refresh(camera)
        self.recorder.open()

    def close(self) -> None:
        """End films and recordings, and stop the media processes."""
        for film in self._films.values():
            film.close()
        self.recorder.close()
        self._encoder.close()
        self._decoder.close()

    def refresh(self, camera: Camera) -> None:
        """Adapt to a new camera, or one whose STATE has changed."""
        tap = self._taps.get(camera.name)
        if tap is not None and tap.fanout is self._fanouts[camera.name]:
            self.rewinds[camera.name].seconds = camera.recording_settings.memory_s
            tap.refresh()
        else:
            self.forget(camera.name)
            rewind = self.rewinds[camera.name] = Rewind(
                camera.recording_settings.memory_s, self._budget.spend
            )
            self._taps[camera.name] = Tap(self._fanouts[camera.name], rewind)
        self.recorder.refresh(camera)
        film = self._films.get(camera.name)
        if film is None or film.camera is not camera:
            if film is not None:
                film.close()
            film = self._films[camera.name] = Timelapse(
                *(camera, self._fanouts[camera.name], self._writer, self._encoder, self.events)
            )
        film.refresh()

    def memory_of(self, name: str) -> Memory | None:
        """Return a camera's rewind buffer; None without the camera, or if it has rewind off."""
        camera = self._cameras.get(name)
        return (
            self.rewinds.get(name)
            if camera is not None and camera.recording_settings.rewind_s
            else None
        )

    def jpeg_of(self, units: Sequence[Unit]) -> bytes:
        """Return the last of some units as JPEG, given the units it needs; blocks.

        Raises:
            RequestError: If it cannot be converted.
        """
        try:
            return self.pictures.picture_of(units)
        except MediaError as error:
            raise RequestError("unavailable", str(error)) from error

    def forget(self, name: str) -> None:
        """Stop keeping a camera that was removed."""
        self._taps.pop(name, None)
        if (film := self._films.pop(name, None)) is not None:
            film.close()
        rewind = self.rewinds.pop(name, None)
        if rewind is not None:
            rewind.clear()
        self.recorder.forget(name)
