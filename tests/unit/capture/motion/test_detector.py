"""Motion in drawn pictures, and changes that are not motion."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from server.capture.frames.event_report import EventReport
from server.capture.motion.detector import Detector, Motion
from server.capture.motion.pictures import shrink
from server.capture.motion.settings import MOTION_INTERVAL_S, MotionSettings
from server.capture.motion.tracker import MotionTracker
from server.capture.sources.testpattern import TestPattern

Plane = NDArray[np.float64]
Picture = Callable[[float], Plane]

WIDTH, HEIGHT = 160, 90
USUAL = MotionSettings()
RNG = np.random.default_rng(7)

# A yard: a wall with windows, and gravel in front of it.
YARD = np.full((HEIGHT, WIDTH), 70.0)
YARD[:40] = 110.0
for left in range(10, 150, 30):
    YARD[10:28, left : left + 14] = 190.0
YARD[40:] += 8 * cv2.GaussianBlur(RNG.normal(size=(50, WIDTH)), (0, 0), 1.5)


def yard(_at: float) -> Plane:
    return YARD.copy()


def box(at: float, left: float, shade: float = 200.0, side: int = 14) -> Plane:
    """The yard with a box that enters after 3 s and crosses it at 40 pixels a second."""
    made = YARD.copy()
    x = round(left + max(0.0, at - 3) * 40)
    if at > 3:
        made[55 : 55 + side, max(0, x) : max(0, x + side)] = shade
    return made


def seen(
    picture: Picture,
    seconds: float = 8.0,
    settings: MotionSettings = USUAL,
    noise: float = 2.0,
) -> list[tuple[float, Motion]]:
    """Return when and where motion was seen, in pictures drawn as a function of time."""
    detector = Detector(settings)
    return list(_see(detector, picture, seconds, noise))


def _see(
    detector: Detector, picture: Picture, seconds: float, noise: float
) -> Iterator[tuple[float, Motion]]:
    for number in range(round(seconds / MOTION_INTERVAL_S)):
        at = number * MOTION_INTERVAL_S
        made = picture(at) + RNG.normal(0, noise, (HEIGHT, WIDTH))
        motion = detector.see(np.clip(made, 0, 255).astype(np.uint8), 100 + at)
        if motion is not None:
            yield at, motion


def test_moving_box_is_located() -> None:
    """From entering to leaving it has a bounding box, and a score that grows with its size."""
    found = seen(lambda at: box(at, -14))

    assert 3.0 < found[0][0] < 3.6
    assert 6.6 < found[-1][0] < 7.4
    at, motion = next(one for one in found if one[0] > 4.9)
    left, top, width, height = motion.box
    assert left * WIDTH == pytest.approx(-14 + (at - 3) * 40, abs=5)
    assert top * HEIGHT == pytest.approx(55, abs=3)
    assert width * WIDTH == pytest.approx(14, abs=9)
    assert height * HEIGHT == pytest.approx(14, abs=5)
    larger = seen(lambda at: box(at, -28, side=28))
    assert max(one.score for _, one in larger) > max(one.score for _, one in found) > 0


@pytest.mark.parametrize("shade", [20.0, 130.0, 250.0])
def test_dark_and_bright_objects_are_seen(shade: float) -> None:
    """Objects are seen whether they are darker or brighter than the background."""
    assert seen(lambda at: box(at, -14, shade))


def lights_on(at: float) -> Plane:
    """A lamp is switched on at the left: everything gets brighter, near it twice as much."""
    lamp = np.linspace(2.2, 1.3, WIDTH)[None] if at > 4 else 1.0
    return YARD * lamp


def lights_off(at: float) -> Plane:
    return YARD * (0.3 if at > 4 else 1.0)


def infrared(at: float) -> Plane:
    """Night vision comes on: all brightnesses change, and the lamp shines in the middle."""
    if at < 4:
        return YARD.copy()
    across = np.linspace(-1, 1, WIDTH)[None] ** 2 + np.linspace(-1, 1, HEIGHT)[:, None] ** 2
    return (255 - YARD) * (0.9 - 0.4 * across)


def drift(at: float) -> Plane:
    """Clouds: half as bright within 6 s, and back."""
    return YARD * (1 - 0.5 * np.sin(np.pi * at / 12))


def exposure(at: float) -> Plane:
    """Automatic exposure, which overshoots."""
    return YARD * (1 + 0.25 * np.exp(-((at - 4) ** 2)) - 0.1 * np.exp(-((at - 6) ** 2)))


def flicker(at: float) -> Plane:
    """A lamp on mains power beats with the camera's shutter."""
    return YARD * (1 + 0.12 * np.sin(at * 17))


def bands(at: float) -> Plane:
    """A rolling shutter turns the flicker into moving bands."""
    rows = np.arange(HEIGHT)[:, None]
    return YARD * (1 + 0.04 * np.sin(rows / 12 + at * 5))


def shaking(at: float) -> Plane:
    """By one pixel of the scaled picture, which is eight of the camera's."""
    shift = (round(at / MOTION_INTERVAL_S) % 3 - 1, round(at / MOTION_INTERVAL_S / 2) % 3 - 1)
    return np.roll(YARD, shift, axis=(0, 1))


def hot_pixels(at: float) -> Plane:
    made = YARD.copy()
    for number in range(6):
        made[10 + 11 * number, (37 * number + round(at * 50)) % WIDTH] = 255
    return made


