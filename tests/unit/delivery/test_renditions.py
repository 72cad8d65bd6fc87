"""One camera in several sizes: a room and an encoding for each that is watched."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from server.capture.camera import Camera
from server.capture.frames.frame import Image, Jpeg
from server.capture.frames.jpeg import inspect_jpeg, take_jpeg
from server.capture.sources.testpattern import TestPattern
from server.delivery.fanout import Fanout
from server.loop import hub
from tests.support.fakes import FakeSource, RecordingViewer, put_frame, settle, until

SIZES = {"full": (1280, 720), "960": (960, 540), "640": (640, 360), "320": (320, 180)}


@pytest.fixture(scope="module")
def scene() -> Image:
    """A picture as from a 720p camera."""
    return TestPattern("door", (1280, 720), noise=0.02).render(1.7e9)


def join_all(fanout: Fanout, viewers: int = 1) -> dict[str, list[RecordingViewer]]:
    """Let this many viewers watch each rendition."""
    seated: dict[str, list[RecordingViewer]] = {}
    for name in SIZES:
        seated[name] = [RecordingViewer() for _ in range(viewers)]
        for viewer in seated[name]:
            fanout.join(viewer, viewer, name)
    return seated


def test_each_rendition_is_encoded_once(camera: Camera, fanout: Fanout, scene: Image) -> None:
    """Forty viewers of four renditions cost four encodings, each in its own size."""
    seated = join_all(fanout, viewers=10)

    put_frame(camera, 1, scene)
    until(lambda: all(viewer.frames for room in seated.values() for viewer in room))

    assert camera.meter.encoded == 4
    for name, room in seated.items():
        frame = room[0].frames[0]
        pixels = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape[1::-1] == (frame.width, frame.height) == SIZES[name]
        assert frame.rendition == name
        assert all(viewer.frames == [frame] for viewer in room)


def test_small_rendition_takes_few_bytes(camera: Camera, fanout: Fanout, scene: Image) -> None:
    """For a 720p camera, 320 pixels take less than a quarter of the full picture's bytes."""
    seated = join_all(fanout)

    put_frame(camera, 1, scene)
    until(lambda: all(room[0].frames for room in seated.values()))

    sizes = [len(room[0].frames[0].jpeg) for room in seated.values()]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 4


def test_only_the_smallest_rendition_has_lower_quality(
    camera: Camera, fanout: Fanout, scene: Image
) -> None:
    """The camera's quality applies to every size except the thumbnails."""
    camera.set_quality(90)
    seated = join_all(fanout)

    put_frame(camera, 1, scene)
    until(lambda: all(room[0].frames for room in seated.values()))

    qualities = {
        name: inspect_jpeg(room[0].frames[0].jpeg)[0].quality for name, room in seated.items()
    }
    assert qualities == {"full": 90, "960": 90, "640": 90, "320": 72}


