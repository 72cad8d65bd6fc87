"""Rotating, mirroring and cropping pictures."""

import itertools

import numpy as np
import pytest

from server.capture.frames.frame import Image
from server.capture.processing.transform import MIN_SIDE, Mirror, Transform

CROPS = [(0.0, 0.0, 1.0, 1.0), (0.25, 0.5, 0.5, 0.3), (0.7, 0.0, 0.3, 1.0)]
MIRRORS: list[Mirror] = ["none", "horizontal", "vertical", "both"]


@pytest.fixture
def image() -> Image:
    """A picture in which every pixel is different."""
    return np.random.default_rng(7).integers(0, 256, (60, 100, 3), np.uint8)


def expected_picture(image: Image, transform: Transform) -> Image:
    """Return the expected picture, computed straight from the definition."""
    image = np.rot90(image, -transform.rotate // 90)
    if transform.mirror in ("horizontal", "both"):
        image = image[:, ::-1]
    if transform.mirror in ("vertical", "both"):
        image = image[::-1]
    height, width = image.shape[:2]
    x, y, share_x, share_y = transform.crop
    return image[
        round(y * height) : round((y + share_y) * height),
        round(x * width) : round((x + share_x) * width),
    ]


@pytest.mark.parametrize(
    ("rotate", "mirror", "crop"), list(itertools.product((0, 90, 180, 270), MIRRORS, CROPS))
)
def test_transform_rotates_then_mirrors_then_crops(
    image: Image, rotate: int, mirror: Mirror, crop: tuple[float, float, float, float]
) -> None:
    """The result is always that of rotate, then mirror, then crop."""
    transform = Transform(rotate, mirror, crop)
    before = image.copy()

    done = transform.apply(image)

    np.testing.assert_array_equal(done, expected_picture(image, transform))
    np.testing.assert_array_equal(image, before)
    assert done.flags.c_contiguous
    assert transform.size_after(100, 60) == (done.shape[1], done.shape[0])


def test_identity_transform_copies_nothing(image: Image) -> None:
    """Without a transform the picture is not even copied."""
    assert Transform().identity
    assert Transform().apply(image) is image
    assert not Transform(rotate=90).identity
    assert not Transform(crop=(0, 0, 1, 0.5)).identity


@pytest.mark.parametrize("corner", [(0.0, 0.0), (0.999, 0.999)])
def test_crop_has_a_minimum_size(image: Image, corner: tuple[float, float]) -> None:
    """Even the smallest crop keeps 16 x 16 pixels, inside the picture."""
    done = Transform(crop=(*corner, 0.001, 0.001)).apply(image)

    assert done.shape == (MIN_SIDE, MIN_SIDE, 3)


def test_tiny_picture_is_not_cropped(image: Image) -> None:
    """A picture smaller than the minimum crop is not cropped."""
    assert Transform(crop=(0.5, 0.5, 0.5, 0.5)).apply(image[:8, :8]).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"rotate": 45}, "rotate"),
        ({"mirror": "sideways"}, "mirror"),
        ({"crop": (0.5, 0, 0.6, 1)}, "crop"),
        ({"crop": (0, 0, 0, 1)}, "crop"),
        ({"crop": (-0.1, 0, 1, 1)}, "crop"),
        ({"crop": (0, 0, float("nan"), 1)}, "crop"),
    ],
)
def test_invalid_transforms_are_rejected(values: dict[str, object], named: str) -> None:
    """The error names the invalid value."""
    with pytest.raises(ValueError, match=named):
        Transform(**values)  # type: ignore[arg-type]
