"""What happens to a frame between capture and delivery."""

from collections.abc import Callable

import cv2
import numpy as np

from server.capture.camera import Camera
from server.capture.frame import Frame, Jpeg
from server.capture.transform import Transform
from tests.conftest import FakeSource, picture, until

MakeCamera = Callable[..., Camera]


def shown(camera: Camera) -> Frame:
    """Return the frame that viewers are sent."""
    assert camera.slot.frame is not None
    return camera.slot.frame


def test_without_anything_to_do_frames_pass_untouched(make_camera: MakeCamera) -> None:
    """A camera with neither transform nor processors hands on the very picture it captured."""
    source = FakeSource()
    camera = make_camera(source)
    camera.set_viewers(1)
    mine = picture()

    source.give(mine)
    until(lambda: camera.slot.frame)

    assert shown(camera).picture is mine


def test_a_transform_counts_from_the_next_frame(make_camera: MakeCamera) -> None:
    """A camera turned at run time shows its pictures so, and says its new size; and back again."""
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


def test_a_turned_camera_needs_pixels(make_camera: MakeCamera) -> None:
    """The source's own JPEG will not do while there is something to be done to the picture."""
    source = FakeSource()
    camera = make_camera(source)

    camera.set_transform(Transform(rotate=180))

    assert camera._best_jpeg() == 0
    camera.set_transform(Transform())
    assert camera._best_jpeg() == 80


def test_a_jpeg_that_was_already_on_its_way_is_decoded(make_camera: MakeCamera) -> None:
    """A JPEG captured before the transform was set is turned too, not shown as it came."""

    camera = make_camera(FakeSource())
    camera.set_transform(Transform(rotate=90))
    data = cv2.imencode(".jpg", picture(64, 48))[1].tobytes()

    camera._put(Jpeg(data, 64, 48, 90), 1.0)
    until(lambda: camera.slot.frame)

    assert shown(camera).picture.shape == (64, 48, 3)  # type: ignore[union-attr]
