"""Watched cameras with video: real sources and child processes, and a reference decoder."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from server.capture.camera import Camera
from server.capture.frames.frame import Frame
from server.capture.frames.unit import Unit
from server.config import models as config
from server.config.address import parse_address
from tests.support.cameras.films import make_film
from tests.support.cameras.rtsp_server import RtspServer

X264 = (
    *("-c:v", "libx264", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "10"),
    *("-preset", "ultrafast"),
)

Watch = Callable[..., "Watched"]


class Watched:
    """A watched camera, and its frames and units."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.units: list[Unit] = []
        self.ages: list[float] = []
        self.pictures: list[Frame] = []
        if "full" in camera.videos:
            camera.videos["full"].listen(self._take_unit)
        camera.slot.listen(self._take_picture)

    def _take_unit(self) -> None:
        last, now = self.units[-1].seq if self.units else 0, time.time()
        for unit in self.camera.videos["full"].units:
            if unit.seq > last:
                self.units.append(unit)
                self.ages.append(now - unit.at_unix)

    def _take_picture(self) -> None:
        assert self.camera.slot.frame is not None
        self.pictures.append(self.camera.slot.frame)

    def wants(self, *, video: bool, pictures: bool) -> None:
        """Make the camera watched."""
        self.camera.set_renditions(self.camera.ladder[:1] if pictures else [])
        self.camera.set_videos(["full"] if video else [])
        self.camera.set_viewers(1)


@pytest.fixture(scope="module")
def rtsp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    """A camera; its film0 has B-frames, and times that a busy machine does not disturb."""
    film = tmp_path_factory.mktemp("sent") / "film.mp4"
    server = RtspServer(make_film(film, "-t", "20", *X264[:2], "-bf", "2", *X264[4:]))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("films") / "film.mp4", "-t", "1.2", *X264)


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Make open cameras that have a viewer."""
    cameras: list[Camera] = []

    def watch(source: str, units: bool = True, pictures: bool = False, **given: object) -> Watched:
        settings = config.Camera(
            "door",
            "Door",
            parse_address(source, Path()),
            None,
            None,
            **given,  # type: ignore[arg-type]
        )
        camera = Camera(settings, config.ServerSettings(release_after=0))
        cameras.append(camera)
        watched = Watched(camera)
        watched.wants(video=units, pictures=pictures)
        camera.open()
        return watched

    yield watch
    for camera in cameras:
        camera.close(5)


def decode(units: list[Unit]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each picture that a decoder outputs, with the number of the newest unit in it."""
    codec = "h264" if units[0].codec.startswith("avc1") else "hevc"
    context = av.CodecContext.create(codec, "r")
    for unit in units:
        for frame in context.decode(av.Packet(unit.data)):
            yield unit.seq, frame.to_ndarray(format="bgr24")
    for frame in context.decode(None):
        yield units[-1].seq, frame.to_ndarray(format="bgr24")
