"""Where motion is detected, and the events that result."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from server.capture.camera import Camera
from server.capture.frames.event_report import EventReport
from server.capture.frames.frame import Image
from server.capture.motion.settings import MOTION_INTERVAL_S
from server.capture.processing.transform import Transform
from server.config.processors import parse_processors
from server.loop import hub
from tests.support.fakes import FakeSource, until

MakeCamera = Callable[..., Camera]


def drawn(left: int | None) -> Image:
    """Return a picture with a bar at this position."""
    image = np.full((90, 160, 3), 90, np.uint8)
    if left is not None:
        image[30:70, left : left + 20] = 230
    return image


class Watched:
    """A camera that detects motion, and its events."""

    def __init__(self, make_camera: MakeCamera) -> None:
        self.source = FakeSource(fps=20, size=(160, 90))
        self.camera = make_camera(self.source)
        self.events: list[EventReport] = []
        self.camera.on_event = lambda camera, one: self.events.append(one)

    def play(self, seconds: float, moving: bool = False) -> None:
        """Have the source deliver pictures in real time."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            left = round(time.monotonic() * 100) % 140 if moving else None
            self.source.give(drawn(left))
            hub.sleep(MOTION_INTERVAL_S / 3)

    @property
    def moving(self) -> bool | None:
        told = self.camera.describe()["motion"]
        return told and told["moving"]


@pytest.fixture
def watched(make_camera: MakeCamera) -> Watched:
    return Watched(make_camera)


def test_motion_is_detected_without_viewers(watched: Watched) -> None:
    """The source is opened for motion detection alone; switching it off ends the motion."""
    assert watched.moving is None
    watched.camera.motion.set({"on": True, "min_s": 0.2})
    until(lambda: watched.camera.meter.opened)
    watched.play(1.5)
    assert watched.moving is False
    watched.play(1.2, moving=True)

    assert watched.moving is True
    first = watched.events[0]
    assert (first.label, first.ended) == ("motion", False)
    assert first.jpeg is not None
    assert cv2.imdecode(np.frombuffer(first.jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (90, 160, 3)
    assert watched.camera.describe()["viewers"] == 0
    watched.camera.motion.set({"on": False})
    until(lambda: watched.events[-1].ended)
    assert watched.moving is None
    until(lambda: watched.camera.state == "idle")


def test_motion_is_detected_in_the_cropped_picture(watched: Watched) -> None:
    """In a picture cropped to where nothing moves, there is no motion."""
    watched.camera.set_transform(Transform(crop=(0.0, 0.0, 1.0, 0.3)))
    watched.camera.motion.set({"on": True, "min_s": 0.2})
    until(lambda: watched.camera.meter.opened)
    watched.play(1.5)
    watched.play(1.2, moving=True)

    assert watched.events == []
    assert watched.moving is False


def test_processor_report_becomes_a_camera_event(make_camera: MakeCamera) -> None:
    """A processor's report carries the picture as viewers see it, and ends by itself."""
    source = FakeSource(fps=20)
    functions = Path(__file__).parent / "processing"
    camera = make_camera(source, process=parse_processors(["processing_functions:spot"], functions))
    events: list[EventReport] = []
    camera.on_event = lambda camera, one: events.append(one)
    camera.set_viewers(1)
    until(lambda: camera.meter.opened)
    until(lambda: source.give() or hub.sleep(0.05) or events, 20)

    until(lambda: events[-1].ended, 10)
    assert [(one.label, one.score, one.box) for one in events] == [
        ("spot", 0.5, (0.0, 0.0, 0.5, 1.0)),
        ("spot", None, None),
    ]
    assert events[0].jpeg is not None
    assert cv2.imdecode(np.frombuffer(events[0].jpeg, np.uint8), cv2.IMREAD_COLOR).max() < 12
