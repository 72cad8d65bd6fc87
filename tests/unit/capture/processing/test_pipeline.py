"""Processing frames between capture and delivery."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from server.capture.camera import Camera
from server.capture.frames.frame import Frame, Jpeg
from server.capture.processing import pipeline as stage_module
from server.capture.processing.pipeline import Host, ProcessingPipeline
from server.capture.processing.transform import Transform
from server.config.processors import parse_processors
from server.metrics import Meter
from tests.support.fakes import FakeSource, picture, until

MakeCamera = Callable[..., Camera]


def shown(camera: Camera) -> Frame:
    """Return the frame that viewers are sent."""
    assert camera.slot.frame is not None
    return camera.slot.frame


def test_frames_pass_untouched_without_processing(make_camera: MakeCamera) -> None:
    """Without a transform or processors, a camera publishes the very picture it captured."""
    source = FakeSource()
    camera = make_camera(source)
    camera.set_viewers(1)
    mine = picture()

    source.give(mine)
    until(lambda: camera.slot.frame)

    assert shown(camera).picture is mine


def test_transform_applies_from_the_next_frame(make_camera: MakeCamera) -> None:
    """Rotating a camera at run time, and back, changes its pictures and the size it reports."""
    source = FakeSource(size=(64, 48))
    camera = make_camera(source)
    camera.set_viewers(1)
    told: list[tuple[int, int]] = []
    camera.on_change = lambda one: told.append((one.describe()["width"], one.describe()["height"]))
    source.give()
    until(lambda: camera.slot.frame)

    camera.set_transform(Transform(rotate=90, crop=(0, 0, 1, 0.5)))
    source.give()
    until(lambda: shown(camera).seq == 2)
    turned = shown(camera).picture
    camera.set_transform(Transform())
    source.give()
    until(lambda: shown(camera).seq == 3)

    assert isinstance(turned, np.ndarray)
    assert turned.shape == (32, 48, 3)
    assert (48, 32) in told
    assert told[-1] == (64, 48)


def test_rotated_camera_does_not_accept_jpeg(make_camera: MakeCamera) -> None:
    """The source's JPEG is not accepted while pictures must be processed."""
    source = FakeSource()
    camera = make_camera(source)

    camera.set_transform(Transform(rotate=180))

    assert camera._demand.demand.jpeg_up_to() == 0
    camera.set_transform(Transform())
    assert camera._demand.demand.jpeg_up_to() == 80


def test_jpeg_captured_before_the_transform_is_decoded(make_camera: MakeCamera) -> None:
    """A JPEG captured before the transform was set is transformed too."""

    camera = make_camera(FakeSource())
    camera.set_viewers(1)
    until(lambda: camera.meter.opened)
    camera.set_transform(Transform(rotate=90))
    data = cv2.imencode(".jpg", picture(64, 48))[1].tobytes()

    camera._output.put(Jpeg(data, 64, 48, 90), 1.0)
    until(lambda: camera.slot.frame)

    assert shown(camera).picture.shape == (64, 48, 3)  # type: ignore[union-attr]


MASK = "mask?x=0&y=0&width=0.5&height=0.5"
FUNCTIONS = "processing_functions"


