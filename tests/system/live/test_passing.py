"""A camera's own JPEG in a real server: passed through, and decoded when pixels are needed."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from server.capture.frames.jpeg import inspect_jpeg
from tests.support.cameras.bad_camera import PICTURES, BadCamera, jpeg
from tests.support.cameras.clip import make_clip
from tests.support.clients.client import Viewer
from tests.support.clients.states import state_of
from tests.support.servers.server import PortholeServer, expect_frames, last_event

Start = Callable[..., PortholeServer]
Connect = Callable[..., Viewer]


@pytest.fixture
def camera() -> Iterator[BadCamera]:
    """A network camera that sends JPEG."""
    camera = BadCamera()
    yield camera
    camera.close()


def own_pictures(camera: BadCamera) -> set[bytes]:
    """Return all the JPEGs that the camera ever sends."""
    return {jpeg(*camera.size, number) for number in range(PICTURES)}


def test_camera_jpeg_passes_through_unchanged(
    start_server: Start, connect: Connect, camera: BadCamera
) -> None:
    """Frames arrive byte for byte; nothing is encoded, and STATE and stats say so."""
    server = start_server(f"door={camera.url()}")
    viewer = connect(server)
    viewer.call("watch", {"camera": "door"})

    expect_frames(viewer, 30)
    seen = viewer.last_jpeg
    stats = last_event(viewer, "stats")["cameras"]["door"]

    assert seen in own_pictures(camera)
    state = state_of(viewer, "door")
    assert state["passed_through"] is True
    assert state["quality"] == inspect_jpeg(seen)[0].quality
    assert (state["width"], state["height"]) == camera.size
    assert stats["encoded"] == 0
    assert stats["passed"] > 0


def test_jpeg_is_reencoded_only_for_lower_quality(
    start_server: Start, connect: Connect, camera: BadCamera
) -> None:
    """Frames are decoded while an operator wants fewer bytes, and only then."""
    server = start_server(f"door={camera.url()}")
    viewer = connect(server)
    viewer.call("watch", {"camera": "door"})
    expect_frames(viewer, 3)
    own = own_pictures(camera)

    assert viewer.call("quality", {"camera": "door", "quality": 10})["camera"]["quality"] == 10
    viewer.pump(lambda: viewer.last_jpeg not in own, 10)
    assert inspect_jpeg(viewer.last_jpeg)[0].quality == 10
    viewer.pump(lambda: state_of(viewer, "door")["passed_through"] is False, 10)
    expect_frames(viewer, 3)
    assert len(viewer.last_jpeg) < min(map(len, own))

    viewer.call("quality", {"camera": "door", "quality": 100})
    viewer.pump(lambda: viewer.last_jpeg in own, 10)


def test_only_mjpeg_files_are_passed_through(
    start_server: Start, connect: Connect, tmp_path: Path
) -> None:
    """JPEG is not encoded again, whatever kind of source it comes from."""
    path = tmp_path / "own.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.5, (320, 180))
    for shade in range(20):
        writer.write(np.full((180, 320, 3), 10 * shade, np.uint8))
    writer.release()
    server = start_server(f"own={path}", f"film={make_clip(tmp_path / 'film.mp4')}")
    viewer = connect(server)
    for name in ("own", "film"):
        viewer.call("watch", {"camera": name})

    viewer.pump(lambda: (state_of(viewer, "own") or {}).get("passed_through"), 20)
    expect_frames(viewer, 50)
    stats = last_event(viewer, "stats")["cameras"]

    assert stats["own"]["encoded"] == 0
    assert stats["film"]["passed"] == 0


def test_still_camera_sends_one_frame_a_second(
    start_server: Start,
    connect: Connect,
    camera: BadCamera,
    tmp_path: Path,
) -> None:
    """A camera that skips unchanged pictures stays live, and sends more once something moves."""
    config = tmp_path / "porthole.toml"
    config.write_text(
        f'[[camera]]\nname = "door"\nsource = "{camera.url()}"\nskip_unchanged = true\n'
    )
    camera.fault = "frozen"
    server = start_server("--config", str(config))
    viewer = connect(server)
    viewer.call("watch", {"camera": "door"})
    viewer.pump(lambda: len(viewer.arrivals) >= 6, 20)

    times = [arrival.at_unix for arrival in viewer.arrivals]
    assert all(later - earlier > 0.9 for earlier, later in pairwise(times[1:]))
    assert state_of(viewer, "door")["state"] == "live"

    camera.fault = "none"  # Each of its pictures is a little brighter than the last.
    seen = len(viewer.arrivals)
    viewer.pump(lambda: len(viewer.arrivals) >= seen + 10, 8)