def test_each_size_is_scaled_from_the_next_larger(
    camera: Camera, fanout: Fanout, scene: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each size is scaled from the next larger one available, with areas averaged."""
    steps = []
    resize: Any = cv2.resize

    def note(image: Image, size: tuple[int, int], interpolation: int) -> Image:
        steps.append((image.shape[1], size[0], interpolation))
        return resize(image, size, interpolation=interpolation)

    monkeypatch.setattr(cv2, "resize", note)
    seated = join_all(fanout)

    put_frame(camera, 1, scene)
    until(lambda: all(room[0].frames for room in seated.values()))

    area = cv2.INTER_AREA
    assert steps == [(1280, 960, area), (960, 640, area), (640, 320, area)]


def test_unwatched_renditions_are_not_encoded(camera: Camera, fanout: Fanout, scene: Image) -> None:
    """Only sizes that somebody watches and can take are made, even after somebody left."""
    seated = join_all(fanout)
    fanout.leave(seated["640"][0])
    seated["full"][0].obstacle = "credit"

    put_frame(camera, 1, scene)
    until(lambda: seated["960"][0].frames and seated["320"][0].frames)
    settle()

    assert camera.meter.encoded == 2
    assert seated["full"][0].misses == ["credit"]
    assert seated["640"][0].frames == []


def test_switching_renditions_repeats_no_frame(
    camera: Camera, fanout: Fanout, scene: Image
) -> None:
    """A viewer that is moved sees only newer frames, in the new size."""
    viewer, other = RecordingViewer(), RecordingViewer()
    fanout.join("viewer", viewer, "full")
    fanout.join("other", other, "320")
    for seq in (1, 2):
        put_frame(camera, seq, scene)
        until(lambda seq=seq: viewer.seqs[-1:] == other.seqs[-1:] == [seq])  # type: ignore[misc]

    fanout.move("viewer", "320")
    settle()
    put_frame(camera, 3, scene)
    until(lambda: viewer.seqs[-1] == 3)
    fanout.move("viewer", "full")
    put_frame(camera, 4, scene)
    until(lambda: viewer.seqs[-1] == 4)

    assert [(frame.seq, frame.rendition) for frame in viewer.frames] == [
        (1, "full"),
        (2, "full"),
        (3, "320"),
        (4, "full"),
    ]


def test_switching_back_and_forth_encodes_nothing_twice(
    camera: Camera, fanout: Fanout, scene: Image
) -> None:
    """Moving back and forth between two frames, or joining again, costs no second encoding."""
    viewer = RecordingViewer()
    fanout.join("viewer", viewer, "full")
    put_frame(camera, 1, scene)
    until(lambda: viewer.frames)

    for name in ("320", "full", "320", "full"):
        fanout.move("viewer", name)
        settle()
        hub.sleep(0.05)
    fanout.join("viewer", RecordingViewer(last_seq=1), "full")
    hub.sleep(0.05)

    assert camera.meter.encoded == 2
    assert len(viewer.frames) == 1


def test_source_is_never_enlarged(camera: Camera, fanout: Fanout) -> None:
    """A camera of 640 pixels is never enlarged, and its picture is not encoded twice."""
    full, wide, same = RecordingViewer(), RecordingViewer(), RecordingViewer()
    for viewer, name in ((full, "full"), (wide, "960"), (same, "640")):
        fanout.join(viewer, viewer, name)

    put_frame(camera, 1, np.zeros((480, 640, 3), np.uint8))
    until(lambda: full.frames and wide.frames and same.frames)

    assert camera.meter.encoded == 1
    assert full.frames == wide.frames == same.frames
    assert full.frames[0].rendition == "full"


def test_missed_frame_is_counted_once(camera: Camera, fanout: Fanout, scene: Image) -> None:
    """However often the pump wakes for others, a frame is missed only once."""
    slow, fast = RecordingViewer(), RecordingViewer()
    fanout.join("slow", slow, "full")
    fanout.join("fast", fast, "320")
    slow.obstacle = "credit"
    put_frame(camera, 1, scene)
    until(lambda: fast.frames)

    for _ in range(5):
        fanout.join(object(), RecordingViewer(), "320")
        settle()

    assert slow.misses == ["credit"]


def jpeg_of(scene: Image, pixels_from: int = 0) -> Jpeg:
    """Return a JPEG camera's picture, with pixels if they are requested."""
    jpeg = take_jpeg(cv2.imencode(".jpg", scene)[1].tobytes(), 100, pixels_from)
    assert isinstance(jpeg, Jpeg)
    return jpeg


@pytest.mark.parametrize(
    ("pixels_from", "decoded"), [(960, 1280), (640, 640), (600, 640), (320, 320), (161, 320)]
)
def test_jpeg_is_decoded_no_larger_than_needed(
    scene: Image, pixels_from: int, decoded: int
) -> None:
    """A JPEG is decoded at half or a quarter of its size if that is enough."""
    jpeg = jpeg_of(scene, pixels_from)

    assert jpeg.pixels is not None
    assert jpeg.pixels.shape[1] == decoded


def test_jpeg_is_passed_through_beside_its_smaller_renditions(
    camera: Camera, fanout: Fanout, scene: Image
) -> None:
    """The full size is passed through; smaller ones are made from the JPEG's pixels."""
    full, small = RecordingViewer(), RecordingViewer()
    fanout.join("full", full, "full")
    fanout.join("small", small, "320")
    jpeg = jpeg_of(scene, 320)

    put_frame(camera, 1, jpeg)
    until(lambda: full.frames and small.frames)

    assert full.frames[0].jpeg == jpeg.data
    assert small.frames[0].width == 320
    assert (camera.meter.passed, camera.meter.encoded) == (1, 1)


def test_jpeg_without_its_pixels_is_skipped(camera: Camera, fanout: Fanout, scene: Image) -> None:
    """A JPEG that came before its pixels were requested is skipped; the next has them."""
    small = RecordingViewer()
    fanout.join("small", small, "640")

    put_frame(camera, 1, jpeg_of(scene))
    put_frame(camera, 2, jpeg_of(scene, 320))
    settle()
    put_frame(camera, 3, jpeg_of(scene, 640))
    until(lambda: small.frames)

    assert small.seqs == [3]


def test_pixels_are_requested_only_while_needed(
    make_camera: Callable[..., Camera],
) -> None:
    """The source decodes at the width of the largest of the smaller renditions watched."""
    source = _RequestRecorder()
    camera = make_camera(source)
    fanout = Fanout(camera)
    viewer = RecordingViewer()

    fanout.join("viewer", viewer, "full")
    source.wait_requested(0)
    fanout.move("viewer", "320")
    source.wait_requested(320)
    fanout.join("other", RecordingViewer(), "960")
    source.wait_requested(960)
    fanout.leave("other")
    fanout.move("viewer", "full")
    source.wait_requested(0)

    fanout.close()


class _RequestRecorder(FakeSource):
    """A source that records which pixels are requested."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels_from: list[int] = []

    def retrieve(self, jpeg_up_to: int = 0, pixels_from: int = 0) -> Image:
        self.pixels_from.append(pixels_from)
        return super().retrieve(jpeg_up_to)

    def wait_requested(self, width: int) -> None:
        """Put pictures in until one is requested with pixels of this width."""
        self.pixels_from.clear()
        self.give()
        until(lambda: self.pixels_from)
        hub.sleep(0)
        assert self.pixels_from[-1] == width