class Bench:
    """A pipeline that the test puts frames into and takes frames out of."""

    def __init__(self, *texts: str, fps: float = 30.0) -> None:
        texts = tuple(text if "?" in text else f"{FUNCTIONS}:{text}" for text in texts)
        self.meter = Meter()
        self.seen: list[Frame] = []
        self.changes: list[list[dict[str, Any]]] = []
        self.notices: list[str] = []
        self.pipeline = ProcessingPipeline(
            parse_processors(texts, Path(__file__).parent),
            Host(
                "door",
                "Door",
                self.meter,
                lambda: fps,
                self.seen.append,
                lambda: self.changes.append(self.pipeline.describe()),
                lambda level, message: self.notices.append(message),
            ),
        )
        self.seq = 0

    def put(self, shade: int = 90) -> None:
        """Put one frame in."""
        self.seq += 1
        image = picture(shade=shade)
        image.flags.writeable = False
        self.pipeline.put(Frame(image, self.seq, 1.5))

    def pass_through(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Put one frame in and return the picture that comes out."""
        count = len(self.seen)
        self.put()
        until(lambda: len(self.seen) > count, 30)
        image = self.seen[-1].picture
        assert isinstance(image, np.ndarray)
        return image

    def lose(self) -> None:
        """Put in one frame that must not come out."""
        lost = self.meter.drops["unprocessed"]
        self.put()
        until(lambda: self.meter.drops["unprocessed"] > lost, 30)

    @property
    def states(self) -> list[str]:
        return [one["state"] for one in self.pipeline.describe()]


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    """Create pipelines, all closed at the end of the test."""
    made: list[Bench] = []

    def one(*texts: str, fps: float = 30.0) -> Bench:
        made.append(Bench(*texts, fps=fps))
        made[-1].pipeline.open()
        return made[-1]

    yield one
    for one_made in made:
        one_made.pipeline.end()
        until(lambda task=one_made.pipeline._task: task is None or task.done)


MakeBench = Callable[..., Bench]


def test_frames_keep_their_number_and_time(bench: MakeBench) -> None:
    """Processors draw on a copy; the frame's number and time stay the same."""
    mine = bench("caption?text=Hello")

    image = mine.pass_through()

    assert (mine.seen[0].seq, mine.seen[0].at_unix) == (1, 1.5)
    assert (image != 90).any()


def test_mask_rotates_with_the_camera(bench: MakeBench) -> None:
    """Rotating the camera rotates the mask with it, so that what was hidden stays hidden."""
    mine = bench(MASK)
    mine.pipeline.transform = Transform(rotate=90)

    image = mine.pass_through()

    assert image.shape == (64, 48, 3)
    assert (image[:32, 24:] != 90).all()
    assert (image[32:] == 90).all()
    assert (image[:, :24] == 90).all()


def test_user_functions_never_see_masked_pixels(bench: MakeBench) -> None:
    """Masks come first, wherever the settings list them, and stay when other processors fail."""
    mine = bench("raising", "half", MASK)

    image = mine.pass_through()

    assert image.shape == (24, 32, 3)
    assert (image[:12, :16] != 90).all()
    assert (image[12:] == 90).all()


def test_undecodable_frame_is_counted_and_skipped(bench: MakeBench) -> None:
    """A broken JPEG costs one frame; the next one is shown."""
    mine = bench(MASK)

    mine.pipeline.put(Frame(Jpeg(b"no picture", 64, 48, 90), 1, 1.0))
    until(lambda: mine.meter.drops["broken"])
    mine.seq = 1

    assert mine.pass_through().shape == (48, 64, 3)


def test_slow_processor_gets_the_newest_frame(bench: MakeBench) -> None:
    """While a slow processor runs, frames are replaced; the newest one is next."""
    mine = bench("sleepy")
    mine.pass_through()

    for _ in range(5):
        mine.put()
    until(lambda: mine.seen[-1].seq == mine.seq, 30)

    assert mine.meter.drops["processing"] == 4
    assert len(mine.seen) == 2
    assert mine.states == ["slow"]
    assert "30 fps leave 33 ms" in mine.pipeline.describe()[0]["message"]


def test_failing_processor_is_reported_once_then_skipped(bench: MakeBench) -> None:
    """Its errors are shown but announced only once, and pictures continue without it."""
    mine = bench("raising", "black")

    for _ in range(7):
        assert not mine.pass_through().any()

    raising, black = mine.pipeline.describe()
    assert (raising["state"], black["state"]) == ("skipped", "ok")
    assert raising["message"].startswith("raised ValueError: no such luck (processing_functions.py")
    assert len(mine.notices) == 1
    assert mine.notices[0].startswith("Door: raising raised ValueError: no such luck")
    assert len(mine.changes) <= 3


def test_failing_required_processor_withholds_the_picture(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a required processor fails, no picture is shown, and the camera says why."""
    monkeypatch.setattr(stage_module, "WITHHELD_S", 0.0)
    mine = bench(f"{FUNCTIONS}:raising?required=1")

    for _ in range(6):
        mine.lose()

    assert not mine.seen
    assert mine.states == ["skipped"]
    assert mine.pipeline.withheld.startswith("no picture: raising raised ValueError: no such luck")


def test_retry_runs_a_skipped_processor_again(bench: MakeBench) -> None:
    """A skipped processor runs again immediately when an operator starts the camera."""
    mine = bench("raising")
    for _ in range(5):
        mine.pass_through()
    assert mine.states == ["skipped"]

    mine.pipeline.retry()

    assert mine.states == ["ok"]
    mine.pass_through()
    assert mine.states == ["failing"]


def test_hanging_processor_is_skipped(bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that never returns is skipped, and pictures continue without it."""
    monkeypatch.setattr(stage_module, "STUCK_AFTER_S", 1.0)
    mine = bench("hang", "black")

    mine.lose()
    image = mine.pass_through()

    assert mine.states == ["stuck", "ok"]
    assert "has not returned for 1 s; its process was ended" in mine.notices[0]
    assert not image.any()


def test_withheld_pictures_stall_the_camera(
    make_camera: MakeCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a required processor fails, the camera is stalled, and STATE says which one and why."""
    monkeypatch.setattr(stage_module, "WITHHELD_S", 0.0)
    source = FakeSource()
    folder = Path(__file__).parent
    required = parse_processors([f"{FUNCTIONS}:shapeless?required=1"], folder)
    camera = make_camera(source, process=required)
    camera.set_viewers(1)

    source.give()
    until(lambda: camera.state == "stalled", 30)

    assert camera.slot.frame is None
    assert camera.reason.startswith("no picture: shapeless returned uint8 (48, 64);")
    (told,) = camera.describe()["process"]
    assert (told["name"], told["state"]) == ("shapeless", "failing")


def test_no_process_runs_without_viewers(make_camera: MakeCamera) -> None:
    """Users' code is loaded when somebody watches, and its process ends with the source."""
    source = FakeSource()
    functions = parse_processors([f"{FUNCTIONS}:annotate"], Path(__file__).parent)
    camera = make_camera(source, process=functions, release_after=0)
    assert camera._pipeline._sandbox is None
    camera.set_viewers(1)
    source.give()
    until(lambda: camera.slot.frame, 30)
    sandbox = camera._pipeline._sandbox
    assert sandbox is not None
    assert sandbox._process is not None
    place = Path(f"/proc/{sandbox._process.pid}")
    assert place.exists()

    camera.set_viewers(0)

    until(lambda: not place.exists(), 30)
    assert source.closed