def compressed(at: float) -> Plane:
    """An encoder at a low bit rate, in large blocks that change with each picture."""
    quality = 8 if round(at / MOTION_INTERVAL_S) % 5 else 30
    _, data = cv2.imencode(".jpg", YARD.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(float)


NO_MOTION = [
    *(yard, lights_on, lights_off, infrared, drift, exposure, flicker, bands, shaking, hot_pixels),
    compressed,
]


@pytest.mark.parametrize("picture", NO_MOTION, ids=lambda one: one.__name__)
@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_other_changes_are_not_motion(picture: Picture, noise: float) -> None:
    """Light, exposure, noise, compression and a shaking camera change pictures too."""
    assert seen(picture, 12.0, noise=noise) == []


def reports_from_key_frames(picture: Picture, seconds: float) -> list[EventReport]:
    """Return the reports if only key frames, one in 2 s, and those after them are checked."""
    watch, found = MotionTracker(USUAL), []
    for number in range(round(seconds / MOTION_INTERVAL_S)):
        at = number * MOTION_INTERVAL_S
        if number % 10 > 1 and not watch.in_doubt:
            continue
        made = picture(at) + RNG.normal(0, 2, (HEIGHT, WIDTH))
        grey = np.clip(made, 0, 255).astype(np.uint8)
        found.extend(watch.see(grey, 100 + at, at, lambda: b"jpeg"))
    return found


@pytest.mark.parametrize("picture", NO_MOTION, ids=lambda one: one.__name__)
def test_other_changes_are_not_motion_in_key_frames_alone(picture: Picture) -> None:
    """Light changes more in two seconds, but the pictures that follow show that nothing moves."""
    assert reports_from_key_frames(picture, 20.0) == []


def test_motion_is_seen_in_key_frames_alone() -> None:
    """Motion is seen even if the camera darkens the picture meanwhile."""

    def passing(at: float) -> Plane:
        return box(at, -14, side=24) * (1 - 0.4 * np.exp(-((at - 5) ** 2)))

    found = reports_from_key_frames(passing, 14.0)

    assert (found[0].ended, found[-1].ended) == (False, True)
    assert 3.0 < found[0].at_unix < 5.0
    assert 6.0 < found[-1].at_unix < 8.0


def test_motion_is_seen_while_exposure_changes() -> None:
    """A white car made the camera darken everything else by a third within a second."""
    assert len(seen(lambda at: box(at, -14) * (1 - 0.4 * np.exp(-((at - 5) ** 2))))) > 10


def test_object_that_stops_becomes_background() -> None:
    """A car parks: it is seen until it stops, then becomes background. When it leaves later, it is
    seen, and the gap that it leaves is not."""

    def parking(at: float) -> Plane:
        made = YARD.copy()
        x = min(60.0, -20 + max(0.0, at - 3) * 40) + max(0.0, at - 20) * 40
        made[50:65, max(0, round(x)) : max(0, round(x) + 20)] = 200
        return made

    found = [at for at, _ in seen(parking, 30.0)]

    assert 3 < min(found) < 4
    assert not [at for at in found if 8 < at < 20]
    assert [at for at in found if 20 < at < 23]
    assert not [at for at in found if at > 24]


def test_flickering_screen_becomes_background() -> None:
    """A flickering television stops counting as motion after a while."""

    def television(at: float) -> Plane:
        made = YARD.copy()
        made[60:80, 100:130] = 90 + 60 * (round(at / MOTION_INTERVAL_S) % 2)
        return made

    assert [at for at, _ in seen(television, 40.0) if at > 25] == []


def test_motion_outside_zones_is_ignored() -> None:
    """Motion is seen only where a polygon covers it."""
    above = (((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5)),)
    right = (((0.5, 0.5), (1.0, 0.5), (1.0, 1.0), (0.5, 1.0)),)

    assert seen(lambda at: box(at, -14), settings=MotionSettings(zones=above)) == []
    found = seen(lambda at: box(at, -14), settings=MotionSettings(zones=right))
    assert found
    assert min(motion.box[0] for _, motion in found) >= 0.49


def test_object_below_minimum_size_is_ignored() -> None:
    """A cat of 1.4 % is seen with a minimum size of 1 %, and not with 2 %."""
    assert seen(lambda at: box(at, -14), settings=MotionSettings(min_size=1.0))
    assert seen(lambda at: box(at, -14), settings=MotionSettings(min_size=2.0)) == []


def test_higher_sensitivity_sees_lower_contrast() -> None:
    """A coat nearly as dark as the gravel behind it is seen only with more sensitivity."""
    levels = [
        len(seen(lambda at: box(at, -14, 88.0), settings=MotionSettings(sensitivity=one)))
        for one in (10, 50, 90)
    ]
    assert levels[0] == 0
    assert levels[0] <= levels[1] < levels[2]


def test_test_pattern_noise_is_not_motion() -> None:
    """The pattern's noise, its small moving parts and a step in brightness are not motion."""
    pattern = TestPattern("test", size=(640, 360), noise=0.03)
    detector = Detector(MotionSettings())
    found = []
    for number in range(50):
        if number == 30:
            pattern.set_control("brightness", 40.0)
        image = pattern.render(1_700_000_000 + number * MOTION_INTERVAL_S)
        found.append(detector.see(shrink(image), number * MOTION_INTERVAL_S))
    pattern.close()

    assert found == [None] * 50
